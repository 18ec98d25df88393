"""What alarms are worth: made-up decisions beside made-up events, and beside what the store makes of the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.alarms.circumstances import Circumstances
from monitor.alarms.columns import NE_PROLIV, PROLIV, UNLABELLED, Collector
from monitor.alarms.latch import Rule
from monitor.alarms.outcomes import Outcome, Rules, Stream
from monitor.alarms.raising import subject_of
from monitor.alarms.replay import Replay
from monitor.alarms.truth import Event
from monitor.configuration.settings import Alarms
from monitor.store.alarms import Subject
from monitor.store.casts import Said
from monitor.store.pauses import PauseRow
from tests.support.alarm_line import Line
from tests.support.stored_crops import opened
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from monitor.alarms.course import Course

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = Rule(k=1, n=1, within=timedelta(seconds=10), pause=timedelta(seconds=60), table_share=0.5)
ALWAYS = Rules(RULE)
THREE = RULE._replace(k=3, n=3)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(begin: float, end: float, hole: int = 1) -> Event:
    return Event(Subject("C", hole), at(begin), at(end))


def replayed(
    crops: Iterable[tuple[float, int, bool, int]],
    events: Sequence[Event],
    *rules: Rule,
    complete: bool = True,
    parts: int = 1,
) -> tuple[list[Outcome], Stream]:
    """Replay crops (seconds, hole, whether called proliv, label)."""
    subjects: list[Subject] = []
    collector = Collector(subjects)
    replay = Replay(subjects, [Rules(one) for one in rules or (RULE,)], events, complete=complete)
    listed = sorted(crops)
    size = -(-len(listed) // parts)
    for start in range(0, len(listed), size):
        for seconds, hole, proliv, label in listed[start : start + size]:
            collector.add(Subject("C", hole), at(seconds), label, proliv=proliv)
        replay.add(collector.taken())
    return replay.outcomes(), replay.stream


def second_by_second(
    proliv: Iterable[float], hole: int = 1, *, last: int = 600, label: int = UNLABELLED
) -> list[tuple[float, int, bool, int]]:
    called = set(proliv)
    return [(second, hole, second in called, label if second in called else UNLABELLED) for second in range(last)]


def test_an_event_is_caught_by_the_kth_proliv_and_everything_else_is_false() -> None:
    crops = [*second_by_second([100, 101, 102, 103, 300]), *second_by_second([], hole=2)]
    (one, three), stream = replayed(crops, [event(99, 110)], RULE, THREE)
    assert (one.caught, one.joined, one.missed, one.seconds) == (1, 0, 0, (1.0,))
    assert (three.caught, three.seconds) == (1, (3.0,))
    assert (one.true_alarms, one.false_alarms, three.true_alarms, three.false_alarms) == (1, 1, 1, 0)
    assert stream == Stream(1200, 5, 0, 1, 2, stream.table_days, 1)
    assert stream.table_days == pytest.approx(599 / 86400)
    assert one.false_alarms_a_day == pytest.approx(86400 / 599)
    # A single crop and the pause behind it, of the time of two holes.
    assert one.false_share == pytest.approx(60 / (2 * 599))
    assert three.false_share == 0


def test_an_event_without_an_alarm_is_missed_and_nothing_is_said_of_its_seconds() -> None:
    (one,), _ = replayed(second_by_second([]), [event(99, 110)])
    assert (one.events, one.caught, one.missed) == (1, 0, 1)
    assert one.as_dict()["seconds_median"] is None
    assert one.as_dict()["seconds_longest"] is None


def test_an_event_within_a_false_alarm_only_joins_it() -> None:
    (one,), _ = replayed(second_by_second([60, *range(100, 111)]), [event(100, 110)])
    assert (one.caught, one.joined, one.missed) == (0, 1, 0)
    assert (one.true_alarms, one.false_alarms) == (0, 1)


def test_an_alarm_that_false_crops_waited_for_is_true_if_a_crop_of_an_event_opens_it() -> None:
    (three,), _ = replayed(second_by_second([98, 99, 100]), [event(100, 110)], THREE)
    assert (three.caught, three.seconds, three.true_alarms, three.false_alarms) == (1, (0.0,), 1, 0)


def test_an_event_that_follows_another_one_in_the_noise_between_them_is_no_new_call() -> None:
    (one,), _ = replayed(second_by_second([100, 150, 200, 250, 300]), [event(100, 110), event(300, 310)])
    assert (one.true_alarms, one.caught, one.joined) == (1, 1, 1)


def test_most_holes_together_are_one_true_alarm_more_and_catch_the_event_of_each_hole() -> None:
    crops = [one for hole in range(1, 6) for one in second_by_second([100 + hole], hole=hole)]
    events = [event(100, 110, hole) for hole in range(1, 6)]
    (one,), _ = replayed(crops, events)
    assert (one.caught, one.true_alarms, one.false_alarms) == (5, 3, 0)
    # The same without events: the alarm of the table is as false as the two that had opened before.
    (one,), _ = replayed(crops, [])
    assert (one.true_alarms, one.false_alarms) == (0, 3)


@pytest.mark.parametrize(
    ("labels", "counts"),
    [
        ((UNLABELLED, UNLABELLED), (0, 0, 1)),
        ((NE_PROLIV, UNLABELLED), (0, 1, 0)),
        # Only a later crop of the event was labelled.
        ((UNLABELLED, PROLIV), (1, 0, 0)),
        ((UNLABELLED, NE_PROLIV), (0, 1, 0)),
        ((NE_PROLIV, PROLIV), (0, 1, 0)),
    ],
)
def test_labels_say_whether_an_alarm_is_true(labels: tuple[int, int], counts: tuple[int, int, int]) -> None:
    crops = [(100.0, 1, True, labels[0]), (101.0, 1, True, labels[1])]
    events = [event(second, second) for second, _, _, label in crops if label == PROLIV]
    (one,), _ = replayed(crops, events, complete=False)
    assert (one.true_alarms, one.false_alarms, one.unlabelled_alarms) == counts
    assert one.caught == (labels == (UNLABELLED, PROLIV))
    assert one.joined == (labels == (NE_PROLIV, PROLIV))


def test_pauses_of_more_than_a_minute_are_not_observed() -> None:
    crops = [(second, 1, False, UNLABELLED) for second in (0, 60, 120, 181, 200)]
    _, stream = replayed(crops, [])
    assert stream.table_days == pytest.approx(139 / 86400)
    (one,), _ = replayed(crops[:1], [])
    assert (one.false_alarms_a_day, one.false_share) == (None, None)


@pytest.fixture
def noisy() -> list[tuple[float, int, bool, int]]:
    """Twenty minutes of six holes that are often wrong, two events, and half a minute in which all are wrong."""
    generator = np.random.default_rng(3)
    crops = []
    for second in range(1200):
        for hole in range(1, 7):
            bleeding = (hole == 3 and 400 <= second < 460) or (hole == 5 and 700 <= second < 760)
            share = 0.9 if bleeding or 900 <= second < 930 else 0.03
            crops.append((second + hole / 10, hole, bool(generator.random() < share), UNLABELLED))
    return crops


EVENTS = [event(400.3, 459.3, 3), event(700.5, 759.5, 5)]
RULES = [
    RULE._replace(k=k, n=n, within=timedelta(seconds=within))
    for k, n, within in ((1, 1, 10), (1, 1, 60), (2, 2, 10), (2, 5, 10), (3, 8, 3), (3, 8, 30))
]


def test_how_a_stream_is_cut_changes_nothing(noisy: list[tuple[float, int, bool, int]]) -> None:
    whole = replayed(noisy, EVENTS, *RULES)
    for parts in (7, len(noisy)):
        assert replayed(noisy, EVENTS, *RULES, parts=parts) == whole
    assert whole[0][0].false_alarms > 20
    assert [one.caught for one in whole[0]] == [2 - one.joined for one in whole[0]]


@pytest.mark.parametrize(("rule", "table"), [(RULES[1], True), (RULES[3], False), (RULES[4], True)])
def test_the_replay_opens_the_alarms_that_the_store_opens(
    tmp_path: Path, noisy: list[tuple[float, int, bool, int]], rule: Rule, table: bool
) -> None:
    """A transaction for each proliv, with the crops since the one before."""
    noisy = [crop for crop in noisy if crop[0] > 690]
    settings = Alarms(k=rule.k, n=rule.n, within_seconds=rule.within.total_seconds(), table_share=rule.table_share)
    with opened(f"sqlite:///{tmp_path / 'monitor.db'}") as database:
        upgrade(database)
        line, count, crops = Line(database, settings), 0, []
        for seconds, hole, proliv, _ in noisy:
            crops.append(line.crop(seconds, hole, proliv=proliv))
            if proliv:
                count += len(line.decide(*crops))
                crops = []
        assert any(alarm.kind == "table" for alarm in line.alarms()) == table
    (one,), _ = replayed(noisy, EVENTS, rule)
    assert one.true_alarms + one.false_alarms == count > 2


def _size(course: Course) -> int:
    return len(course._running) + sum(len(latch.waiting) for _, latch in course._latches.values())


def test_memory_does_not_grow_with_the_stream(noisy: list[tuple[float, int, bool, int]]) -> None:
    subjects: list[Subject] = []
    collector = Collector(subjects)
    replay = Replay(subjects, [Rules(one) for one in RULES], [], complete=True)
    sizes = []
    for turn in range(6):
        for seconds, hole, proliv, _ in noisy:
            collector.add(Subject("C", hole), at(seconds + 1200 * turn), proliv=proliv)
        replay.add(collector.taken())
        sizes.append(sum(_size(course) for course in replay._courses))
    assert max(sizes[1:]) <= 2 * sizes[0] + 50


def test_a_file_without_a_hole_counts_by_itself() -> None:
    subjects: list[Subject] = []
    collector = Collector(subjects)
    for number in range(3):
        collector.add(subject_of("C", None, f"/in/{number}.jpg"), at(number), proliv=True)
    replay = Replay(subjects, [Rules(RULE)], [], complete=True)
    replay.add(collector.taken())
    (one,) = replay.outcomes()
    assert (one.false_alarms, replay.stream.holes, one.false_share) == (3, 0, None)


def test_the_first_and_the_last_time_that_there_are_do_no_harm() -> None:
    subjects: list[Subject] = []
    collector = Collector(subjects)
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for moment in (first, at(0), last):
        collector.add(Subject("C", 1), moment, proliv=True)
    replay = Replay(subjects, [Rules(RULE), Rules(THREE)], [Event(Subject("C", 1), last, last)], complete=True)
    replay.add(collector.taken())
    one, three = replay.outcomes()
    assert (one.caught, one.true_alarms, one.false_alarms, three.missed) == (1, 1, 2, 1)


def pause(begin: float, end: float, hole: int | None = None) -> PauseRow:
    return PauseRow(1, "C", hole, at(begin), at(end), "work", "anna", None)


def withheld_and_told(
    crops: Sequence[float], circumstances: Circumstances, *events: Event, rules: Rules = ALWAYS
) -> Outcome:
    """Replay proliv of a hole in such circumstances, each decided on at its time."""
    subjects: list[Subject] = []
    collector = Collector(subjects)
    for seconds in crops:
        collector.add(Subject("C", 1), at(seconds), proliv=True, decided=at(seconds))
    replay = Replay(subjects, [rules], events, complete=True, circumstances=circumstances)
    replay.add(collector.taken())
    (outcome,) = replay.outcomes()
    return outcome


def test_an_alarm_in_a_pause_is_told_when_its_event_outlasts_it_and_otherwise_counts_apart() -> None:
    events = event(0, 50), event(300, 310)
    one = withheld_and_told([0, 50, 300], Circumstances([pause(-10, 100), pause(290, 400)]), *events)
    assert (one.caught, one.seconds, one.withheld, one.missed) == (1, (100.0,), 1, 0)
    assert (one.true_alarms, one.false_alarms, one.withheld_alarms) == (1, 0, 1)
    # The pause ends when the event has been over for longer.
    one = withheld_and_told([0, 50], Circumstances([pause(-10, 111)]), events[0])
    assert (one.caught, one.withheld, one.withheld_alarms) == (0, 1, 1)
    # A pause of another hole; and none, in which a false alarm bothers people.
    assert withheld_and_told([0], Circumstances([pause(-10, 200, hole=2)])).false_alarms == 1
    assert withheld_and_told([0], Circumstances()).false_alarms == 1


def test_while_nothing_is_cast_nobody_is_told_until_that_is_in_doubt() -> None:
    idle = Said(None, "idle", at(-10), "person", "anna", None, None, None)
    assert withheld_and_told([0, 30], Circumstances([], [idle], maximum_age=timedelta(seconds=150))).withheld_alarms
    doubted = withheld_and_told([0, 30], Circumstances([], [idle], maximum_age=timedelta(seconds=90)), event(0, 30))
    assert (doubted.caught, doubted.withheld_alarms) == (1, 0)
    assert doubted.seconds == pytest.approx([80])


def test_the_rule_is_that_of_the_phase_in_which_a_crop_was_decided_on() -> None:
    rules = Rules(RULE, (("start", THREE),))
    said = [Said(1, "start", at(0), "file", None, None, "4711", None)]
    said.append(said[0]._replace(phase="steady", at=at(200)))
    circumstances = Circumstances([], said)
    assert withheld_and_told([1, 2, 100, 101, 102, 201], circumstances, rules=rules).false_alarms == 2
    assert withheld_and_told([1, 2, 100, 101, 102, 201], Circumstances(), rules=rules).false_alarms == 3


def test_unusual_crops_open_alarms_of_their_own() -> None:
    subjects: list[Subject] = []
    collector = Collector(subjects)
    for seconds, proliv in ((0, False), (1, True), (2, False), (3, True)):
        collector.add(Subject("C", 1), at(seconds), proliv=proliv, unusual=not proliv)
    collector.add(Subject("C", 1), at(100), proliv=False)
    replay = Replay(subjects, [Rules(RULE)], [event(0, 3)], complete=True)
    replay.add(collector.taken())
    assert (replay.stream.proliv, replay.stream.unusual) == (2, 2)
    (one,) = replay.outcomes()
    assert (one.true_alarms, one.caught, one.seconds) == (2, 1, (0.0,))


def test_what_was_decided_on_together_is_one_step_however_the_stream_is_cut() -> None:
    for cuts in ((), (1,), (2, 3)):
        subjects: list[Subject] = []
        collector = Collector(subjects)
        replay = Replay(subjects, [Rules(RULE)], [], complete=True)
        for hole in range(1, 5):
            collector.add(Subject("C", hole), at(hole), proliv=True, decided=at(10))
            if hole in cuts:
                replay.add(collector.taken())
        replay.add(collector.taken())
        # One alarm of the table, and none of single holes before it.
        assert replay.outcomes()[0].false_alarms == 1
