from __future__ import annotations

import json
import shutil
from math import comb
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]

KEYS = {
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


def at_least(successes: int, trials: int, share: float) -> float:
    """The chance of so many successes or more: the tail by which Clopper and Pearson define their bounds."""
    return sum(comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(successes, trials + 1))


def test_the_keys_of_the_report(trained: Path, monitor: Run, small_dataset: Path) -> None:
    assert evaluated(monitor, small_dataset).keys() == KEYS


def test_the_figures_are_those_of_the_printed_scores(trained: Path, monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("score", small_dataset / "test", "--no-store", "--exit-zero", "--format", "json")
    lines = [json.loads(line) for line in outcome.stdout.splitlines()]
    proliv = [line for line in lines if line["file"].startswith("proliv/")]
    normal = [line for line in lines if line["file"].startswith("ne_proliv/")]
    tp, fp = (sum(line["verdict"] == "proliv" for line in part) for part in (proliv, normal))
    # Both kinds of mistake are needed for the figures to be told apart.
    assert tp > 0
    assert 0 < fp < len(normal)
    wins = [
        (one["score"] > other["score"]) + 0.5 * (one["score"] == other["score"]) for one in proliv for other in normal
    ]
    report = evaluated(monitor, small_dataset)
    assert {key: report[key] for key in ("tp", "fn", "fp", "tn", "n", "model", "detector", "threshold")} == {
        "tp": tp,
        "fn": len(proliv) - tp,
        "fp": fp,
        "tn": len(normal) - fp,
        "n": len(lines),
        "model": lines[0]["model"],
        "detector": "ae",
        "threshold": lines[0]["threshold"],
    }
    assert report["tpr"] == pytest.approx(tp / len(proliv))
    assert report["tnr"] == pytest.approx(1 - fp / len(normal))
    assert report["balanced_accuracy"] == pytest.approx((tp / len(proliv) + 1 - fp / len(normal)) / 2)
    assert report["roc_auc"] == pytest.approx(sum(wins) / len(wins))
    for share, successes, trials in (("tpr", tp, len(proliv)), ("tnr", len(normal) - fp, len(normal))):
        low, high = report[f"{share}_low"], report[f"{share}_high"]
        assert low <= report[share] <= high
        assert at_least(successes, trials, low) == pytest.approx(0.025)
        assert at_least(successes + 1, trials, high) == pytest.approx(0.975) if successes < trials else high == 1


def test_nothing_is_stored(trained: Path, monitor: Run, dump: Callable[[], list[str]], small_dataset: Path) -> None:
    before = dump()
    files = sorted(trained.rglob("*"))
    evaluated(monitor, small_dataset)
    assert dump() == before
    assert sorted(trained.rglob("*")) == files


def test_every_layout_gives_the_same_figures(trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path) -> None:
    annotated = tmp_path / "annotated"
    (annotated / "imgs").mkdir(parents=True)
    lines = []
    for label, digit in (("proliv", 1), ("ne_proliv", 0)):
        for path in (small_dataset / "test" / label).iterdir():
            shutil.copy(path, annotated / "imgs" / f"{digit}-{path.name}")
            lines.append(f"{digit}-{path.name} {digit}\n")
    (annotated / "test_annotation.txt").write_text("".join(lines), encoding="utf-8")
    reports = [evaluated(monitor, folder) for folder in (small_dataset, small_dataset / "test", annotated)]
    assert reports[1:] == reports[:1] * 2


def test_the_table_says_the_same(trained: Path, monitor: Run, small_dataset: Path) -> None:
    report = evaluated(monitor, small_dataset)
    table = monitor("evaluate", small_dataset).stdout
    assert f"model              {report['model']}" in table
    assert f"{report['tpr']:.4f}  (95 % interval {report['tpr_low']:.4f} to {report['tpr_high']:.4f})" in table
    assert f"{report['tn']} passed, {report['fp']} false alarms" in table


def test_a_model_by_name(trained: Path, monitor: Run, small_dataset: Path) -> None:
    active = evaluated(monitor, small_dataset)
    other = monitor("train", "ae", "--data", small_dataset, "--seed", "7", "--set", "epochs=1").stdout.strip()
    uncalibrated = monitor("evaluate", small_dataset, "--model", other)
    assert uncalibrated.returncode == 4
    assert f"{other} has no threshold yet; choose it: monitor calibrate --model {other}" in uncalibrated.stderr
    monitor("calibrate", "--model", other, "--data", small_dataset)
    assert evaluated(monitor, small_dataset)["model"] == other
    assert evaluated(monitor, small_dataset, "--model", active["model"]) == active
    unknown = monitor("evaluate", small_dataset, "--model", "nix")
    assert (unknown.returncode, unknown.stdout) == (4, "")


def test_crops_that_cannot_be_read_are_not_counted_and_said(
    trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_dataset / "test", tmp_path / "test")
    (tmp_path / "test" / "proliv" / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    outcome = monitor("evaluate", tmp_path, "--format", "json")
    assert json.loads(outcome.stdout) == evaluated(monitor, small_dataset)
    assert f"{tmp_path}/test/proliv/cut.jpg: " in outcome.stderr
    assert "1 of 41 labelled crops could not be read and are not counted" in outcome.stderr


def test_one_label_alone(trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(small_dataset / "test" / "ne_proliv", tmp_path / "test" / "ne_proliv")
    (tmp_path / "test" / "proliv").mkdir()
    report = evaluated(monitor, tmp_path)
    assert report["tnr"] is not None
    assert [report[key] for key in ("tpr", "tpr_low", "tpr_high", "roc_auc", "balanced_accuracy")] == [None] * 5
    assert "ROC AUC            unknown" in monitor("evaluate", tmp_path).stdout


def test_folders_that_cannot_be_evaluated(trained: Path, monitor: Run, tmp_path: Path) -> None:
    missing = monitor("evaluate", "nowhere")
    assert (missing.returncode, missing.stderr) == (66, "monitor: nowhere: there is no such folder; check the path\n")
    (tmp_path / "empty").mkdir()
    empty = monitor("evaluate", tmp_path / "empty")
    assert empty.returncode == 65
    assert "no labelled crops; looked for" in empty.stderr
    for label in ("proliv", "ne_proliv"):
        (tmp_path / "broken" / label).mkdir(parents=True)
        (tmp_path / "broken" / label / "a.jpg").touch()
    broken = monitor("evaluate", tmp_path / "broken")
    assert broken.returncode == 65
    assert f"{tmp_path}/broken: none of the 2 labelled crops can be read" in broken.stderr


def test_without_a_database_none_is_made(home: Path, monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("evaluate", small_dataset)
    assert outcome.returncode == 4
    assert f"{home}/state/monitor.db: there is no database yet" in outcome.stderr
    assert not (home / "state").exists()
