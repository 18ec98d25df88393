"""The daemon's parts alone: the commit when the database refuses one row of a batch, and what asks for a reload."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from monitor.configuration.file import load
from monitor.crops import reader as crops_reader
from monitor.daemon.service import Service
from monitor.errors import ExitCode, StoreRefusedError
from monitor.inbox.messages import Candidate
from monitor.registry import Registry
from monitor.scoring import record
from monitor.scoring import work as scoring_work
from monitor.store import labelled_files
from monitor.store.database.engine import Database
from monitor.store.database.upgrade import upgrade
from monitor.store.decisions import Recorded
from monitor.threads import TimedThread
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from monitor.inbox.archive import Archive
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.work import Work


def test_one_row_that_the_database_refuses_does_not_take_its_batch_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = load()
    service = Service(configuration, Database(configuration.database_url, busy_seconds=0), Registry.load())
    works = [crops_reader.Reader(configuration).read(tmp_path / f"{number}.jpg") for number in range(5)]

    def refuse_the_third(_database: Database, batch: Sequence[Work], _archive: Archive | None) -> Recorded:
        if works[2] in batch:
            raise StoreRefusedError("the row is too large")
        return Recorded({scoring_work.key(work): {1} for work in batch}, set())

    monkeypatch.setattr(record, "store", refuse_the_third)
    stage = TimedThread("writer", lambda _: None, lambda _: None)
    finished: list[Work] = []
    monkeypatch.setattr(service, "_finish", lambda batch, _recorded, _at: finished.extend(batch))
    assert service._commit(stage, works) is None
    assert finished == [work for work in works if work is not works[2]]
    assert f"{tmp_path}/2.jpg: cannot be recorded" in caplog.text
    assert service.metrics.registry.get_sample_value("monitor_crops_failed_total", {"reason": "not_recorded"}) == 1


def test_a_storm_of_wishes_to_reload_is_one_wish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP comes as often as somebody sends it, and a stop must not wait behind a thousand reloads."""
    monkeypatch.chdir(tmp_path)
    configuration = load()
    service = Service(configuration, Database(configuration.database_url, busy_seconds=0), Registry.load())
    loads: list[int] = []
    monkeypatch.setattr(service._jobs, "follow_clock", lambda: None)
    monkeypatch.setattr(service._jobs, "refresh_now", lambda: None)
    monkeypatch.setattr(service, "_drain", lambda: ExitCode.OK)

    def load_again() -> None:
        loads.append(1)
        # What changed since this one began to read is still to be read.
        for _ in range(100):
            if len(loads) == 1:
                service._ask_to_reload()
        if len(loads) == 2:
            service._on_stop(15, None)

    monkeypatch.setattr(service, "_load", load_again)
    for _ in range(100):
        service._ask_to_reload()
    assert service._wait() is ExitCode.OK
    assert len(loads) == 2


def test_the_models_that_are_asked_are_those_that_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload may exchange the models between any two steps of the dispatcher."""
    monkeypatch.chdir(tmp_path)
    configuration = load()
    service = Service(configuration, Database(configuration.database_url, busy_seconds=0), Registry.load())
    before, after = (cast("Ensemble", SimpleNamespace(models=())) for _ in range(2))
    asked: list[Ensemble] = []

    def submit(_paths: Sequence[str], ensemble: Ensemble) -> object:
        asked.append(ensemble)
        service.ensemble = after
        return object()

    service.ensemble = before
    service._workers = cast("Any", SimpleNamespace(submit=submit))
    service._paths.put(Candidate("1.jpg"), 1)
    service._paths.put(None, 1)
    service._run_dispatcher(TimedThread("dispatcher", lambda _: None, lambda _: None))
    dispatched = service._dispatched.get()
    assert dispatched is not None
    assert asked == [before]
    assert dispatched.ensemble is before


def test_no_file_is_looked_at_while_the_database_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share that does not answer would hold the only lock for writing."""
    monkeypatch.chdir(tmp_path)
    configuration = load()
    database = Database(configuration.database_url, busy_seconds=5)
    upgrade(database)
    reader = crops_reader.Reader(configuration)
    before, after = tmp_path / "before.jpg", tmp_path / "after.jpg"
    before.write_text("no picture")
    record.store(database, [reader.read(before, label=Label.PROLIV)])
    before.rename(after)
    looked_at: list[str] = []
    lstat = os.lstat

    def lstat_of_a_share(path: Any, **options: Any) -> os.stat_result:
        if os.fspath(path) == os.fspath(before):
            looked_at.append(path)
            with closing(sqlite3.connect(tmp_path / "state" / "monitor.db", timeout=0)) as connection:
                connection.execute("begin immediate")  # raises where another connection holds the lock
        return lstat(path, **options)

    work = reader.read(after, label=Label.NE_PROLIV)
    monkeypatch.setattr(os, "lstat", lstat_of_a_share)
    record.store(database, [work])
    monkeypatch.undo()
    assert looked_at
    with database.read() as connection:
        assert [row.path for row in labelled_files.all_files(connection)] == [str(after)]
    database.close()
