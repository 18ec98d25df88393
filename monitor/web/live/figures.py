"""The figures at the foot of the start page: TPR and TNR in operation, decisions per minute, completeness."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.quality.completeness import completeness_of_window
from monitor.quality.operation import last_days, quality_in_operation
from monitor.store import casts
from monitor.store.newest import decided_by_minute, newest_id, newest_latencies

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from monitor.formulas.rates import WeightedRate
    from monitor.quality.completeness import WindowCompleteness
    from monitor.store.database.engine import Database
    from monitor.web.live.board import Place

MINUTES: Final = 60
# How many of the newest decisions tell how long one takes.
DECISIONS: Final = 1000
# Holes that gave a smaller share of what was expected are named.
LEAST_SHARE: Final = 0.99
MOST_NAMED: Final = 8
# The lower ends that the drawing of a rate may have; the upper one is 1.
LOWER_ENDS: Final = (0.9, 0.5, 0.0)


class Rate(NamedTuple):
    """A rate with its 95 % interval; ``right`` of ``all`` labelled crops; None for those of which none is labelled."""

    rate: WeightedRate | None
    right: int
    all: int
    target: float

    @property
    def lower_end(self) -> float:
        """Where a drawing of the interval begins."""
        low = min(self.target, 1.0 if self.rate is None else self.rate.low)
        return next(end for end in LOWER_ENDS if low > end or end == 0.0)

    def place(self, value: float, width: float) -> float:
        """Where a value lies in such a drawing."""
        return round((value - self.lower_end) / (1 - self.lower_end) * width, 1)


class Figures(NamedTuple):
    """Everything at the foot.

    ``by_minute``: decisions in each of the last `MINUTES`, the oldest first. ``slowest``: within how many seconds 99 %
    of the newest decisions were made. ``share``: of the expected crops, 0-1; None where nothing is expected. ``below``:
    the holes that gave less than `LEAST_SHARE` of theirs. ``of_cast``: that is of this cast, and not of ``hours``.
    """

    days: float
    tpr: Rate
    tnr: Rate
    by_minute: tuple[int, ...]
    slowest: float | None
    expects: bool
    share: float | None
    below: tuple[Place, ...]
    of_cast: bool
    hours: float
    expected: frozenset[Place]

    @property
    def a_minute(self) -> float:
        """The mean of the decisions of those minutes in which there were any."""
        some = [count for count in self.by_minute if count]
        return sum(some) / len(some) if some else 0.0

    @property
    def line(self) -> str:
        """The points of a line through ``by_minute``, in a drawing of 560 by 46."""
        highest = max([1, *self.by_minute])
        step = 560 / (MINUTES - 1)
        return " ".join(
            f"{index * step:.1f},{43 - 40 * count / highest:.1f}" for index, count in enumerate(self.by_minute)
        )


def find_figures(configuration: Configuration, database: Database, now: datetime) -> Figures:
    """Look everything up; it may take seconds."""
    settings = configuration.settings
    days = max(settings.quality.window_days)
    gap = settings.calibration.event_gap_seconds
    with database.read() as connection:
        quality = quality_in_operation(connection, [last_days(days, now)], [], event_gap_seconds=gap)[0]
        by_minute = decided_by_minute(connection, now, MINUTES)
        took = sorted(newest_latencies(connection, newest_id(connection) - DECISIONS))
        of_cast, came = _came(connection, configuration, now)
    rates = quality.rates[0]
    counts = rates.confusion
    holes = came.holes if came else ()
    expected = sum(one.expected for one in holes)
    missed = sum(one.missing for one in holes)
    below = [(one.camera, one.hole) for one in holes if one.missing > (1 - LEAST_SHARE) * one.expected]
    return Figures(
        days=days,
        tpr=Rate(rates.tpr, counts.tp, counts.tp + counts.fn, settings.alerts.tpr_target),
        tnr=Rate(rates.tnr, counts.tn, counts.tn + counts.fp, settings.alerts.tnr_target),
        by_minute=tuple(by_minute),
        slowest=took[int(0.99 * (len(took) - 1))] if took else None,
        expects=came is not None,
        share=1 - missed / expected if expected else None,
        below=tuple(sorted(below)),
        of_cast=of_cast,
        hours=settings.completeness.window_hours,
        expected=frozenset((one.camera, one.hole) for one in holes),
    )


def _came(
    connection: Connection, configuration: Configuration, now: datetime
) -> tuple[bool, WindowCompleteness | None]:
    """What came of the expected crops since the cast began, or in the usual window where that is longer."""
    settings = configuration.settings.completeness
    since = now - timedelta(hours=settings.window_hours)
    cast = casts.running(connection)
    of_cast = cast is not None and since < cast.started_at <= now
    begin = cast.started_at if cast is not None and of_cast else since
    return of_cast, completeness_of_window(connection, settings, now, since=begin)
