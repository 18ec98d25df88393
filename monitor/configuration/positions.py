"""Finds the lines of sections and keys in a TOML file, which the TOML library does not tell, even in a broken one."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Deeper lists and tables than this are no configuration; the libraries read a few hundred levels.
DEEPEST: Final = 100

# Sections and keys from the outside in: ``("rules", "fixed", "threshold")``.
Location = tuple[str, ...]

_TOKEN: Final = re.compile(
    r"""
      (?P<comment>\#[^\n]*)
    | (?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
    | (?P<newline>\n)
    | (?P<opening>[\[{])
    | (?P<closing>[\]}])
    | (?P<equals>=)
    | (?P<blank>[^\S\n]+)
    | (?P<other>[^\s\#"'\[\]{}=]+ | .)
    """,
    re.VERBOSE | re.DOTALL,
)
_BARE_KEYS: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


class Statement(NamedTuple):
    """A section's heading or a key with its value: its lines, counted from 1, and its whole location.

    ``location`` is empty where the name is not one that TOML allows. ``depth``: how deeply brackets are nested in it.
    """

    first: int
    last: int
    location: Location
    is_section: bool
    depth: int


def statements(text: str) -> Iterator[Statement]:
    """The statements of a document in their order; what is broken is read as far as it goes."""
    section: Location = ()
    for first, last, words, depth in _pieces(text):
        if words[0] == "[":
            # An array of tables, [[name]], has a second pair of brackets.
            name = "".join(words).split("]", 1)[0].lstrip("[")
            section = location = _location(name)
            yield Statement(first, last, location, is_section=True, depth=depth)
        else:
            name = "".join(words[: words.index("=")] if "=" in words else words[:1])
            location = _location(name)
            yield Statement(first, last, (*section, *location) if location else (), is_section=False, depth=depth)


def _pieces(text: str) -> Iterator[tuple[int, int, list[str], int]]:
    """The first and last line, the words and the depth of each statement."""
    line, first, depth, deepest = 1, 1, 0, 0
    words: list[str] = []
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup, token[0]
        # A heading is one line, even where its bracket is missing.
        if kind == "newline" and words and (depth <= 0 or words[0] == "["):
            yield first, line, words, deepest
            words, depth, deepest = [], 0, 0
        elif kind not in {"newline", "comment"} and (words or kind != "blank"):
            first = first if words else line
            words.append(word)
            depth += (kind == "opening") - (kind == "closing")
            deepest = max(deepest, depth)
        line += word.count("\n")
    if words:
        yield first, line, words, deepest


def _location(name: str) -> Location:
    """The parts of a dotted name, some of them perhaps in quotation marks."""
    name = name.strip()
    if _BARE_KEYS.fullmatch(name):
        return tuple(name.split("."))
    found: Any
    try:
        found = tomllib.loads(f"{name} = 0")
    except (ValueError, RecursionError):
        return ()
    parts = []
    while isinstance(found, dict):
        ((part, found),) = found.items()
        parts.append(part)
    return tuple(parts)


def lines_of(text: str) -> dict[Location, int]:
    """The line of each section and key, counted from 1; of a section that is there several times, the first."""
    lines: dict[Location, int] = {}
    for one in statements(text):
        lines.setdefault(one.location, one.first)
    lines.pop((), None)
    return lines
