"""What held at any time, as far as the store knows: the phase of the cast, and the pauses."""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.alarms.telling import withheld
from monitor.formulas.casts import believed
from monitor.store import casts, pauses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.alarms.telling import About
    from monitor.configuration.settings import Alarms
    from monitor.formulas.casts import Said
    from monitor.store.pauses import PauseRow

# What a person said is not believed any more when it is older than this by any time at all.
_JUST_AFTER: Final = timedelta(microseconds=1)


class Moment(NamedTuple):
    """What held at a time; ``phase``: None where it was not known. ``pauses``: those that ran, the first to end first.

    ``idle``: for certain, nothing was cast.
    """

    at: datetime
    phase: str | None = None
    idle: bool = False
    pauses: Sequence[PauseRow] = ()


class Circumstances:
    """Answers for any time; without arguments, that there were no casts and no pauses.

    What a cast file said is believed for as long as the store has nothing newer: whether the daemon could follow the
    file then is not stored.
    """

    def __init__(
        self,
        paused: Sequence[PauseRow] = (),
        said: Sequence[Said] = (),
        *,
        maximum_age: timedelta = timedelta(0),
    ) -> None:
        """``said``: in the order of saying. ``maximum_age``: for how long it holds if a person said it."""
        self._pauses = sorted(paused, key=lambda one: (one.ends_at, one.id))
        self._said = sorted(said, key=lambda one: one.at)
        self._maximum_age = maximum_age
        changes = {one.at for one in self._said}
        changes |= {one.at + maximum_age + _JUST_AFTER for one in self._said if one.source == "person"}
        changes |= {at for one in self._pauses for at in (one.begins_at, one.ends_at)}
        self._changes = sorted(changes)

    @classmethod
    def stored(cls, connection: Connection, settings: Alarms) -> Circumstances:
        """Those of the store."""
        paused, said = pauses.newest(connection, None), casts.everything_said(connection)
        return cls(paused, said, maximum_age=timedelta(seconds=settings.cast.maximum_age_seconds))

    def at(self, moment: datetime) -> Moment:
        """What held then."""
        if not self._changes:
            return Moment(moment)
        place = bisect_right(self._said, moment, key=lambda one: one.at) - 1
        said = self._said[place] if place >= 0 else None
        cast = believed(said, moment, maximum_age=self._maximum_age, followed=True)
        running = [one for one in self._pauses if one.begins_at <= moment < one.ends_at]
        return Moment(moment, cast.phase, cast.idle, running)

    def first_told(self, about: About, after: datetime, until: datetime) -> datetime | None:
        """When first in (after, until] nothing withheld an alarm that was withheld before; None if something did."""
        for place in range(bisect_right(self._changes, after), bisect_right(self._changes, until)):
            moment = self.at(self._changes[place])
            if withheld(about, moment.pauses, idle=moment.idle) is None:
                return moment.at
        return None
