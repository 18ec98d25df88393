"""The daemon decides without the kernel's file events, whatever keeps it from them, and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.disks import make_deep_folder, remove_deep_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon

# Of what a user may have few: how many do not suffice for the folders and their sub-folders, and the error's words.
LIMITS = {"instances": (0, "[Errno 24] inotify instance"), "watches": (2, "[Errno 28] inotify watch")}


@pytest.mark.parametrize("trouble", ["instances", "watches", "a folder 1,000 levels deep"])
def test_crops_are_decided_without_file_events(
    daemon: Daemon, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    crop = next((small_dataset / "train").glob("*.jpg"))
    daemon.inbox.mkdir()
    if trouble in LIMITS:
        (daemon.inbox / "folder" / "folder").mkdir(parents=True)
        monkeypatch.setattr(sys, "executable", with_few(trouble, tmp_path))
    else:
        folder = make_deep_folder(daemon.inbox, 1000)
        shutil.copyfile(crop, f"/proc/self/fd/{folder}/deep.jpg")
        os.close(folder)
    daemon.start()
    shutil.copyfile(crop, daemon.inbox / crop.name)
    expected = 1 if trouble in LIMITS else 2
    daemon.until(lambda: daemon.count("state = 'scored'") == expected)
    daemon.until(lambda: daemon.metrics()['monitor_scans_total{folder="inbox",outcome="done"}'] >= 3)
    metrics = daemon.metrics()
    assert metrics["monitor_backlog_crops"] == 0
    if trouble in LIMITS:
        assert metrics['monitor_file_events{folder="inbox"}'] == 0
        assert metrics['monitor_file_events{folder="labelled"}'] == 0
        assert daemon.text().count(f"{daemon.inbox}: the kernel gives no file events") == 1
        assert f"({LIMITS[trouble][1]} limit reached); crops" in daemon.text()
    assert metrics['monitor_scans_total{folder="inbox",outcome="failed"}'] == 0
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()
    remove_deep_folder(daemon.inbox)


def with_few(things: str, folder: Path) -> str:
    """A program that runs Python as a user of its own who may have few inotify instances or watches."""
    limit = f"echo {LIMITS[things][0]} > /proc/sys/user/max_inotify_{things}"
    if subprocess.run(["unshare", "-U", "-r", "sh", "-c", limit], capture_output=True).returncode != 0:
        pytest.skip("a user namespace is needed, which may not be made here")
    program = folder / "python-with-few"
    program.write_text(f"""#!/bin/sh
exec unshare -U -r sh -c '{limit} && exec "$0" "$@"' {sys.executable} "$@"
""")
    program.chmod(0o755)
    return str(program)
