"""An endless stream of crops as from cameras over casting tables: hole after hole, with a bleed-out now and then."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from generators.crops.datasets import crop_name, seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from generators.crops.datasets import CastingTable
    from generators.crops.holes import Hole

    Pixels: TypeAlias = NDArray[np.uint8]

CropKind: TypeAlias = Literal["normal", "pouring", "empty"]

# How long a bleed-out takes from the first drops to a stream through the whole hole.
GROWING: Final = timedelta(seconds=30)

# How long the metal then pours before the billet drops out.
POURING: Final = timedelta(seconds=15)

# How long the hole is empty before it is repaired.
EMPTY: Final = timedelta(minutes=2)

# The chance that something stands in front of a hole, drawn anew for each span of this many seconds.
_OBSTACLE_SHARE: Final = 0.01
_OBSTACLE_SECONDS: Final = 30

_FIRST_DROPS: Final = 0.04
_LARGEST_NUMBER: Final = 2**31


def spread(start: datetime, length: timedelta, count: int, seed: int) -> list[datetime]:
    """``count`` moments at which bleed-outs begin, one in the first half of each equal part of the time."""
    chances = np.random.default_rng([seed, count]).uniform(0.0, 0.5, count)
    return [start + length * ((number + float(chance)) / count) for number, chance in enumerate(chances)]


@dataclass(frozen=True)
class StreamedCrop:
    """One crop of a stream.

    ``pixels``: uint8 (height, width, 3), RGB. ``kind``: what the hole does, ``normal``, ``pouring`` or ``empty``.
    ``moment``: the camera's local time.
    """

    hole: int
    camera: str
    moment: datetime
    kind: CropKind
    pixels: Pixels

    @property
    def name(self) -> str:
        """Its file's name."""
        return crop_name(self.hole, self.camera, self.moment)

    @property
    def proliv(self) -> bool:
        """Its true label: from the first drops until the hole is repaired it is a proliv."""
        return self.kind != "normal"


@dataclass(frozen=True)
class _Event:
    """One bleed-out of one hole: when it began, in seconds, and the number that gives its looks."""

    began: float
    number: int


class CropStream:
    """The crops of some tables, one for each hole in turn, without end.

    ``proliv_every``: the mean time between two bleed-outs on all tables together; without it there is none. The
    true pauses are random, between a half and three halves of it. A bleed-out grows over ``growing``, pours for
    ``pouring``, leaves the hole empty for ``empty``, and then the hole is repaired. With ``beginnings``, local times
    that rise, the bleed-outs begin at those instead, each in a hole of which none has broken out as often as others.
    The same ``seed`` and the same moments give the same crops.
    """

    def __init__(
        self,
        tables: Sequence[CastingTable],
        *,
        seed: int = 0,
        proliv_every: timedelta | None = None,
        beginnings: Sequence[datetime] = (),
        growing: timedelta = GROWING,
        pouring: timedelta = POURING,
        empty: timedelta = EMPTY,
    ) -> None:
        self._places = [(table.camera, hole) for table in tables for hole in table.holes]
        if not self._places:
            raise ValueError("a stream needs at least one hole")
        self._turns = cycle(self._places)
        self._seed = seed
        self._generator = np.random.default_rng([seed, len(self._places)])
        self._every = proliv_every.total_seconds() if proliv_every else None
        self._growing, self._pouring, self._empty = (span.total_seconds() for span in (growing, pouring, empty))
        self._events: dict[tuple[str, int], _Event] = {}
        self._next_event: float | None = None
        self._beginnings = deque(seconds_of(moment) for moment in beginnings)
        self._broken: Counter[tuple[str, int]] = Counter()

    @property
    def holes(self) -> int:
        """How many holes take turns."""
        return len(self._places)

    def crop(self, moment: datetime) -> StreamedCrop:
        """The crop of the next hole at a local time, without a zone; moments must not go back."""
        seconds = seconds_of(moment)
        self._begin_event(seconds)
        camera, hole = next(self._turns)
        event = self._events.get((camera, hole.number))
        past = 0.0 if event is None else seconds - event.began
        if event is not None and past < self._growing + self._pouring:
            return StreamedCrop(hole.number, camera, moment, "pouring", self._pour(hole, event, past, seconds))
        if event is not None and past < self._growing + self._pouring + self._empty:
            (pixels,) = hole.empty(1, self._generator, seconds=np.array([seconds]))
            return StreamedCrop(hole.number, camera, moment, "empty", pixels)
        self._events.pop((camera, hole.number), None)
        return StreamedCrop(hole.number, camera, moment, "normal", self._normal(camera, hole, seconds))

    def _normal(self, camera: str, hole: Hole, seconds: float) -> Pixels:
        span = int(seconds // _OBSTACLE_SECONDS) % _LARGEST_NUMBER
        chance = np.random.default_rng([self._seed, ord(camera), hole.number, span])
        number = int(chance.integers(1, _LARGEST_NUMBER)) if chance.random() < _OBSTACLE_SHARE else 0
        moments, obstacles = np.array([seconds]), np.array([number])
        pixels: Pixels = hole.normal(1, self._generator, seconds=moments, obstacles=obstacles)[0]
        return pixels

    def _pour(self, hole: Hole, event: _Event, past: float, seconds: float) -> Pixels:
        growth = np.array([np.clip(past / max(self._growing, 1e-9), _FIRST_DROPS, 1)], dtype=np.float32)
        moments = np.array([seconds])
        pixels: Pixels = hole.proliv(1, self._generator, seconds=moments, growth=growth, event=event.number)[0]
        return pixels

    def _begin_event(self, seconds: float) -> None:
        """Let a hole that has no event break out when it is time to."""
        if not self._is_time(seconds):
            return
        free = [(camera, hole.number) for camera, hole in self._places if (camera, hole.number) not in self._events]
        if free and self._beginnings:
            self._beginnings.popleft()
            least = min(self._broken[place] for place in free)
            free = [place for place in free if self._broken[place] == least]
        if free:
            place = free[int(self._generator.integers(len(free)))]
            self._broken[place] += 1
            self._events[place] = _Event(seconds, int(self._generator.integers(1, _LARGEST_NUMBER)))

    def _is_time(self, seconds: float) -> bool:
        if self._beginnings or self._every is None:
            return bool(self._beginnings) and seconds >= self._beginnings[0]
        if self._next_event is None:
            self._next_event = seconds + self._every * self._generator.uniform(0.5, 1.0)
        if seconds < self._next_event:
            return False
        self._next_event = seconds + self._every * self._generator.uniform(0.5, 1.5)
        return True
