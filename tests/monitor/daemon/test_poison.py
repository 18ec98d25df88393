"""Files that no decoder survives come into the inbox of a real daemon: it goes on, and all others are decided."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from monitor.harness.waiting import wait_until
from tests.support.decoding_traps import trapped, write_distribution

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon

GOOD = 12


@pytest.fixture
def site(tmp_path: Path, daemon: Daemon) -> Path:
    """What the daemon has on its path besides, so that traps work there."""
    write_distribution(tmp_path / "site")
    daemon.environment |= {
        "PYTHONPATH": str(tmp_path / "site"),
        "MONITOR__PIPELINE__SECONDS_PER_CROP": "2",
        "MONITOR__PATHS__QUARANTINE": "quarantine",
    }
    return tmp_path / "site"


@pytest.fixture
def crops(small_dataset: Path) -> list[Path]:
    return sorted((small_dataset / "train").iterdir())[: GOOD + 1]


def lay(daemon: Daemon, picture: Path, word: str) -> None:
    (daemon.inbox / f"{word}.jpg").write_bytes(trapped(picture.read_bytes(), word))


def sprung(site: Path) -> list[str]:
    return sorted((site / "sprung").read_text(encoding="ascii").split())


def outcome(daemon: Daemon) -> list[tuple[str, str, int]]:
    return daemon.query("select state, coalesce(reason, ''), count(*) from crops group by 1, 2 order by 1, 2")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one core: there are no processes")
def test_they_are_recorded_as_failed_whatever_they_do_and_remembered_over_a_kill(
    daemon: Daemon, site: Path, crops: list[Path]
) -> None:
    daemon.environment |= {"MONITOR__PIPELINE__WORKERS": "2", "MONITOR__PIPELINE__SECONDS_PER_CROP": "600"}
    daemon.start()
    lay(daemon, crops[0], "spin")
    daemon.until((site / "sprung").exists)
    daemon.kill()

    daemon.environment["MONITOR__PIPELINE__SECONDS_PER_CROP"] = "2"
    for word in ("spin-locked", "kill", "crash"):
        lay(daemon, crops[0], word)
    for crop in crops[1:]:
        shutil.copy(crop, daemon.inbox)
    daemon.start()
    assert "1 files were in hand when an earlier run was killed, the first of them" in daemon.text()
    daemon.until(lambda: daemon.count() == GOOD + 4)
    expected = [("failed", "killed_worker", 2), ("failed", "too_costly", 2), ("scored", "", GOOD)]
    assert outcome(daemon) == expected
    assert daemon.metrics()['monitor_crops_failed_total{reason="too_costly"}'] == 2
    daemon.until(lambda: len(list(daemon.inbox.iterdir())) == GOOD)
    assert len(list((daemon.home / "quarantine").glob("*/*.jpg"))) == 4
    assert daemon.stop() == 0
    # One that takes long is never tried again, and one that ends workers twice more, alone.
    assert sprung(site) == ["crash"] * 3 + ["kill"] * 3 + ["spin"] * 2 + ["spin-locked"]
    assert list((daemon.home / "state" / "in-progress").iterdir()) == []


def test_with_a_single_worker_the_next_run_leaves_out_what_ended_this_one(
    daemon: Daemon, site: Path, crops: list[Path]
) -> None:
    daemon.environment["MONITOR__PIPELINE__WORKERS"] = "1"
    process = daemon.start()
    for crop in crops[1:]:
        shutil.copy(crop, daemon.inbox)
    lay(daemon, crops[0], "kill")
    wait_until(lambda: process.poll() is not None)
    assert process.returncode == -signal.SIGKILL
    daemon.start()
    daemon.until(lambda: daemon.count() == GOOD + 1)
    assert outcome(daemon) == [("failed", "killed_worker", 1), ("scored", "", GOOD)]
    assert sprung(site) == ["kill"] * 3
    assert daemon.stop() == 0
