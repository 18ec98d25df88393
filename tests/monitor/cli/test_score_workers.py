"""`monitor score` in several processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from monitor.harness.waiting import wait_until
from tests.monitor.cli.conftest import COUNTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Start


@pytest.fixture
def many(tmp_path: Path, some_proliv: Path) -> Path:
    """A folder of crops that takes long enough to score for something to happen meanwhile."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(20_000):
        os.link(some_proliv, folder / f"{number}.jpg")
    return folder


class TestWorkers:
    """Real processes: batches are small, so that there is more than one for each worker."""

    @staticmethod
    def run(start: Start, *arguments: str | Path) -> tuple[list[dict[str, Any]], str]:
        environment = {**os.environ, "MONITOR__PIPELINE__BATCH_SIZE": "4"}
        process = start("score", *arguments, "--format", "json", "--exit-zero", env=environment)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        return [json.loads(line) for line in out.splitlines()], err.decode()

    def test_processes_decide_as_one_does(
        self, trained: Path, start: Start, rows: Rows, small_dataset: Path, broken: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "all"
        shutil.copytree(small_dataset / "test", folder / "good")
        (folder / "bad").mkdir()
        for name in ("empty.jpg", "truncated.jpg", "too_many_pixels.png"):
            shutil.copy(broken / name, folder / "bad")
        alone, _ = self.run(start, folder, "--workers", "1", "--no-store")
        together, _ = self.run(start, folder, "--workers", "2")
        assert [(line["file"], line["verdict"], line["reason"]) for line in together] == [
            (line["file"], line["verdict"], line["reason"]) for line in alone
        ]
        pairs = [
            (line["score"], other["score"]) for line, other in zip(together, alone, strict=True) if line["verdict"]
        ]
        decided = len(pairs)
        assert all(score == pytest.approx(other, rel=1e-5) for score, other in pairs)
        assert 0 < decided < len(together)
        assert rows(COUNTS) == [(len(together), decided)]

    def test_too_many_are_bounded_and_it_is_said(self, trained: Path, start: Start, small_dataset: Path) -> None:
        lines, err = self.run(start, small_dataset / "test", "--workers", "64", "--no-store")
        assert len(lines) == 40
        assert "64 workers would only take turns on" in err

    def test_a_folder_that_grows_meanwhile(self, trained: Path, start: Start, rows: Rows, small_dataset: Path) -> None:
        folder = trained / "growing"
        shutil.copytree(small_dataset / "test", folder)
        crop = next(folder.glob("*/*.jpg"))
        environment = {**os.environ, "MONITOR__PIPELINE__BATCH_SIZE": "1"}
        process = start("score", folder, "--workers", "2", "--exit-zero", env=environment)
        count = 0
        while process.poll() is None:
            shutil.copy(crop, folder / f"{count}.jpg")
            count += 1
            time.sleep(0.01)
        assert process.returncode == 0
        assert 40 <= rows("select count(*) from crops")[0][0] <= 40 + count
        assert rows("select count(*) from crops where state = 'failed'") in ([(0,)], [(1,)])  # one was half written

    def test_a_huge_file_among_small_ones_is_refused_unread(
        self, trained: Path, start: Start, small_dataset: Path
    ) -> None:
        folder = trained / "mixed"
        shutil.copytree(small_dataset / "test", folder)
        with (folder / "huge.jpg").open("wb") as file:
            file.truncate(50_000_000)
        lines, _ = self.run(start, folder, "--workers", "2", "--no-store")
        assert [line["reason"] for line in lines if line["file"] == "huge.jpg"] == ["too_large"]
        assert sum(line["verdict"] is not None for line in lines) == 40

    def test_a_worker_that_the_system_kills_is_replaced_and_nothing_is_lost(
        self, trained: Path, start: Start, many: Path
    ) -> None:
        process = start("score", many, "--workers", "2", "--no-store", "--format", "json", "--exit-zero")
        children = psutil.Process(process.pid).children
        wait_until(lambda: len(children(recursive=True)) == 3)
        (nursery,) = children()
        os.kill(nursery.children()[0].pid, signal.SIGKILL)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        assert b"SIGKILL" in err
        decided = [json.loads(line) for line in out.splitlines()]
        assert {line["file"] for line in decided if line["verdict"]} == {one.name for one in many.iterdir()}

    def test_without_the_process_that_replaces_workers_it_ends_with_a_sentence(
        self, trained: Path, start: Start, many: Path
    ) -> None:
        process = start("score", many, "--workers", "2", "--no-store")
        children = psutil.Process(process.pid).children
        wait_until(lambda: len(children(recursive=True)) == 3)
        for one in children(recursive=True):
            one.kill()
        _, err = process.communicate(timeout=120)
        assert process.returncode == 75, err.decode()
        assert b"the processes that score crops are gone" in err
