"""The writer alone: what it does while the database refuses a batch, or one row of it."""

from __future__ import annotations

import time
from queue import Queue
from typing import TYPE_CHECKING

from monitor.daemon import writer as writer_module
from monitor.daemon.aftermath import Aftermath
from monitor.daemon.replies import Replies
from monitor.daemon.writer import Writer
from monitor.errors import StoreBusyError, StoreRefusedError
from monitor.metrics import Metrics
from monitor.store.database.engine import Database
from monitor.store.decisions import Recorded
from monitor.threads import TimedThread
from monitor.words import Label
from tests.support.batches import crop_files, decided_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pytest

    from monitor.inbox.messages import Done, Incomplete
    from monitor.scoring.batches import DecidedBatch
    from monitor.scoring.record import Place, Raise, Rehearse

    Record = Callable[[Database, Sequence[DecidedBatch], Place | None], Recorded]


class Around:
    """A writer, and what it told those around it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, record: Record) -> None:
        self.transactions: list[int] = []
        self.committed: list[str] = []
        self.answered: list[Done | Incomplete] = []
        self.pauses: list[float] = []
        self.stopping = False
        self.metrics = Metrics()
        self.decided: Queue[DecidedBatch | None] = Queue()

        def counted(
            database: Database, batches: Sequence[DecidedBatch], place: Place | None, *_alarms: Raise | Rehearse | None
        ) -> Recorded:
            self.transactions.append(sum(len(batch.files) for batch in batches))
            return record(database, batches, place)

        monkeypatch.setattr(writer_module, "record", counted)
        monkeypatch.setattr(time, "sleep", self.pauses.append)
        self.writer = Writer(
            Database(f"sqlite:///{folder}/monitor.db", busy_seconds=0),
            self.decided,
            None,
            None,
            Aftermath([lambda commit: self.committed.extend(commit.batch.files.paths)]),
            Replies(self.answered.append, self.answered.append),
            self.metrics,
            is_stopping=lambda: self.stopping,
        )

    def write(self, *batches: DecidedBatch) -> None:
        """Commit these, to their end."""
        for batch in (*batches, None):
            self.decided.put(batch)
        self.writer.run(TimedThread("writer", lambda _: None, lambda _: None))

    def failed(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value("monitor_crops_failed_total", {"reason": reason})


def batch(*paths: str, labels: Sequence[Label | None] | None = None) -> DecidedBatch:
    return decided_batch(crop_files(paths, labels=labels), [0.5] * len(paths))


def all_new(_database: Database, batches: Sequence[DecidedBatch], _place: Place | None) -> Recorded:
    return Recorded({key: {1} for one in batches for key in one.files.keys}, set(), {})


def test_what_waits_is_committed_together_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "STORED_TOGETHER", 4)
    around = Around(tmp_path, monkeypatch, all_new)
    around.write(batch("1", "2", "3"), batch("4"), batch("5", "6", "7"), batch("8", "9"))
    assert around.transactions == [4, 5]
    assert around.committed == list("123456789")


def test_one_row_that_the_database_refuses_does_not_take_its_batch_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_the_third(database: Database, batches: Sequence[DecidedBatch], place: Place | None) -> Recorded:
        if any("3.jpg" in one.files.paths for one in batches):
            raise StoreRefusedError("the row is too large")
        return all_new(database, batches, place)

    around = Around(tmp_path, monkeypatch, refuse_the_third)
    around.write(batch("1.jpg", "2.jpg"), batch("3.jpg", "4.jpg"))
    assert around.transactions == [4, 1, 1, 1, 1]
    assert around.committed == ["1.jpg", "2.jpg", "4.jpg"]
    assert [message.path for message in around.answered] == ["3.jpg"]
    assert "3.jpg: cannot be recorded" in caplog.text
    assert around.failed("not_recorded") == 1


def test_a_labelled_file_that_is_refused_is_no_failed_crop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_database: Database, _batches: Sequence[DecidedBatch], _place: Place | None) -> Recorded:
        raise StoreRefusedError("the row is too large")

    around = Around(tmp_path, monkeypatch, refuse)
    around.write(batch("1.jpg", labels=[Label.PROLIV]))
    assert [message.path for message in around.answered] == ["1.jpg"]
    assert around.failed("not_recorded") in (None, 0)


def test_everything_waits_while_the_database_is_locked_and_is_committed_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def locked_six_times(database: Database, batches: Sequence[DecidedBatch], place: Place | None) -> Recorded:
        if len(around.transactions) <= 6:
            raise StoreBusyError("locked")
        return all_new(database, batches, place)

    around = Around(tmp_path, monkeypatch, locked_six_times)
    with caplog.at_level("INFO"):
        around.write(batch("1.jpg"), batch("2.jpg"))
    assert around.pauses == [1, 2, 4, 8, 10, 10]
    assert around.committed == ["1.jpg", "2.jpg"]
    assert "2 decisions that waited are stored" in caplog.text
    assert around.metrics.registry.get_sample_value("monitor_store_failures_total") == 6


def test_a_database_that_refuses_while_stopping_leaves_the_crops_to_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def locked(_database: Database, _batches: Sequence[DecidedBatch], _place: Place | None) -> Recorded:
        raise StoreBusyError("locked")

    around = Around(tmp_path, monkeypatch, locked)
    around.stopping = True
    around.write(batch("1.jpg"))
    assert around.committed == []
    assert around.answered == []
    assert "1 crops are not decided: locked; they stay in the inbox" in caplog.text
