"""Batches in other processes: the same results, and what becomes of processes that are killed or left alone."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.errors import ExitCode, WorkerLostError
from monitor.files.walking import crop_files
from monitor.harness.waiting import wait_until
from monitor.registry import Registry
from monitor.scoring.ensemble import Ensemble, load_active
from monitor.scoring.pipeline import decide
from monitor.scoring.pools import pool as pool_module
from monitor.scoring.pools import processes, scorer
from monitor.scoring.pools.pool import open_pool
from monitor.store.database.engine import Database
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.scoring.pools.base import ScoringPool
    from monitor.scoring.pools.processes import ProcessPool
    from monitor.scoring.pools.scorer import Scorer
    from tests.support.daemon import Daemon

    Start = Callable[[int], ScoringPool]


class Home:
    """A trained state, loaded, and workers on it."""

    def __init__(self, folder: Path) -> None:
        self.configuration: Configuration = load(folder / "config.toml")
        self.registry = Registry.load()
        self.database = Database(self.configuration.database_url, busy_seconds=1)
        self.ensemble: Ensemble = load_active(self.database, self.registry, self.configuration)
        self.database.close()

    def start(self, count: int) -> ScoringPool:
        return open_pool(self.configuration, self.registry, self.ensemble, count)


@pytest.fixture
def home(tmp_path: Path, trained_state: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(pool_module, "cores", lambda: 2)
    shutil.copytree(trained_state, tmp_path / "state")
    (tmp_path / "config.toml").write_text('[pipeline]\ndevice = "cpu"\n', encoding="utf-8")
    return Home(tmp_path)


@pytest.fixture
def pool(home: Home) -> Iterator[ScoringPool]:
    with home.start(2) as pool:
        yield pool


@pytest.fixture
def paths(small_dataset: Path, tmp_path: Path) -> list[str]:
    """Some crops, and one file of each kind that is refused."""
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "empty.jpg").touch()
    (bad / "text.jpg").write_text("hello", encoding="utf-8")
    found = sorted(crop_files(small_dataset / "test"))[:20]
    return [*found, *sorted(crop_files(bad)), str(bad / "gone.jpg")]


def children() -> list[int]:
    return [process.pid for process in multiprocessing.active_children() if process.pid is not None]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_and_a_thread_say_the_same(home: Home, pool: ScoringPool, paths: Sequence[str]) -> None:
    assert len(children()) == 2
    labels = [Label.PROLIV if row % 3 == 0 else None for row in range(len(paths))]
    with home.start(1) as thread:
        (expected,) = thread.submit(paths, home.ensemble, source="folder", labels=labels).parts()
    starts = range(0, len(paths), 4)
    batches = [
        pool.submit(paths[start : start + 4], home.ensemble, source="folder", labels=labels[start : start + 4])
        for start in starts
    ]
    for start, batch in zip(starts, batches, strict=True):
        (found,) = batch.parts()
        other = expected.take(range(len(paths))[start : start + 4])
        assert replace(found.files, seen_at=other.files.seen_at) == other.files
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
    home: Home, paths: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer, "PIXELS_AT_ONCE", 4000)
    for count in (1, 2):
        with home.start(count) as few:
            parts = list(few.submit(paths, home.ensemble).parts())
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


def test_a_process_that_is_killed_is_an_error_with_a_sentence(
    home: Home, pool: ScoringPool, paths: Sequence[str]
) -> None:
    list(pool.submit(paths, home.ensemble).parts())
    os.kill(children()[0], signal.SIGKILL)
    with pytest.raises(WorkerLostError, match=r"pipeline\.workers = 1"):
        list(pool.submit(paths, home.ensemble).parts())
    pool.stop()
    assert not children()


def test_workers_leave_signals_to_the_program(home: Home, pool: ScoringPool, paths: Sequence[str]) -> None:
    """Ctrl-C and systemd's SIGTERM go to every process of the group; what was begun is to be finished."""
    for pid in children():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
    (part,) = pool.submit(paths, home.ensemble).parts()
    assert len(part.files) == len(paths)


def test_a_signal_to_a_worker_that_is_only_beginning_does_not_end_it(
    home: Home, paths: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = processes._begin

    def terminated_at_once(worker: Scorer, parent: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        begin(worker, parent)

    monkeypatch.setattr(processes, "_begin", terminated_at_once)
    with home.start(2) as pool:
        (part,) = pool.submit(paths, home.ensemble).parts()
        assert len(part.files) == len(paths)
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_workers_compute_in_one_thread(pool: ProcessPool) -> None:
    assert pool._executor.submit(_threads).result() == {1}


def _threads() -> set[int]:
    import torch
    from threadpoolctl import threadpool_info

    return {torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())}


def test_no_worker_outlives_a_daemon_that_is_killed(daemon: Daemon) -> None:
    daemon.environment["MONITOR__PIPELINE__WORKERS"] = "2"
    process = daemon.start()
    listing = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    pids = [int(pid) for pid in listing.read_text(encoding="ascii").split()]
    assert len(pids) == (2 if pool_module.cores() > 1 else 0)
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_a_daemon_whose_worker_is_killed_ends_to_be_restarted(daemon: Daemon, small_dataset: Path) -> None:
    daemon.environment["MONITOR__PIPELINE__WORKERS"] = "2"
    process = daemon.start()
    listing = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    pids = [int(pid) for pid in listing.read_text(encoding="ascii").split()]
    if not pids:
        pytest.skip("one core: there are no processes")
    os.kill(pids[0], signal.SIGKILL)
    for crop in (small_dataset / "proliv").iterdir():
        shutil.copy(crop, daemon.inbox)
    assert process.wait(60) == ExitCode.TEMPORARY_FAILURE
    assert "was ended from outside" in daemon.text()
    # What it had not decided lies in the inbox, and the next one decides it.
    daemon.start()
    daemon.until(lambda: daemon.count("state = 'scored'") == len(list(daemon.inbox.iterdir())))
