"""Batches come back in their order, unless one takes long, and none is lost on the way."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from monitor.daemon import dispatched
from monitor.daemon.dispatched import DispatchedBatches
from monitor.errors import WorkerLostError
from monitor.harness.waiting import wait_until
from monitor.inbox.messages import Candidate
from monitor.scoring.batches import ScoredBatch
from monitor.scoring.ensemble import Ensemble
from monitor.scoring.pools import wire
from monitor.scoring.pools.batch import PendingBatch
from monitor.scoring.pools.wire import Asked, Flat
from tests.support.batches import SEEN, crop_files, model

if TYPE_CHECKING:
    from collections.abc import Sequence

ENSEMBLE = Ensemble((model(1),), "primary")


def flat(paths: Sequence[str]) -> Flat:
    scores = np.zeros((len(paths), 1))
    return wire.flat(ScoredBatch(crop_files(paths), (1,), scores, scores, {}, {}))


class Batch:
    """A batch on its way through a pool that answers when it is told to."""

    def __init__(self, batches: DispatchedBatches, *paths: str) -> None:
        self.runs: list[tuple[Sequence[str], Future[Flat]]] = []
        pending = PendingBatch(Asked(paths, SEEN, "inbox", [None] * len(paths)), self._run)
        batches.put([Candidate(path) for path in paths], ENSEMBLE, pending)

    def _run(self, paths: Sequence[str]) -> Future[Flat]:
        self.runs.append((paths, Future()))
        return self.runs[-1][1]

    def answer(self, count: int | None = None) -> None:
        """Answer with the first files that are asked for."""
        paths, future = self.runs[-1]
        future.set_result(flat(paths[:count]))


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch counts as slow."""
    monkeypatch.setattr(dispatched, "OVERTAKEN_SECONDS", 1000)


def taken(batches: DispatchedBatches, count: int) -> list[list[str]]:
    """The next parts, in a thread of their own, so that a test ends that waits for what never comes."""
    found: list[list[str]] = []

    def take() -> None:
        for _ in range(count):
            part = batches.take()
            assert part is not None
            assert [candidate.path for candidate in part.candidates] == list(part.scored.files.paths)
            found.append(list(part.scored.files.paths))

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    wait_until(lambda: not thread.is_alive())
    return found


@pytest.mark.usefixtures("patience")
def test_batches_come_back_in_their_order_and_in_parts() -> None:
    batches = DispatchedBatches(3)
    first, second = Batch(batches, "1", "2", "3"), Batch(batches, "4")
    second.answer()
    first.answer(2)
    assert taken(batches, 1) == [["1", "2"]]
    assert batches.qsize() == 2
    first.answer()
    assert taken(batches, 2) == [["3"], ["4"]]
    assert batches.qsize() == 0


def test_one_that_takes_long_is_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatched, "OVERTAKEN_SECONDS", 0.05)
    batches = DispatchedBatches(3)
    first, second, third = Batch(batches, "1", "2"), Batch(batches, "3"), Batch(batches, "4")
    second.answer()
    assert taken(batches, 1) == [["3"]]
    first.answer(1)
    third.answer()
    assert taken(batches, 2) == [["1"], ["4"]]
    first.answer()
    assert taken(batches, 1) == [["2"]]


@pytest.mark.usefixtures("patience")
def test_there_is_an_end_behind_the_last_batch_and_never_more_than_may_be() -> None:
    batches = DispatchedBatches(1)
    one = Batch(batches, "1")
    waiting = threading.Thread(target=batches.wait_for_room, daemon=True)
    waiting.start()
    batches.end()
    assert waiting.is_alive()
    one.answer()
    assert taken(batches, 1) == [["1"]]
    assert batches.take() is None
    wait_until(lambda: not waiting.is_alive())


def test_a_pool_without_workers_is_heard_of() -> None:
    batches = DispatchedBatches(1)
    one = Batch(batches, "1")
    one.runs[-1][1].set_exception(WorkerLostError("gone"))
    with pytest.raises(WorkerLostError):
        cast("Any", batches).take()
