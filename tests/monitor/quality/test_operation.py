from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, insert, select

from monitor.formulas.rates import interval, weighted_rate
from monitor.quality.operation import (
    Confusion,
    last_days,
    quality_in_operation,
)
from monitor.store import models
from monitor.store.database.schema import calibrations, labels, scores
from tests.support.operation_line import CAUGHT, FALSE_ALARM, MISSED, NOW, PASSED, WEEK, fill, quality, rates

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


def test_a_class_without_labelled_crops_has_no_rate(database: Database) -> None:
    fill(database, [replace(CAUGHT, labelled=False), PASSED])
    found = quality(database)
    assert rates(found).tpr is None
    assert rates(found).tnr == weighted_rate([True], [1.0])
    assert (found.proliv, found.ne_proliv, found.alarms, found.labelled_alarms, found.coverage) == (0, 1, 1, 0, 0.0)
    nothing = quality(database, last_days(0.5, NOW))
    assert (nothing.proliv, nothing.ne_proliv, nothing.alarms, nothing.coverage) == (0, 0, 0, None)
    assert rates(nothing).tnr is None


def test_equal_weights_give_the_exact_interval_of_the_counts(database: Database) -> None:
    fill(database, [CAUGHT] * 8 + [MISSED] * 2 + [PASSED] * 5)
    tpr = rates(quality(database)).tpr
    assert tpr is not None
    assert (tpr.rate, (tpr.low, tpr.high), tpr.crops) == (0.8, interval(8, 10), 10)


def test_each_stratum_has_its_weight(database: Database) -> None:
    line = [
        *[CAUGHT] * 6,
        *[FALSE_ALARM] * 2,
        *[replace(CAUGHT, labelled=False)] * 8,  # 16 alarms, 8 labelled: each stands for 2
        *[replace(MISSED, drawn=True)] * 1,
        *[replace(PASSED, drawn=True)] * 4,
        replace(PASSED, drawn=True, labelled=False),  # 50 eligible, 5 of 6 drawn labelled: each stands for 10
        *[MISSED] * 3,
        *[PASSED] * 7,  # labelled by choice: themselves
    ]
    fill(database, line, eligible=50)
    found = quality(database)
    tpr, tnr = rates(found).tpr, rates(found).tnr
    assert tpr == weighted_rate([True] * 6 + [False] * 4, [2.0] * 6 + [10.0] + [1.0] * 3)
    assert tnr == weighted_rate([False] * 2 + [True] * 11, [2.0] * 2 + [10.0] * 4 + [1.0] * 7)
    assert (found.caution, found.audited_proliv) == (None, 1)
    assert (found.drawn, found.audited, found.alarms, found.labelled_alarms, found.coverage) == (6, 5, 16, 8, 0.5)


def test_a_detector_is_held_to_what_it_decided_itself_then(database: Database) -> None:
    line = [*[CAUGHT] * 3, replace(CAUGHT, own=False), replace(MISSED, own=True), replace(MISSED, scored=False)]
    fill(database, line)
    with database.write() as connection:
        connection.execute(calibrations.update().values(threshold=1e9))
    found = quality(database)
    assert rates(found).tpr == weighted_rate([True] * 4 + [False] * 2, [1.0] * 6)
    assert rates(found, "ae").tpr == weighted_rate([True] * 4 + [False], [1.0] * 5)
    assert rates(found, "ae").model == "ae-1"


def test_a_model_that_scored_labelled_crops_later_did_not_decide_on_them_in_operation(database: Database) -> None:
    fill(database, [CAUGHT, MISSED, FALSE_ALARM])
    with database.write() as connection:
        models.add_model(connection, name="new-1", detector="new", fingerprint="2" * 64, folder="new-1", settings={})
        for row in connection.execute(select(scores)).all():
            later = timedelta(days=1) if row.crop_id == 1 else timedelta(0)
            values = {**row._asdict(), "model_id": 2, "scored_at": row.scored_at + later}
            connection.execute(insert(scores).values(values))
    with database.read() as connection:
        (found,) = quality_in_operation(connection, [WEEK], models.all_models(connection), event_gap_seconds=600)
    assert rates(found).confusion == rates(found, "ae").confusion == Confusion(tp=1, fp=1, fn=1)
    assert rates(found, "new").confusion == Confusion(fp=1, fn=1)


