from __future__ import annotations

from datetime import UTC, datetime

from monitor.alarms.columns import PROLIV, UNLABELLED, Collector, Decisions, microseconds, moment_of
from monitor.store.alarms import Subject

LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
BEFORE = datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_times_are_kept_to_the_microsecond() -> None:
    assert [moment_of(microseconds(one)) for one in (BEFORE, LAST)] == [BEFORE, LAST]
    assert microseconds(BEFORE) == -1


def listed(decisions: Decisions) -> list[tuple[int, int, bool, int]]:
    columns = (decisions.at, decisions.subjects, decisions.proliv, decisions.labels)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_decisions_are_collected_put_in_order_and_cut() -> None:
    subjects = [Subject("C", 1)]
    collector = Collector(subjects)
    collector.add(Subject("C", 2), moment_of(30), proliv=True)
    collector.add(Subject("C", 1), moment_of(20), PROLIV, proliv=False)
    collector.add(Subject("C", 2), moment_of(20), proliv=False)
    assert len(collector) == 3
    taken = collector.taken().in_order()
    assert listed(taken) == [(20, 0, False, PROLIV), (20, 1, False, UNLABELLED), (30, 1, True, UNLABELLED)]
    assert [listed(part) for part in taken.parts(2)] == [listed(taken)[:2], listed(taken)[2:]]
    assert subjects == [Subject("C", 1), Subject("C", 2)]
    assert len(collector) == len(collector.taken()) == 0
    assert list(collector.taken().parts()) == []
