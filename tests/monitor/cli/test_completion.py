"""Commands and options are completed in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import RunMonitor
    from tests.monitor.cli.conftest import Run


pytestmark = pytest.mark.process  # click asks bash for its version


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_this_program(monitor: Run, shell: str) -> None:
    printed = monitor("completion", shell)
    assert printed.returncode == 0, printed.stderr
    assert f"_MONITOR_COMPLETE={shell}_complete" in printed.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [("monitor sta", "status"), ("monitor labels exp", "export"), ("monitor score --no", "--no-store")],
)
def test_what_may_follow_is_told(run_monitor: RunMonitor, words: str, expected: str) -> None:
    asked = {
        "_MONITOR_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    assert f"plain,{expected}" in run_monitor(environment=asked).stdout.splitlines()
