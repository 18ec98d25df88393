from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from monitor.configuration.settings import Calibration

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]

ACTIVE = "select name from models where active"


@pytest.fixture
def first(trained: Path) -> str:
    """The name of the model that is active at the beginning."""
    (folder,) = (trained / "state" / "models").iterdir()
    return folder.name


@pytest.fixture
def new_model(trained: Path, monitor: Run, small_dataset: Path) -> Callable[[str], str]:
    """Train a further model by its seed; it has no threshold yet."""

    def train(seed: str) -> str:
        options = ("--limit", "40", "--seed", seed, "--set", "epochs=1")
        return monitor("train", "ae", "--data", small_dataset, *options).stdout.strip()

    return train


def test_list_shows_every_model_the_newest_first(
    monitor: Run, first: str, new_model: Callable[[str], str], rows: Rows
) -> None:
    second = new_model("7")
    table = monitor("models", "list").stdout.splitlines()
    assert [line.split()[0] for line in table] == [second, first]
    assert ["no threshold" in table[0], " active " in table[1], f" by {Calibration().rule}" in table[1]] == [True] * 3
    listed = [json.loads(line) for line in monitor("models", "list", "--format", "json").stdout.splitlines()]
    assert [(one["name"], one["active"], one["rule"]) for one in listed] == [
        (second, False, None),
        (first, True, Calibration().rule),
    ]
    assert [one["threshold"] for one in listed] == [
        None,
        *(row[0] for row in rows("select threshold from calibrations")),
    ]
    assert listed[0]["settings"]["epochs"] == 1


def shown(monitor: Run, name: str) -> dict[str, Any]:
    outcome = monitor("models", "show", name, "--format", "json")
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads(outcome.stdout)
    assert isinstance(report, dict)
    return report


def test_show_tells_where_a_threshold_comes_from_and_how_it_was_trained(
    trained: Path, monitor: Run, first: str, rows: Rows
) -> None:
    report = shown(monitor, first)
    ((threshold, rule, evidence),) = rows("select threshold, rule, evidence from calibrations")
    found = json.loads(evidence)
    assert (report["model"], report["detector"], report["active"]) == (first, "ae", True)
    assert rows("select fingerprint from models") == [(report["fingerprint"],)]
    assert report["computed_by"] == "torch on cpu"
    assert report["folder"] == str(trained / "state" / "models" / first)
    assert report["settings"]["epochs"] == 2
    assert (report["threshold"], report["calibration"]["rule"]) == (threshold, rule)
    assert report["calibration"]["normal_crops"] + report["calibration"]["proliv_crops"] == found["n"]
    assert report["calibration"]["proliv_crops"] == 20
    assert {key: report["calibration"][key] for key in ("tpr", "tnr")} == {key: found[key] for key in ("tpr", "tnr")}
    (folder,) = (trained / "state" / "models").iterdir()
    training = json.loads((folder / "training.json").read_text())
    best = training["epochs"][training["best_epoch"] - 1]
    assert report["training"] == {
        "epochs": len(training["epochs"]),
        "best_epoch": training["best_epoch"],
        "train_loss": best["train_loss"],
        "validation_loss": best["validation_loss"],
    }


def test_show_prints_what_a_detector_tells(pair: Path, monitor: Run) -> None:
    report = shown(monitor, "brightness")
    assert report["details"].keys() == {"mean_brightness", "use_of_items", "health"}
    assert report["training"] == {"epochs": 0, "best_epoch": 0, "train_loss": None, "validation_loss": None}
    lines = monitor("models", "show", "brightness").stdout.splitlines()
    words = [" ".join(line.split()) for line in lines]
    assert f"mean_brightness {report['details']['mean_brightness']:.6g}" in words
    assert "use_of_items 0.25, 0.75" in words
    assert "dead_items none" in words
    assert f"threshold {report['threshold']:.6g}" in words
    assert "active yes" in words


