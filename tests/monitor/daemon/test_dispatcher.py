"""The dispatcher alone: which models decide, and which files count as complete."""

from __future__ import annotations

from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from monitor.configuration.settings import Pipeline
from monitor.crops.refusals import out_of_memory
from monitor.daemon.dispatcher import Dispatcher
from monitor.daemon.replies import Replies
from monitor.errors import CropRefusedError
from monitor.files.looks import Looks
from monitor.harness.waiting import wait_until
from monitor.inbox.messages import Candidate, Done, Incomplete
from monitor.metrics import Metrics
from monitor.scoring.batches import ScoredBatch
from monitor.scoring.ensemble import Ensemble
from monitor.threads import TimedThread
from monitor.words import Label
from tests.support.batches import crop_files, model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.crops.batch import CropFiles
    from monitor.scoring.batches import DecidedBatch

ONE = Ensemble((model(1, threshold=1.0),), "primary")
OTHER = Ensemble((model(2, threshold=9.0),), "primary")
UNREADABLE = CropRefusedError("unreadable", "it may not be read", transient=True)


class Pool:
    """Stands for a pool: what each file looks like when it is read is said in advance."""

    workers = 1

    def __init__(self, read: Callable[[CropFiles], ScoredBatch], on_submit: Callable[[], None] = lambda: None) -> None:
        self._read = read
        self._on_submit = on_submit
        self.asked: list[Ensemble] = []

    def submit(self, paths: Sequence[str], ensemble: Ensemble, *, labels: Sequence[Label | None]) -> Any:
        self.asked.append(ensemble)
        self._on_submit()
        batch = self._read(crop_files(paths, labels=labels))
        # As a batch of large pictures comes: in parts.
        parts = [batch.take([0]), *([batch.take(range(1, len(paths)))] if len(paths) > 1 else [])]
        return SimpleNamespace(is_ready=True, when_ready=lambda call: call(), next_part=lambda: parts.pop(0))


class Around:
    """A dispatcher over a pool, and what it told the watchers."""

    def __init__(self, pool: Pool) -> None:
        self.models = SimpleNamespace(ensemble=ONE)
        self.inbox: list[Done | Incomplete] = []
        self.labelled: list[Done | Incomplete] = []
        self.metrics = Metrics()
        replies = Replies(self.inbox.append, self.labelled.append)
        self.dispatcher = Dispatcher(Pipeline(), cast("Any", self.models), replies, self.metrics)
        self.dispatcher.use(cast("Any", pool))

    def decide(self, *candidates: Candidate) -> list[DecidedBatch]:
        """What becomes of these, to their end."""
        for candidate in candidates:
            assert self.dispatcher.deliver(candidate, lambda: False)
        assert self.dispatcher.end(1)
        thread = TimedThread("dispatcher", lambda _: None, lambda _: None)
        self.dispatcher.dispatch(thread)
        deciding = Thread(target=self.dispatcher.decide, args=[thread])
        deciding.start()
        decided = []
        while (batch := self.dispatcher.decided.get()) is not None:
            decided.append(batch)
        deciding.join()
        return decided


def scored(files: CropFiles, model_id: int = 1) -> ScoredBatch:
    scores = np.full((len(files), 1), 5.0)
    return ScoredBatch(files, (model_id,), scores, scores, {}, {})


def unreadable(files: CropFiles) -> ScoredBatch:
    scores = np.full((len(files), 1), np.nan)
    return ScoredBatch(files, (1,), scores, scores, dict.fromkeys(range(len(files)), UNREADABLE), {})


def without_memory(files: CropFiles) -> ScoredBatch:
    scores = np.full((len(files), 1), np.nan)
    return ScoredBatch(files, (1,), scores, scores, {row: out_of_memory() for row in range(len(files))}, {})


def without_end_mark(files: CropFiles) -> ScoredBatch:
    files = crop_files(files.paths, labels=files.labels)
    object.__setattr__(files, "ended", [False] * len(files))
    return scored(files)


def test_the_models_that_are_asked_are_those_that_decide() -> None:
    """A reload may exchange the models between any two steps of the dispatcher."""

    def exchange() -> None:
        around.models.ensemble = OTHER

    pool = Pool(scored, exchange)
    around = Around(pool)
    (batch,) = around.decide(Candidate("1.jpg"))
    assert pool.asked == [ONE]
    assert batch.models == ONE.models
    assert batch.final.thresholds.tolist() == [1.0]


