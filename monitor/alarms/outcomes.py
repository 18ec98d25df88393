"""What came of a replay of alarms: of the stream as a whole, and by each rule."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import timedelta

    from monitor.alarms.latch import Rule


class Rules(NamedTuple):
    """A rule and those that take its place in phases of the cast.

    ``ends_quiet``: an alarm whose event is over is closed although nobody has acknowledged it.
    """

    usual: Rule
    phases: tuple[tuple[str, Rule], ...] = ()
    ends_quiet: bool = False

    def in_phase(self, phase: str | None) -> Rule:
        """The rule of a phase; None where it is not known."""
        return next((rule for name, rule in self.phases if name == phase), self.usual)

    @property
    def longest_within(self) -> timedelta:
        """The longest time within which crops open an alarm together."""
        return max(rule.within for rule in (self.usual, *(rule for _, rule in self.phases)))


@dataclass(frozen=True)
class Outcome:
    """What rules made of a stream.

    ``caught``: the events that an alarm told of. ``joined``: those whose crops only joined an alarm that was running
    already, a false one or one opened more than the pause before. ``withheld``: those whose alarms nobody was told of,
    because of a pause or because nothing was cast; the others were missed. ``seconds``: of each caught event, from its
    start until its alarm was told. An alarm is true if a crop of an event was among those that opened it; where none of
    these is labelled, the first labelled one that joined says whether it is true, or else nobody knows. Alarms that
    were withheld throughout are in none of these counts, but in ``withheld_alarms``. ``false_share``: the share, 0-1,
    of the holes' time that lay in a false alarm or the pause behind it. What is per time is None where no time was
    seen.
    """

    rules: Rules
    events: int
    caught: int
    joined: int
    withheld: int
    seconds: tuple[float, ...]
    true_alarms: int
    false_alarms: int
    unlabelled_alarms: int
    withheld_alarms: int
    false_alarms_a_day: float | None
    false_share: float | None

    @property
    def missed(self) -> int:
        """How many events no alarm had anything to do with."""
        return self.events - self.caught - self.joined - self.withheld

    @property
    def seconds_median(self) -> float | None:
        """The median of ``seconds``; None if no event was caught."""
        return median(self.seconds) if self.seconds else None

    @property
    def seconds_longest(self) -> float | None:
        """The longest of them."""
        return max(self.seconds, default=None)

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            **_numbers(self.rules.usual),
            "phases": {phase: _numbers(rule) for phase, rule in self.rules.phases},
            "events_caught": self.caught,
            "events_joined": self.joined,
            "events_withheld": self.withheld,
            "events_missed": self.missed,
            "seconds_median": self.seconds_median,
            "seconds_longest": self.seconds_longest,
            "true_alarms": self.true_alarms,
            "false_alarms": self.false_alarms,
            "unlabelled_alarms": self.unlabelled_alarms,
            "withheld_alarms": self.withheld_alarms,
            "false_alarms_per_table_and_day": self.false_alarms_a_day,
            "false_alarm_share": self.false_share,
        }


def _numbers(rule: Rule) -> dict[str, Any]:
    return {"k": rule.k, "n": rule.n, "within_seconds": rule.within.total_seconds()}


@dataclass(frozen=True)
class Stream:
    """What was replayed; ``table_days``: the time of all cameras together, pauses of more than a minute left out.

    ``unusual``: how many crops were to open alarms of unusual crops.
    """

    crops: int
    proliv: int
    unusual: int
    cameras: int
    holes: int
    table_days: float
    events: int

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {**self.__dict__}
