from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import event, insert, select

from monitor.formulas.rates import interval, weighted_rate
from monitor.quality.operation import (
    NOT_AUDITED,
    OTHERS_NOT_AUDITED,
    UNUSUAL_NOT_AUDITED,
    Confusion,
    Quality,
    Rates,
    Window,
    last_days,
    quality_in_operation,
)
from monitor.store import models
from monitor.store.database.engine import Database
from monitor.store.database.schema import audit_crops, audits, calibrations, crops, labels, scores
from tests.support.made_up import store_model
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NOW = datetime(2023, 3, 10, 12, tzinfo=UTC)
WEEK = last_days(7, NOW)


@dataclass(frozen=True)
class Made:
    """A crop of a made-up line: what it is, what was decided and what people did with it."""

    proliv: bool
    alarm: bool
    labelled: bool = True
    drawn: bool = False
    own: bool | None = None  # the model's verdict, where it is not the final one
    scored: bool = True  # by the model
    hole: int | None = 1
    camera: str | None = "1"
    captured_at: datetime | None = NOW - timedelta(days=1)
    seen_at: datetime = NOW - timedelta(days=1)
    source: str = "inbox"
    content: str | None = None
    unusual: bool = False


MISSED, CAUGHT = Made(proliv=True, alarm=False), Made(proliv=True, alarm=True)
FALSE_ALARM, PASSED = Made(proliv=False, alarm=True), Made(proliv=False, alarm=False)


def verdict(proliv: bool) -> str:
    return "proliv" if proliv else "ne_proliv"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=30)
    upgrade(opened)
    with opened.write() as connection:
        store_model(connection, NOW, calibrated_at=NOW - timedelta(days=60))
    yield opened
    opened.close()


def fill(database: Database, made: Sequence[Made], *, eligible: int | None = None) -> None:
    """Store a line; its drawn crops were drawn from ``eligible`` ones."""
    with database.write() as connection:
        connection.execute(
            insert(crops),
            [
                {
                    "id": index,
                    "path": f"/inbox/{index}.jpg",
                    "sha256": one.content or f"{index:064}",
                    "size_bytes": 1,
                    "mtime_ns": 1,
                    "hole": one.hole,
                    "camera": one.camera,
                    "source": one.source,
                    "captured_at": one.captured_at,
                    "seen_at": one.seen_at,
                    "state": "scored",
                    "verdict": verdict(one.alarm),
                    "unusual": one.unusual,
                    "decision_score": 1.0,
                    "decision_threshold": 1.0,
                }
                for index, one in enumerate(made, 1)
            ],
        )
        connection.execute(
            insert(scores),
            [
                {
                    "crop_id": index,
                    "model_id": 1,
                    "calibration_id": 1,
                    "mse": 0.1,
                    "score": 1.0,
                    "threshold": 1.0,
                    "verdict": verdict(one.alarm if one.own is None else one.own),
                    "scored_at": one.seen_at,
                    "latency_seconds": 0.1,
                }
                for index, one in enumerate(made, 1)
                if one.scored
            ],
        )
        given = [
            {"crop_id": index, "label": verdict(one.proliv), "source": "command", "author": "Ivanov", "at": NOW}
            for index, one in enumerate(made, 1)
            if one.labelled
        ]
        if given:
            connection.execute(insert(labels), given)
        if eligible is not None:
            draw = {"id": 1, "drawn_at": NOW, "first_crop_id": 1, "last_crop_id": len(made), "eligible": eligible}
            connection.execute(insert(audits).values(**draw))
            drawn = [{"audit_id": 1, "crop_id": index} for index, one in enumerate(made, 1) if one.drawn]
            connection.execute(insert(audit_crops), drawn)


def quality(database: Database, window: Window = WEEK, by: str | None = None) -> Quality:
    with database.read() as connection:
        found = quality_in_operation(
            connection,
            [window],
            models.active_models(connection),
            event_gap_seconds=600,
            by="hole" if by == "hole" else "camera" if by == "camera" else None,
        )
    (one,) = found
    return one


def rates(found: Quality, detector: str = "decision") -> Rates:
    (one,) = (one for one in found.rates if one.detector == detector and one.group == "all")
    return one


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


def test_without_an_audit_or_a_find_of_it_a_caution_stands_beside_tpr(database: Database) -> None:
    fill(database, [CAUGHT, *[replace(PASSED, drawn=True)] * 60, *[replace(PASSED, labelled=False)] * 40], eligible=100)
    found = quality(database)
    assert found.caution is not None
    # The upper end of the exact interval of 0 of 60.
    assert found.caution.startswith("None of the 60 audited crops is proliv: up to 5.96% of the crops")
    assert quality(database, last_days(0.5, NOW)).caution == NOT_AUDITED


def draw_apart(
    database: Database, made: Sequence[Made], drawn: dict[bool, Sequence[int]], *, unlabelled: bool | None = None
) -> None:
    """Draw crops, by their places, from the unusual ones and from the others, and label them, but not one kind."""
    said = {"source": "command", "author": "Petrov", "at": NOW}
    with database.write() as connection:
        for unusual, places in drawn.items():
            eligible = sum(not one.alarm and one.unusual is unusual for one in made)
            span = {"drawn_at": NOW, "first_crop_id": 1, "last_crop_id": len(made)}
            connection.execute(insert(audits).values(id=1 + unusual, **span, eligible=eligible, unusual=unusual))
            connection.execute(
                insert(audit_crops), [{"audit_id": 1 + unusual, "crop_id": place + 1} for place in places]
            )
            if unusual is not unlabelled:
                answers = [{"crop_id": place + 1, "label": verdict(made[place].proliv), **said} for place in places]
                connection.execute(insert(labels), answers)


