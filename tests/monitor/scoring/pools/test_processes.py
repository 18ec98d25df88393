"""Workers that are processes: the same results as a thread's, and what becomes of them and of the program."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.errors import WorkerLostError
from monitor.harness.waiting import wait_until
from monitor.scoring import pipeline
from monitor.scoring.pipeline import decide
from monitor.scoring.pools import pool as pool_module
from monitor.scoring.pools import processes, scorer
from monitor.scoring.pools.processes import ProcessWorker
from monitor.words import Label
from tests.monitor.scoring.pools.conftest import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.scoring.pools.scorer import Scorer
    from monitor.scoring.pools.trail import Trail
    from monitor.scoring.pools.watched import WatchedPool
    from tests.monitor.scoring.pools.conftest import Home
    from tests.support.daemon import Daemon


def workers(pool: WatchedPool) -> list[ProcessWorker]:
    return [worker for worker in pool._workers if isinstance(worker, ProcessWorker)]


def children(process: int) -> list[int]:
    listing = Path(f"/proc/{process}/task/{process}/children")
    return [int(pid) for pid in listing.read_text(encoding="ascii").split()]


@pytest.fixture
def begun() -> Callable[[], list[int]]:
    """The processes that the test has begun itself: servers of other tests may live on in the same worker."""
    before = set(children(os.getpid()))
    return lambda: [process for process in children(os.getpid()) if process not in before]


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_and_a_thread_say_the_same(home: Home, good: Sequence[str], bad: Sequence[str]) -> None:
    paths = [*good, *bad]
    pool = home.start(2)
    assert len(workers(pool)) == 2
    labels = [Label.PROLIV if row % 3 == 0 else None for row in range(len(paths))]
    (expected,) = home.start(1).submit(paths, home.ensemble, source="folder", labels=labels).parts()
    starts = range(0, len(paths), 4)
    batches = [
        pool.submit(paths[start : start + 4], home.ensemble, source="folder", labels=labels[start : start + 4])
        for start in starts
    ]
    for start, batch in zip(starts, batches, strict=True):
        (found,) = batch.parts()
        other = expected.take(range(len(paths))[start : start + 4])
        assert replace(found.take(range(4)[: len(found.files)]).files, seen_at=other.files.seen_at) == other.files
        assert {row: str(refusal) for row, refusal in found.refusals.items()} == {
            row: str(refusal) for row, refusal in other.refusals.items()
        }
        # The last digit of a network's score depends on the other crops of its batch.
        assert found.scores == pytest.approx(other.scores, rel=1e-5, nan_ok=True)
        assert found.mse == pytest.approx(other.mse, rel=1e-5, nan_ok=True)
    assert sorted(expected.refusals) == [20, 21, 22]
    decided = decide(expected, home.ensemble)
    assert decided.final.made.tolist() == [True] * 20 + [False] * 3
    assert decided.refusals == expected.refusals


def test_a_batch_of_large_pictures_comes_in_parts(
    home: Home, good: Sequence[str], bad: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [*good, *bad]
    monkeypatch.setattr(scorer, "PIXELS_AT_ONCE", 4000)
    for count in (1, 2):
        parts = home.score(home.start(count), paths)
        assert [path for part in parts for path in part.files.paths] == paths
        assert sum(len(part.refusals) for part in parts) == 3
        assert len(parts) > 3


def test_more_workers_than_cores_are_bounded_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    many = pool_module.cores() + 62
    assert pool_module.bounded(many) == pool_module.cores()
    assert f"{many} workers would only take turns" in caplog.text
    caplog.clear()
    assert pool_module.bounded(0) == pool_module.bounded(pool_module.cores()) == pool_module.cores()
    assert not caplog.text


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(
    home: Home, good: Sequence[str], caplog: pytest.LogCaptureFixture
) -> None:
    pool = home.start(2)
    before = [worker.process for worker in workers(pool)]
    batches = [pool.submit([path], home.ensemble) for path in good]
    for process in before:
        os.kill(process, signal.SIGKILL)
    found = rows([part for batch in batches for part in batch.parts()])
    assert found == dict.fromkeys(good)
    wait_until(lambda: not {worker.process for worker in workers(pool)} & set(before))
    assert "SIGKILL" in caplog.text
    assert rows(home.score(pool, good)) == dict.fromkeys(good)
    assert not any(is_running(process) for process in before)


def test_workers_that_end_again_and_again_without_a_crop_end_the_program(
    home: Home, good: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "serve", lambda *_: None)
    pool = home.start(2)
    wait_until(lambda: pool._broken is not None)
    with pytest.raises(WorkerLostError, match=r"pipeline\.workers = 1"):
        pool.submit(good, home.ensemble)


def test_without_the_nursery_there_is_an_error_with_a_sentence(
    begun: Callable[[], list[int]], home: Home, trap: Callable[..., str]
) -> None:
    pool = home.start(2)
    batch = pool.submit([trap("sleep")], home.ensemble)
    (nursery,) = begun()
    os.kill(nursery, signal.SIGKILL)
    with pytest.raises(WorkerLostError, match="the system ended all of them"):
        list(batch.parts())


def test_the_end_of_a_pool_leaves_no_process(
    begun: Callable[[], list[int]], home: Home, trap: Callable[..., str]
) -> None:
    pool = home.start(2)
    batch = pool.submit([trap("spin-locked")], home.ensemble)
    processes = [worker.process for worker in workers(pool)]
    pool.stop()
    home.pools.clear()
    assert not any(is_running(process) for process in processes)
    assert begun() == []
    with pytest.raises(WorkerLostError):
        list(batch.parts())


def test_workers_leave_signals_to_the_program(begun: Callable[[], list[int]], home: Home, good: Sequence[str]) -> None:
    """Ctrl-C and systemd's SIGTERM go to every process of the group; what was begun is to be finished."""
    pool = home.start(2)
    ours = [*begun(), *(worker.process for worker in workers(pool))]
    assert len(ours) == 3
    for process in ours:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(process, number)
    assert rows(home.score(pool, good)) == dict.fromkeys(good)
    assert [worker.process for worker in workers(pool)] == ours[1:]


