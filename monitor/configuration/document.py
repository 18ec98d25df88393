"""Reads a TOML file with the lines of its keys, and with every mistake in it, not only the first."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.configuration.encoding import decoded
from monitor.configuration.mistakes import explain, explain_depth
from monitor.configuration.positions import DEEPEST, Location, lines_of, statements
from monitor.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.mistakes import Mistake

# What is wrong beyond these is seen once they are corrected.
MOST_MISTAKES: Final = 10


class Document(NamedTuple):
    """What could be read of a file: values, the line of each key and section, and a line for each mistake."""

    values: dict[str, Any]
    lines: dict[Location, int]
    problems: list[str]


def read_document(file: Path) -> Document:
    """Read a file; raises `ConfigurationError` where it cannot be read or is no text."""
    try:
        text = decoded(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"{file}: cannot be read: {error.strerror}; give the user that runs this program read permission"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"{file}: {error}") from None
    # The library accepts no other line ends.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = lines_of(text)
    problems: list[str] = []
    while len(problems) < MOST_MISTAKES:
        mistake = None
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            mistake = explain(text, str(error))
        except RecursionError:
            mistake = explain_depth(text)
        else:
            if _too_deep(text):
                mistake = explain_depth(text)
        if mistake is None:
            return Document(values, lines, problems)
        problems.append(_sentence(file, mistake))
        text = _without(text, mistake)
    return Document({}, lines, problems)


def _too_deep(text: str) -> bool:
    return any(one.depth > DEEPEST for one in statements(text))


def _sentence(file: Path, mistake: Mistake) -> str:
    location = mistake.statement.location if mistake.statement else ()
    name = ".".join(location)
    where = f"[{name}]: " if location and mistake.statement and mistake.statement.is_section else f"{name}: "
    return f"{file}:{mistake.line}: {where if location else ''}{mistake.sentence}"


def _without(text: str, mistake: Mistake) -> str:
    """The text with the statement blanked out; of a section the keys as well, which would belong to another one."""
    lines = text.split("\n")
    first, last = mistake.line, mistake.line
    if mistake.statement is not None:
        first, last = min(first, mistake.statement.first), max(last, mistake.statement.last)
        if mistake.statement.is_section:
            following = (one.first - 1 for one in statements(text) if one.is_section and one.first > first)
            last = next(following, len(lines))
    lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(lines)
