from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.configuration.settings import Settings
from monitor.store.alarms import RunningSubject
from monitor.store.newest import NewestCrop
from monitor.store.pauses import PauseRow
from monitor.web.table.tiles import LEGEND, MOST_TILES, STATES, Facts, Table, Tile, counts_of, tables_of

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def crop(hole: int, score: float | None = 0.5, *, seconds: float = 1, camera: str = "C", **changes: Any) -> NewestCrop:
    state, verdict = ("failed", None) if score is None else ("scored", "proliv" if score >= 1 else "ne_proliv")
    seen_at = NOW - timedelta(seconds=seconds)
    row = NewestCrop(hole, camera, hole, seen_at, state, verdict, score, score and 1.0, unusual=False)
    return row._replace(**changes)


def shown(*crops: NewestCrop, settings: Settings | None = None, **facts: Any) -> list[Table]:
    newest: dict[tuple[str, int], list[NewestCrop]] = {}
    for one in crops:
        newest.setdefault((one.camera or "unknown", one.hole), []).append(one)
    return tables_of(Facts(newest, **facts), settings or Settings(), NOW)


def only(*crops: NewestCrop, **facts: Any) -> Tile:
    ((table,),) = [shown(*crops, **facts)]
    (tile,) = table.tiles
    return tile


def running(state: str, hole: int = 1, camera: str = "C") -> RunningSubject:
    return RunningSubject("hole", camera, hole, state, 1)


def pause(camera: str | None = None, hole: int | None = None, hours: float = 1) -> PauseRow:
    return PauseRow(1, camera, hole, NOW, NOW + timedelta(hours=hours), "why", "anna", None)


def test_every_state_has_a_place_in_the_legend() -> None:
    assert sorted(STATES) == sorted(LEGEND)


@pytest.mark.parametrize(
    ("crops", "facts", "state"),
    [
        ([crop(1)], {}, "quiet"),
        ([crop(1, unusual=True)], {}, "unusual"),
        # No alarm yet, as with k = 2: to be looked at.
        ([crop(1, 1.0)], {}, "unusual"),
        ([crop(1, unusual=True)], {"pauses": [pause()]}, "paused"),
        ([crop(1)], {"pauses": [pause(camera="C")]}, "paused"),
        ([crop(1)], {"pauses": [pause(hole=1)]}, "paused"),
        ([crop(1)], {"pauses": [pause(hole=2), pause(camera="D"), pause(camera="D", hole=1)]}, "quiet"),
        ([crop(1, seconds=901)], {"pauses": [pause()]}, "silent"),
        ([crop(1, seconds=901)], {"cast_since": NOW - timedelta(seconds=900)}, "missing"),
        ([crop(1, seconds=901)], {"cast_since": NOW - timedelta(seconds=902)}, "silent"),
        ([crop(1, None)], {}, "failing"),
        ([crop(1, None), crop(1, seconds=2)], {}, "quiet"),
        ([crop(1, None, seconds=901)], {}, "failing"),
        ([crop(1, None)], {"running": [running("acknowledged")]}, "ack"),
        ([crop(1)], {"running": [running("acknowledged"), running("open")]}, "alarm"),
        ([crop(1)], {"running": [running("open", hole=2), running("open", camera="D")]}, "quiet"),
        ([crop(1)], {"running": [running("open")._replace(kind="table")]}, "quiet"),
    ],
)
def test_a_tile_shows_the_strongest_state(crops: list[NewestCrop], facts: dict[str, Any], state: str) -> None:
    assert only(*crops, **facts).state == state


def test_silence_is_told_sooner_where_crops_are_expected_at_intervals() -> None:
    settings = Settings.model_validate({"completeness": {"interval_seconds": 10, "late_seconds": 5}})
    (table,) = shown(crop(1, seconds=14), crop(2, seconds=16), settings=settings)
    assert [tile.state for tile in table.tiles] == ["quiet", "silent"]


def test_a_tile_shows_the_score_by_its_threshold_and_how_many_crops_failed() -> None:
    tile = only(crop(1, None), crop(1, 0.75, id=7, threshold=0.5))
    assert (tile.ratio, tile.bar, tile.crop_id, tile.failed, tile.looked_at) == (1.5, 100.0, 7, 1, 2)
    assert only(crop(1, 0.3)).bar == pytest.approx(20)
    # Of a threshold that is not above 0 a share says nothing.
    assert [only(crop(1, threshold=threshold)).ratio for threshold in (0.0, -1.0)] == [None, None]


def test_names_in_addresses_are_quoted() -> None:
    tile = only(crop(1, camera='a/b "<c>%'))
    assert tile.address == "/holes/a%2Fb%20%22%3Cc%3E%25/1"
    assert tile.key == "hole-a%2Fb%20%22%3Cc%3E%25-1"


def test_holes_lie_in_rows_as_configured_and_others_follow() -> None:
    settings = Settings.model_validate({"plant": {"rows": ["3-4", "1, 2"]}})
    (table,) = shown(crop(1), crop(4), crop(70), settings=settings)
    assert [([tile.hole for tile in row.tiles], row.shifted) for row in table.rows] == [
        ([3, 4], True),
        ([1, 2], False),
        ([70], False),
    ]
    assert [tile.state for tile in table.tiles] == ["missing", "quiet", "quiet", "missing", "quiet"]


def test_without_rows_there_are_ten_holes_in_each() -> None:
    (table,) = shown(*(crop(hole) for hole in range(23, 0, -1)))
    assert [[tile.hole for tile in row.tiles] for row in table.rows] == [
        [*range(1, 11)],
        [*range(11, 21)],
        [21, 22, 23],
    ]
    assert not any(row.shifted for row in table.rows)


def test_each_camera_is_a_table_with_the_holes_that_are_named_for_it() -> None:
    settings = Settings.model_validate({"plant": {"rows": ["1-3"]}, "completeness": {"cameras": {"A": "2-3"}}})
    found = shown(crop(1, camera="B"), settings=settings, learned=[("B", 9)])
    assert [(table.camera, [tile.hole for tile in table.tiles]) for table in found] == [
        ("A", [2, 3]),
        ("B", [1, 2, 3, 9]),
    ]
    (unknown,) = shown(settings=Settings.model_validate({"plant": {"rows": ["1-3"]}}))
    assert (unknown.camera, counts_of([unknown])["missing"]) == ("unknown", 3)
    assert shown() == []


def test_a_row_may_be_wide_and_what_is_too_much_is_counted() -> None:
    settings = Settings.model_validate({"plant": {"rows": ["1-12"]}})
    assert shown(crop(1), settings=settings)[0].width == 12
    (table,) = shown(*(crop(hole) for hole in range(MOST_TILES + 5)))
    assert (len(table.tiles), table.left_out) == (MOST_TILES, 5)
