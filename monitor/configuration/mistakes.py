"""Says what is wrong with a file that is not valid TOML, as a person would who looks at the line."""

from __future__ import annotations

import re
import unicodedata
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.configuration.checks import WINDOWS_PATH, WINDOWS_REMEDY
from monitor.configuration.positions import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.configuration.positions import Statement

_TEXT_OR_COMMENT: Final = re.compile(r"""#.*|"(?:\\.|[^"\\])*"|'[^']*'""")
_PLACE: Final = re.compile(r" \(at line (\d+), column (\d+)\)$| \(at end of document\)$")
_QUOTATION_MARKS: Final = frozenset("“”„‟‘’‚‛«»‹›″′`´＂＇")


class Mistake(NamedTuple):
    """What is wrong: the sentence, the line that it is about, and the key or section there, if it can be told."""

    sentence: str
    statement: Statement | None
    line: int


def explain(text: str, message: str) -> Mistake:
    """Explain the TOML library's ``message`` about ``text``."""
    found, lines = list(statements(text)), text.split("\n")
    place = _PLACE.search(message)
    at = int(place[1]) if place and place[1] else _unclosed(found, lines)
    statement = next((one for one in reversed(found) if one.first <= at), None)
    earlier = [one for one in found if statement is not None and one.first < statement.first]
    what = _PLACE.sub("", message)
    # A text or list that is not closed ends somewhere below; what a person has to look at is where it begins.
    if statement is not None and re.search("Unclosed|Unterminated|at the end|end of document|Expected ['\"]", message):
        at = statement.first
    line = lines[at - 1] if at <= len(lines) else ""
    if "://" in line or statement is None or statement.location[:1] in {(), ("database",)}:
        line = _without_secrets(line)
    duplicate = _duplicate(statement, earlier) if what.startswith("Cannot") else None
    sentence = duplicate or next(filter(None, (kind(what, line) for kind in _KINDS)), f"{what[:1].lower()}{what[1:]}")
    return Mistake(sentence, statement, at)


def explain_depth(text: str) -> Mistake:
    """Explain that the TOML library gave up on nested lists or tables."""
    deepest = max(statements(text), key=lambda one: one.depth, default=None)
    sentence = f"lists or tables are nested {deepest.depth if deepest else 'too many'} deep; no key needs more than two"
    return Mistake(sentence, deepest, deepest.first if deepest else 1)


def _without_secrets(line: str) -> str:
    """The line without the words of its value, among which there may be a password."""
    key, equals, value = line.partition("=")
    return f"{key}{equals}{re.sub('[A-Za-z0-9]+', '***', value)}"


def _unclosed(found: Sequence[Statement], lines: Sequence[str]) -> int:
    """The line where a text begins that never ends; else the last one."""
    for one in found:
        if set("\"'") & set(_TEXT_OR_COMMENT.sub("", "\n".join(lines[one.first - 1 : one.last]))):
            return one.first
    return found[-1].last if found else 1


def _duplicate(statement: Statement | None, earlier: Sequence[Statement]) -> str | None:
    if statement is None:
        return None
    first = next((one for one in earlier if one.location == statement.location), None)
    if first is None:
        return "says the same thing twice, as a key and as a section; keep one of them"
    if statement.is_section:
        return f"the section is there twice, first in line {first.first}; put all its keys below one heading"
    return f"is set twice, first in line {first.first}; keep one of them"


def _foreign_character(_what: str, line: str) -> str | None:
    """Quotation marks of word processors, invisible characters of web pages, letters of another alphabet."""
    bare = _TEXT_OR_COMMENT.sub("", line)
    found = next((letter for letter in bare if not letter.isascii()), "")
    if not found:
        return None
    name = unicodedata.name(found, f"U+{ord(found):04X}").lower()
    if found in _QUOTATION_MARKS:
        return f'{found} is not a quotation mark of TOML ({name}); write straight ones: "…"'
    shown = f"{found} ({name})" if found.isprintable() else f"an invisible character ({name})"
    return f'holds {shown} where only plain Latin characters may be; type the line anew, with text between "…"'


def _control_character(_what: str, line: str) -> str | None:
    found = next((letter for letter in line if ord(letter) < 0x20 and letter != "\t"), "")
    return f"holds a control character (U+{ord(found):04X}); delete it, or type the line anew" if found else None


