"""``monitor alarms test`` with real receivers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

SINKS = """
[alarms.sinks.shift]
kind = "command"
command = ["/bin/sh", "-c", "cat > got; echo $MONITOR_MESSAGE_KIND $MONITOR_ALARM_ID >> got"]

[alarms.sinks.broken]
kind = "command"
command = ["/bin/sh", "-c", "echo no line >&2; exit 3"]
"""


@pytest.mark.process
def test_a_receiver_gets_the_test_or_it_is_said_why_not(home: Path, monitor: Run) -> None:
    missing = monitor("alarms", "test", "siren")
    assert missing.returncode == 2
    assert "there is no sink 'siren'; no sink is configured; see [alarms.sinks]" in missing.stderr
    with (home / "config.toml").open("a", encoding="utf-8") as file:
        file.write(SINKS)
    assert "there is no sink 'siren'; configured are: broken, shift" in monitor("alarms", "test", "siren").stderr
    taken = monitor("alarms", "test", "shift")
    assert taken.returncode == 0
    assert taken.stdout.startswith("sink shift: has taken the test after ")
    body, environment = (home / "got").read_text(encoding="utf-8").splitlines()
    assert (json.loads(body)["kind"], environment) == ("test", "test 0")
    shown = json.loads(monitor("alarms", "test", "shift", "--format", "json").stdout)
    assert (shown["sink"], shown["kind"], shown["seconds"] >= 0) == ("shift", "command", True)
    refused = monitor("alarms", "test", "broken")
    assert (refused.returncode, refused.stdout) == (69, "")
    assert refused.stderr.startswith("monitor: sink broken: has not taken the test, after ")
    assert refused.stderr.endswith("sh: ended with 3: no line\n")
    # It needs no database, and makes none.
    assert not (home / "state").exists()
