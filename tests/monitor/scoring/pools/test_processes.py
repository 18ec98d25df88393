"""Batches in other processes: the same results, and what becomes of processes that are killed or left alone."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.errors import ExitCode, WorkerLostError
from monitor.files.walking import crop_files
from monitor.registry import Registry
from monitor.scoring.ensemble import Ensemble, load_active
from monitor.scoring.pipeline import decide
from monitor.scoring.pools import processes, scorer
from monitor.scoring.pools.processes import Workers
from monitor.store.database.engine import Database
from tests.support.daemon import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.scoring.work import Work
    from tests.support.daemon import Daemon

    Start = Callable[[int], Workers]


class Home:
    """A trained state, loaded, and workers on it."""

    def __init__(self, folder: Path) -> None:
        self.configuration: Configuration = load(folder / "config.toml")
        self.registry = Registry.load()
        self.database = Database(self.configuration.database_url, busy_seconds=1)
        self.ensemble: Ensemble = load_active(self.database, self.registry, self.configuration)
        self.database.close()

    def start(self, count: int) -> Workers:
        return Workers(self.configuration, self.registry, self.ensemble, count)


@pytest.fixture
def home(tmp_path: Path, trained_state: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(processes, "cores", lambda: 2)
    shutil.copytree(trained_state, tmp_path / "state")
    (tmp_path / "config.toml").write_text('[pipeline]\ndevice = "cpu"\n', encoding="utf-8")
    return Home(tmp_path)


@pytest.fixture
def pool(home: Home) -> Iterator[Workers]:
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


def told(work: Work) -> tuple[object, ...]:
    """All that a crop brings along but its scores, and the time at which it was seen."""
    refusal = work.refusal and (work.refusal.reason, str(work.refusal), work.refusal.transient)
    return (work.path, work.identity, work.content, work.ended, work.size, refusal)


def children() -> list[int]:
    return [process.pid for process in multiprocessing.active_children() if process.pid is not None]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_and_a_thread_say_the_same(home: Home, pool: Workers, paths: Sequence[str]) -> None:
    assert len(children()) == 2
    batches = [pool.submit(paths[start : start + 4], home.ensemble) for start in range(0, len(paths), 4)]
    found = [work for batch in batches for work in batch.result()]
    with home.start(1) as thread:
        expected = thread.submit(paths, home.ensemble).result()
    assert [told(work) for work in found] == [told(work) for work in expected]
    # The last digit of a network's score depends on the other crops of its batch.
    for work, other in zip(found, expected, strict=True):
        assert work.scores.keys() == other.scores.keys()
        for model, said in work.scores.items():
            assert said == pytest.approx(other.scores[model], rel=1e-5)
    assert [work.refusal is None for work in found] == [True] * 20 + [False] * 3
    decide(found, home.ensemble)
    assert all(work.final is not None for work in found[:20])


def test_a_batch_of_large_pictures_comes_in_parts(
    home: Home, paths: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer, "PIXELS_AT_ONCE", 4000)
    parts: list[None] = []
    for count in (1, 2):
        with home.start(count) as few:
            works = few.submit(paths, home.ensemble).result(lambda: parts.append(None))
        assert [work.path for work in works] == paths
        assert all(work.scores for work in works[:20])
        assert len(parts) > 3
        parts.clear()


def test_more_workers_than_cores_are_bounded_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    many = processes.cores() + 62
    assert processes.bounded(many) == processes.cores()
    assert f"{many} workers would take turns" in caplog.text
    caplog.clear()
    assert processes.bounded(0) == processes.bounded(processes.cores()) == processes.cores()
    assert not caplog.text


def test_a_process_that_is_killed_is_an_error_with_a_sentence(home: Home, pool: Workers, paths: Sequence[str]) -> None:
    pool.submit(paths, home.ensemble).result()
    os.kill(children()[0], signal.SIGKILL)
    with pytest.raises(WorkerLostError, match=r"pipeline\.workers = 1"):
        pool.submit(paths, home.ensemble).result()
    pool.stop()
    assert not children()


def test_workers_leave_signals_to_the_program(home: Home, pool: Workers, paths: Sequence[str]) -> None:
    """Ctrl-C and systemd's SIGTERM go to every process of the group; what was begun is to be finished."""
    for pid in children():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
    assert len(pool.submit(paths, home.ensemble).result()) == len(paths)


def test_workers_compute_in_one_thread(pool: Workers) -> None:
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
    assert len(pids) == (2 if processes.cores() > 1 else 0)
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
