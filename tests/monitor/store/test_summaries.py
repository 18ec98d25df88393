"""Hours are summarised once, whatever clocks and programs do, and are found again by their groups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, insert, select, update

from monitor.store import summaries
from monitor.store.database.schema import calibrations, crops, models, score_summaries, scores
from monitor.store.summaries import Summary, quantiles, summaries_between, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database

NOW = datetime(2023, 3, 10, 12, 20, tzinfo=UTC)
NOON = NOW.replace(minute=0)
HOUR = timedelta(hours=1)
LONG_AGO = NOON - timedelta(days=400)


@pytest.fixture
def database(either_store: Database) -> Database:
    """Two models with a calibration each, of which the first is active."""
    with either_store.write() as connection:
        for identifier, detector in ((1, "ae"), (2, "patchstats")):
            connection.execute(
                insert(models).values(
                    id=identifier,
                    name=f"{detector}-1",
                    detector=detector,
                    fingerprint=str(identifier) * 64,
                    folder=detector,
                    settings={},
                    trained_at=LONG_AGO,
                    active=identifier == 1,
                )
            )
            add_calibration(connection, identifier, model=identifier)
    return either_store


def add_calibration(
    connection: Connection, identifier: int, *, model: int = 1, state: str = "active", **values: object
) -> None:
    given_values = {"threshold": 1.0, "created_at": LONG_AGO, **values}
    connection.execute(
        insert(calibrations).values(
            id=identifier, model_id=model, rule="fixed", settings={}, evidence={}, state=state, **given_values
        )
    )


def score(
    database: Database,
    at: datetime,
    values: Sequence[float],
    *,
    camera: str | None = "1",
    hole: int | None = 1,
    source: str = "inbox",
    proliv: bool = False,
    model: int = 1,
) -> None:
    """Store crops that a model gave these scores at one moment."""
    verdict = "proliv" if proliv else "ne_proliv"
    with database.write() as connection:
        first = 1 + (connection.execute(select(func.max(crops.c.id))).scalar() or 0)
        connection.execute(
            insert(crops),
            [
                {
                    "id": number,
                    "path": f"/inbox/{number}.jpg",
                    "sha256": f"{number:064}",
                    "size_bytes": 1,
                    "mtime_ns": 1,
                    "hole": hole,
                    "camera": camera,
                    "seen_at": at,
                    "state": "scored",
                    "verdict": verdict,
                    "source": source,
                }
                for number in range(first, first + len(values))
            ],
        )
        connection.execute(
            insert(scores),
            [
                {
                    "crop_id": number,
                    "model_id": model,
                    "calibration_id": model,
                    "mse": 0.0,
                    "score": value,
                    "threshold": 1.0,
                    "verdict": verdict,
                    "scored_at": at,
                    "latency_seconds": 0.1,
                }
                for number, value in enumerate(values, first)
            ],
        )


def stored(database: Database, model: int = 1) -> list[Summary]:
    with database.read() as connection:
        return summaries_between(connection, model, LONG_AGO, NOW + timedelta(days=400))


def hours(database: Database) -> list[datetime]:
    with database.read() as connection:
        query = select(score_summaries.c.hour).where(score_summaries.c.camera == "*").order_by(score_summaries.c.hour)
        return list(connection.execute(query).scalars())


def test_an_hour_is_summarised_for_each_group_and_for_all_together(database: Database) -> None:
    at = NOON - timedelta(minutes=30)
    score(database, at, [3.0, 1.0, 2.0])
    score(database, at, [9.0], hole=2, proliv=True)
    score(database, at, [5.0], hole=None, camera=None)
    summarise(database, 1, NOW)
    found = {(row.camera, row.hole): row for row in stored(database)}
    assert set(found) == {("*", -1), ("1", 1), ("1", 2), ("", -1)}
    assert {row.hour for row in found.values()} == {NOON - HOUR}
    assert (found["*", -1].crops, found["*", -1].proliv) == (5, 1)
    assert found["*", -1].quantiles == pytest.approx(np.quantile([1, 2, 3, 5, 9], np.linspace(0, 1, 21)))
    assert (found["1", 1].crops, found["1", 1].proliv, found["1", 1].quantiles[::10]) == (3, 0, [1.0, 2.0, 3.0])
    assert (found["1", 2].proliv, found["1", 2].quantiles) == (1, [9.0] * 21)


def test_hours_end_just_before_the_next_and_the_current_one_waits(database: Database) -> None:
    score(database, NOON - HOUR, [1.0])
    score(database, NOON - timedelta(microseconds=1), [2.0])
    score(database, NOON, [3.0])
    summarise(database, 1, NOW)
    assert [(row.hour, row.crops) for row in stored(database) if row.camera == "*"] == [(NOON - HOUR, 2)]
    summarise(database, 1, NOW + HOUR)
    assert [(row.hour, row.crops) for row in stored(database) if row.camera == "*"] == [(NOON - HOUR, 2), (NOON, 1)]


def test_full_hours_are_those_of_utc(database: Database) -> None:
    score(database, NOON - timedelta(minutes=40), [1.0])
    summarise(database, 1, NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert {row.hour for row in stored(database)} == {NOON - HOUR}


def test_crops_scored_by_hand_or_that_came_with_a_label_do_not_count(database: Database) -> None:
    at = NOON - HOUR
    score(database, at, [1.0])
    for source in ("folder", "labelled"):
        score(database, at, [100.0], source=source)
    score(database, at, [7.0], model=2)
    summarise(database, 1, NOW)
    assert {row.crops for row in stored(database)} == {1}
    assert stored(database, model=2) == []


def test_a_camera_called_like_all_of_them_is_an_unknown_one(database: Database) -> None:
    score(database, NOON - HOUR, [1.0], camera="*", hole=None)
    score(database, NOON - HOUR, [1.0], camera="", hole=None)
    summarise(database, 1, NOW)
    assert {(row.camera, row.hole): row.crops for row in stored(database)} == {("*", -1): 2, ("", -1): 2}


def test_repeating_changes_nothing_and_a_late_decision_is_missed(database: Database) -> None:
    score(database, NOON - HOUR, [1.0])
    assert summarise(database, 1, NOW) > 0
    before = stored(database)
    score(database, NOON - HOUR, [5.0])
    assert summarise(database, 1, NOW) == 0
    assert stored(database) == before


def test_two_programs_at_once_write_an_hour_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    score(database, NOON - HOUR, [1.0])
    read = summaries._scores
    nested: list[bool] = []

    def while_another_writes(*arguments: Any) -> Any:
        if not nested:
            nested.append(True)
            summarise(database, 1, NOW)
        return read(*arguments)

    monkeypatch.setattr(summaries, "_scores", while_another_writes)
    summarise(database, 1, NOW)
    assert [row.crops for row in stored(database)] == [1, 1]


def test_the_first_time_goes_back_two_weeks(database: Database) -> None:
    for days in (13, 15):
        score(database, NOON - timedelta(days=days), [1.0])
    summarise(database, 1, NOW)
    assert {row.hour for row in stored(database)} == {NOON - timedelta(days=13)}


def test_a_pause_is_passed_over_and_not_looked_at_again(database: Database) -> None:
    score(database, NOON - timedelta(days=10), [1.0])
    score(database, NOON - timedelta(days=4), [1.0], source="folder")
    score(database, NOON - timedelta(days=2), [1.0])
    written = summarise(database, 1, NOW)
    assert (
        hours(database)
        == [
            *(NOON - timedelta(days=days) for days in (14, 10, 4, 2)),
            NOON - HOUR,
        ]
        == sorted(hours(database))
    )
    assert written == 5
    assert [row.hour for row in stored(database) if row.camera == "*"] == [
        NOON - timedelta(days=10),
        NOON - timedelta(days=2),
    ]
    assert summarise(database, 1, NOW) == 0
    assert summarise(database, 1, NOW + 30 * HOUR) == 2  # the hour after the newest, and the last one


def test_a_clock_that_goes_back_changes_nothing_that_is_there(database: Database) -> None:
    for hour in range(1, 30):
        score(database, NOON - hour * HOUR, [float(hour)])
    summarise(database, 1, NOW)
    before = stored(database)
    summarise(database, 1, NOW - 10 * HOUR)
    assert stored(database) == before


def test_a_clock_that_ran_ahead_once_stops_nothing(database: Database) -> None:
    score(database, NOON - 3 * HOUR, [1.0])
    summarise(database, 1, NOW)
    summarise(database, 1, NOW + timedelta(days=3650))
    score(database, NOON + HOUR, [9.0])
    summarise(database, 1, NOW + 3 * HOUR)
    assert NOON + HOUR in {row.hour for row in stored(database)}


def test_a_crop_that_is_scored_again_long_after_it_was_seen_is_left_out(database: Database) -> None:
    score(database, NOON - HOUR, [1.0])
    with database.write() as connection:
        connection.execute(update(crops).values(seen_at=NOON - timedelta(days=2)))
    summarise(database, 1, NOW)
    assert stored(database) == []


def test_scores_are_looked_up_by_the_index(database: Database) -> None:
    if database.file is None:
        pytest.skip("PostgreSQL scans small tables whatever indexes there are")
    score(database, NOON - HOUR, [1.0])
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    summarise(database, 1, NOW)
    asked = {one for one in statements if one.startswith("SELECT") and "FROM scores" in one}
    assert len(asked) == 2
    with database.read() as connection:
        for statement in asked:
            parameters = (1, *["2023"] * (statement.count("?") - 1))
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert any("ix_scores_model_id_scored_at" in step or "scored_at" in step for step in plan), plan
            assert not any(str(step).startswith("SCAN") for step in plan), plan


def test_the_baseline_is_the_first_hours_of_each_group_with_enough_crops(database: Database) -> None:
    start = NOON - 10 * HOUR
    for index in range(8):
        score(database, start + index * HOUR, [float(index)] * (1 if index == 2 else 3))
    for index in range(4, 8):
        score(database, start + index * HOUR, [float(index)] * 2, hole=2)
    summarise(database, 1, NOW)
    with database.read() as connection:
        found = summaries.baseline_summaries(
            connection, 1, since=start + HOUR, before=start + 7 * HOUR, least_crops=2, most=3
        )
        everything = summaries.baseline_summaries(
            connection, 1, since=None, before=start + 7 * HOUR, least_crops=1, most=100
        )
    medians = {
        group: [row.quantiles[10] for row in found if (row.camera, row.hole) == group]
        for group in (("1", 1), ("1", 2), ("*", -1))
    }
    assert medians == {("1", 1): [1.0, 3.0, 4.0], ("1", 2): [4.0, 5.0, 6.0], ("*", -1): [1.0, 3.0, 4.0]}
    assert [row.hour for row in found] == sorted(row.hour for row in found)
    assert len([row for row in everything if row.hole == 1]) == 7


@given(st.lists(st.floats(-1e6, 1e6), max_size=60))
def test_quantiles_are_those_of_numpy(values: list[float]) -> None:
    found = quantiles(values)
    assert len(found) == (summaries.QUANTILES if values else 0)
    if values:
        assert found == pytest.approx(np.quantile(values, np.linspace(0, 1, 21)), rel=1e-9, abs=1e-6)
        assert found == sorted(found)
        assert (found[0], found[-1]) == (min(values), max(values))