QUIET = replace(PASSED, labelled=False)
ODD = replace(QUIET, unusual=True)


@pytest.mark.parametrize(("unlabelled", "caution"), [(True, UNUSUAL_NOT_AUDITED), (False, OTHERS_NOT_AUDITED)])
def test_a_kind_that_was_drawn_and_not_labelled_is_missing(database: Database, unlabelled: bool, caution: str) -> None:
    line = [*[ODD] * 40, *[replace(MISSED, labelled=False, unusual=not unlabelled)] * 2, *[QUIET] * 60]
    fill(database, line)
    draw_apart(database, line, {True: range(20), False: range(40, 100)}, unlabelled=unlabelled)
    assert quality(database).caution == caution


def test_what_may_have_been_missed_is_the_sum_over_both_kinds(database: Database) -> None:
    line = [*[ODD] * 40, *[QUIET] * 60]
    fill(database, line)
    draw_apart(database, line, {True: range(20), False: range(40, 70)})
    found = quality(database)
    assert (found.drawn_unusual, found.audited_unusual, found.audited) == (20, 20, 50)
    ends = [interval(0, 20)[1], interval(0, 30)[1]]
    assert found.missed_high == pytest.approx(0.4 * (ends[0] or 0) + 0.6 * (ends[1] or 0))
    assert found.caution is not None
    assert found.caution.startswith(f"None of the 50 audited crops is proliv: up to {found.missed_high:.2%} of")


def test_drawing_more_of_the_unusual_crops_leaves_the_rates_unbiased(tmp_path: Path) -> None:
    # Half of the missed proliv hide among the unusual crops, of which half are drawn, and of the others a quarter.
    line = [
        *[CAUGHT] * 160,
        *[FALSE_ALARM] * 40,
        *[replace(MISSED, labelled=False, unusual=True)] * 60,
        *[ODD] * 140,
        *[replace(MISSED, labelled=False)] * 60,
        *[QUIET] * 1540,
    ]
    places = {
        kind: [place for place, one in enumerate(line) if not one.alarm and one.unusual is kind]
        for kind in (True, False)
    }
    random = np.random.default_rng(5)
    found = []
    for number in range(30):
        database = Database(f"sqlite:///{tmp_path / str(number)}.db", busy_seconds=30)
        upgrade(database)
        with database.write() as connection:
            store_model(connection, NOW, calibrated_at=NOW - timedelta(days=60))
        fill(database, line)
        drawn = {kind: random.choice(places[kind], size, replace=False).tolist()
                 for kind, size in ((True, 100), (False, 400))}  # fmt: skip
        draw_apart(database, line, drawn)
        found.append(rates(quality(database)))
        database.close()
    tprs, tnrs = [one.tpr for one in found if one.tpr], [one.tnr for one in found if one.tnr]
    assert len(tprs) == len(tnrs) == 30
    # Were all drawn crops taken for one draw, TPR would come out as 0.50.
    assert np.mean([one.rate for one in tprs]) == pytest.approx(160 / 280, abs=0.015)
    assert np.mean([one.rate for one in tnrs]) == pytest.approx(1680 / 1720, abs=0.002)
    assert sum(one.low <= 160 / 280 <= one.high for one in tprs) >= 27


def test_an_audit_removes_the_bias_of_labelling_alarms_alone(database: Database) -> None:
    # Of 400 proliv 80 raise no alarm; 120 of 5,600 others do. People label every alarm and nothing else.
    random = np.random.default_rng(11)
    line = [
        *[CAUGHT] * 320,
        *[replace(MISSED, labelled=False)] * 80,
        *[FALSE_ALARM] * 120,
        *[replace(PASSED, labelled=False)] * 5480,
    ]
    quiet = [index for index, one in enumerate(line) if not one.alarm]
    fill(database, line)
    biased = quality(database)
    assert (biased.audited, biased.caution) == (0, NOT_AUDITED)
    tpr = rates(biased).tpr
    assert tpr is not None
    assert tpr.rate == 1.0
    assert tpr.low > 0.98  # sure of it, and wrong

    drawn = random.choice(quiet, 800, replace=False)
    with database.write() as connection:
        draw = {"id": 1, "drawn_at": NOW, "first_crop_id": 1, "last_crop_id": len(line), "eligible": len(quiet)}
        connection.execute(insert(audits).values(**draw))
        connection.execute(insert(audit_crops), [{"audit_id": 1, "crop_id": int(index) + 1} for index in drawn])
        said = {"source": "command", "author": "Petrov", "at": NOW}
        answers = [{"crop_id": int(index) + 1, "label": verdict(line[index].proliv), **said} for index in drawn]
        connection.execute(insert(labels), answers)
    audited = quality(database)
    assert (audited.drawn, audited.audited) == (800, 800)
    tpr, tnr = rates(audited).tpr, rates(audited).tnr
    assert tpr is not None
    assert tnr is not None
    assert tpr.low < 0.8 < tpr.high
    assert tpr.rate == pytest.approx(0.8, abs=0.06)
    assert tpr.low < tpr.rate < tpr.high < 1
    assert tnr.low < 5480 / 5600 < tnr.high
