"""``monitor retrain``, and the commands about what came of it."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from monitor.learning import comparison
from monitor.learning.checks import Share

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run

pytestmark = pytest.mark.process

LEARNING = """\
[pipeline]
device = "cpu"
workers = 1
[calibration]
minimum_normal = 5
minimum_proliv = 5
[learning]
made_up_tolerance = 1.0
shadow_days = 0.0
"""


@pytest.fixture
def learner(home: Path, monitor: Run, small_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The active model of contrast, with proliv of the labelled folder to learn from."""
    monkeypatch.setattr(comparison, "PICTURES", 250)
    (home / "config.toml").write_text(LEARNING, encoding="utf-8")
    shutil.copytree(small_dataset / "test" / "proliv", home / "labelled" / "proliv")
    trained = monitor("train", "contrast", "--set", "pool=1024", "--set", "epochs=8", "--data", small_dataset)
    assert monitor("calibrate", "--data", small_dataset).returncode == 0
    monitor("recalibrate")
    return trained.stdout.strip()


def test_a_model_is_trained_tried_accepted_and_rolled_back(
    learner: str, monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    trained = monitor("retrain", "--data", small_dataset)
    assert trained.returncode == 0, trained.stderr
    name, _, words = trained.stdout.partition(":")
    assert words.startswith(f" in the shadow: it scores beside {learner} for 0 days\n")
    assert "and from 0 labelled false alarms and 10 labelled proliv\n" in words
    assert re.search(r"known proliv, cross-fitted: \d+ of 30 found\n", words)
    assert "made-up pictures decided rightly, of 250 each: crops as they are " in words
    assert "TPR on 30 labelled crops: " in words
    assert "in the shadow" in monitor("models", "list").stdout
    assert f"in the shadow  {name}, which scores and decides nothing" in monitor("status").stdout
    # No crop has come, so the trial goes on.
    again = json.loads(monitor("retrain", "--data", small_dataset, "--format", "json").stdout)
    assert (again["result"], again["model"], again["replaces"]) == ("shadow", name, learner)
    empty = monitor("models", "accept", name, "--why", " ")
    assert (empty.returncode, "is empty; give the reason" in empty.stderr) == (2, True)
    accepted = monitor("models", "accept", name, "--why", "the line stands still")
    assert accepted.stdout == f"{name} is active now in place of {learner}\n"
    (row,) = map(json.loads, monitor("models", "retrained", "--format", "json").stdout.splitlines())
    assert (row["model"], row["replaces"], row["state"], row["reason"]) == (
        name, learner, "accepted", "the line stands still",
    )  # fmt: skip
    assert f"{learner} is active again" in monitor("models", "rollback").stdout
    assert rows("select state from retrainings") == [("rolled_back",)]
    assert "rolled back" in monitor("models", "retrained", "--limit", "1").stdout


def test_a_refused_model_is_kept_with_its_reason(
    learner: str, home: Path, monitor: Run, rows: Rows, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which of two small models is better is a matter of chance.
    monkeypatch.setattr(comparison, "made_up_shares", lambda *_: [Share("objects", 250, 240, 230)])
    (home / "config.toml").write_text(LEARNING.replace("= 1.0", "= 0.0"), encoding="utf-8")
    refused = monitor("retrain", "--data", small_dataset)
    assert refused.returncode == 65
    assert f"refused (worse_on_made_up); {learner} stays\n" in refused.stdout
    assert "and learning.made_up_tolerance allows 0.00%; more labels may help, or: monitor models accept" in (
        refused.stderr
    )
    assert rows("select name from models where active") == [(learner,)]
    assert "worse_on_made_up: of 250 made-up pictures" in monitor("models", "retrained").stdout


def test_without_data_or_models_it_says_what_to_do(home: Path, monitor: Run, small_dataset: Path) -> None:
    without = monitor("retrain")
    assert without.returncode == 2
    assert "name the folder that the model was trained on: --data DIR, or learning.data" in without.stderr
    assert monitor("retrain", "--data", small_dataset).returncode == 4
    (home / "config.toml").write_text("[learning]\nenabled = true\n", encoding="utf-8")
    wrong = monitor("retrain")
    assert wrong.returncode == 78
    assert "set learning.data" in wrong.stderr


def test_nothing_to_learn_and_no_training_yet(trained: Path, monitor: Run, small_dataset: Path) -> None:
    assert "no model was trained from labels yet" in monitor("models", "retrained").stderr
    outcome = monitor("retrain", "--data", small_dataset)
    assert outcome.returncode == 4
    assert "no active model learns from labels; train one" in outcome.stderr
