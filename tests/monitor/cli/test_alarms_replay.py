"""Alarms by other rules, from the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def alarmed(trained: Path, small_dataset: Path, monitor: Run) -> Path:
    """The home in which crops were decided as if by the daemon."""
    for part in ("proliv", "test"):
        assert monitor("score", small_dataset / part, "--as-inbox", "--exit-zero").returncode == 0
    return trained


def replayed(monitor: Run, *options: str) -> dict[str, Any]:
    outcome = monitor("alarms", "replay", *options, "--format", "json")
    assert outcome.returncode == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    assert isinstance(found, dict)
    return found


def test_alarms_are_opened_again_and_labels_say_which_are_true(
    alarmed: Path, monitor: Run, rows: Rows, dump: Callable[[], list[str]]
) -> None:
    found = replayed(monitor, "--k", "2")
    ((crops, proliv),) = rows("select count(*), sum(verdict = 'proliv') from crops where state = 'scored'")
    assert (found["crops"], found["proliv"], found["events"], found["truth"]) == (crops, proliv, 0, "labels")
    configured, *others = found["rules"]
    assert configured["unlabelled_alarms"] > 0
    assert [one["n"] for one in others] == [2, 4]
    camera, hole = rows("select camera, hole from crops where verdict = 'proliv' order by captured_at limit 1")[0]
    assert (camera, hole is None) == ("C", False)
    for word, more in (("proliv", f"= {hole}"), ("ne_proliv", f"<> {hole}")):
        for (crop,) in rows(f"select id from crops where verdict = 'proliv' and hole {more}"):
            assert monitor("label", str(crop), "--as", word, "--yes").returncode == 0
    before = dump()
    found = replayed(monitor)
    first = found["rules"][0]
    assert (found["events"] >= 1, first["events_caught"] >= 1, first["true_alarms"] >= 1) == (True, True, True)
    assert first["false_alarms"] > 0
    assert first["unlabelled_alarms"] == 0
    assert dump() == before
    shown = monitor("alarms", "replay").stdout
    assert f"{found['events']} event" in shown
    assert "not told" not in shown


def test_a_span_is_understood_and_an_empty_one_is_said(alarmed: Path, monitor: Run) -> None:
    everything = replayed(monitor, "--since", "2020-01-01")["crops"]
    assert everything > 0
    outcome = monitor("alarms", "replay", "--until", "2020-01-01")
    assert outcome.returncode == 0
    assert "no decision in operation is stored for that span; see: monitor status" in outcome.stderr
    assert "to 2020-01-01 00:00:00+00:00" in outcome.stderr
    assert "store.keep_days" not in outcome.stderr
    assert monitor("alarms", "replay", "--since", "yesterday").returncode == 2
    with (alarmed / "config.toml").open("a", encoding="utf-8") as file:
        file.write("[store]\nkeep_days = 400\n")
    assert "older than 400 days (store.keep_days) counts only in part" in monitor("alarms", "replay").stderr
    assert "store.keep_days" not in monitor("alarms", "replay", "--since", "2999-01-01").stderr
    assert "--n must be at least --k" in monitor("alarms", "replay", "--k", "3", "--n", "2").stderr


def test_what_was_withheld_and_the_rules_of_phases_are_shown(trained: Path, small_dataset: Path, monitor: Run) -> None:
    with (trained / "config.toml").open("a", encoding="utf-8") as file:
        file.write("[alarms.phases.start]\nk = 2\nn = 3\n")
    assert monitor("cast", "start", "4711").returncode == 0
    assert monitor("pause", "--all", "--for", "1h", "--reason", "a test").returncode == 0
    assert monitor("score", small_dataset / "proliv", "--as-inbox", "--exit-zero").returncode == 0
    found = replayed(monitor, "--k", "1")
    configured, always = found["rules"]
    assert configured["phases"] == {"start": {"k": 2, "n": 3, "within_seconds": 10.0}}
    assert always["phases"] == {}
    assert always["withheld_alarms"] > configured["withheld_alarms"] > 0
    assert [always[name] for name in ("true_alarms", "false_alarms", "unlabelled_alarms")] == [0, 0, 0]
    shown = monitor("alarms", "replay", "--k", "1").stdout
    assert " configured; its own in start\n" in shown
    assert "not told: all such alarms; true, false and unlabelled count the others." in shown