def test_a_window_goes_by_the_time_of_seeing_whatever_the_cameras_clock_says(database: Database) -> None:
    long_ago, lately = NOW - timedelta(days=20), NOW - timedelta(days=2)
    line = [
        replace(CAUGHT, captured_at=long_ago, seen_at=lately),
        replace(CAUGHT, captured_at=lately, seen_at=long_ago),
        replace(MISSED, captured_at=None, seen_at=lately),
        replace(FALSE_ALARM, seen_at=WEEK.since),
        replace(FALSE_ALARM, seen_at=NOW),
    ]
    fill(database, line)
    found = quality(database)
    assert (found.proliv, found.ne_proliv, found.alarms) == (2, 1, 2)


def test_crops_that_came_with_their_label_or_were_scored_by_hand_say_nothing_of_operation(database: Database) -> None:
    fill(database, [CAUGHT, replace(CAUGHT, source="labelled"), replace(MISSED, source="folder")])
    found = quality(database)
    assert (found.proliv, found.alarms) == (1, 1)


def test_crops_of_one_content_count_once_as_alarms_and_as_labelled(database: Database) -> None:
    content = "c" * 64
    fill(database, [replace(CAUGHT, content=content), replace(CAUGHT, content=content, labelled=False), CAUGHT])
    found = quality(database)
    assert (found.proliv, found.alarms, found.labelled_alarms) == (2, 2, 2)


def test_contradictory_contents_are_left_out_and_counted(database: Database) -> None:
    fill(database, [CAUGHT, CAUGHT, MISSED])
    with database.write() as connection:
        other = {"label": "ne_proliv", "source": "command", "author": "Petrov", "at": NOW + timedelta(hours=1)}
        connection.execute(insert(labels).values(crop_id=3, **other))
    found = quality(database)
    assert (found.proliv, found.ne_proliv, found.contradictory) == (2, 0, 1)
    assert rates(found).tpr == weighted_rate([True, True], [1.0, 1.0])


def test_proliv_crops_close_in_time_are_one_incident(database: Database) -> None:
    times = [NOW - timedelta(days=1, minutes=minutes) for minutes in (0, 9, 18, 30)]
    fill(database, [replace(CAUGHT, captured_at=time) for time in times] + [replace(CAUGHT, camera="2")])
    assert quality(database).incidents == 3


def test_a_group_has_the_weights_of_its_own_alarms(database: Database) -> None:
    second = replace(CAUGHT, hole=2)
    line = [
        *[CAUGHT] * 2,
        *[replace(CAUGHT, labelled=False)] * 4,
        MISSED,
        second,
        replace(second, alarm=False),
        replace(MISSED, hole=3, camera=None),
        replace(CAUGHT, hole=2, camera="2"),
    ]
    fill(database, line)
    groups = {(one.camera, one.hole): one for one in quality(database, by="hole").rates if one.detector == "ae"}
    assert set(groups) == {(None, None), ("1", 1), ("1", 2), (None, 3), ("2", 2)}
    assert groups["1", 1].tpr == weighted_rate([True, True, False], [3.0, 3.0, 1.0])
    assert groups["1", 2].tpr == weighted_rate([True, False], [1.0, 1.0])
    assert groups[None, 3].tpr == weighted_rate([False], [1.0])
    assert {one.group for one in groups.values()} == {"all", "hole"}
    cameras = [one for one in quality(database, by="camera").rates if one.detector == "ae"]
    assert [(one.group, one.camera, one.hole) for one in cameras] == [
        *(("all", None, None), ("camera", None, None), ("camera", "1", None), ("camera", "2", None))
    ]
    assert cameras[2].tpr == weighted_rate([True] * 2 + [False] + [True, False], [7 / 3] * 2 + [1.0] + [7 / 3, 1.0])


def test_it_is_ready_for_json(database: Database) -> None:
    fill(database, [CAUGHT, PASSED])
    report = json.loads(json.dumps(quality(database).as_dict()))
    assert (report["window"], report["audited"], report["alarm_label_coverage"]) == ("7d", 0, 1.0)
    assert report["since"] == WEEK.since.isoformat()
    tpr = report["rates"][0]["tpr"]
    assert tpr == {"rate": 1.0, "low": pytest.approx(0.025), "high": 1.0, "crops": 1, "effective": 1.0}


def test_counting_alarms_uses_the_index_of_verdicts(database: Database) -> None:
    fill(database, [CAUGHT])
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    quality(database)
    (counting,) = (one for one in statements if "AS earlier" in one)
    with database.engine.connect() as connection:
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {counting}", (0, *[""] * (counting.count("?") - 1)))
        plan = [str(row[3]) for row in steps]
    assert [step for step in plan if step.startswith("SCAN")] == []
