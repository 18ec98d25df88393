"""The writer's commit when the database refuses one row of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import pipeline
from monitor.config import load
from monitor.errors import StoreRefusedError
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
    monkeypatch.setattr(service, "_finish", lambda work, _recorded, _at: finished.append(work))
    assert service._commit(stage, works) is None
    assert finished == [work for work in works if work is not works[2]]
    assert f"{tmp_path}/2.jpg: cannot be recorded" in caplog.text
    assert service.metrics.registry.get_sample_value("monitor_crops_failed_total", {"reason": "not_recorded"}) == 1
