"""The database counts the intervals of crops as plain Python does."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, insert

from monitor.store.arrivals import Arrivals, CameraArrivals, Grid, HoleArrivals, arrivals, arrivals_seen, crops_since
from monitor.store.database.engine import Database
from monitor.store.database.schema import crops
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NUMBERS = count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('arrivals') / 'monitor.db'}"
    else:
        new_store: Callable[[], str] = request.getfixturevalue("new_postgresql_store")
        url = new_store()
    opened = Database(url, busy_seconds=30)
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _without_crops(database: Database) -> None:
    store(database, [])


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def crop(
    hole: int | None,
    captured: float | None,
    seen: float,
    *,
    camera: str | None = "C",
    failed: bool = False,
    source: str = "inbox",
) -> dict[str, Any]:
    """A row; times in seconds from noon."""
    number = next(NUMBERS)
    return {
        "path": f"/inbox/{number}.jpg", "sha256": f"{number:064}", "size_bytes": 1, "mtime_ns": 1, "hole": hole,
        "camera": camera, "captured_at": None if captured is None else at(captured), "seen_at": at(seen),
        "state": "failed" if failed else "scored", "reason": "truncated" if failed else None, "source": source,
    }  # fmt: skip


def store(database: Database, rows: Sequence[dict[str, Any]]) -> None:
    """Have these crops and no others."""
    with database.write() as connection:
        connection.execute(delete(crops))
        if rows:
            connection.execute(insert(crops), rows)


def found(database: Database, rows: Sequence[dict[str, Any]], grid: Grid, named: Sequence[str] = ()) -> Arrivals:
    store(database, rows)
    with database.read() as connection:
        return arrivals(connection, grid, named)


def grid(first: int = 0, end: int = 60, *, seconds: int = 5, late: int = 10) -> Grid:
    """Intervals that are counted from noon."""
    noon = int(NOON.timestamp()) // seconds
    return Grid(seconds, noon + first, noon + end, late)


def test_an_interval_has_a_crop_in_time_or_late_or_none_that_was_decided_on(database: Database) -> None:
    rows = [
        *(crop(1, 0, 1), crop(1, 4.999, 5)),  # the interval 0, twice
        crop(1, 5, 20.9),  # as late as can be: the interval ends at 10
        crop(1, 10, 26),  # a second later than that
        *(crop(1, 15, 99), crop(1, 16, 17)),  # one of two in time
        *(crop(1, 20, 21, failed=True), crop(1, 25, 26, failed=True), crop(1, 26, 99)),
        crop(2, 30, 31),
    ]
    assert found(database, rows, grid()) == Arrivals(
        {"C": CameraArrivals(active=7, crops=10, ahead=0, before=0)},
        {("C", 1): HoleArrivals(3, 2, 1, at(26), 9), ("C", 2): HoleArrivals(1, 0, 0, at(30), 10)},
    )


def test_a_crop_counts_when_its_name_says_or_else_when_it_was_seen(database: Database) -> None:
    rows = [
        crop(1, 50, 52),
        crop(2, None, 52),
        crop(3, 52 + 60, 52),  # a clock that is a minute fast is believed
        crop(4, 52 + 61, 52),  # one that is faster is not
        crop(5, -1, 52),  # before the first interval
        crop(6, None, 300),  # after the last one
        crop(7, -30, -29),  # seen before it, as its name says
    ]
    result = found(database, rows, grid())
    assert result.cameras == {"C": CameraArrivals(active=2, crops=7, ahead=1, before=1)}
    assert {hole: one.last for (_, hole), one in result.holes.items()} == {1: at(50), 2: at(52), 3: at(112), 4: at(52)}


def test_only_the_inbox_counts_and_unknown_cameras_are_one(database: Database) -> None:
    rows = [
        crop(1, 0, 1, camera=None),
        crop(1, 5, 6, camera=None),
        crop(None, 10, 11),
        crop(2, 0, 1, source="folder"),
        crop(3, 0, 1, source="labelled"),
    ]
    result = found(database, rows, grid())
    assert {camera: one.active for camera, one in result.cameras.items()} == {"unknown": 2, "C": 1}
    assert {key: one.came for key, one in result.holes.items()} == {("unknown", 1): 2}


def test_of_too_many_the_named_and_the_busiest_are_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.store.arrivals.MOST_CAMERAS", 2)
    monkeypatch.setattr("monitor.store.arrivals.MOST_HOLES", 3)
    rows = [crop(1, 5 * interval, 5 * interval, camera="busy") for interval in range(5)]
    rows += [crop(hole, 0, 0, camera="named") for hole in (1, 2)]
    rows += [crop(hole, 5 * interval, 9, camera=f"rubbish {hole}") for hole in range(9) for interval in range(2)]
    result = found(database, rows, grid(), ["named", "silent"])
    assert set(result.cameras) == {"busy", "named"}
    assert set(result.holes) == {("busy", 1), ("named", 1), ("named", 2)}


def test_what_was_seen_in_a_time_counts_in_whichever_interval(database: Database) -> None:
    rows = [crop(1, -5000, 1), crop(1, -4995, 2), crop(2, -4995, 3), crop(3, 3, 300), crop(4, 3, -1)]
    store(database, rows)
    with database.read() as connection:
        result = arrivals_seen(connection, grid(late=100))
    assert {camera: one.active for camera, one in result.cameras.items()} == {"C": 2}
    assert {hole: one.late for (_, hole), one in result.holes.items()} == {1: 2, 2: 1}


def test_how_many_crops_there_are_is_estimated_without_counting_them(database: Database) -> None:
    store(database, [crop(1, None, second) for second in range(100)])
    with database.read() as connection:
        assert [crops_since(connection, at(second)) for second in (-5, 60, 100)] == [100, 40, 0]


def test_the_grid_has_whole_intervals_that_are_due() -> None:
    def between(since: float, until: float, now: float) -> tuple[int, int]:
        noon = int(NOON.timestamp()) // 10
        made = Grid.between(at(since), at(until), at(now), seconds=10, late_seconds=5)
        return made.first - noon, made.end - noon

    assert between(0, 100, 1000) == (0, 10)
    assert between(0.001, 99.999, 1000) == (1, 9)
    # The interval 9 ends at 100, and what comes until 105, seconds cut off, is in time.
    assert between(0, 105.999, 105.999) == (0, 9)
    assert between(0, 106, 106) == (0, 10)
    assert between(0, 100, 50) == (0, 4)
    assert between(0, 100, -1000) == (0, 0)
    assert (grid(1, 3).since, grid(1, 3).until) == (at(5), at(15))


def test_the_index_leads_to_the_crops(database: Database) -> None:
    statements: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: statements.append((call[2], call[3])))
    with database.read() as connection:
        arrivals(connection, grid())
        if connection.dialect.name == "sqlite":
            statement, parameters = statements[-1]
            plan = str(connection.exec_driver_sql(f"explain query plan {statement}", parameters).fetchall())
            assert plan.count("USING INDEX ix_crops_seen_at") == 1
            assert "SCAN crops" not in plan


MILLISECONDS = st.integers(-200_000, 200_000).map(lambda value: value / 1000)
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.none() | MILLISECONDS, MILLISECONDS, st.sampled_from("CD"), st.booleans()),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(
    rows=ROWS, seconds=st.integers(1, 60), late=st.integers(0, 90), first=st.integers(-3, 3), length=st.integers(0, 9)
)
def test_the_database_counts_as_python_does(
    database: Database, rows: list[Any], seconds: int, late: int, first: int, length: int
) -> None:
    chosen = grid(first, first + length, seconds=seconds, late=late)
    made = [crop(hole or None, taken, seen, camera=camera, failed=bad) for hole, taken, seen, camera, bad in rows]
    seen_in: defaultdict[tuple[str, int | None, int], list[tuple[int, bool]]] = defaultdict(list)
    for row in made:
        seen = int(row["seen_at"].timestamp())
        captured = None if row["captured_at"] is None else int(row["captured_at"].timestamp())
        moment = captured if captured is not None and captured <= seen + 60 else seen
        if chosen.first <= moment // seconds < chosen.end:
            seen_in[row["camera"], row["hole"], moment // seconds].append((seen, row["state"] == "scored"))
    active: defaultdict[str, set[int]] = defaultdict(set)
    states: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for (camera, hole, interval), times in seen_in.items():
        active[camera].add(interval)
        decided = [seen for seen, scored in times if scored]
        if hole is not None:
            in_time = decided and min(decided) <= (interval + 1) * seconds + late
            states[camera, hole].append(("came" if in_time else "late") if decided else "undecided")
    result = found(database, made, chosen)
    assert {camera: one.active for camera, one in result.cameras.items() if one.active} == {
        camera: len(intervals) for camera, intervals in active.items()
    }
    assert {key: (one.came, one.late, one.undecided) for key, one in result.holes.items()} == {
        key: tuple(found.count(state) for state in ("came", "late", "undecided")) for key, found in states.items()
    }
