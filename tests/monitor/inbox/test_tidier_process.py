"""Decided files leave the inbox of a daemon that is a real process, and is killed."""

from __future__ import annotations

import hashlib
import shutil
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.disks import below, sha256

if TYPE_CHECKING:
    from tests.conftest import RunMonitor
    from tests.support.daemon import Daemon


@pytest.fixture(scope="module")
def pictures(small_dataset: Path) -> list[Path]:
    return sorted((small_dataset / "train").glob("*.jpg"))


def archiving(daemon: Daemon, after: str = "archive") -> Path:
    daemon.environment["MONITOR__INBOX__AFTER"] = after
    daemon.environment["MONITOR__PATHS__ARCHIVE"] = str(daemon.home / "archive")
    daemon.inbox.mkdir(exist_ok=True)
    return daemon.home / "archive"


def test_2000_files_end_in_the_archive_once_each_whatever_is_killed(daemon: Daemon, pictures: list[Path]) -> None:
    archive = archiving(daemon)
    staging = daemon.home / "staging"
    staging.mkdir()
    contents = [path.read_bytes() for path in pictures]
    expected = {}
    for number in range(2000):
        # What follows the end mark belongs to no picture, and makes each content another.
        content = contents[number % len(contents)] + b"%06d" % number + b"\xff\xd9"
        expected[f"{number}_CAM_C_01-03-2023_05-39-27-929.jpg"] = hashlib.sha256(content).hexdigest()
        (staging / f"{number}_CAM_C_01-03-2023_05-39-27-929.jpg").write_bytes(content)
    names = iter(sorted(expected))
    for kill_at in (400, 1000):
        process = daemon.start()
        for name in islice(names, 700):
            (staging / name).rename(daemon.inbox / name)
        daemon.until(lambda kill_at=kill_at: len(below(archive)) >= kill_at)  # type: ignore[misc]
        process.kill()
        process.wait()
    for name in names:
        (staging / name).rename(daemon.inbox / name)
    daemon.start()
    daemon.until(lambda: len(below(archive)) == 2000 and not below(daemon.inbox))
    metrics = daemon.metrics()
    assert daemon.stop() == 0
    assert metrics['monitor_tidied_files_total{outcome="archived"}'] > 0
    assert metrics.get('monitor_crops_failed_total{reason="vanished"}', 0) == 0
    rows = daemon.query("select path, sha256, archived_path, verdict, seen_at from crops")
    assert {Path(path).name: digest for path, digest, *_ in rows} == expected
    assert len(rows) == daemon.query("select count(*) from scores")[0][0] == 2000
    assert {path.name: sha256(path) for path in below(archive)} == expected
    for path, _, archived, verdict, seen_at in rows:
        assert archived == str(archive / seen_at[:10] / verdict / Path(path).name)
    assert "vanished" not in daemon.text()


def test_a_kill_between_commit_and_move_leaves_the_file_to_the_next_start(daemon: Daemon, pictures: list[Path]) -> None:
    """The archive cannot be written until the daemon is killed; the decision and the place are committed by then."""
    archive = archiving(daemon)
    archive.write_text("in the way")
    process = daemon.start()
    shutil.copyfile(pictures[0], daemon.inbox / pictures[0].name)
    daemon.until(
        lambda: daemon.count() == 1 and ("cannot be moved" in daemon.text() or "cannot be made" in daemon.text())
    )
    process.kill()
    process.wait()
    ((path, planned),) = daemon.query("select path, archived_path from crops")
    assert [Path(path)] == below(daemon.inbox)
    archive.unlink()
    daemon.start()
    daemon.until(lambda: below(daemon.inbox) == [])
    assert [Path(planned)] == below(archive)
    assert daemon.count() == len(daemon.query("select crop_id from scores")) == 1


def test_switching_after_on_tidies_what_was_decided_before(daemon: Daemon, pictures: list[Path]) -> None:
    daemon.inbox.mkdir()
    for path in pictures[:20]:
        shutil.copyfile(path, daemon.inbox / path.name)
    (daemon.inbox / "bad.jpg").write_bytes(b"\xff\xd8 no picture")
    daemon.start()
    daemon.until(lambda: daemon.count() == 21)
    assert daemon.stop() == 0
    assert len(below(daemon.inbox)) == 21
    archiving(daemon, "delete")
    daemon.start()
    daemon.until(lambda: [path.name for path in below(daemon.inbox)] == ["bad.jpg"])
    shutil.copyfile(pictures[20], daemon.inbox / pictures[20].name)
    daemon.until(lambda: daemon.count() == 22 and len(below(daemon.inbox)) == 1)
    assert daemon.metrics()['monitor_tidied_files_total{outcome="deleted"}'] == 21
    assert daemon.stop() == 0


def test_an_archived_file_can_be_labelled(
    daemon: Daemon, pictures: list[Path], run_monitor: RunMonitor, tmp_path: Path
) -> None:
    archive = archiving(daemon)
    shutil.copyfile(pictures[0], daemon.inbox / pictures[0].name)
    daemon.start()
    daemon.until(lambda: len(below(archive)) == 1)
    assert daemon.stop() == 0
    done = run_monitor("label", below(archive)[0], "--as", "ne_proliv", environment=daemon.environment)
    assert done.returncode == 0, done.stderr
    assert daemon.query("select crop_id, label from labels") == [(1, "ne_proliv")]
    assert daemon.count() == 1
