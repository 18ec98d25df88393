"""Whether sinks are told of an alarm: arithmetic alone; it knows no database and no clock.

In doubt they are. What is withheld is recorded all the same, with the reason, and told later if its event goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from monitor.store.alarms import NO_HOLE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from monitor.alarms.messages import Kind
    from monitor.store.pauses import PauseRow

# Why an alarm is withheld: people work on the line, or nothing is cast.
Reason = Literal["pause", "idle"]


class About(NamedTuple):
    """What an alarm is about: a camera, "" for an unknown one, and its holes, none of which may be known."""

    camera: str
    holes: frozenset[int]


def about(camera: str, hole: int, holes: Collection[int] | None) -> About:
    """The same of an alarm with a hole, as `alarm_tables.alarms` has it, or with the ``holes`` of the whole table."""
    return About(camera, frozenset(holes or ([] if hole == NO_HOLE else [hole])))


class Withheld(NamedTuple):
    """Why an alarm is not told; ``pause_id``: the pause that is the reason, the one that ends last of several."""

    reason: Reason
    pause_id: int | None = None


def withheld(
    about: About, pauses: Sequence[PauseRow], *, idle: bool = False, replaces_told: bool = False
) -> Withheld | None:
    """Why sinks are not to be told of an alarm now; None where they are.

    ``pauses``: those that run, the one that ends first coming first. ``idle``: for certain, nothing is cast; a pause is
    the reason even then, because it has a number. ``replaces_told``: it takes the place of an alarm
    that was told, so that keeping quiet would look like the all-clear.
    """
    if replaces_told:
        return None
    pause_id = _pause_of(about, pauses)
    if pause_id is not None:
        return Withheld("pause", pause_id)
    return Withheld("idle") if idle else None


def _pause_of(about: About, pauses: Sequence[PauseRow]) -> int | None:
    """The pause of an alarm; None unless all that the alarm is about is paused."""
    whole = [one.id for one in pauses if one.hole is None and one.camera in (None, about.camera)]
    if whole:
        return whole[-1]
    by_hole = {one.hole: one.id for one in pauses if one.hole is not None and one.camera in (None, about.camera)}
    if not about.holes or not about.holes <= by_hole.keys():
        return None
    last = {by_hole[hole] for hole in about.holes}
    return next(one.id for one in reversed(pauses) if one.id in last)


def kinds_to_tell(
    change: Kind,
    *,
    was_told: bool,
    withheld_now: Withheld | None = None,
    worth_telling: bool = True,
    acknowledged: bool = False,
) -> list[Kind]:
    """The messages that a change of an alarm makes, in order.

    ``was_told``: sinks were told that it opened. ``worth_telling``: of ``more``, whether those who know of the alarm
    want to hear of these crops. ``acknowledged``: a person has acknowledged it, perhaps before anybody was told of it.
    """
    if change in ("acknowledged", "closed"):
        # Who was told of an alarm must hear its end, pause or not; who was not has nothing to hear.
        return [change] if was_told else []
    if withheld_now is not None:
        return []
    if was_told:
        return [change] if worth_telling else []
    first: list[Kind] = ["opened", "acknowledged"]
    return first if acknowledged else first[:1]
