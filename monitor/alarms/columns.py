"""Decisions in columns: millions of them, as the replay of alarms takes them.

A day of 40 holes with a crop a second each is 3.5 million decisions, of which hardly any is proliv. As arrays they take
23 bytes each, and all that is asked of each is asked of thousands at once.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, fields
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
# In the place of a time, where it is not known when a crop was decided on.
NOT_KNOWN: Final = -(2**63)


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
    `UNLABELLED`. ``unusual``: bool (N,), which crops are to open alarms of unusual crops. ``decided``: int64 (N,), when
    the crops that are proliv or unusual were decided on, like ``at``, or `NOT_KNOWN`.
    """

    at: NDArray[np.int64]
    subjects: NDArray[np.int32]
    proliv: NDArray[np.bool_]
    labels: NDArray[np.int8]
    unusual: NDArray[np.bool_]
    decided: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at)

    def in_order(self) -> Decisions:
        """The same in the order of the crops' times; of one time, in the order in which they are."""
        return self._chosen(np.argsort(self.at, kind="stable"))

    def parts(self, size: int = AT_ONCE) -> Iterator[Decisions]:
        """The same in pieces."""
        for start in range(0, len(self), size):
            yield self._chosen(slice(start, start + size))

    def _chosen(self, places: slice | NDArray[np.intp]) -> Decisions:
        return Decisions(*(getattr(self, column.name)[places] for column in fields(self)))


class Collector:
    """Takes decisions one by one; ``subjects``: the list that their columns refer to, which grows."""

    def __init__(self, subjects: list[Subject]) -> None:
        self._list = subjects
        self._places = {subject: place for place, subject in enumerate(subjects)}
        self._clear()

    def _clear(self) -> None:
        self._at, self._subjects = array("q"), array("i")
        self._proliv, self._labels = array("b"), array("b")
        self._unusual, self._decided = array("b"), array("q")

    def __len__(self) -> int:
        return len(self._at)

    def add(
        self,
        subject: Subject,
        at: datetime,
        label: int = UNLABELLED,
        *,
        proliv: bool,
        unusual: bool = False,
        decided: datetime | None = None,
    ) -> None:
        """Take one."""
        place = self._places.get(subject)
        if place is None:
            place = self._places[subject] = len(self._list)
            self._list.append(subject)
        self._at.append(microseconds(at))
        self._subjects.append(place)
        self._proliv.append(proliv)
        self._labels.append(label)
        self._unusual.append(unusual)
        self._decided.append(NOT_KNOWN if decided is None else microseconds(decided))

    def taken(self) -> Decisions:
        """What was taken since the last call, in the order in which it was."""
        taken = Decisions(
            np.frombuffer(self._at, dtype=np.int64),
            np.frombuffer(self._subjects, dtype=np.int32),
            np.frombuffer(self._proliv, dtype=np.bool_),
            np.frombuffer(self._labels, dtype=np.int8),
            np.frombuffer(self._unusual, dtype=np.bool_),
            np.frombuffer(self._decided, dtype=np.int64),
        )
        self._clear()
        return taken
