"""Files that no worker gets done with: which are given up and why, and that nothing else is lost or done twice."""

from __future__ import annotations

import errno
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from monitor.errors import WorkerLostError
from monitor.harness.waiting import wait_until
from monitor.scoring import pipeline
from monitor.scoring.pools import apart, watched
from monitor.scoring.pools import pool as pool_module
from monitor.scoring.pools.thread import ThreadWorker
from tests.monitor.scoring.pools.conftest import SECONDS_PER_CROP, rows
from tests.support.decoding_traps import write_distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.scoring.pools.batch import PendingBatch
    from tests.monitor.scoring.pools.conftest import Home

    Trap = Callable[..., str]


def sprung(home: Home) -> list[str]:
    return (home.folder / "sprung").read_text(encoding="ascii").split()


@pytest.mark.parametrize("word", ["spin", "spin-locked"])
def test_a_file_that_takes_too_long_is_given_up_and_those_around_it_are_not(
    home: Home, good: Sequence[str], trap: Trap, word: str
) -> None:
    pool = home.start(2)
    spinning = trap(word)
    parts = home.score(pool, [*good[:10], spinning, *good[10:]])
    assert rows(parts) == {**dict.fromkeys(good), spinning: "too_costly"}
    assert sprung(home) == [word]
    (refusal,) = (refusal for part in parts for refusal in part.refusals.values())
    assert f"more than {SECONDS_PER_CROP:g} s" in str(refusal)
    assert "pipeline.seconds_per_crop" in str(refusal)
    # It is known by its content and moved to the quarantine like any other failed crop.
    (files,) = (part.files for part in parts if part.refusals)
    assert len(files.digests[0]) == 64
    assert files.looks[0] is not None
    assert files.identities[0].hole == 7


@pytest.mark.parametrize("word", ["kill", "crash"])
def test_a_file_that_ends_its_worker_is_tried_alone_and_then_given_up(
    home: Home, good: Sequence[str], trap: Trap, caplog: pytest.LogCaptureFixture, word: str
) -> None:
    pool = home.start(2)
    killing = trap(word)
    parts = home.score(pool, [*good[:10], killing, *good[10:]])
    assert rows(parts) == {**dict.fromkeys(good), killing: "killed_worker"}
    assert sprung(home) == [word] * 3
    assert "tried again alone" in caplog.text
    assert ("SIGKILL" if word == "kill" else "SIGSEGV") in str(parts[1].refusals[0])
    # The next batch finds the pool as it was.
    assert rows(home.score(pool, good)) == dict.fromkeys(good)
    assert len(pool._workers) == 2


