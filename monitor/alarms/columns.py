"""Decisions in columns: millions of them, as the replay of alarms takes them.

A day of 40 holes with a crop a second each is 3.5 million decisions, of which hardly any is proliv. As arrays they take
14 bytes each, and all that is asked of each is asked of thousands at once.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from monitor.store.alarms import Subject

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
# What a person said of a crop.
PROLIV, NE_PROLIV, UNLABELLED = 1, 0, -1
# How many decisions are looked at together.
AT_ONCE: Final = 65_536


def microseconds(moment: datetime) -> int:
    """A time as whole microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(value: int) -> datetime:
    """The same back."""
    return EPOCH + timedelta(microseconds=value)


@dataclass(frozen=True, slots=True)
class Decisions:
    """N decisions.

    ``at``: int64 (N,), the crops' times in microseconds since 1970. ``subjects``: int32 (N,), what each is of, as
    places in a list of subjects. ``proliv``: bool (N,), the verdicts. ``labels``: int8 (N,), `PROLIV`, `NE_PROLIV` or
    `UNLABELLED`.
    """

    at: NDArray[np.int64]
    subjects: NDArray[np.int32]
    proliv: NDArray[np.bool_]
    labels: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.at)

    def in_order(self) -> Decisions:
        """The same in the order of the crops' times; of one time, in the order in which they are."""
        order = np.argsort(self.at, kind="stable")
        return Decisions(self.at[order], self.subjects[order], self.proliv[order], self.labels[order])

    def parts(self, size: int = AT_ONCE) -> Iterator[Decisions]:
        """The same in pieces."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield Decisions(self.at[part], self.subjects[part], self.proliv[part], self.labels[part])


class Collector:
    """Takes decisions one by one; ``subjects``: the list that their columns refer to, which grows."""

    def __init__(self, subjects: list[Subject]) -> None:
        self._list = subjects
        self._places = {subject: place for place, subject in enumerate(subjects)}
        self._clear()

    def _clear(self) -> None:
        self._at, self._subjects = array("q"), array("i")
        self._proliv, self._labels = array("b"), array("b")

    def __len__(self) -> int:
        return len(self._at)

    def add(self, subject: Subject, at: datetime, label: int = UNLABELLED, *, proliv: bool) -> None:
        """Take one."""
        place = self._places.get(subject)
        if place is None:
            place = self._places[subject] = len(self._list)
            self._list.append(subject)
        self._at.append(microseconds(at))
        self._subjects.append(place)
        self._proliv.append(proliv)
        self._labels.append(label)

    def taken(self) -> Decisions:
        """What was taken since the last call, in the order in which it was."""
        taken = Decisions(
            np.frombuffer(self._at, dtype=np.int64),
            np.frombuffer(self._subjects, dtype=np.int32),
            np.frombuffer(self._proliv, dtype=np.bool_),
            np.frombuffer(self._labels, dtype=np.int8),
        )
        self._clear()
        return taken
