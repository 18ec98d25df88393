"""Stored decisions run through the latch again, beside labels, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from monitor.alarms.course import Course
from monitor.alarms.latch import Latched, Rule
from monitor.alarms.outcomes import Rules
from monitor.alarms.stored import replay_stored
from monitor.cli.alarm_outcomes import rules_of
from monitor.store.alarms import Subject
from tests.support.alarm_line import Line
from tests.support.made_up import store_label
from tests.support.made_up_shift import Shift, made_up_settings
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.alarms.replay import Replay
    from monitor.store.alarms import AlarmRow
    from monitor.store.database.engine import Database

RULE = Rule(k=1, n=1, within=timedelta(seconds=10), pause=timedelta(seconds=60), table_share=0.5)


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


def replay(line: Line, *rules: Rule, since: datetime | None = None, until: datetime | None = None) -> Replay:
    with line.database.read() as connection:
        return replay_stored(connection, line.settings, [Rules(one) for one in rules or (RULE,)], since, until)


def label(line: Line, crop: int, word: str, author: str = "anna") -> None:
    with line.database.write() as connection:
        store_label(connection, crop, word, author, NOW)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_labels_tell_true_alarms_from_false_ones_and_others_are_unlabelled(line: Line) -> None:
    # Crops 1-3 are an event, of which only the second and the third crop are labelled; 4 is false, 5 is not labelled,
    # 6 was missed, and 7 is contradictory.
    line.decide(
        *(line.crop(seconds) for seconds in (0, 1, 2)),
        line.crop(100, 11),
        line.crop(200, 12),
        line.crop(300, 13, proliv=False),
        line.crop(400, 14),
    )
    for crop, word in ((2, "proliv"), (3, "proliv"), (4, "ne_proliv"), (6, "proliv"), (7, "proliv")):
        label(line, crop, word)
    label(line, 7, "ne_proliv", author="ben")
    done = replay(line, RULE, RULE._replace(k=2, n=2))
    one, two = done.outcomes()
    assert (done.stream.crops, done.stream.proliv, done.stream.events) == (7, 6, 2)
    assert (one.true_alarms, one.false_alarms, one.unlabelled_alarms) == (1, 1, 2)
    assert (one.caught, one.missed, one.seconds) == (1, 1, (0.0,))
    assert (two.true_alarms, two.false_alarms, two.caught) == (1, 0, 1)


def test_only_what_was_seen_in_operation_within_the_time_counts(line: Line) -> None:
    line.decide(line.crop(0), line.crop(100, 11), line.crop(200, 12), line.crop(100, 13, source="folder"))
    for crop in (1, 2, 3, 4):
        label(line, crop, "proliv")
    done = replay(line, since=at(100), until=at(200))
    (one,) = done.outcomes()
    assert (done.stream.crops, done.stream.events, one.caught) == (1, 1, 1)
    assert replay(line, since=at(1000)).stream.crops == 0


def test_files_without_a_hole_count_by_their_paths(line: Line) -> None:
    line.decide(line.crop(1, None), line.crop(3, None), line.crop(2)._replace(camera=None))
    done = replay(line)
    assert done.outcomes()[0].unlabelled_alarms == 3
    assert (done.stream.cameras, done.stream.holes) == (2, 1)


@pytest.mark.parametrize("seed", range(8))
def test_with_the_rules_in_force_the_alarms_are_those_that_were_stored(
    database: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through casts, pauses, unusual crops and alarms of the table: which alarms, of which crops, and who was told."""
    generator = np.random.default_rng(seed)
    settings = made_up_settings(generator)
    shift = Shift(database, settings, generator)
    shift.work(seconds=200)
    replayed: list[tuple[Any, ...]] = []
    close = Course._close

    def noted(course: Course, alarm: Latched, *after: timedelta) -> None:
        replayed.append(_facts(alarm, course._running[alarm].sign, alarm.told))
        close(course, alarm, *after)

    monkeypatch.setattr(Course, "_close", noted)
    with database.read() as connection:
        rules = rules_of(settings, (), (), (), phases=True)[:1]
        (outcome,) = replay_stored(connection, settings, rules, None, None).outcomes()
    stored = [_facts(row, row.sign, row.withheld is None) for row in shift.line.alarms()]
    assert sorted(replayed) == sorted(stored)
    assert outcome.withheld_alarms == sum(not told for *_, told in stored)
    assert outcome.unlabelled_alarms == sum(told for *_, told in stored)


def _facts(alarm: Latched | AlarmRow, sign: str, told: bool) -> tuple[Any, ...]:
    if isinstance(alarm, Latched):
        subject, is_part = alarm.subject, alarm.table is not None
    else:
        subject, is_part = Subject(alarm.camera, alarm.hole, alarm.place), alarm.part_of is not None
    # The row of one that became part of the table says nothing of crops that came together with those of the table.
    taken = () if is_part else (alarm.first_at, alarm.last_at, alarm.crops)
    return sign, *subject, sorted(alarm.holes or ()), alarm.opened_on, is_part, taken, told