def test_a_signal_to_a_process_that_is_only_beginning_does_not_end_it(
    home: Home, good: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rear = processes._rear

    def terminated_at_once(parent: int, orders: object, worker: Scorer, trail: Trail) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        rear(parent, orders, worker, trail)  # type: ignore[arg-type]

    monkeypatch.setattr(processes, "_rear", terminated_at_once)
    assert rows(home.score(home.start(2), good)) == dict.fromkeys(good)
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_workers_compute_in_one_thread(home: Home, good: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ask = pipeline.ask

    def tell_threads(batch: object, detectors: object) -> object:
        import torch
        from threadpoolctl import threadpool_info

        scored = ask(batch, detectors)  # type: ignore[arg-type]
        threads = {torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())}
        return replace(scored, mse=np.full_like(scored.mse, max(threads)))

    monkeypatch.setattr(pipeline, "ask", tell_threads)
    (part,) = home.score(home.start(2), good)
    assert (part.mse == 1).all()


def test_no_worker_outlives_a_daemon_that_is_killed(daemon: Daemon) -> None:
    daemon.environment["MONITOR__PIPELINE__WORKERS"] = "2"
    process = daemon.start()
    nurseries = children(process.pid)
    found = [*nurseries, *(worker for nursery in nurseries for worker in children(nursery))]
    assert len(found) == (3 if pool_module.cores() > 1 else 0)
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_running(pid) for pid in found))


def test_a_daemon_whose_worker_is_killed_goes_on(daemon: Daemon, small_dataset: Path) -> None:
    daemon.environment["MONITOR__PIPELINE__WORKERS"] = "2"
    process = daemon.start()
    found = [worker for nursery in children(process.pid) for worker in children(nursery)]
    if not found:
        pytest.skip("one core: there are no processes")
    os.kill(found[0], signal.SIGKILL)
    for crop in (small_dataset / "proliv").iterdir():
        shutil.copy(crop, daemon.inbox)
    daemon.until(lambda: daemon.count("state = 'scored'") == len(list(daemon.inbox.iterdir())))
    assert "another one takes its place" in daemon.text()
    assert daemon.stop() == 0
