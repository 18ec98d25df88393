"""What the daemon does with files that are no crops, and with times that no database holds."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from typing import TYPE_CHECKING

from monitor.harness.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon


def test_bad_files_are_recorded_with_their_reason_and_good_ones_go_on(daemon: Daemon, crops: list[Path]) -> None:
    daemon.start()
    inbox = daemon.inbox
    picture = crops[0].read_bytes()
    (inbox / "empty.jpg").touch()
    (inbox / "truncated.jpg").write_bytes(picture[: len(picture) // 2])
    (inbox / "text.jpg").write_text("no picture")
    os.mkfifo(inbox / "pipe.jpg")
    (inbox / "link.jpg").symlink_to("nowhere")
    odd = ["with space.jpg", "quote'\".jpg", "new\nline.jpg", os.fsdecode(b"\xff\xfe.jpg"), "n" * 251 + ".jpg"]
    for name in odd:
        (inbox / name).write_bytes(picture)
    wait_until(lambda: daemon.count() == 5 + len(odd), daemon.text)
    reasons = dict(daemon.query("select path, reason from crops where state = 'failed'"))
    assert {path.rsplit("/", 1)[1]: reason for path, reason in reasons.items()} == {
        "empty.jpg": "empty",
        "truncated.jpg": "truncated",
        "text.jpg": "unknown_format",
        "pipe.jpg": "not_a_file",
        "link.jpg": "symlink",
    }
    assert daemon.query("select count(*) from scores") == [(len(odd),)]
    assert "new\\nline.jpg" in "".join(path for (path,) in daemon.query("select path from crops"))


def test_a_failed_file_is_decided_once_it_is_whole(daemon: Daemon, crops: list[Path]) -> None:
    daemon.start()
    picture = crops[0].read_bytes()
    path = daemon.inbox / "late.jpg"
    path.write_bytes(picture[:300])
    wait_until(lambda: daemon.count("state = 'failed'") == 1, daemon.text)
    path.write_bytes(picture)
    wait_until(lambda: daemon.count("state = 'scored'") == 1, daemon.text)


def test_replaced_content_is_another_crop(daemon: Daemon, crops: list[Path]) -> None:
    daemon.start()
    path = daemon.inbox / "same.jpg"
    shutil.copyfile(crops[0], path)
    wait_until(lambda: daemon.count() == 1, daemon.text)
    shutil.copyfile(crops[1], path)
    wait_until(lambda: daemon.count() == 2, daemon.text)
    assert daemon.query("select count(distinct path), count(distinct sha256) from crops") == [(1, 2)]


def test_failed_files_are_moved_to_the_quarantine(daemon: Daemon) -> None:
    daemon.environment["MONITOR__PATHS__QUARANTINE"] = "quarantine"
    daemon.start()
    (daemon.inbox / "sub").mkdir()
    bad = daemon.inbox / "sub" / "bad.jpg"
    contents = [b"first", b"second", b"first"]
    for content in contents:
        bad.write_bytes(content)
        wait_until(lambda: not bad.exists(), daemon.text)
    folders = [hashlib.sha256(content).hexdigest()[:16] for content in contents[:2]]
    folders.append(f"{folders[0]}-2")
    assert [(daemon.home / "quarantine" / one / "bad.jpg").read_bytes() for one in folders] == contents
    assert daemon.count("state = 'failed'") == 2


def test_nothing_is_written_through_a_link_into_or_out_of_the_quarantine(daemon: Daemon) -> None:
    daemon.environment["MONITOR__PATHS__QUARANTINE"] = "quarantine"
    daemon.start()
    victim = daemon.home / "victim"
    victim.mkdir()
    link = daemon.inbox / "l.jpg"
    link.symlink_to(victim)
    wait_until(lambda: daemon.count("reason = 'symlink'") == 1, daemon.text)
    assert link.is_symlink()
    link.unlink()
    link.mkdir()
    (link / "evil.jpg").write_text("no picture")
    wait_until(lambda: not (link / "evil.jpg").exists(), daemon.text)
    assert list(victim.iterdir()) == []


def test_a_time_beyond_what_a_database_holds_stops_nothing(daemon: Daemon, crops: list[Path]) -> None:
    daemon.start()
    staged = daemon.home / "staged.jpg"
    shutil.copyfile(crops[0], staged)
    os.utime(staged, (10_413_792_000, 10_413_792_000))  # the year 2300
    staged.rename(daemon.inbox / "future.jpg")
    shutil.copyfile(crops[1], daemon.inbox / "today.jpg")
    wait_until(lambda: daemon.count("state = 'scored'") == 2, daemon.text)
    daemon.stop()
    daemon.start()
    time.sleep(1.2)  # two scans, which have to know it again
    assert daemon.metrics()["monitor_crops_seen_total"] == 0
    assert daemon.stop() == 0
