"""Which files are read: those that the store does not know, and those that failed for a reason that may be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.files.looks import look
from monitor.files.text import to_text
from monitor.scoring.lookup import new, undecided, unknown
from monitor.store.database.engine import Database
from monitor.store.decisions import record
from tests.support.stored_crops import crop, decided, decision, failed, make_active
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.store.decisions import CropRow


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=30)
    upgrade(opened)
    yield opened
    opened.close()


def remember(database: Database, path: Path, row: CropRow) -> None:
    """Store the row as that of the file as it looks now."""
    looks = look(str(path))
    assert looks is not None
    with database.write() as connection:
        record(connection, [row._replace(path=to_text(path), **looks.stored._asdict())])


@pytest.mark.parametrize(
    ("reason", "is_read"),
    [("truncated", False), ("unreadable", True), ("detector_error", True), ("undecided", True)],
)
def test_a_failed_file_is_read_again_if_its_reason_may_be_gone(
    database: Database, tmp_path: Path, reason: str, is_read: bool
) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(b"content")
    remember(database, path, failed(crop("1.jpg"), reason))
    wanted = [str(path)] if is_read else []
    assert unknown(database, [str(path)])[0] == new(database, [str(path)]) == wanted
    # It is no part of the backlog, for its row says why it failed.
    assert undecided(database, [str(path)]) == []


def test_an_undecided_crop_is_the_same_crop_once_it_is_decided(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(b"content")
    remember(database, path, failed(crop("1.jpg"), "undecided"))
    with database.write() as connection:
        model = make_active(connection, "1")
    assert model.calibration_id is not None
    remember(database, path, decided("1.jpg", "a", decision(model.id, model.calibration_id)))
    to_read, stored = unknown(database, [str(path)], model_ids=[model.id])
    assert to_read == []
    assert [(known.crop.state, known.crop.reason, known.crop.verdict) for known in stored.values()] == [
        ("scored", None, "ne_proliv")
    ]
