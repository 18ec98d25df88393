"""The latch alone: which crops make one alarm, and which make another."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.alarms.latch import Latch, Latched, Rule, Sighting
from monitor.store.alarms import Subject
from monitor.times import FIRST, LAST

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = Rule(k=1, n=1, within=timedelta(seconds=10), pause=timedelta(seconds=60), table_share=0.5)


@dataclass
class MadeUpLine:
    """A line of a given number of active holes, and decisions with these ids by hole, which rise with time."""

    holes: int = 40
    decided: dict[int, list[int]] = field(default_factory=dict)

    def decided_among(self, crops: Sequence[Sighting]) -> int:
        return sum(crops[0].crop_id <= one <= crops[-1].crop_id for one in self.decided[crops[0].subject.hole])

    def active_holes(self, camera: str) -> int:
        return self.holes


def sighting(number: int, seconds: float, hole: int = 10, camera: str = "C", score: float = 2.0) -> Sighting:
    return Sighting(number, Subject(camera, hole), f"/in/{number}.jpg", START + timedelta(seconds=seconds), score, 1.0)


def latched(*sightings: Sighting, rule: Rule = RULE, line: MadeUpLine | None = None) -> list[Latched]:
    latch = Latch(rule, line or MadeUpLine())
    latch.see(sightings)
    return latch.changed


def test_every_proliv_of_one_event_is_in_one_alarm() -> None:
    (alarm,) = latched(*(sighting(number, number, score=1 + number % 7) for number in range(154)))
    assert (alarm.subject, alarm.crops, len(alarm.taken)) == (Subject("C", 10), 154, 154)
    assert (alarm.first_at, alarm.last_at) == (START, START + timedelta(seconds=153))
    assert alarm.highest.margin == 6


@pytest.mark.parametrize(("pause", "alarms"), [(60, 1), (60.1, 2)])
def test_a_longer_pause_begins_another_event(pause: float, alarms: int) -> None:
    assert len(latched(sighting(1, 0), sighting(2, pause))) == alarms


def test_holes_and_cameras_have_alarms_of_their_own() -> None:
    found = latched(sighting(1, 0), sighting(2, 0, hole=11), sighting(3, 0, camera="B"))
    assert [alarm.subject for alarm in found] == [Subject("C", 10), Subject("C", 11), Subject("B", 10)]


def test_a_crop_that_comes_late_joins_the_event_that_it_is_of() -> None:
    (alarm,) = latched(sighting(2, 30), sighting(1, 0))
    assert (alarm.first_at, alarm.opened_on, alarm.crops) == (START, START, 2)
    latch = Latch(RULE, MadeUpLine(), [alarm])
    latch.see([sighting(3, -50)])
    assert latch.changed == [alarm]
    assert (alarm.crops, alarm.first_at) == (3, START - timedelta(seconds=50))


def test_crops_join_an_acknowledged_alarm_and_each_doubling_is_told() -> None:
    (alarm,) = latched(sighting(1, 0))
    alarm.state, told = "acknowledged", []
    for number in range(2, 18):
        alarm.more = False
        latch = Latch(RULE, MadeUpLine(), [alarm])
        latch.see([sighting(number, number)])
        assert latch.changed == [alarm]
        told += [alarm.crops] if alarm.more else []
    assert told == [2, 4, 8, 16]
    assert alarm.state == "acknowledged"


def test_a_file_without_a_hole_counts_by_its_own_path() -> None:
    one, other = Subject("", -1, "a" * 64), Subject("", -1, "b" * 64)
    found = latched(*(Sighting(number, one, "/in/x.jpg", START, 2, 1) for number in (1, 2)),
                    Sighting(3, other, "/in/y.jpg", START, 2, 1))  # fmt: skip
    assert [(alarm.subject, alarm.crops) for alarm in found] == [(one, 2), (other, 1)]


@pytest.mark.parametrize(
    ("seconds", "decided", "opens"),
    [
        ((0, 5), [1, 2], True),
        ((0, 10), [1, 7, 2], True),
        ((0, 10.1), [1, 2], False),
        # Three others in between: the two are not among four decisions.
        ((0, 5), [1, 1, 1, 2, 2], False),
    ],
)
def test_k_of_n_within_t_open_an_alarm(seconds: tuple[float, float], decided: list[int], opens: bool) -> None:
    rule = RULE._replace(k=2, n=4)
    latch = Latch(rule, MadeUpLine(decided={10: decided}))
    latch.see([sighting(1, seconds[0]), sighting(2, seconds[1])])
    assert [alarm.crops for alarm in latch.changed] == ([2] if opens else [])
    assert len(latch.waiting) == (0 if opens else 2)


def test_crops_that_waited_open_an_alarm_with_a_later_one() -> None:
    rule = RULE._replace(k=3, n=3)
    line = MadeUpLine(decided={10: [1, 2, 3]})
    latch = Latch(rule, line, waiting=[sighting(1, 0), sighting(3, 4)])
    latch.see([sighting(2, 2)])
    (alarm,) = latch.changed
    assert sorted(one.crop_id for one in alarm.taken) == [1, 2, 3]
    assert latch.waiting == []


def test_most_of_the_holes_together_are_one_alarm_of_the_table() -> None:
    found = latched(*(sighting(hole, hole / 10, hole=hole) for hole in range(1, 9)), line=MadeUpLine(holes=10))
    (table,) = found
    assert (table.subject, table.holes, table.crops) == (Subject("C"), set(range(1, 9)), 8)
    assert len(table.taken) == 8
    # A ninth hole joins it, and that is told; more of a known hole is not.
    told = []
    for crop, hole in ((20, 3), (21, 9)):
        table.more = False
        Latch(RULE, MadeUpLine(holes=10), [table]).see([sighting(crop, crop, hole=hole)])
        told += [hole] if table.more else []
    assert told == [9]
    assert table.holes == set(range(1, 10))


class CountedSubject(Subject):
    """What an alarm is about, and how often that was compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        CountedSubject.compared += 1
        return super().__eq__(other)

    __hash__ = Subject.__hash__


