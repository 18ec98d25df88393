"""Crops are found by what names them, and come back as they were stored."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from monitor.files.text import from_text, to_text
from monitor.store import counts
from monitor.store.counts import count_crops
from monitor.store.crops import crop_by_id, decisions_after, known_crops
from monitor.store.database.schema import crops
from monitor.store.decisions import record, stored_scores
from tests.support.stored_crops import NOW, crop, decided, decision, failed, make_active, states, unreadable

if TYPE_CHECKING:
    import pytest

    from monitor.store.database.engine import Database
    from monitor.words import Source

SOURCES: Final[tuple[Source, ...]] = ("inbox", *4 * ("folder",))


def test_what_is_stored_comes_back_as_it_was(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        one = decision(model.id, model.calibration_id, mse=0.1234567890123456)
        record(connection, [decided("1.jpg", "a", one), failed(crop("2.jpg", "b"))])
    with database.read() as connection:
        known = known_crops(connection, ["/inbox/1.jpg", "/inbox/2.jpg", "/inbox/3.jpg"])
        assert known.keys() == {"/inbox/1.jpg", "/inbox/2.jpg"}
        (first,), (second,) = known["/inbox/1.jpg"], known["/inbox/2.jpg"]
        assert (first.size_bytes, first.mtime_ns, first.state, first.hole) == (1234, crop("").mtime_ns, "scored", 10)
        assert (second.state, second.reason, second.error) == ("failed", "truncated", "it is truncated")
        assert (crop_by_id(connection, first.id), crop_by_id(connection, 99)) == (first, None)
        expected = [(first.id, model.id, one.mse, one.mse, 0.002, "proliv")]
        assert stored_scores(connection, [first.id, second.id], [model.id]) == {first.id: expected}
        assert stored_scores(connection, [first.id], []) == {}
        assert decisions_after(connection, 0) == [(first.id, "/inbox/1.jpg", 10, one.mse, 0.002, "proliv")]
        assert decisions_after(connection, first.id) == []
        assert model.settings == {"код": [1, None]}
        summary = count_crops(connection)
        assert (summary.scored, summary.failed, summary.failed_by_reason) == (1, 1, {"truncated": 1})
        assert (summary.final, summary.verdicts) == ({"proliv": 1}, {(model.name, "proliv"): 1})
        assert summary.last_scored_at == NOW


def test_the_last_decision_in_operation_is_looked_for_among_the_newest_crops(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "LOOKED_AT", 3)
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        one = decision(model.id, model.calibration_id, mse=0.1)
    found = []
    for number in range(5):
        with database.read() as connection:
            summary = count_crops(connection)
        found.append((summary.last_scored_at, summary.last_scored_before))
        with database.write() as connection:
            record(connection, [decided(f"{number}.jpg", str(number), one)._replace(source=SOURCES[number])])
    assert found == [(None, None), (NOW, None), (NOW, None), (NOW, None), (None, NOW)]


def test_changed_content_under_one_path_is_another_crop(database: Database) -> None:
    with database.write() as connection:
        record(connection, [failed(crop("1.jpg", "a"))])
        record(connection, [failed(crop("1.jpg", "b"))])
        assert states(connection) == [("/inbox/1.jpg", "a", "failed"), ("/inbox/1.jpg", "b", "failed")]


def test_paths_of_any_bytes_come_back(database: Database) -> None:
    names = [bytes([byte]) + b".jpg" for byte in range(1, 256) if byte != ord("/")]
    names += ["литьё ё.jpg".encode(), "\u202egpj.exe.jpg".encode(), b"\\x41.jpg", b"%41?.jpg", b"\xf0\x9f\x94\xa5.jpg"]
    paths = [Path(os.fsdecode(b"/inbox/" + name)) for name in names]
    with database.write() as connection:
        record(connection, [unreadable("")._replace(path=to_text(path)) for path in paths])
    with database.read() as connection:
        stored = connection.execute(select(crops.c.path).order_by(crops.c.id)).scalars().all()
    assert [from_text(path) for path in stored] == paths
