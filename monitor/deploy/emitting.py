"""Writes plain values as YAML in the order in which they are given: the same values give the same bytes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./ :-]*")
_OTHER_THAN_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def to_yaml(value: dict[str, Any], *, comment: str) -> str:
    """A mapping of mappings, lists, texts, numbers and booleans, below a comment."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    return head + "\n" + "".join(f"{line}\n" for line in _mapping(value))


def _mapping(value: dict[str, Any]) -> Iterator[str]:
    for key, content in value.items():
        yield from _entry(f"{_scalar(key)}:", content)


def _entry(key: str, content: object) -> Iterator[str]:
    """A key, or the dash of a list, with what belongs to it."""
    if isinstance(content, str) and _is_block(content):
        yield f"{key} |-"
        yield from (f"  {line}" if line else "" for line in content.split("\n"))
    elif isinstance(content, dict) and content:
        yield key
        yield from (f"  {line}" for line in _mapping(content))
    elif isinstance(content, list) and content:
        yield key
        for item in content:
            yield from (f"  {line}" for line in _item(item))
    else:
        yield f"{key} {_scalar(content)}"


def _item(item: object) -> Iterator[str]:
    if not isinstance(item, dict) or not item:
        yield from _entry("-", item)
        return
    first, *rest = _mapping(item)
    yield f"- {first}"
    yield from (f"  {line}" for line in rest)


def _is_block(text: str) -> bool:
    """Whether a text has several lines that YAML takes as they are, below one that does not begin with a space."""
    lines = text.split("\n")
    as_they_are = all(line.isprintable() and not line.endswith(" ") for line in lines)
    return len(lines) > 1 and as_they_are and bool(lines[-1]) and not lines[0].startswith(" ") and bool(lines[0])


def _scalar(value: object) -> str:
    if isinstance(value, str):
        readable = _PLAIN.fullmatch(value) and value.lower() not in _OTHER_THAN_TEXT
        # A colon before a space begins a mapping, and one at the end as well.
        if readable and ": " not in value and not value.endswith((":", " ")):
            return value
        # Between single quotes everything is literal except the quote itself.
        if value.isprintable() and '"' in value:
            return "'" + value.replace("'", "''") + "'"
        return '"' + "".join(map(_in_double_quotes, value)) + '"'
    return json.dumps(value)


def _in_double_quotes(character: str) -> str:
    """A character of a text in double quotes; JSON would write those beyond 16 bits as two, which are none in YAML."""
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"
