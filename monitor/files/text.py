"""Paths as text that is safe to store and to show."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

# A fixed list and not str.isprintable(), whose answers change with Python's version, as this form is stored:
# the backslash; control, line-breaking, invisible and direction-changing characters; lone surrogates.
_UNSAFE: Final = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_ESCAPED: Final = re.compile(rb"\\(\\|n|x[0-9a-f]{2}|)")


def to_text(path: str | os.PathLike[str]) -> str:
    r"""Return a path as text that is valid UTF-8 and safe to show, and from which `from_text` restores it.

    A backslash is doubled and a newline becomes ``\n``; the bytes of control and invisible characters, and those that
    are not valid UTF-8, become ``\xNN``.
    """
    text = os.fspath(path)
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    try:
        raw = os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair, which comes from no file system
        raw = text.encode("utf-8", "surrogatepass")
    return _UNSAFE.sub(_escape, raw.decode("utf-8", "surrogateescape"))


# The same for messages, tables and JSON, where the text may also be another one that the program did not write.
printable = to_text


def from_text(text: str) -> Path:
    """Return the path that `to_text` was given; raise `ValueError` for a text that it cannot have written."""
    raw = _ESCAPED.sub(_unescape, text.encode("utf-8"))
    if b"\0" in raw:
        raise ValueError(f"{text!r} holds a zero byte, which no path can")
    return Path(os.fsdecode(raw))


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in "\\\n":
        return "\\\\" if character == "\\" else "\\n"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if not code:
        raise ValueError(f"{match.string!r} holds a backslash that begins none of \\\\, \\n and \\xNN")
    return {b"\\": b"\\", b"n": b"\n"}.get(code) or bytes([int(code[1:], 16)])