def _backslash(what: str, line: str) -> str | None:
    if not re.match(r"Unescaped|Invalid hex|Escaped character", what):
        return None
    value = line.partition("=")[2].strip().strip("\"'")
    if WINDOWS_PATH.match(value):
        return WINDOWS_REMEDY
    return "a backslash has a meaning of its own between \"…\"; write the text between '…', or each backslash twice"


def _value_without_quotation_marks(what: str, line: str) -> str | None:
    value = _TEXT_OR_COMMENT.sub("", line).partition("=")[2].strip()
    if what != "Invalid value":
        return None
    if not value:
        return "has no value; give one, or put a # before the line"
    if value.lower() in {"true", "false", "yes", "no", "on", "off"}:
        return f"{value} is not a value of TOML; write true or false"
    if value.lower() in {"none", "null", "nil"}:
        return f'{value} is not a value of TOML; for nothing leave the line out, or write "" where the sample does'
    if re.match(r"[.,]\d", value):
        return f"{value} is not a number of TOML; write a digit before the point"
    return f'text has to be between quotation marks: "{value}"'


def _no_equals_sign(what: str, line: str) -> str | None:
    if not what.startswith("Expected '=' after a key"):
        return None
    if line.strip().startswith("export "):
        return "is a line of a shell script; write KEY = VALUE without export"
    return "a key and its value are separated by an equals sign: KEY = VALUE"


def _no_statement(what: str, line: str) -> str | None:
    if not what.startswith(("Invalid statement", "Invalid initial character")):
        return None
    start = line.strip()[:1]
    if start in {";", "/"}:
        return "a comment begins with #"
    if start == "[":
        return "is not the heading of a section; write it like [paths]"
    if start in {"{", "<"}:
        return "is not TOML but looks like another format; the sample shows how to write it: monitor config init"
    return "is neither a [section] nor KEY = VALUE nor a # comment"


def _not_closed(what: str, line: str) -> str | None:
    if what.startswith("Expected ']' at the end of a table"):
        return "the heading of a section ends with a bracket: [paths]"
    if what == "Unclosed array":
        return "the list is not closed, or a comma is missing: [1, 2]"
    if what == "Unclosed inline table":
        return "the table is not closed, or a comma is missing; it stands on one line: { a = 1, b = 2 }"
    if what.startswith(
        ("Illegal character '\\n'", "Found invalid character '\\n'", "Unterminated string", 'Expected "\'"')
    ):
        mark = "'" if _first_mark(line) == "'" else '"'
        return f"the text has no closing quotation mark {mark}"
    return None


def _trailing(what: str, line: str) -> str | None:
    if not what.startswith("Expected newline or end of document"):
        return None
    value = _TEXT_OR_COMMENT.sub("", line).partition("=")[2].strip()
    if line.lstrip().startswith("["):
        return "nothing may follow the heading of a section; write keys on the lines below it"
    if re.match(r"[+-]?\d+,\d", value):
        return f"{value} is not a number of TOML; write a point instead of the comma: {value.replace(',', '.')}"
    if re.match(r"[+-]?0\d+$", value):
        return f"{value} begins with a zero, which TOML allows in no number; write {value.lstrip('+-0') or '0'}"
    if re.match(r"[+-]?\d+ \d", value):
        return f"{value} is not a number of TOML; write {value.replace(' ', '_')}"
    if re.match(r"\d\S*$", value):
        return f'{value} is not a number of TOML; text has to be between quotation marks: "{value}"'
    return "something follows the value; write each key on a line of its own, and text between quotation marks"


def _inline_duplicate(what: str, _line: str) -> str | None:
    if not what.startswith("Duplicate inline table key"):
        return None
    return f"holds the key {what.removeprefix('Duplicate inline table key ')} twice; keep one of them"


# In the order in which they are tried.
_KINDS: Final[tuple[Callable[[str, str], str | None], ...]] = (
    _control_character,
    _foreign_character,
    _backslash,
    _not_closed,
    _value_without_quotation_marks,
    _no_equals_sign,
    _no_statement,
    _trailing,
    _inline_duplicate,
)


def _first_mark(line: str) -> str:
    before = "".join(takewhile(lambda letter: letter not in "\"'", line))
    return line[len(before) : len(before) + 1]
