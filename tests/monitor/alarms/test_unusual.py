"""Alarms of unusual crops, on both databases: of their own kind, and only where they are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.alarms.raising import Raising
from monitor.alarms.wording import about_row
from monitor.configuration.settings import Alarms
from tests.support.alarm_line import Line
from tests.support.stored_crops import add_model, calibrate

if TYPE_CHECKING:
    from monitor.store.database.engine import Database
    from monitor.store.decisions import CropRow, ScoreRow

SETTINGS = Alarms(unusual=True)


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database, SETTINGS)


@pytest.fixture
def doubter(line: Line) -> ScoreRow:
    """A decision proliv of another model than the one that decides."""
    with line.database.write() as connection:
        other = calibrate(connection, add_model(connection, "b", "vae"), threshold=3.0)
    assert other.calibration_id is not None
    return line.proliv._replace(model_id=other.id, calibration_id=other.calibration_id, score=5.0, threshold=3.0)


def unusual(line: Line, doubter: ScoreRow, seconds: float, hole: int = 10) -> CropRow:
    row = line.crop(seconds, hole, proliv=False)
    return row._replace(unusual=True, scores=(*row.scores, doubter))


def test_by_default_they_open_none(line: Line, doubter: ScoreRow) -> None:
    line.raising = Raising(Alarms(), lambda: line.now)
    assert line.decide(unusual(line, doubter, 0)) == ()
    assert line.members() == []


def test_they_open_alarms_of_their_own_kind_which_proliv_do_not_join(line: Line, doubter: ScoreRow) -> None:
    (raised,) = line.decide(unusual(line, doubter, 0), line.crop(0, hole=11, proliv=False))
    assert (raised.sign, raised.kind, raised.hole) == ("unusual", "hole", 10)
    line.decide(unusual(line, doubter, 1))
    (proliv,) = line.decide(line.crop(2))
    assert proliv.sign == "proliv"
    line.decide(unusual(line, doubter, 3), line.crop(3))
    first, second = line.alarms()
    assert [(row.sign, row.crops) for row in (first, second)] == [("unusual", 3), ("proliv", 2)]
    assert (first.score, first.threshold) == (5.0, 3.0)
    assert about_row(first) == "unusual crops of hole 10 of camera C"
    assert about_row(second) == "hole 10 of camera C"


def test_repeating_changes_nothing(line: Line, doubter: ScoreRow) -> None:
    crop = unusual(line, doubter, 0)
    assert len(line.decide(crop)) == 1
    assert line.decide(crop) == ()
    assert [row.crops for row in line.alarms()] == [1]


def test_those_that_wait_open_no_alarm_of_proliv(line: Line, doubter: ScoreRow) -> None:
    line.raising = Raising(Alarms(unusual=True, k=2, n=3), lambda: line.now)
    assert line.decide(unusual(line, doubter, 0)) == ()
    assert line.decide(line.crop(1)) == ()
    (raised,) = line.decide(unusual(line, doubter, 2))
    assert raised.sign == "unusual"
    assert line.members() == [(1, 1), (2, None), (3, 1)]


def test_one_that_becomes_proliv_opens_an_alarm_of_proliv(line: Line, doubter: ScoreRow) -> None:
    crop = unusual(line, doubter, 0)
    line.decide(crop)
    with line.database.write() as connection:
        third = calibrate(connection, add_model(connection, "c", "onnx"))
    assert third.calibration_id is not None
    again = line.proliv._replace(model_id=third.id, calibration_id=third.calibration_id)
    (raised,) = line.decide(crop._replace(scores=(again,), verdict="proliv", decision_score=0.01, unusual=False))
    assert raised.sign == "proliv"
    assert line.members() == [(1, 2)]
    assert [row.sign for row in line.alarms()] == ["unusual", "proliv"]


def test_many_holes_together_are_one_alarm_of_the_table(line: Line, doubter: ScoreRow) -> None:
    line.decide(*(line.crop(0, hole, proliv=False) for hole in range(1, 6)), line.crop(0, hole=1))
    (raised,) = line.decide(*(unusual(line, doubter, 1, hole) for hole in (2, 3, 4)))
    assert (raised.sign, raised.kind) == ("unusual", "table")
    assert line.alarms()[-1].holes == [2, 3, 4]
