"""A unit for folders and a configuration with every character that systemd could misread, and the service under it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from tests.system.conftest import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.container import Container

UNIT: Final = "monitor-odd.service"
# Quotes, escapes, specifiers (%h: the home of root), comments, separators, patterns and letters of two alphabets.
ODD: Final = """a "b" 'c' %h 5$ ;#: \\x41\\ [a]* Ж"""
STATE: Final = "/var/lib/monitor odd%h"
# A configuration refuses variables in its paths, but its own may have some.
FOLDER: Final = f"/etc/{ODD} $HOME ${{HOME}}"
INBOX: Final = f"/home/{ODD}/inbox"
ARCHIVE: Final = f"/srv/{ODD}/archive"
CONFIGURATION: Final = f"""\
[paths]
inbox = '''{INBOX}'''
archive = '''{ARCHIVE}'''
state = '{STATE}'
labelled = ''

[inbox]
after = "archive"

[watch]
scan_seconds = 0.5

[calibration]
nightly = false
"""


def test_the_service_reads_moves_and_stores_below_odd_names(
    machine: Container, trained_state: Path, small_dataset: Path
) -> None:
    for folder in (INBOX, ARCHIVE, FOLDER):
        machine.run("mkdir", "--parents", folder)
    for folder in (INBOX, ARCHIVE):
        machine.run("chown", "camera:camera", folder)
        machine.run("chmod", "2770", folder)
    machine.write(f"{FOLDER}/{ODD}.toml", CONFIGURATION)
    machine.write(f"{FOLDER}/{ODD}.environment", "MONITOR__METRICS__PORT=9475\n", 0o600)
    shutil.copytree(trained_state, machine.path(STATE))
    deploy = ("deploy", "systemd", "--output", "/run/systemd/system", "--name", "monitor-odd", "--group", "camera")
    machine.run(PROGRAM, "--config", f"{FOLDER}/{ODD}.toml", *deploy)
    verified = machine.run("systemd-analyze", "verify", f"/run/systemd/system/{UNIT}")
    assert verified.stderr == ""
    machine.run("systemctl", "daemon-reload")
    started = machine.run("systemctl", "start", UNIT, check=False)
    assert started.returncode == 0, machine.messages(UNIT)
    try:
        assert "http://127.0.0.1:9475/metrics" in machine.messages(UNIT)
        crop = min((small_dataset / "train").glob("*.jpg"))
        hidden = machine.path(f"{INBOX}/.{crop.name}")
        shutil.copyfile(crop, hidden)
        hidden.rename(hidden.with_name(crop.name))
        archive = machine.path(ARCHIVE)
        machine.wait_until(lambda: any(archive.rglob(crop.name)), UNIT)
        database = machine.disk(f"/var/lib/private/{STATE.rpartition('/')[2]}/monitor.db")
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            ((path,),) = connection.execute("select path from crops").fetchall()
        assert path == f"{INBOX}/{crop.name}".replace("\\", "\\\\")
    finally:
        machine.run("systemctl", "stop", UNIT)
