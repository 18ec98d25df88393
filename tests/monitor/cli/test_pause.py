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


def listed(monitor: Run, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in monitor("pause", "list", "--format", "json", *options).stdout.splitlines()]


def test_a_pause_is_begun_listed_shown_and_ended(trained: Path, monitor: Run) -> None:
    assert monitor("pause", "list").stderr == "no pause runs; earlier ones: monitor pause list --over\n"
    assert monitor("pause", "list", "--over").stderr == "there are no pauses\n"
    begun = monitor("pause", "--hole", "12", "--for", "1h30m", "--reason", "new\nnozzle", "--author", "anna")
    assert begun.returncode == 0
    assert begun.stdout.startswith(
        "pause 1: alarms of hole 12 of every camera are recorded without notifying anyone until 20"
    )
    assert monitor("pause", "--camera", "C", "--hole", "3", "--for", "2d", "--reason", "x").returncode == 0
    second, first = listed(monitor)
    assert (first["of"], first["author"], first["reason"]) == ("hole 12 of every camera", "anna", "new\\nnozzle")
    assert second["of"] == "hole 3 of camera C"
    assert "hole 12 of every camera" in monitor("pause", "list").stdout
    assert "1: hole 12 of every camera until" in monitor("status").stdout
    assert monitor("pause", "end", "1", "--author", "ben").stdout == (
        "pause 1 is over: alarms of hole 12 of every camera are no longer withheld\n"
    )
    assert [one["id"] for one in listed(monitor)] == [2]
    assert [one["ended_by"] for one in listed(monitor, "--over")] == [None, "ben"]
    twice = monitor("pause", "end", "1")
    assert (twice.returncode, "was ended by ben at" in twice.stderr) == (65, True)
    assert monitor("pause", "end", "9").stderr == "monitor: there is no pause 9; see: monitor pause list --over\n"


def test_alarms_of_a_pause_are_listed_as_not_told(trained: Path, small_dataset: Path, monitor: Run, rows: Rows) -> None:
    (trained / "config.toml").open("a").write('\n[alarms.sinks.office]\nkind = "log"\n')
    assert monitor("pause", "--all", "--for", "45m", "--reason", "lamps").returncode == 0
    assert monitor("score", small_dataset / "proliv", "--as-inbox", "--exit-zero").returncode == 0
    assert rows("select count(*) from alarm_messages") == [(0,)]
    assert "open, not told: pause 1" in monitor("alarms", "list").stdout
    found = [json.loads(line) for line in monitor("alarms", "list", "--format", "json").stdout.splitlines()]
    assert {(one["withheld"], one["pause_id"]) for one in found} == {("pause", 1)}
    assert f"0 open, 0 acknowledged, {len(found)} withheld" in monitor("status").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--for 2h --reason x", "say what to pause: --hole N, --camera NAME or --all"),
        ("--all --hole 3 --for 2h --reason x", "--all is everything; leave out --hole and --camera"),
        ("--all --reason x", "say for how long: --for 2h"),
        ("--all --for 2h", "say why"),
        ("--all --for 2h --reason=", "say why"),
        ("--all --for 2 --reason x", "'2' is not a span of time; write it as 45m, 2h, 1h30m or 1d"),
        ("--all --for 0s --reason x", "is not a span of time"),
        ("--all --for -1h --reason x", "is not a span of time"),
        ("--all --for 8d --reason x", "8d is too long; at most 7 days can be given"),
        ("--all --for 2h list", "the options of a new pause do not go with monitor pause list"),
        ("--hole -1 --for 2h --reason x", "--hole"),
        ("--camera= --for 2h --reason x", "a camera's name has 1 to 200 characters"),
        ("--camera \udcff --for 2h --reason x", "a camera's name has 1 to 200 characters"),
        ("end x", "'x' is not a valid integer range"),
    ],
)
def test_what_cannot_be_a_pause_is_said(trained: Path, monitor: Run, rows: Rows, words: str, said: str) -> None:
    outcome = monitor("pause", *words.split(" "))
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert said in outcome.stderr
    assert rows("select count(*) from alarm_pauses") == [(0,)]
