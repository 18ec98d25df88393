"""Limits which cameras and holes have their own series: their names come from file names, which may be anything."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from monitor.configuration.checks import parse_holes
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.configuration.settings import Settings

# The labels (camera, hole).
Pair = tuple[str, str]

# All cameras and holes without their own series.
OTHER: Final[Pair] = ("other", "other")
# All cameras and holes together.
EVERYTHING: Final[Pair] = ("*", "all")
# Longer names of cameras are cut.
LONGEST_NAME: Final = 64


class Holes:
    """Gives up to a number of (camera, hole) pairs their own labels; threads may share it."""

    def __init__(self, most: int = 256, expected: Iterable[tuple[str, int]] = ()) -> None:
        """The first ``most`` pairs get their own labels, starting with the ``expected`` ones; the rest are `OTHER`."""
        self._most = most
        self._lock = Lock()
        self._named: set[Pair] = set()
        self.expected = [pair for camera, hole in expected if (pair := self.labels(camera, hole)) != OTHER]

    @classmethod
    def of(cls, settings: Settings) -> Holes:
        """With the limit of `metrics.holes` and the holes that `completeness.cameras` expects."""
        expected = [
            (camera, hole)
            for camera, text in settings.completeness.cameras.items()
            for hole in sorted(parse_holes(text))
        ]
        return cls(settings.metrics.holes, expected)

    def labels(self, camera: str | None, hole: int | None) -> Pair:
        """The labels of a camera and a hole; None means unknown."""
        pair = (_camera(camera), UNKNOWN if hole is None or hole < 0 else str(hole))
        with self._lock:
            if pair not in self._named:
                if len(self._named) >= self._most:
                    return OTHER
                self._named.add(pair)
        return pair


def _camera(name: str | None) -> str:
    """A camera's printable name as a label of bounded length; "*" stands for all cameras, so it names none."""
    if not name or name == EVERYTHING[0]:
        return UNKNOWN
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
