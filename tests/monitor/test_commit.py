"""The daemon's parts alone: the commit when the database refuses one row of a batch, and what asks for a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import pipeline
from monitor.config import load
from monitor.errors import ExitCode, StoreRefusedError
from monitor.registry import Registry
from monitor.service import Service
from monitor.stage import Stage
from monitor.store.engine import Database
from monitor.store.queries import Recorded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from monitor.pipeline import Work
    from monitor.tidying import Archive


def test_one_row_that_the_database_refuses_does_not_take_its_batch_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = load()
    service = Service(configuration, Database(configuration.database_url, busy_seconds=0), Registry.load())
    works = [pipeline.Reader(configuration).read(tmp_path / f"{number}.jpg") for number in range(5)]

    def refuse_the_third(_database: Database, batch: Sequence[Work], _archive: Archive | None) -> Recorded:
        if works[2] in batch:
            raise StoreRefusedError("the row is too large")
        return Recorded({pipeline.key(work): {1} for work in batch}, set())

    monkeypatch.setattr(pipeline, "store", refuse_the_third)
    stage = Stage("writer", lambda _: None, lambda _: None)
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
