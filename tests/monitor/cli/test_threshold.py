from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run

ACTIVE = "select threshold, origin, reason from calibrations where state = 'active'"


@pytest.fixture
def threshold(trained: Path, rows: Rows) -> float:
    """The active threshold of a trained model."""
    ((value, _, _),) = rows(ACTIVE)
    assert isinstance(value, float)
    return value


def test_set_shows_lists_and_rolls_back(monitor: Run, rows: Rows, threshold: float) -> None:
    new = threshold * 1.2
    outcome = monitor("threshold", "set", new, "--why", "new lamps")
    assert outcome.returncode == 0
    assert f"threshold {new:.6g}, before {threshold:.6g} by fixed" in outcome.stdout
    assert rows(ACTIVE) == [(new, "set", "new lamps")]
    (shown,) = json.loads(monitor("threshold", "show", "--format", "json").stdout)
    assert (shown["active"]["threshold"], shown["active"]["reason"]) == (new, "new lamps")
    assert "why          new lamps" in monitor("threshold", "show").stdout
    listed = [json.loads(line) for line in monitor("threshold", "list", "--format", "json").stdout.splitlines()]
    assert [(one["id"], one["state"], one["rule"]) for one in listed] == [
        (2, "active", "fixed"), (1, "superseded", "quantile-midpoint"),
    ]  # fmt: skip
    back = monitor("threshold", "rollback")
    assert back.returncode == 0
    assert "is active again, not " in back.stdout
    assert [row[0] for row in rows(ACTIVE)] == [threshold]
    assert rows("select state from calibrations where id = 2") == [("rolled_back",)]
    again = monitor("threshold", "rollback")
    assert again.returncode == 4
    assert "had no threshold before the present one; see: monitor threshold list" in again.stderr


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-0.5", "high", "", "1e999"])
def test_what_is_no_threshold_is_refused_with_a_sentence(
    monitor: Run, rows: Rows, threshold: float, value: str
) -> None:
    outcome = monitor("threshold", "set", "--why", "x", "--", value)
    assert outcome.returncode == 2
    assert ("is not a number; a threshold is one such as" in outcome.stderr) or (
        "is not a threshold; it must be a finite number that is not negative" in outcome.stderr
    )
    assert [row[0] for row in rows(ACTIVE)] == [threshold]


def test_a_reason_is_needed(monitor: Run, threshold: float) -> None:
    outcome = monitor("threshold", "set", threshold)
    assert outcome.returncode == 2
    assert "--why" in outcome.stderr


def test_a_jump_by_hand_needs_to_be_accepted(monitor: Run, rows: Rows, threshold: float) -> None:
    far = threshold * 3
    outcome = monitor("threshold", "set", far, "--why", "typing error")
    assert outcome.returncode == 65
    assert "refused (large_jump)" in outcome.stderr
    assert monitor("threshold", "set", far, "--why", "meant", "--accept").returncode == 0
    assert rows(ACTIVE) == [(far, "set", "meant")]


def test_diff_shows_the_crops_whose_verdict_would_change(
    monitor: Run, rows: Rows, threshold: float, small_dataset: Path
) -> None:
    assert monitor("score", small_dataset / "test", "--exit-zero").returncode == 0
    scores = [score for (score,) in rows("select score from scores")]
    new = sorted(scores)[len(scores) // 3]
    expected = sum(min(new, threshold) <= score < max(new, threshold) for score in scores)
    assert expected > 3
    outcome = monitor("threshold", "diff", "active", repr(new), "--format", "json")
    report = json.loads(outcome.stdout)
    assert (report["changed"], report["becomes"]) == (expected, "proliv" if new < threshold else "ne_proliv")
    near = [crop["score"] for crop in report["nearest"]]
    assert len(near) == min(expected, 10)
    assert near == sorted(near, key=lambda score: abs(score - new))
    text = monitor("threshold", "diff", "#1", repr(new))
    assert f"{expected} stored crops become" in text.stdout
    assert monitor("threshold", "diff", "active", "active").stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("shadow", "has no shadow threshold"), ("#99", "there is no calibration 99"), ("nan", "is not a threshold")],
)
def test_diff_of_what_there_is_not(monitor: Run, threshold: float, name: str, sentence: str) -> None:
    outcome = monitor("threshold", "diff", "active", name)
    assert outcome.returncode in (2, 65)
    assert sentence in outcome.stderr


def test_replay_at_the_active_threshold_gives_every_stored_verdict_again(
    monitor: Run, rows: Rows, threshold: float, small_dataset: Path
) -> None:
    assert monitor("score", small_dataset / "test", "--exit-zero").returncode == 0
    report = json.loads(monitor("replay", "--format", "json").stdout)
    assert (report["threshold"], report["to_proliv"], report["to_ne_proliv"]) == (threshold, 0, 0)
    assert rows("select count(*), sum(verdict = 'proliv') from scores") == [(report["crops"], report["proliv"])]


def test_replay_of_another_threshold_with_rates_on_what_is_labelled(
    monitor: Run, rows: Rows, threshold: float, small_dataset: Path
) -> None:
    assert monitor("score", small_dataset / "test", "--exit-zero").returncode == 0
    for label in ("proliv", "ne_proliv"):
        pattern = f"{small_dataset}/test/{label}/*"
        assert monitor("label", pattern, "--as", label, "--yes").returncode == 0
    assert threshold > 0
    report = json.loads(monitor("replay", "--threshold", "0", "--format", "json").stdout)
    assert report["proliv"] == report["crops"]
    assert (report["labelled"]["tpr"], report["labelled"]["tnr"]) == (1.0, 0.0)
    evaluated = json.loads(monitor("evaluate", small_dataset, "--format", "json").stdout)
    again = json.loads(monitor("replay", "--format", "json").stdout)["labelled"]
    assert {key: again[key] for key in ("tp", "fp", "tn", "fn", "tpr", "tnr", "tpr_low", "tnr_high")} == {
        key: evaluated[key] for key in ("tp", "fp", "tn", "fn", "tpr", "tnr", "tpr_low", "tnr_high")
    }
    text = monitor("replay", "--rule", "tpr-at-least", "--set", "tpr=1.0")
    assert text.returncode == 0
    assert "TPR 1.0000 (95 % interval" in text.stdout
    nothing = json.loads(monitor("replay", "--until", "2000-01-01", "--format", "json").stdout)
    assert (nothing["crops"], nothing["labelled"]["tpr"]) == (0, None)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--threshold", "1", "--rule", "f1"), "give either --threshold or --rule"),
        (("--threshold", "nan"), "nan is not a threshold"),
        (("--since", "yesterday"), "'yesterday' is not a time; write it as 2024-05-01T14:30"),
        (("--rule", "nix"), "there is no rule 'nix'"),
    ],
)
def test_wrong_words_of_replay(monitor: Run, threshold: float, options: tuple[str, ...], sentence: str) -> None:
    outcome = monitor("replay", *options)
    assert outcome.returncode in (2, 78)
    assert sentence in outcome.stderr
    assert math.isfinite(threshold)
