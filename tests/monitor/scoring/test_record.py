"""Rows of decided batches, and what a commit leaves alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.configuration.file import load
from monitor.crops.reader import Reader
from monitor.crops.refusals import out_of_memory
from monitor.errors import CropRefusedError
from monitor.scoring.ensemble import Ensemble
from monitor.scoring.pipeline import score
from monitor.scoring.record import Committed, record, rows
from monitor.store import labelled_files
from monitor.store.database.engine import Database
from monitor.store.decisions import Recorded
from monitor.words import Label
from tests.support.batches import SEEN, crop_files, decided_batch, model
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from datetime import datetime

    import pytest

NAN = float("nan")
REFUSAL = CropRefusedError("undecodable", "it is damaged")
ENSEMBLE = Ensemble((model(1),), "primary")


def test_a_row_holds_every_decision_and_the_final_one() -> None:
    files = crop_files(["/in/1.jpg", "/in/2.jpg"], changed_at=SEEN - timedelta(seconds=3))
    batch = decided_batch(files, [1.5, NAN], [model(4, 1.0), model(9, 2.0)], {1: REFUSAL})
    decided, failed = rows(batch)
    assert [(one.model_id, one.score, one.threshold, one.verdict) for one in decided.scores] == [
        (4, 1.5, 1.0, "proliv"),
        (9, 1.5, 2.0, "ne_proliv"),
    ]
    assert {one.latency_seconds for one in decided.scores} == {3.0}
    assert (decided.unusual, failed.unusual) == (False, False)
    assert (decided.verdict, decided.decision_score, decided.decision_threshold) == ("proliv", 1.5, 1.0)
    assert (decided.reason, decided.error) == (None, None)
    assert failed.scores == ()
    assert (failed.verdict, failed.reason, failed.error) == (None, "undecodable", "it is damaged")
    assert (failed.hole, failed.camera, failed.width, failed.height) == (7, "C", 50, 30)


def test_a_row_says_that_the_crop_is_unusual() -> None:
    batch = decided_batch(crop_files(["/in/1.jpg", "/in/2.jpg"]), [1.5, 0.5], [model(4, 2.0), model(9, 1.0)])
    assert [row.unusual for row in rows(batch)] == [True, False]


def test_only_decided_crops_of_the_inbox_get_a_place_in_the_archive() -> None:
    def place(seen_at: datetime, verdict: str, name: str) -> Path:
        return Path("/archive") / f"{seen_at:%Y}" / verdict / name

    files = crop_files(["/in/1.jpg", "/in/2.jpg", "/in/3.jpg"], labels=[None, None, Label.PROLIV])
    batch = decided_batch(files, [0.5, NAN, 0.5], refusals={1: REFUSAL})
    assert [row.archived_path for row in rows(batch, place)] == ["/archive/2026/ne_proliv/1.jpg", None, None]
    assert [row.source for row in rows(batch, place)] == ["inbox", "inbox", "labelled"]
    by_hand = replace(batch, files=replace(files, source="folder"))
    assert [row.archived_path for row in rows(by_hand, place)] == [None] * 3


def test_what_is_new_of_a_commit_excludes_labelled_files_and_what_was_known() -> None:
    files = crop_files(["1", "2", "3", "4"], labels=[None, Label.PROLIV, None, None])
    batch = decided_batch(files, [1.0, 1.0, 1.0, NAN], refusals={3: REFUSAL})
    recorded = Recorded({files.keys[0]: {1}, files.keys[1]: {1}}, {files.keys[3]}, {files.keys[0]: 8, files.keys[3]: 9})
    commit = Committed.of(batch, recorded, 5.0)
    assert commit.new == {0: {1}}
    assert commit.newly_failed == {3}
    assert commit.ids == {0: 8, 3: 9}
    assert Committed.of(batch, Recorded({}, set(), {}), 5.0).newly_failed == frozenset()


def test_no_file_is_looked_at_while_the_database_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share that does not answer would hold the only lock for writing."""
    monkeypatch.chdir(tmp_path)
    configuration = load()
    database = Database(configuration.database_url, busy_seconds=5)
    upgrade(database)
    reader = Reader(configuration)
    before, after = tmp_path / "before.jpg", tmp_path / "after.jpg"
    before.write_text("no picture")
    record(database, [score(reader.read([before], labels=[Label.PROLIV]), ENSEMBLE)])
    before.rename(after)
    looked_at: list[str] = []
    lstat = os.lstat

    def lstat_of_a_share(path: Any, **options: Any) -> os.stat_result:
        if os.fspath(path) == os.fspath(before):
            looked_at.append(path)
            with closing(sqlite3.connect(tmp_path / "state" / "monitor.db", timeout=0)) as connection:
                connection.execute("begin immediate")  # raises where another connection holds the lock
        return lstat(path, **options)

    batch = score(reader.read([after], labels=[Label.NE_PROLIV]), ENSEMBLE)
    monkeypatch.setattr(os, "lstat", lstat_of_a_share)
    record(database, [batch])
    monkeypatch.undo()
    assert looked_at
    with database.read() as connection:
        assert [row.path for row in labelled_files.all_files(connection)] == [str(after)]
    database.close()


def test_a_file_that_vanished_leaves_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = load()
    database = Database(configuration.database_url, busy_seconds=5)
    upgrade(database)
    (tmp_path / "text.jpg").write_text("no picture")
    batch = score(Reader(configuration).read([tmp_path / "gone.jpg", tmp_path / "text.jpg"]), ENSEMBLE)
    assert record(database, [batch]).failed == {batch.files.keys[1]}
    with database.read() as connection:
        found = connection.exec_driver_sql("select path, state, reason from crops").all()
    assert [tuple(row) for row in found] == [(str(tmp_path / "text.jpg"), "failed", "unknown_format")]
    database.close()


def test_a_crop_that_there_was_no_memory_for_leaves_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database(load().database_url, busy_seconds=5)
    upgrade(database)
    files = crop_files(["/in/1.jpg", "/in/2.jpg", "/in/3.jpg"], labels=[None, None, Label.PROLIV])
    lacking = out_of_memory()
    recorded = record(database, [decided_batch(files, [NAN] * 3, refusals={0: lacking, 1: REFUSAL, 2: lacking})])
    assert recorded.failed == {files.keys[1]}
    with database.read() as connection:
        assert labelled_files.all_files(connection) == []
    database.close()