def test_a_flood_of_files_without_a_hole_is_not_compared_with_each_other() -> None:
    CountedSubject.compared = 0
    files = [CountedSubject("C", -1, f"{number:064x}") for number in range(2000)]
    found = latched(*(Sighting(number, one, "/in/x.jpg", START, 2, 1) for number, one in enumerate(files)))
    assert len(found) == 2000
    assert CountedSubject.compared < 10 * 2000


@pytest.mark.parametrize("end", [FIRST, LAST])
def test_crops_at_the_ends_of_the_calendar_are_latched(end: datetime) -> None:
    (alarm,) = latched(*(sighting(number, 0)._replace(at=end) for number in (1, 2)))
    assert (alarm.first_at, alarm.crops) == (end, 2)


def test_without_a_table_no_late_crops_make_one() -> None:
    rule = RULE._replace(table_share=1.0)
    assert len(latched(*(sighting(hole, 0, hole=hole) for hole in range(5)), rule=rule, line=MadeUpLine(holes=0))) == 5


def test_half_of_the_holes_are_not_more_than_half_and_two_are_never_a_table() -> None:
    five = [sighting(hole, 0, hole=hole) for hole in range(5)]
    assert len(latched(*five, line=MadeUpLine(holes=10))) == 5
    assert len(latched(*five, line=MadeUpLine(holes=9))) == 1
    assert len(latched(*five[:2], line=MadeUpLine(holes=2))) == 2


def test_holes_that_alarm_one_after_the_other_are_no_table() -> None:
    slowly = [sighting(hole, 11 * hole, hole=hole) for hole in range(10)]
    assert len(latched(*slowly, line=MadeUpLine(holes=10))) == 10


def test_the_table_comes_before_a_part_that_has_taken_crops_at_the_same_time() -> None:
    line = MadeUpLine(holes=4)
    (before,) = latched(sighting(1, 0, hole=1), line=line)
    before.id, before.taken = 1, []
    latch = Latch(RULE, line, [before])
    latch.see([sighting(2, 1, hole=1), sighting(3, 2, hole=2), sighting(4, 3, hole=3)])
    table, part = latch.changed
    assert (table.holes, table.crops, part, part.table) == ({1, 2, 3}, 4, before, table)
    assert sorted(one.crop_id for one in table.taken) == [2, 3, 4]
    assert part.taken == []


def test_alarms_that_were_stored_before_become_part_of_the_table() -> None:
    line = MadeUpLine(holes=6)
    before = latched(*(sighting(hole, 0, hole=hole) for hole in (1, 2, 3)), line=line)
    for number, alarm in enumerate(before):
        alarm.id, alarm.taken = number, []
    before[0].state = "acknowledged"
    latch = Latch(RULE, line, before)
    latch.see([sighting(hole, 1, hole=hole) for hole in (4, 5)])
    table, *parts = latch.changed
    assert table.holes == {2, 3, 4, 5}
    assert [(part.id, part.state, part.table) for part in parts] == [(1, "closed", table), (2, "closed", table)]
    # What a person has acknowledged stays what it is.
    assert before[0].state == "acknowledged"
