"""What `monitor evaluate` prints, read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


OUTLOOK = {"tpr_low_at_best", "tpr_low_wanted", "proliv_needed"}

EVENTS = {
    *("proliv_events", "proliv_events_caught", "proliv_without_time"),
    *("event_tpr", "event_tpr_low", "event_tpr_high"),
}

KEYS = {
    *OUTLOOK,
    *EVENTS,
    *("tp", "fp", "tn", "fn", "tpr", "tnr", "balanced_accuracy", "roc_auc"),
    *("tpr_low", "tpr_high", "tnr_low", "tnr_high", "threshold", "model", "detector", "n"),
}


def evaluated(monitor: Run, *arguments: str | Path) -> dict[str, Any]:
    outcome = monitor("evaluate", *arguments, "--format", "json")
    assert outcome.returncode == 0, outcome.stderr
    (line,) = outcome.stdout.splitlines()
    report = json.loads(line)
    assert isinstance(report, dict)
    return report
