"""Options that several commands share work in each, and so do the words of earlier versions for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.command_tree import commands

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


def out(outcome: subprocess.CompletedProcess[str]) -> str:
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_the_labelled_folder_is_named_as_before_or_by_an_option(pair: Path, monitor: Run, small_dataset: Path) -> None:
    for command in ("evaluate", "compare"):
        assert out(monitor(command, "--data", small_dataset)) == out(monitor(command, small_dataset))
        twice = monitor(command, "--data", small_dataset, "other")
        assert (twice.returncode, "given twice" in twice.stderr, "give --data alone" in twice.stderr) == (2, True, True)
        without = monitor(command)
        assert (without.returncode, "name the labelled folder: --data DIR" in without.stderr) == (2, True)


@pytest.mark.parametrize("path", ["monitor evaluate", "monitor compare"])
def test_what_earlier_versions_took_is_not_shown(path: str) -> None:
    context = commands()[path]
    assert context.get_usage().endswith("[OPTIONS]")
    assert "EARLIER_DATA" not in context.get_help().upper()


def test_several_models_are_evaluated_side_by_side(pair: Path, monitor: Run, small_dataset: Path) -> None:
    one = json.loads(out(monitor("evaluate", "--data", small_dataset, "--model", "ae", "--format", "json")))
    models = ("--model", "ae", "--model", "brightness")
    both = json.loads(out(monitor("evaluate", "--data", small_dataset, *models, "--format", "json")))
    assert [report["detector"] for report in both] == ["ae", "brightness"]
    assert both[0] == one
    assert out(monitor("evaluate", "--data", small_dataset, *models)).startswith("model ")
    missing = monitor("evaluate", "--data", small_dataset, "--rules", *models)
    assert missing.returncode in {0, 4}


def test_text_is_still_called_a_table(trained: Path, monitor: Run) -> None:
    assert out(monitor("models", "list", "--format", "table")) == out(monitor("models", "list", "--format", "text"))


def test_lists_end_where_they_are_told_to(pair: Path, monitor: Run) -> None:
    models = out(monitor("models", "list")).splitlines()
    assert len(models) == 2
    assert out(monitor("models", "list", "--limit", "1")).splitlines() == models[:1]
    thresholds = out(monitor("threshold", "list", "--format", "json")).splitlines()
    assert len(thresholds) == 2
    for option in ("--limit", "--most"):
        assert out(monitor("threshold", "list", option, "1", "--format", "json")).splitlines() == thresholds[:1]
    both = ("--model", "ae", "--model", "brightness")
    assert out(monitor("threshold", "list", *both, "--format", "json")).splitlines() == thresholds
    (one,) = out(monitor("threshold", "list", "--model", "ae", "--format", "json")).splitlines()
    assert json.loads(one)["model"].startswith("ae-")


def test_lists_of_labels_end_where_they_are_told_to(trained: Path, monitor: Run, small_dataset: Path) -> None:
    out(monitor("score", small_dataset / "test" / "ne_proliv", "--as-inbox", "--exit-zero"))
    out(monitor("label", "1", "2", "3", "--as", "ne_proliv"))
    listed = out(monitor("labels", "list")).splitlines()
    assert len(listed) == 3
    assert out(monitor("labels", "list", "--limit", "2")).splitlines() == listed[1:]
    drawn = out(monitor("label", "--audit", "4")).splitlines()
    assert out(monitor("label", "--audit-open", "--limit", "3")).splitlines() == drawn[:3]
    for words in (("1", "--as", "proliv"), ("--audit", "2")):
        refused = monitor("label", *words, "--limit", "3")
        assert (refused.returncode, "--limit goes with --audit-open" in refused.stderr) == (2, True)


def test_the_status_names_some_and_counts_the_others(
    trained: Path, monitor: Run, change: Callable[[str], None]
) -> None:
    moment = "'2026-01-01 00:00:00.000000'"
    for process in range(25):
        change(
            "insert into daemons (host, process, version, inbox, started_at, seen_at) "
            f"values ('elsewhere', {process}, '1', '/inbox', {moment}, {moment})"
        )
    lines = [line for line in out(monitor("status")).splitlines() if line.startswith("daemon ")]
    assert len(lines) == 21
    assert lines[-1] == "daemon         and 6 more: add --limit 26"
    assert len([line for line in out(monitor("status", "--limit", "26")).splitlines() if line[:7] == "daemon "]) == 26
    assert len(json.loads(out(monitor("status", "--format", "json")))["daemons"]) == 25
