"""`monitor evaluate --all`: every model, and the final decision."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.evaluated import KEYS, evaluated

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


def all_evaluated(monitor: Run, *arguments: str | Path) -> list[dict[str, Any]]:
    outcome = monitor("evaluate", *arguments, "--all", "--format", "json")
    assert outcome.returncode == 0, outcome.stderr
    (line,) = outcome.stdout.splitlines()
    reports = json.loads(line)
    assert isinstance(reports, list)
    return reports


def decide(home: Path, mode: str) -> None:
    (home / "config.toml").write_text(f'[decision]\ndecide = "{mode}"\ndetectors = ["ae", "brightness"]\n')


class TestAll:
    def test_every_model_is_measured_as_by_itself_and_the_primary_decides(
        self, pair: Path, monitor: Run, small_dataset: Path
    ) -> None:
        other = monitor("train", "ae", "--data", small_dataset, "--seed", "7", "--set", "epochs=1").stdout.strip()
        monitor("train", "ae", "--data", small_dataset, "--seed", "8", "--set", "epochs=1")  # stays without threshold
        monitor("calibrate", "--model", other, "--activate", "--data", small_dataset)
        decide(pair, "primary")
        *models, final = all_evaluated(monitor, small_dataset)
        listed = [json.loads(line) for line in monitor("models", "list", "--format", "json").stdout.splitlines()]
        assert [one["model"] for one in models] == [one["name"] for one in listed if one["threshold"] is not None]
        assert len(models) == 3
        for report in models:
            assert report == evaluated(monitor, small_dataset, "--model", report["model"])
        primary = next(report for report in models if report["model"] == other)
        joined = f"{other}+{next(one['model'] for one in models if one['detector'] == 'brightness')}"
        assert final == {**primary, "detector": "decision", "model": joined}

    @pytest.mark.parametrize("mode", ["any", "all", "rank-mean"])
    def test_the_final_decision_is_the_one_that_score_prints(
        self, pair: Path, monitor: Run, small_dataset: Path, mode: str
    ) -> None:
        decide(pair, mode)
        outcome = monitor("score", small_dataset / "test", "--no-store", "--exit-zero", "--format", "json")
        lines = [json.loads(line) for line in outcome.stdout.splitlines()]
        caught = {
            label: sum(line["verdict"] == "proliv" for line in lines if line["file"].startswith(f"{label}/"))
            for label in ("proliv", "ne_proliv")
        }
        final = all_evaluated(monitor, small_dataset)[-1]
        assert final.keys() == KEYS
        assert (final["tp"], final["fp"], final["n"]) == (caught["proliv"], caught["ne_proliv"], 40)
        assert final["model"] == lines[0]["model"]
        assert final["threshold"] == pytest.approx(lines[0]["threshold"])

    def test_a_model_alone_is_the_final_decision(self, trained: Path, monitor: Run, small_dataset: Path) -> None:
        model, final = all_evaluated(monitor, small_dataset)
        assert final == {**model, "detector": "decision"}

    def test_the_table_says_the_same(self, pair: Path, monitor: Run, small_dataset: Path) -> None:
        reports = all_evaluated(monitor, small_dataset)
        table, by_incident, sentence = monitor("evaluate", small_dataset, "--all").stdout.split("\n\n")
        assert by_incident.splitlines()[0] == "TPR by incident"
        assert len(by_incident.splitlines()) == 1 + len(reports)
        assert sentence.startswith("A lower bound of 0.98 for TPR (95 % interval) takes 183 proliv without a miss")
        head, *rows = table.splitlines()
        assert head.split()[:2] == ["model", "TPR"]
        for row, report in zip(rows, reports, strict=True):
            assert row.startswith("decision " if report["detector"] == "decision" else f"{report['model']} ")
            assert f"{report['tnr']:.4f}  {report['tnr_low']:.4f} to {report['tnr_high']:.4f}" in row
            assert f"{report['tp']} of {report['tp'] + report['fn']}" in row

    @pytest.mark.parametrize("mode", ["primary", "any"])
    def test_what_a_model_refuses_is_counted_out_of_it_alone(
        self, pair: Path, monitor: Run, small_dataset: Path, tmp_path: Path, mode: str
    ) -> None:
        (pair / "config.toml").write_text(
            f'[decision]\ndecide = "{mode}"\ndetectors = ["brightness", "ae"]\n', encoding="utf-8"
        )
        shutil.copytree(small_dataset / "test", tmp_path / "test")
        Image.new("RGB", (50, 30), (90, 90, 90)).save(tmp_path / "test" / "ne_proliv" / "blank.png")
        outcome = monitor("evaluate", tmp_path, "--all", "--format", "json")
        counts = {report["detector"]: report for report in json.loads(outcome.stdout)}
        assert {name: report["n"] for name, report in counts.items()} == {"brightness": 40, "ae": 41, "decision": 41}
        assert outcome.stderr.count("1 of 41 labelled crops could not be read or judged by brightness-") == 1
        lines = monitor("score", tmp_path / "test", "--no-store", "--exit-zero", "--format", "json").stdout.splitlines()
        proliv = sum(json.loads(line)["verdict"] == "proliv" for line in lines)
        assert counts["decision"]["tp"] + counts["decision"]["fp"] == proliv
        assert counts["decision"]["threshold"] == 0

    def test_a_model_that_is_damaged_is_left_out_unless_it_decides(
        self, pair: Path, monitor: Run, small_dataset: Path
    ) -> None:
        ae = next((pair / "state" / "models").glob("ae-*"))
        (ae / "validation.txt").unlink()
        assert monitor("evaluate", small_dataset, "--all").returncode == 65
        (pair / "config.toml").write_text('[decision]\ndetectors = ["brightness"]\n', encoding="utf-8")
        outcome = monitor("evaluate", small_dataset, "--all", "--format", "json")
        assert [report["detector"] for report in json.loads(outcome.stdout)] == ["brightness", "decision"]
        assert f"{ae.name} is left out" in outcome.stderr

    def test_one_model_and_all_of_them(self, trained: Path, monitor: Run, small_dataset: Path) -> None:
        outcome = monitor("evaluate", small_dataset, "--all", "--model", "ae")
        assert (outcome.returncode, outcome.stdout) == (2, "")
        assert "give either --all or --model" in outcome.stderr
