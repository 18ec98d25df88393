"""`monitor evaluate --rules`: what each rule would choose, and its figures."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from monitor.api import ScoreEvidence
from monitor.registry import Registry
from tests.support.evaluated import EVENTS, KEYS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Change = Callable[[str], None]


REFERENCES = {"ne_proliv": [0.001 * one for one in range(1, 121)], "proliv": [0.09 + 0.002 * one for one in range(30)]}


def refer(change: Change, model_id: int) -> None:
    """Store the scores above as what `monitor calibrate` was given for a model, in place of what it was given."""
    change(f"delete from reference_scores where model_id = {model_id}")
    scores = [(label, score) for label, part in REFERENCES.items() for score in part]
    rows = ",".join(
        f"({model_id}, '{number:064x}', '{label}', {score!r})" for number, (label, score) in enumerate(scores)
    )
    change(f"insert into reference_scores (model_id, sha256, label, score) values {rows}")


def rules_evaluated(monitor: Run, *arguments: str | Path) -> list[dict[str, Any]]:
    outcome = monitor("evaluate", *arguments, "--rules", "--format", "json")
    assert outcome.returncode == 0, outcome.stderr
    (line,) = outcome.stdout.splitlines()
    entries = json.loads(line)
    assert isinstance(entries, list)
    return entries


class TestRules:
    def test_every_rule_chooses_from_the_references_and_is_measured_on_the_folder(
        self, trained: Path, monitor: Run, small_dataset: Path, change: Change, dump: Callable[[], list[str]]
    ) -> None:
        refer(change, 1)
        before = dump()
        entries = rules_evaluated(monitor, small_dataset)
        assert dump() == before
        registry = Registry.load()
        assert [entry["rule"] for entry in entries] == list(registry.rules)
        lines = monitor("score", small_dataset / "test", "--no-store", "--exit-zero", "--format", "json").stdout
        scores = [(line["score"], line["file"].startswith("proliv/")) for line in map(json.loads, lines.splitlines())]
        known = ScoreEvidence(np.array(REFERENCES["ne_proliv"]), np.array(REFERENCES["proliv"]))
        for entry in entries:
            if entry["rule"] in ("fixed", "false-alarms-per-week"):
                continue
            rule_class = registry.rule_class(entry["rule"])
            threshold = rule_class(rule_class.Settings()).choose(known)
            assert entry["threshold"] == threshold
            assert entry["reason"] is None
            assert entry["tp"] == sum(proliv and score >= threshold for score, proliv in scores)
            assert entry["tn"] == sum(not proliv and score < threshold for score, proliv in scores)
            assert entry["n"] == len(scores) == 40
            assert entry.keys() == {*(KEYS - EVENTS), "rule", "reason"}
        assert len({entry["threshold"] for entry in entries}) > 6

    def test_a_rule_that_cannot_choose_says_why(
        self, trained: Path, monitor: Run, small_dataset: Path, change: Change
    ) -> None:
        refer(change, 1)
        change("delete from reference_scores where label = 'proliv'")
        by_rule = {entry["rule"]: entry for entry in rules_evaluated(monitor, small_dataset)}
        assert by_rule["normal-quantile"]["tnr"] is not None
        assert by_rule["balanced"].keys() == {"model", "detector", "rule", "threshold", "reason"}
        assert by_rule["balanced"]["threshold"] is None
        assert "120 of ne_proliv and 0 of proliv: add crops of proliv" in by_rule["balanced"]["reason"]
        assert "how many crops the line takes in a week" in by_rule["false-alarms-per-week"]["reason"]
        table = monitor("evaluate", small_dataset, "--rules").stdout
        assert re.search(r"^balanced +the rule 'balanced' needs .*: add crops of proliv$", table, re.MULTILINE)

    def test_settings_are_those_of_the_configuration(
        self, trained: Path, monitor: Run, small_dataset: Path, change: Change
    ) -> None:
        refer(change, 1)
        (trained / "config.toml").write_text(
            "[rules.fixed]\nthreshold = 0.07\n[rules.false-alarms-per-week]\ncrops_per_week = 20", encoding="utf-8"
        )
        by_rule = {entry["rule"]: entry for entry in rules_evaluated(monitor, small_dataset)}
        assert by_rule["fixed"]["threshold"] == 0.07
        assert by_rule["false-alarms-per-week"]["threshold"] == pytest.approx(0.115)

    def test_the_table_says_the_same_model_by_model(
        self, pair: Path, monitor: Run, small_dataset: Path, change: Change
    ) -> None:
        refer(change, 1)
        refer(change, 2)
        entries = rules_evaluated(monitor, small_dataset)
        names = list(dict.fromkeys(entry["model"] for entry in entries))
        assert [name.partition("-")[0] for name in names] == ["brightness", "ae"]
        lines = monitor("evaluate", small_dataset, "--rules").stdout.splitlines()
        *blocks, sentence = "\n".join(lines).split("\n\n")
        assert sentence.startswith("A lower bound of 0.98 for TPR (95 % interval) takes 183 proliv without a miss")
        for name, block in zip(names, blocks, strict=True):
            head, titles, *rows = block.splitlines()
            assert (head, titles.split()[0]) == (name, "rule")
            shown = {row.split()[0]: row for row in rows}
            for entry in (entry for entry in entries if entry["model"] == name):
                row = shown.pop(entry["rule"])
                if entry["reason"]:
                    assert row.endswith(entry["reason"])
                else:
                    assert f"{entry['tpr']:.4f}  {entry['tpr_low']:.4f} to {entry['tpr_high']:.4f}" in row
                    assert f"  {entry['threshold']:.6g} " in row
            assert not shown
        alone = rules_evaluated(monitor, small_dataset, "--model", "ae")
        assert alone == [entry for entry in entries if entry["detector"] == "ae"]

    def test_crops_that_cannot_be_read_are_said_once(
        self, trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path, change: Change
    ) -> None:
        refer(change, 1)
        shutil.copytree(small_dataset / "test", tmp_path / "test")
        (tmp_path / "test" / "proliv" / "cut.jpg").write_bytes(b"\xff\xd8\xff")
        outcome = monitor("evaluate", tmp_path, "--rules", "--format", "json")
        assert json.loads(outcome.stdout) == rules_evaluated(monitor, small_dataset)
        assert outcome.stderr.count("1 of 41 labelled crops could not be read or judged by ae-") == 1

    def test_a_model_that_is_damaged_is_left_out_unless_it_is_the_only_one(
        self, pair: Path, monitor: Run, small_dataset: Path, change: Change
    ) -> None:
        refer(change, 1)
        refer(change, 2)
        ae = next((pair / "state" / "models").glob("ae-*"))
        (ae / "validation.txt").unlink()
        outcome = monitor("evaluate", small_dataset, "--rules", "--format", "json")
        assert {entry["detector"] for entry in json.loads(outcome.stdout)} == {"brightness"}
        assert f"{ae.name} is left out" in outcome.stderr
        assert monitor("evaluate", small_dataset, "--rules", "--model", "ae").returncode == 65

    def test_without_references_it_says_how_to_store_them(
        self, trained: Path, monitor: Run, small_dataset: Path, change: Change
    ) -> None:
        change("delete from reference_scores")
        outcome = monitor("evaluate", small_dataset, "--rules")
        assert (outcome.returncode, outcome.stdout) == (4, "")
        assert "no model has stored scores of labelled crops" in outcome.stderr
        assert "monitor calibrate --data DIR" in outcome.stderr
        named = monitor("evaluate", small_dataset, "--rules", "--model", "ae")
        assert named.returncode == 4
        assert re.search(r"(ae-\w+) has no stored scores .*: monitor calibrate --model \1 --data DIR", named.stderr)

    @pytest.mark.parametrize("option", ["--all", "--robustness"])
    def test_options_that_do_not_go_together(
        self, trained: Path, monitor: Run, small_dataset: Path, option: str
    ) -> None:
        outcome = monitor("evaluate", small_dataset, "--rules", option)
        assert (outcome.returncode, outcome.stdout) == (2, "")
        assert "--rules goes together with --model and --format alone" in outcome.stderr
