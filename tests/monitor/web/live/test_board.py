from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete

from monitor.store.database.schema import crops
from monitor.store.decisions import record
from monitor.web.live import board as module
from monitor.web.live.board import Board
from tests.support.stored_crops import crop, failed

if TYPE_CHECKING:
    import pytest

    from monitor.web.site import Site

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def store(site: Site, *holes: int, seen_at: datetime = NOW) -> None:
    with site.database.write() as connection:
        until = connection.execute(crops.select()).all()
        rows = [
            failed(crop(f"{len(until)}-{hole}-{n}.jpg", "a", hole=hole, seen_at=seen_at))
            for n, hole in enumerate(holes)
        ]
        record(connection, [row._replace(sha256=f"{len(until)}-{n}".ljust(64, "x")) for n, row in enumerate(rows)])


def shown(board: Board, site: Site, now: datetime = NOW) -> dict[int, list[int]]:
    with site.database.read() as connection:
        board.refresh(connection, now)
    return {hole: [one.id for one in found] for (_, hole), found in board.newest(now).items()}


def test_what_is_new_is_added_to_what_is_known(site: Site) -> None:
    board = Board()
    assert shown(board, site) == {}
    store(site, 1, 2, 1)
    assert shown(board, site) == {1: [3, 1], 2: [2]}
    store(site, 1, 1)
    assert shown(board, site) == {1: [5, 4, 3], 2: [2]}
    assert shown(board, site, NOW + timedelta(hours=25)) == {}


def test_it_looks_back_step_by_step_until_a_day_ago(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    store(site, 9, 9, seen_at=NOW - timedelta(hours=30))
    store(site, 1, 2, 3, 4, 5)
    board = Board()
    assert set(shown(board, site)) == {4, 5}
    assert set(shown(board, site)) == {2, 3, 4, 5}
    assert set(shown(board, site)) == {1, 2, 3, 4, 5}
    for _ in range(3):
        assert set(shown(board, site)) == {1, 2, 3, 4, 5}
    # Much that is new is not read at once either, and nothing of what was known is lost.
    store(site, 6, 7, 8, 8)
    assert set(shown(board, site)) == {1, 2, 3, 4, 5, 8}
    assert {*range(1, 9)} == set(shown(board, site))


def test_another_database_in_its_place_is_begun_anew(site: Site) -> None:
    board = Board()
    store(site, 1, 2)
    shown(board, site)
    with site.database.write() as connection:
        connection.execute(delete(crops).where(crops.c.id == 2))
    assert shown(board, site) == {1: [1]}


def test_names_with_any_numbers_do_not_fill_the_memory(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HOLES", 3)
    board = Board()
    store(site, *range(10))
    assert shown(board, site) == {7: [8], 8: [9], 9: [10]}
