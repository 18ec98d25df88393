"""Which cast is believed to run, in which phase, and since when that is in doubt.

In doubt nothing is withheld: "idle", in which alarms are recorded and not told, is believed only while it is certain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from datetime import datetime, timedelta

IDLE: Final = "idle"
NOT_FOLLOWED: Final = (
    "the latest information about the cast came from a file, which is not followed now, so the cast is unknown"
)


class Said(Protocol):
    """What was said of the cast, by a person or by the cast file; without a cast and not idle: that none runs."""

    @property
    def cast_id(self) -> int | None:
        """The cast."""

    @property
    def phase(self) -> str:
        """Its phase."""

    @property
    def at(self) -> datetime:
        """When it was said."""

    @property
    def source(self) -> str:
        """Who said it: file or person."""

    @property
    def problem(self) -> str | None:
        """Why the file cannot be used since then."""


class Context(NamedTuple):
    """The cast that runs and its phase, None where they are not known; ``problem``: why, or why it may be wrong."""

    cast_id: int | None = None
    phase: str | None = None
    problem: str | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is cast, for certain."""
        return self.phase == IDLE


def believed(said: Said | None, now: datetime, *, maximum_age: timedelta, followed: bool) -> Context:
    """What to believe of what was said last.

    ``maximum_age``: for how long it holds if a person said it. ``followed``: what a file says is up to date.
    """
    if said is None:
        return Context()
    if said.source == "file" and not followed:
        return Context(problem=NOT_FOLLOWED)
    if said.cast_id is None and said.phase != IDLE:
        return Context(problem=said.problem)
    if said.source == "person" and now - said.at > maximum_age:
        return Context(
            problem=f"nobody has said anything about the cast for more than {maximum_age.total_seconds():g} s "
            "(alarms.cast.maximum_age_seconds), so it counts as ended: monitor cast phase, or monitor cast end"
        )
    if said.problem is not None and said.phase == IDLE:
        return Context(said.cast_id, None, said.problem)
    return Context(said.cast_id, said.phase, said.problem)


class Doubt(NamedTuple):
    """What holds while a cast file cannot be used: the last cast and phase, or none."""

    keeps_last: bool
    problem: str


def doubt(problem: str, now: datetime, *, good_at: datetime | None, maximum_age: timedelta) -> Doubt:
    """What to believe while the file cannot be used: for ``maximum_age`` what it said when it last could, ``good_at``.

    "idle" is not believed even so: see `believed`.
    """
    return Doubt(good_at is not None and now - good_at <= maximum_age, problem)