def test_a_file_at_which_a_worker_was_ended_by_chance_is_scored(
    home: Home, good: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, once = pipeline.ask, home.folder / "once"

    def end_once(*arguments: object) -> object:
        if not once.exists():
            once.touch()
            raise SystemExit
        return ask(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "ask", end_once)
    # While they are scored, each may be to blame, so each comes alone.
    parts = home.score(home.start(2), good[:5])
    assert [len(part.files) for part in parts] == [1] * 5
    assert rows(parts) == dict.fromkeys(good[:5])


def test_crops_that_take_too_long_together_are_scored_one_by_one(
    home: Home, good: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = pipeline.ask

    def spin_for_many(batch: object, detectors: object) -> object:
        while len(batch.files) > 1:  # type: ignore[attr-defined]
            pass
        return ask(batch, detectors)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "ask", spin_for_many)
    parts = home.score(home.start(2), good[:5])
    assert rows(parts) == dict.fromkeys(good[:5])


def test_a_crop_that_is_never_scored_is_given_up(home: Home, good: Sequence[str], trap: Trap) -> None:
    """It computes nothing, so it may only be slow: it is tried again before it is given up."""
    pool = home.start(2)
    pool._seconds = pool._judge._seconds = 0.05
    sleeping = trap("sleep")
    assert rows(home.score(pool, [*good, sleeping])) == {**dict.fromkeys(good), sleeping: "too_costly"}
    assert sprung(home) == ["sleep"] * 3


def test_other_batches_go_on_behind_one_that_takes_long(
    home: Home, good: Sequence[str], trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "WAITS_SECONDS", 0.1)
    pool = home.start(2)
    pool._seconds = 600
    long = pool.submit([trap("spin")], home.ensemble)
    # More than the other worker takes at once, so some wait behind the first.
    others = [pool.submit([path], home.ensemble) for path in good]
    assert rows([part for batch in others for part in batch.parts()]) == dict.fromkeys(good)
    assert not long.is_ready
    pool._seconds = 0.1
    assert rows(list(long.parts())) == {long.paths[0]: "too_costly"}


def test_a_file_that_cannot_be_read_any_more_fails_by_that(home: Home, trap: Trap) -> None:
    pool = home.start(2)
    batch = pool.submit([trap("spin")], home.ensemble)
    wait_until((home.folder / "sprung").exists)
    Path(batch.paths[0]).unlink()
    assert rows(list(batch.parts())) == {batch.paths[0]: "vanished"}


def test_a_name_that_takes_too_long_to_read_is_given_up_unread(
    home: Home, good: Sequence[str], trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    pattern = r"(?P<camera>(a+)+)$"
    (home.folder / "config.toml").write_text(
        f"[crops]\nname_pattern = '{pattern}'\n[pipeline]\nseconds_per_crop = {SECONDS_PER_CROP}\n", encoding="utf-8"
    )
    home = type(home)(home.folder)
    path = home.folder / f"{'a' * 60}.jpg"
    path.write_bytes(Path(good[0]).read_bytes())
    pool = home.start(2)
    parts = home.score(pool, [good[0], str(path), good[1]])
    pool.stop()
    assert rows(parts) == {good[0]: None, str(path): "too_costly", good[1]: None}
    assert parts[1].files.digests[0] == ""


class TestThread:
    """With a single worker, which is a thread, and cannot be ended."""

    def test_a_file_that_takes_too_long_is_given_up_and_those_around_it_are_not(
        self, home: Home, good: Sequence[str], trap: Trap
    ) -> None:
        pool = home.start(1)
        (lost,) = pool._workers
        assert isinstance(lost, ThreadWorker)
        spinning, slow = trap("spin-a-while"), trap("sleep-a-bit")
        parts = home.score(pool, [*good[:10], spinning, *good[10:], slow])
        assert rows(parts) == {**dict.fromkeys(good), spinning: "too_costly", slow: None}
        # The thread comes back late, and what it says is not heard.
        wait_until(lambda: not lost._thread.is_alive())
        assert lost not in pool._workers
        assert rows(home.score(pool, good)) == dict.fromkeys(good)

    def test_suspects_are_tried_in_another_process(self, home: Home, good: Sequence[str], trap: Trap) -> None:
        pool = home.start(1)
        for path in good[5:8]:
            pool._suspects.suspect([path], None)  # type: ignore[arg-type]
        parts = home.score(pool, good)
        assert [len(part.files) for part in parts] == [5, 1, 1, 1, 12]
        assert rows(parts) == dict.fromkeys(good)

    def test_a_worker_that_is_being_ended_is_given_nothing_more(self, home: Home, good: Sequence[str]) -> None:
        """What is written to a connection while it is closed may go to the file that is opened next."""
        pool = home.start(1)
        (worker,) = pool._workers
        batches: list[PendingBatch] = []
        submitting = Thread(target=lambda: batches.append(pool.submit(good, home.ensemble)))
        given: list[int] = []

        def end() -> str:
            submitting.start()
            submitting.join(0.5)
            given.append(len(worker.tasks))
            return type(worker).end(worker)

        worker.end = end  # type: ignore[method-assign]
        pool._replace(worker, "hanging")
        submitting.join()
        assert given == [0]
        assert rows(list(batches[0].parts())) == dict.fromkeys(good)

    def test_too_many_of_them_end_the_program(self, home: Home, trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pool_module, "MOST_LOST_THREADS", 1)
        pool = home.start(1)
        first, second = trap("spin-a-while", "1"), trap("spin-a-while", "2")
        batch = pool.submit([first, second], home.ensemble)
        assert rows([batch.next_part()]) == {first: "too_costly"}
        with pytest.raises(Exception, match="cannot be ended"):
            batch.next_part()

    def test_a_process_for_suspects_that_cannot_be_made_leaves_no_one_waiting(
        self, home: Home, trap: Trap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

        monkeypatch.setattr(apart.subprocess, "Popen", refuse)
        pool = home.start(1)
        pool._seconds = pool._judge._seconds = 0.05
        batch = pool.submit([trap("sleep-a-bit")], home.ensemble)
        with pytest.raises(WorkerLostError, match="Resource temporarily unavailable"):
            batch._future.result(timeout=30)

    def test_a_process_for_suspects_outlives_the_thread_that_submitted_them(
        self, home: Home, trap: Trap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """When the daemon stops, that thread ends before all that it has submitted is scored."""
        write_distribution(tmp_path / "site")
        monkeypatch.syspath_prepend(tmp_path / "site")
        pool = home.start(1)
        pool._seconds = 600
        slow = trap("sleep-a-bit")
        pool._suspects.suspect([slow], None)  # type: ignore[arg-type]
        batches: list[PendingBatch] = []

        def submit() -> None:
            batches.append(pool.submit([slow], home.ensemble))
            wait_until((tmp_path / "site" / "sprung").exists)

        submitting = Thread(target=submit)
        submitting.start()
        submitting.join()
        assert rows(list(batches[0].parts())) == {slow: None}
        assert "a worker ended" not in caplog.text
