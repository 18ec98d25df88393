"""Cuts what is too much to handle at once into pieces."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Item = TypeVar("_Item")


def chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """The items as lists of ``size``, the last one shorter; takes no more from ``items`` than the next list needs."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
