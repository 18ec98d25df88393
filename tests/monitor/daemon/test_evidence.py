"""The daemon as a real process: what alarms were decided on stays, though files are deleted, whatever kills it."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.disks import below

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon

EVIDENCE = """
select crops.path, crops.sha256, alarm_evidence.role, kept_crops.state, kept_contents.content
from alarm_evidence join crops on crops.id = alarm_evidence.crop_id
left join kept_crops on kept_crops.crop_id = crops.id
left join kept_contents on kept_contents.sha256 = kept_crops.sha256
order by crops.id
"""
DUE = "select count(*) from kept_crops where state = 'due'"


@pytest.fixture(scope="module")
def ordinary(small_dataset: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((small_dataset / "train").glob("*.jpg"))]


@pytest.fixture(scope="module")
def proliv(small_dataset: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((small_dataset / "proliv").glob("*.jpg"))]


def put(daemon: Daemon, hole: int, second: int, content: bytes) -> bytes:
    """Let the camera write a crop, another one each time; returns its content."""
    # What follows the end mark belongs to no picture.
    content += b"%d %d" % (hole, second) + b"\xff\xd9"
    name = f"{hole}_CAM_C_01-03-2023_05-{second // 60:02}-{second % 60:02}-0.jpg"
    (daemon.inbox / f".{name}").write_bytes(content)
    (daemon.inbox / f".{name}").rename(daemon.inbox / name)
    return content


def test_alarms_keep_their_crops_although_the_daemon_is_killed_again_and_again(
    daemon: Daemon, ordinary: list[bytes], proliv: list[bytes]
) -> None:
    daemon.environment["MONITOR__INBOX__AFTER"] = "delete"
    daemon.environment["MONITOR__PIPELINE__BATCH_SIZE"] = "4"
    # One alarm for each hole.
    daemon.environment["MONITOR__ALARMS__TABLE_SHARE"] = "1"
    daemon.inbox.mkdir(exist_ok=True)
    stored = 0
    for hole in range(1, 9):
        process = daemon.start()
        for second in range(5):
            put(daemon, hole, 10 * hole + second, ordinary[second])
            stored += 1
            # In their order, so that it is known which were the last ones.
            daemon.until(lambda: daemon.count() == stored)  # noqa: B023 - it is called at once
        put(daemon, hole, 10 * hole + 5, proliv[hole])
        stored += 1
        # At once after the commit, some at rest.
        daemon.until(lambda: daemon.count() == stored and (hole % 4 > 0 or not below(daemon.inbox)))  # noqa: B023
        process.kill()
        process.wait()
    daemon.start()
    daemon.until(lambda: not below(daemon.inbox) and daemon.query(DUE) == [(0,)])
    assert daemon.stop() == 0
    rows = daemon.query(EVIDENCE)
    proved = daemon.query("select count(*) from crops where verdict = 'proliv' and source = 'inbox'")[0][0]
    assert proved >= 8
    assert daemon.query(
        "select count(*) from crops where verdict = 'proliv' and id not in (select crop_id from alarm_crops)"
    ) == [(0,)]
    opened = [row for row in rows if row[2] == "opened"]
    assert len(opened) == daemon.query("select count(*) from alarms")[0][0] >= 8
    assert len(rows) > 3 * len(opened)
    assert "gone" not in {state for *_, state, _ in rows}
    assert all(
        state == "kept" and hashlib.sha256(content).hexdigest() == digest for _, digest, _, state, content in rows
    )
    # Of each hole the last few lie aside, for the next alarm.
    assert len(below(daemon.home / "state" / "recent")) == 8 * 3


def test_a_label_keeps_the_crop_of_a_deleted_file_while_it_lies_aside(
    daemon: Daemon, ordinary: list[bytes], small_dataset: Path
) -> None:
    daemon.environment["MONITOR__INBOX__AFTER"] = "delete"
    daemon.start()
    contents = {put(daemon, 3, second, ordinary[second]) for second in range(2)}
    daemon.until(lambda: daemon.count() == 2 and not below(daemon.inbox))
    target = daemon.home / "labelled" / "ne_proliv"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(next((small_dataset / "train").glob("*.jpg")), target / "new.jpg")
    daemon.until(lambda: daemon.query("select state from kept_crops") == [("kept",)])
    done = daemon.command("label", "--hole", "3", "--as", "ne_proliv", "--yes")
    assert done.returncode == 0, done.stderr
    kept = {content for (content,) in daemon.query("select content from kept_contents")}
    assert contents < kept
    assert len(kept) == 3
    assert daemon.stop() == 0