def test_parts_are_decided_in_their_order_with_their_labels() -> None:
    around = Around(Pool(scored))
    first, rest = around.decide(
        Candidate("1.jpg"), Candidate("2.jpg", label=Label.PROLIV), Candidate("3.jpg", label=Label.NE_PROLIV)
    )
    assert list(first.files.paths) == ["1.jpg"]
    assert list(rest.files.paths) == ["2.jpg", "3.jpg"]
    assert list(rest.files.labels) == [Label.PROLIV, Label.NE_PROLIV]
    assert around.metrics.registry.get_sample_value("monitor_crops_seen_total") == 1


def test_waiting_for_a_slow_crop_is_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or systemd's watchdog would kill the daemon for it, and the next one, which meets the same file, again."""
    waits: list[Callable[[], None]] = []
    part = scored(crop_files(["1.jpg"]))
    batch = SimpleNamespace(is_ready=False, when_ready=waits.append, next_part=lambda: part)
    around = Around(Pool(scored))
    monkeypatch.setattr(around.dispatcher._pool, "submit", lambda *_, **__: batch)
    dispatching, deciding = (TimedThread(name, lambda _: None, lambda _: None) for name in ("dispatcher", "decider"))
    assert around.dispatcher.deliver(Candidate("1.jpg"), lambda: False)
    around.dispatcher.end(1)
    around.dispatcher.dispatch(dispatching)
    deciding.busy()
    thread = Thread(target=around.dispatcher.decide, args=[deciding])
    thread.start()
    wait_until(lambda: not deciding.hangs(0) and not dispatching.hangs(0))
    assert thread.is_alive()
    batch.is_ready = True
    waits[0]()
    thread.join()
    assert around.dispatcher.decided.get() is not None


LOOKS = crop_files(["1.jpg"]).looks[0]
CHANGED = Looks(2, 2, 2)


@pytest.mark.parametrize(
    ("read", "candidate", "complete"),
    [
        (scored, Candidate("1.jpg"), True),
        (without_end_mark, Candidate("1.jpg"), False),
        (without_end_mark, Candidate("1.jpg", LOOKS), False),
        (without_end_mark, Candidate("1.jpg", LOOKS, settled=True), True),
        (without_end_mark, Candidate("1.jpg", CHANGED, settled=True), False),
        (unreadable, Candidate("1.jpg"), False),
        (unreadable, Candidate("1.jpg", LOOKS, settled=True), False),
        (unreadable, Candidate("1.jpg", LOOKS, settled=True, final=True), True),
        (unreadable, Candidate("1.jpg", CHANGED, settled=True, final=True), False),
        # However long it lasts, the file is not to blame.
        (without_memory, Candidate("1.jpg", LOOKS, settled=True, final=True), False),
    ],
)
@pytest.mark.parametrize("label", [None, Label.PROLIV])
def test_a_file_is_decided_once_it_is_complete_or_given_up(
    read: Callable[[CropFiles], ScoredBatch], candidate: Candidate, complete: bool, label: Label | None
) -> None:
    around = Around(Pool(read))
    decided = around.decide(candidate._replace(label=label))
    assert len(decided) == complete
    told, other = (around.inbox, around.labelled) if label is None else (around.labelled, around.inbox)
    assert told == ([] if complete else [Incomplete("1.jpg", LOOKS)])
    assert other == []
    retried = around.metrics.registry.get_sample_value("monitor_crops_retried_total")
    assert retried == (not complete and label is None)


def test_a_lack_of_memory_is_told_once_and_not_of_every_crop(caplog: pytest.LogCaptureFixture) -> None:
    around = Around(Pool(without_memory))
    assert around.decide(*(Candidate(f"{number}.jpg") for number in range(9))) == []
    assert len(around.inbox) == 9
    (record,) = caplog.records
    assert record.getMessage().startswith("0.jpg: the machine has too little memory left to read it")


def test_nothing_is_delivered_any_more_while_stopping() -> None:
    around = Around(Pool(scored))
    assert not around.dispatcher.deliver(Candidate("1.jpg"), lambda: True)
    assert around.metrics.registry.get_sample_value("monitor_crops_seen_total") == 0