def test_show_without_a_threshold(monitor: Run, first: str, new_model: Callable[[str], str]) -> None:
    report = shown(monitor, new_model("7"))
    assert (report["active"], report["threshold"], report["calibration"]) == (False, None, None)
    assert monitor("models", "show", "nix").returncode == 4


def test_activate_and_roll_back(
    monitor: Run, first: str, new_model: Callable[[str], str], rows: Rows, small_dataset: Path
) -> None:
    second = new_model("7")
    uncalibrated = monitor("models", "activate", second)
    assert uncalibrated.returncode == 4
    assert f"calibrate it: monitor calibrate --model {second} --data DIR" in uncalibrated.stderr
    assert rows(ACTIVE) == [(first,)]
    monitor("calibrate", "--model", second, "--activate", "--data", small_dataset)
    assert rows(ACTIVE) == [(second,)]
    assert monitor("models", "rollback").stdout == f"{first} is active again in place of {second}\n"
    assert rows(ACTIVE) == [(first,)]
    further = monitor("models", "rollback", "ae")
    assert further.returncode == 4
    assert f"no model of the detector 'ae' was active before {first}" in further.stderr
    assert rows(ACTIVE) == [(first,)]
    assert monitor("models", "activate", second).stdout == f"{second} is active\n"
    assert rows(ACTIVE) == [(second,)]


def test_what_a_new_model_decides_is_undone_by_rolling_back(
    monitor: Run, first: str, new_model: Callable[[str], str], small_dataset: Path
) -> None:
    before = monitor("score", small_dataset / "test").stdout
    second = new_model("7")
    monitor("calibrate", "--model", second, "--activate", "--data", small_dataset)
    assert monitor("score", small_dataset / "test").stdout != before
    monitor("models", "rollback")
    assert monitor("score", small_dataset / "test").stdout == before


def test_names_may_be_shortened_as_long_as_they_name_one(
    monitor: Run, first: str, new_model: Callable[[str], str]
) -> None:
    assert monitor("models", "activate", first[:7]).returncode == 0
    second = new_model("7")
    ambiguous = monitor("models", "activate", "ae")
    assert ambiguous.returncode == 4
    assert "'ae' names several models: " in ambiguous.stderr
    assert first in ambiguous.stderr
    assert second in ambiguous.stderr
    unknown = monitor("models", "activate", "nix")
    assert (unknown.returncode, unknown.stderr) == (
        4,
        "monitor: there is no model 'nix'; see: monitor models list\n",
    )


@pytest.mark.parametrize("harm", ["changed", "added", "missing"])
def test_a_damaged_model_is_not_activated(
    trained: Path, monitor: Run, first: str, dump: Callable[[], list[str]], harm: str
) -> None:
    file = trained / "state" / "models" / first / "detector" / "weights.safetensors"
    if harm == "missing":
        file.unlink()
    elif harm == "changed":
        file.write_bytes(file.read_bytes() + b"\0")
    else:
        file = file.with_name("added")
        file.touch()
    before = dump()
    outcome = monitor("models", "activate", first)
    assert outcome.returncode == 65
    assert outcome.stderr.startswith(f"monitor: {file}: ")
    assert harm in outcome.stderr
    assert dump() == before


def test_without_a_database(home: Path, monitor: Run) -> None:
    for words in (("list",), ("show", "ae"), ("activate", "ae"), ("rollback",)):
        outcome = monitor("models", *words)
        assert outcome.returncode == 4
        assert f"{home}/state/monitor.db: there is no database yet" in outcome.stderr
    assert not (home / "state").exists()


def test_without_a_model(home: Path, monitor: Run) -> None:
    monitor("db", "upgrade")
    empty = monitor("models", "list")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert "no model is trained yet; train one: monitor train contrast --data DIR" in empty.stderr
    assert monitor("models", "rollback", "ae").returncode == 4
    unnamed = monitor("models", "rollback")
    assert unnamed.returncode == 2
    assert "name the detector; active are: none" in unnamed.stderr
