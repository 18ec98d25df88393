"""The labelled folder under the daemon as a real process."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon


@pytest.fixture(autouse=True)
def with_quarantine(daemon: Daemon) -> None:
    daemon.environment["MONITOR__PATHS__QUARANTINE"] = "quarantine"


@pytest.fixture(scope="module")
def crops(small_dataset: Path) -> list[Path]:
    return sorted((small_dataset / "train").glob("*.jpg"))


LABELS = "select crops.source, crops.path, labels.label, labels.source, labels.author from labels join crops on crops.id = crop_id order by labels.id"  # noqa: E501
FILES = "select path, label, crop_id from labelled_files order by path"


def test_labels_go_to_known_crops_and_unknown_ones_become_crops(daemon: Daemon, crops: list[Path]) -> None:
    daemon.start()
    seen = daemon.inbox / "seen.jpg"
    shutil.copyfile(crops[0], seen)
    daemon.until(lambda: daemon.query("select count(*) from crops") == [(1,)])
    first = daemon.labelled / "proliv" / "another name.jpg"
    shutil.copyfile(crops[0], first)
    daemon.until(lambda: len(daemon.query(LABELS)) == 1)
    second = daemon.labelled / "ne_proliv" / "2024" / "may" / crops[1].name
    second.parent.mkdir(parents=True)
    shutil.copyfile(crops[1], second)
    daemon.until(lambda: len(daemon.query(LABELS)) == 2)
    labels = [
        ("inbox", str(seen), "proliv", "folder", None),
        ("labelled", str(second), "ne_proliv", "folder", None),
    ]
    assert daemon.query(LABELS) == labels
    assert daemon.query("select count(*), count(verdict) from crops") == [(2, 2)]
    assert daemon.query("select count(*) from scores") == [(2,)]
    assert daemon.query(FILES) == [(str(second), "ne_proliv", 2), (str(first), "proliv", 1)]

    # The newest label counts, and a file that was moved lies in one folder.
    moved = daemon.labelled / "ne_proliv" / "moved.jpg"
    first.rename(moved)
    daemon.until(lambda: len(daemon.query(LABELS)) == 3)
    labels.append(("inbox", str(seen), "ne_proliv", "folder", None))
    files = [(str(second), "ne_proliv", 2), (str(moved), "ne_proliv", 1)]
    assert daemon.query(LABELS) == labels
    assert daemon.query(FILES) == files

    # Touched files, scans and a restart add nothing.
    os.utime(second)
    second.open("ab").close()
    time.sleep(1.2)
    assert daemon.stop() == 0
    daemon.start()
    time.sleep(1.2)
    assert daemon.query(LABELS) == labels
    assert daemon.query(FILES) == files

    # A file that is gone is forgotten at the next start, its label is not.
    assert daemon.stop() == 0
    second.unlink()
    daemon.start()
    daemon.until(lambda: daemon.query(FILES) == files[1:])
    assert daemon.query(LABELS) == labels
    assert daemon.query("select count(*) from crops") == [(2,)]
    assert daemon.stop() == 0


def test_labelled_files_raise_no_alarm_are_not_counted_and_stay(daemon: Daemon, small_dataset: Path) -> None:
    daemon.start()
    largest = max((small_dataset / "proliv").glob("*.jpg"), key=lambda crop: crop.stat().st_size)
    folder = daemon.labelled / "proliv"
    shutil.copyfile(largest, folder / "alarm.jpg")
    bad = folder / "text.jpg"
    bad.write_text("no picture")
    for stray in (daemon.labelled / "stray.jpg", daemon.labelled / "unsure" / "stray.jpg"):
        stray.parent.mkdir(exist_ok=True)
        shutil.copyfile(largest, stray)
    daemon.until(lambda: daemon.query("select count(*) from labelled_files") == [(2,)])
    assert daemon.query("select source, verdict from crops") == [("labelled", "proliv")]
    assert daemon.query("select reason, crop_id from labelled_files where reason is not null") == [
        ("unknown_format", None)
    ]
    bad.open("ab").close()
    time.sleep(2.5)  # scans, and the time after which the file is given up
    text = daemon.text()
    assert "proliv: hole" not in text
    assert text.count("text.jpg: its content is not JPEG") == 1
    assert text.count("labelled/stray.jpg: is neither in") == 1
    assert text.count("labelled/unsure/stray.jpg: is neither in") == 1
    assert bad.exists()
    metrics = daemon.metrics()
    for name in ("seen", "scored", "retried"):
        assert metrics[f"monitor_crops_{name}_total"] == 0
    assert sum(value for name, value in metrics.items() if name.startswith("monitor_crops_failed_total")) == 0
    assert metrics["monitor_decision_latency_seconds_count"] == 0
    assert metrics['monitor_decisions_total{detector="ae",verdict="proliv"}'] == 0
    # Replaced by a picture, it counts.
    shutil.copyfile(min((small_dataset / "proliv").glob("*.jpg")), bad)
    daemon.until(lambda: daemon.query("select count(*) from labels") == [(2,)])
    assert daemon.query("select count(*) from labelled_files where reason is not null") == [(0,)]
    # The camera's file of the same content is a crop of its own, which is counted and told.
    shutil.copyfile(largest, daemon.inbox / "alarm.jpg")
    daemon.until(lambda: "proliv: hole" in daemon.text())
    assert daemon.query("select source, count(*) from crops group by source order by source") == [
        ("inbox", 1),
        ("labelled", 2),
    ]
    assert daemon.metrics()["monitor_crops_scored_total"] == 1
    assert daemon.stop() == 0


def test_without_a_labelled_folder_there_is_none(daemon: Daemon, crops: list[Path]) -> None:
    daemon.environment["MONITOR__PATHS__LABELLED"] = ""
    daemon.labelled = daemon.home / "other"
    (daemon.labelled / "ne_proliv").mkdir(parents=True)
    daemon.start()
    shutil.copyfile(crops[0], daemon.inbox / "crop.jpg")
    daemon.until(lambda: daemon.query("select count(*) from crops") == [(1,)])
    assert not (daemon.home / "labelled").exists()
    assert daemon.stop() == 0
