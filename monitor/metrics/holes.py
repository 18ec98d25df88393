"""Which cameras and holes have series of their own; their names come from file names, so anybody may choose them."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from monitor.configuration.checks import parse_holes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.configuration.settings import Settings

Pair = tuple[str, str]
"""The labels (camera, hole)."""

UNKNOWN: Final = "unknown"
"""Stands for a camera or a hole that the file's name does not say."""
OTHER: Final[Pair] = ("other", "other")
"""All that have no series of their own."""
EVERYTHING: Final[Pair] = ("*", "all")
"""All cameras and holes together."""
LONGEST_NAME: Final = 64


class Holes:
    """Gives at most so many pairs of camera and hole labels of their own; may be used from several threads."""

    def __init__(self, most: int = 256, expected: Iterable[tuple[str, int]] = ()) -> None:
        """``expected`` are named first, then those that come first, until ``most`` are; the rest is `OTHER`."""
        self._most = most
        self._lock = Lock()
        self._named: set[Pair] = set()
        self.expected = [pair for camera, hole in expected if (pair := self.labels(camera, hole)) != OTHER]

    @classmethod
    def of(cls, settings: Settings) -> Holes:
        """By `metrics.holes`, with the holes that `completeness.cameras` expects."""
        expected = [
            (camera, hole)
            for camera, text in settings.completeness.cameras.items()
            for hole in sorted(parse_holes(text))
        ]
        return cls(settings.metrics.holes, expected)

    def labels(self, camera: str | None, hole: int | None) -> Pair:
        """The labels of a camera and a hole, which are None where they are unknown."""
        pair = (_camera(camera), UNKNOWN if hole is None or hole < 0 else str(hole))
        with self._lock:
            if pair not in self._named:
                if len(self._named) >= self._most:
                    return OTHER
                self._named.add(pair)
        return pair


def _camera(name: str | None) -> str:
    """A camera's name as a label: of bounded length, and printable already; the sign for all cameras names none."""
    if not name or name == EVERYTHING[0]:
        return UNKNOWN
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
