"""A simulated day of alarms: ``python -m tests.support.simulated_alarms`` prints the tables of docs/alarms.md.

40 holes give a crop a second each. Bleed-outs happen at random, and the decisions on the crops are wrong at random:
each by itself, or in runs of a minute, as where a tool lies over a hole. The shares of wrong decisions are those of
docs/quality.md; no crop is drawn and no model is asked. The latch is the real one, run by the replay that `monitor
evaluate --alarms` uses. The same seed gives the same tables.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.alarms.columns import NOT_KNOWN, UNLABELLED, Decisions, microseconds
from monitor.alarms.latch import Rule
from monitor.alarms.outcomes import Rules
from monitor.alarms.replay import Replay
from monitor.alarms.truth import Event, merged
from monitor.store.alarms import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from monitor.alarms.outcomes import Outcome

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
SECOND: Final = 1_000_000
PAUSE: Final = timedelta(seconds=60)
# (k, n, within seconds); the last one is longer than a tool lies over a hole.
RULES: Final = (
    *((1, 1, 10), (2, 2, 10), (2, 4, 10), (3, 3, 10), (3, 6, 10), (5, 5, 10), (5, 10, 10), (10, 20, 30)),
    (75, 90, 90),
)


@dataclass(frozen=True)
class Errors:
    """How often decisions are wrong, 0-1: on normal crops, and on proliv.

    ``run_seconds``: how long a hole's decisions are then wrong one after the other; 1: each by itself.
    """

    false_alarms: float
    misses: float = 0.016
    run_seconds: int = 1


# The shares of normal crops that are called proliv: of contrast, at its best and worst, and of patchstats.
SHARES: Final = (0.003, 0.005, 0.04)


@dataclass(frozen=True)
class Day:
    """A day on a table: ``proliv``, bool (seconds, holes), says what each crop shows."""

    events: list[Event]
    proliv: NDArray[np.bool_]
    subjects: list[Subject]


def a_day(
    generator: np.random.Generator, *, seconds: int = 86_400, holes: int = 40, events: int = 40, length: int = 165
) -> Day:
    """A day with bleed-outs of ``length`` seconds: 45 of metal and 120 of an empty hole, as `gen crops` has them."""
    proliv = np.zeros((seconds, holes), dtype=np.bool_)
    subjects = [Subject("C", hole + 1) for hole in range(holes)]
    found = []
    begins, broken = generator.integers(0, seconds - length, events), generator.integers(0, holes, events)
    for begin, hole in zip(begins.tolist(), broken.tolist(), strict=True):
        proliv[begin : begin + length, hole] = True
        first, last = (
            START + timedelta(microseconds=_at(second, hole, holes)) for second in (begin, begin + length - 1)
        )
        found.append(Event(subjects[hole], first, last))
    return Day(merged(found, PAUSE), proliv, subjects)


def _at(second: Any, hole: Any, holes: int) -> Any:
    """When a hole's crop of a second is taken, in microseconds: hole after hole."""
    return second * SECOND + hole * (SECOND // holes)


def decided(day: Day, errors: Errors, generator: np.random.Generator) -> Decisions:
    """The day's decisions, some of them wrong."""
    seconds, holes = day.proliv.shape
    wrong = np.where(
        day.proliv,
        _wrong(generator, day.proliv.shape, errors.misses, errors.run_seconds),
        _wrong(generator, day.proliv.shape, errors.false_alarms, errors.run_seconds),
    )
    at = microseconds(START) + _at(np.arange(seconds)[:, None], np.arange(holes)[None, :], holes)
    return Decisions(
        at.ravel(),
        np.tile(np.arange(holes, dtype=np.int32), seconds),
        (day.proliv ^ wrong).ravel(),
        np.full(seconds * holes, UNLABELLED, dtype=np.int8),
        np.zeros(seconds * holes, dtype=np.bool_),
        np.full(seconds * holes, NOT_KNOWN, dtype=np.int64),
    )


def _wrong(generator: np.random.Generator, shape: tuple[int, ...], share: float, run_seconds: int) -> NDArray[np.bool_]:
    """Which decisions are wrong: ``share`` of them, in runs that begin at any moment and go on for ``run_seconds``."""
    begins = generator.random(shape) < 1 - (1 - share) ** (1 / run_seconds)
    lasting = np.cumsum(begins, axis=0, dtype=np.int32)
    lasting[run_seconds:] -= lasting[:-run_seconds].copy()
    return lasting > 0


def replayed(day: Day, errors: Errors, seed: int, rules: Sequence[tuple[int, int, float]] = RULES) -> list[Outcome]:
    """What each rule makes of the day."""
    latch_rules = [Rules(Rule(k, n, timedelta(seconds=within), PAUSE, 0.5)) for k, n, within in rules]
    replay = Replay(day.subjects, latch_rules, day.events, complete=True)
    replay.add(decided(day, errors, np.random.default_rng([seed, 1])))
    return replay.outcomes()


def table(day: Day, run_seconds: int, seed: int) -> Iterator[str]:
    """A table over the rules, line by line."""
    outcomes = [replayed(day, Errors(share, run_seconds=run_seconds), seed) for share in SHARES]
    headings = ["k", "n", "t", "seconds: median, longest"]
    for share in SHARES:
        headings += [f"{100 * share:g} %: false alarms a day", "holes' time in them", "caught, joined, missed"]
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for by_share in zip(*outcomes, strict=True):
        first, rule = by_share[0], by_share[0].rules.usual
        cells = [f"{rule.k}", f"{rule.n}", f"{rule.within.total_seconds():g}"]
        cells += [f"{first.seconds_median:.0f}, {first.seconds_longest:.0f}"]
        for one in by_share:
            cells += [f"{one.false_alarms:,}", f"{100 * (one.false_share or 0):.1f} %"]
            cells += [f"{one.caught}, {one.joined}, {one.missed}"]
        yield f"| {' | '.join(cells)} |"


def report(seed: int = 0) -> Iterator[str]:
    """Both tables, line by line."""
    day = a_day(np.random.default_rng([seed, 0]))
    yield f"{day.proliv.size:,} crops of {len(day.subjects)} holes, {len(day.events)} bleed-outs"
    for run_seconds, how in ((1, "each by itself"), (60, "a minute at a time")):
        yield f"\nWrong {how}:\n"
        yield from table(day, run_seconds, seed)


if __name__ == "__main__":
    for line in report(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        print(line, flush=True)
