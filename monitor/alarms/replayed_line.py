"""Answers the latch about a line whose decisions are columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.alarms.columns import MICROSECOND
from monitor.alarms.raising import ACTIVE
from monitor.store.alarms import NO_HOLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from monitor.alarms.columns import Decisions
    from monitor.alarms.latch import Sighting
    from monitor.store.alarms import Subject

    Integers = NDArray[np.int64]

# A hole is active, and time without a crop counts as observed, for as long as this.
_ACTIVE: Final = ACTIVE // MICROSECOND
_NEVER: Final = -(2**62)


class ReplayedLine:
    """What a latch asks, of the decision ``row`` of the part that was entered last.

    ``subjects``: the list that the columns refer to; it may grow from part to part. Crops are numbered within what they
    are of, so that the numbers of two say how many lie between them.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.row = 0
        self._subjects = subjects
        self._part: Decisions | None = None
        self._numbers: dict[str, int] = {}
        # By subject.
        self._counts = np.zeros(0, dtype=np.int64)
        self._last = np.zeros(0, dtype=np.int64)
        self._cameras = np.zeros(0, dtype=np.int64)
        self._is_hole = np.zeros(0, dtype=np.bool_)
        # By camera.
        self._newest = np.zeros(0, dtype=np.int64)
        self._observed = np.zeros(0, dtype=np.int64)

    def decided_among(self, crops: Sequence[Sighting]) -> int:
        """How many crops of what these are of were decided, from the first of them to the last."""
        return crops[-1].crop_id - crops[0].crop_id + 1

    def active_holes(self, camera: str) -> int:
        """Of how many holes a camera gave crops in the minute before the decision."""
        assert self._part is not None
        since = self._part.at[self.row] - _ACTIVE
        active = self._last >= since
        active[self._part.subjects[int(np.searchsorted(self._part.at, since)) : self.row + 1]] = True
        return int(np.count_nonzero(active & self._is_hole & (self._cameras == self._numbers[camera])))

    def enter(self, part: Decisions) -> Integers:
        """Go on to a part, whose times rise; returns the numbers of its N crops, int64 (N,)."""
        self._grow()
        self._part = part
        order, begins = _groups(part.subjects)
        ranks = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))
        numbers = np.empty(len(order), dtype=np.int64)
        numbers[order] = ranks + self._counts[part.subjects[order]]
        return numbers

    def leave(self) -> None:
        """Note what the part leaves to the next one."""
        assert self._part is not None
        at, cameras = self._part.at, self._cameras[self._part.subjects]
        order, begins = _groups(cameras)
        at, cameras = at[order], cameras[order]
        before = np.roll(at, 1)
        before[begins] = self._newest[cameras[begins]]
        pauses = at - before
        short = pauses <= _ACTIVE
        np.add.at(self._observed, cameras[short], pauses[short])
        # Of several values for one place the last one stays, which is the latest.
        self._newest[cameras] = at
        self._last[self._part.subjects] = self._part.at
        self._counts += np.bincount(self._part.subjects, minlength=len(self._counts))

    def holes(self, camera: str) -> int:
        """How many holes the camera has."""
        return int(np.count_nonzero(self._is_hole & (self._cameras == self._numbers[camera])))

    @property
    def observed(self) -> dict[str, timedelta]:
        """How long each camera gave crops, pauses of more than a minute left out."""
        return {camera: int(self._observed[number]) * MICROSECOND for camera, number in self._numbers.items()}

    def _grow(self) -> None:
        new = self._subjects[len(self._counts) :]
        numbers = [self._numbers.setdefault(one.camera, len(self._numbers)) for one in new]
        self._counts = np.append(self._counts, np.zeros(len(new), dtype=np.int64))
        self._last = np.append(self._last, np.full(len(new), _NEVER))
        self._cameras = np.append(self._cameras, np.array(numbers, dtype=np.int64))
        self._is_hole = np.append(self._is_hole, np.array([one.hole != NO_HOLE for one in new], dtype=np.bool_))
        more = len(self._numbers) - len(self._newest)
        self._newest = np.append(self._newest, np.full(more, _NEVER))
        self._observed = np.append(self._observed, np.zeros(more, dtype=np.int64))


def _groups(values: NDArray[np.integer]) -> tuple[Integers, Integers]:
    """The order that puts equal values together, each in the order in which it is, and where each group begins."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    return order, np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(order) else order
