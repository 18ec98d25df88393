"""Decodes text files in whatever encoding an editor saved them, or names the encoding that they seem to have."""

from __future__ import annotations

import codecs
from typing import Final

# Longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# What editors call the encodings in which a file may have been saved instead, and what Python calls them; the most
# likely one first. KOI8-R is not among them: a word or two in it cannot be told from Windows-1251.
_CYRILLIC: Final = (("Windows-1251", "cp1251"), ("CP866 (DOS)", "cp866"))
# Three of five letters of Russian text are these; of the same bytes in the wrong encoding, far fewer.
_FREQUENT: Final = frozenset("оеаинтсрвл")
_NO_LATIN: Final = bytes(byte for byte in range(256) if not bytes([byte]).isalpha())


def decoded(content: bytes) -> str:
    """Text in UTF-8, or in UTF-16 or UTF-32 if it begins with a byte-order mark; the mark is left out.

    Raises `ValueError` with a sentence that says what the encoding seems to be and what to do.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"begins like {encoding.upper()} but is damaged at byte {error.start}: save it as UTF-8"
                ) from None
    # No text has zero bytes; in UTF-16 one belongs to every Latin letter.
    if 4 * content.count(b"\0") > len(content):
        raise ValueError("is not UTF-8; it looks like UTF-16 without a byte-order mark: save it as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"is not UTF-8 (line {line}); {_guess(content)}") from None


def _guess(content: bytes) -> str:
    """What to do, and which encoding it seems to be if that can be told."""
    foreign = [place for place, byte in enumerate(content) if byte >= 0x80]
    # In Western languages single letters have accents; Russian words have no Latin letters in them.
    beside_latin = sum(content[max(place - 1, 0) : place + 2].translate(None, _NO_LATIN) != b"" for place in foreign)
    if beside_latin > len(foreign) / 2:
        return "it looks like Windows-1252 (Western European): save it as UTF-8"
    text = bytes(content[place] for place in foreign)
    name, encoding = max(_CYRILLIC, key=lambda one: _russian(text, one[1]))
    return f"it looks like {name}: save it as UTF-8" if _russian(text, encoding) > 0.5 else "save it as UTF-8"


def _russian(foreign: bytes, encoding: str) -> float:
    """How much like Russian the bytes look in an encoding, 0-1."""
    letters = [letter for letter in foreign.decode(encoding, errors="replace").casefold() if "а" <= letter <= "ё"]
    frequent = sum(letter in _FREQUENT for letter in letters)
    return (len(letters) + frequent) / (2 * len(foreign))
