"""Values as other programs' files take them: the words of systemd's units, and what no such file can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from monitor.errors import ConfigurationError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Control characters, of which systemd takes \r, \n and \0 for the end of a line wherever they are, and halves of
# surrogate pairs, which stand for bytes that are not UTF-8: systemd ignores a line that has any.
_UNWRITABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# What is the same for systemd with and without quotes.
_PLAIN: Final = re.compile(r"[\w@%+=,./$-]+")


def checked(text: str, source: str) -> str:
    """The same text; raises `ConfigurationError` if it cannot be written into files for systemd, Prometheus or Grafana.

    ``source``: what messages call the place that it comes from.
    """
    if _UNWRITABLE.search(text):
        raise ConfigurationError(
            f"{source}: {printable(text)}: has a control character, or bytes that are not UTF-8, which the files of "
            "other programs cannot hold; use another name"
        )
    return text


def unit_word(text: str) -> str:
    """A word of a unit that systemd reads as exactly this text, which `checked` has accepted."""
    text = text.replace("%", "%%")
    if _PLAIN.fullmatch(text):
        return text
    # In quotes a colon separates nothing, and spaces belong to the word.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unit_words(paths: Iterable[Path]) -> str:
    """Several paths as one directive takes them."""
    return " ".join(unit_word(str(path)) for path in paths)


def unit_command(words: Iterable[str]) -> str:
    """A command line; in it, systemd expands variables as well."""
    return " ".join(unit_word(word.replace("$", "$$")) for word in words)


def unit_file_pattern(text: str) -> str:
    """The rest of a line for ``EnvironmentFile=``, which knows no quotes and takes patterns as a shell does.

    systemd cuts off spaces at its end, and a backslash there would take the next line in.
    """
    assert not text.endswith((" ", "\\"))
    return re.sub(r"([\\*?\[])", r"\\\1", text).replace("%", "%%")


def unit_comment(text: str) -> str:
    """A part of a comment, which a backslash at its end would make longer."""
    return text.replace("\\", "?")
