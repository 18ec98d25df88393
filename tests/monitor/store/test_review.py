"""What is worth a label is found, and what has one is not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.labels.give import give
from monitor.labels.undo import undo
from monitor.store import audits, review
from monitor.store.labels import find_crops, newest_action
from monitor.words import Label
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


def draw(database: Database, *ids: int) -> None:
    with database.write() as connection:
        audits.add_audit(connection, author=None, first=1, last=9, eligible=9, drawn=ids, unusual=False)


def ids(rows: list[review.ReviewCrop]) -> list[int]:
    return [row.id for row in rows]


def test_a_label_of_another_crop_with_the_same_content_counts_until_it_is_taken_back(
    database: Database, line: Line
) -> None:
    first, second = line.crop(0), line.crop(1)
    line.decide(first, second._replace(sha256=first.sha256))
    with database.write() as connection:
        assert ids(review.of_alarms(connection)) == [1, 2]
        give(connection, find_crops(connection, ids=[2]), Label.PROLIV, author="anna")
        assert review.of_alarms(connection) == []
        assert review.crop(connection, 1) is None
        undo(connection, newest_action(connection, "anna"), author="anna", note=None)
        assert ids(review.of_alarms(connection)) == [1, 2]
        assert ids(review.of_alarms(connection, 2)) == []
        assert review.crop(connection, 1) is not None


def test_the_nearest_to_the_threshold_come_first(
    database: Database, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit: dict[str, Any] = {"proliv": False, "decision_threshold": 0.01}
    line.decide(*(line.crop(at, decision_score=score, **unit) for at, score in enumerate((0.001, 0.009, 0.02, 0.0104))))
    with database.read() as connection:
        assert ids(review.nearest(connection, NOW)) == [4, 2, 1, 3]
        assert review.nearest(connection, NOW + timedelta(days=1, seconds=10)) == []
        monkeypatch.setattr(review, "WALK", 2)
        assert ids(review.nearest(connection, NOW)) == [4, 3]


def test_margins_are_near_when_they_are_near_0(database: Database, line: Line) -> None:
    unit: dict[str, Any] = {"proliv": False, "decision_threshold": 0.0}
    line.decide(line.crop(0, decision_score=-1.0, **unit), line.crop(1, decision_score=0.1, **unit))
    with database.read() as connection:
        assert ids(review.nearest(connection, NOW)) == [2, 1]


def test_of_old_draws_nobody_is_asked(database: Database, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.decide(*(line.crop(at, proliv=False) for at in range(3)))
    draw(database, 1)
    draw(database, 2, 3)
    with database.read() as connection:
        assert ids(review.drawn(connection)) == [3, 2, 1]
        monkeypatch.setattr(review, "DRAWS", 1)
        assert ids(review.drawn(connection)) == [3, 2]
