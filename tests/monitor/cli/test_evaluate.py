from __future__ import annotations

import json
import re
import shutil
from math import comb
from typing import TYPE_CHECKING

import pytest

from tests.support.evaluated import EVENTS, KEYS, evaluated

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


def at_least(successes: int, trials: int, share: float) -> float:
    """The chance of this many successes or more: the tail by which Clopper and Pearson define their bounds."""
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
    assert reports[0] == reports[1]
    # The copies' names say no time, so nobody knows which of them belong to one incident.
    assert {key: value for key, value in reports[2].items() if key not in EVENTS} == {
        key: value for key, value in reports[0].items() if key not in EVENTS
    }


def test_the_table_says_the_same(trained: Path, monitor: Run, small_dataset: Path) -> None:
    report = evaluated(monitor, small_dataset)
    table = monitor("evaluate", small_dataset).stdout
    assert f"model              {report['model']}" in table
    assert f"{report['tpr']:.4f}  (95 % interval {report['tpr_low']:.4f} to {report['tpr_high']:.4f})" in table
    assert f"{report['tn']} passed, {report['fp']} false alarms" in table
    assert table.splitlines()[-1] == (
        "A lower bound of 0.98 for TPR (95 % interval) takes 183 proliv without a miss; with 10, as here, it is "
        f"{report['tpr_low_at_best']:.4f} at best."
    )


def test_the_crops_of_one_bleed_out_are_one_incident(
    trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_dataset / "test" / "ne_proliv", tmp_path / "test" / "ne_proliv")
    (tmp_path / "test" / "proliv").mkdir()
    known = sorted((small_dataset / "proliv").iterdir())
    # Two bleed-outs of five crops each, an hour apart, and a crop of unknown time.
    for number, path in enumerate(known[:10]):
        time = f"0{5 + number // 5}-39-{10 + number:02}-000"
        shutil.copy(path, tmp_path / "test" / "proliv" / f"7_CAM_C_01-03-2023_{time}{path.suffix}")
    shutil.copy(known[10], tmp_path / "test" / "proliv" / f"unknown{path.suffix}")
    report = evaluated(monitor, tmp_path)
    assert (report["proliv_events"], report["proliv_without_time"]) == (2, 1)
    scores = [
        json.loads(line)
        for line in monitor(
            "score", tmp_path / "test" / "proliv", "--no-store", "--exit-zero", "--format", "json"
        ).stdout.splitlines()
    ]
    hours = {line["file"].split("_")[4][:2] for line in scores if line["verdict"] == "proliv" and "_" in line["file"]}
    assert report["proliv_events_caught"] == len(hours)
    assert report["event_tpr"] == len(hours) / 2
    shown = f"{len(hours)} of 2 incidents caught; 1 proliv without a time in their names are not counted"
    assert shown in monitor("evaluate", tmp_path).stdout


def test_a_model_by_name(trained: Path, monitor: Run, small_dataset: Path) -> None:
    active = evaluated(monitor, small_dataset)
    other = monitor("train", "ae", "--data", small_dataset, "--seed", "7", "--set", "epochs=1").stdout.strip()
    uncalibrated = monitor("evaluate", small_dataset, "--model", other)
    assert uncalibrated.returncode == 4
    assert f"{other} has no threshold yet; choose it: monitor calibrate --model {other}" in uncalibrated.stderr
    monitor("calibrate", "--model", other, "--activate", "--data", small_dataset)
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


def test_robustness_stands_beside_the_crops_as_they_are(trained: Path, monitor: Run, small_dataset: Path) -> None:
    from monitor.evaluation.robustness import ALTERATIONS

    plain, altered = evaluated(monitor, small_dataset), evaluated(monitor, small_dataset, "--robustness")
    figures = altered.pop("robustness")
    assert altered == plain
    assert figures.keys() == ALTERATIONS.keys()
    assert all(0 <= value <= 1 for one in figures.values() for value in one.values())
    assert all(one["tpr_low"] <= one["tpr"] <= one["tpr_high"] for one in figures.values())
    # A brighter picture is another picture to this detector; if all were alike, nothing would have been altered.
    assert len({tuple(one.values()) for one in figures.values()}) > 1
    table = monitor("evaluate", small_dataset, "--robustness").stdout
    assert all(
        re.search(rf"^{name} .* ROC AUC {one['roc_auc']:.4f}$", table, re.MULTILINE) for name, one in figures.items()
    )
