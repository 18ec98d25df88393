from __future__ import annotations

import json
import re
import shutil
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from monitor.api import ScoreEvidence
from monitor.registry import Registry

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]
    Change = Callable[[str], None]

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
