"""A detector that learns from proliv, from its training to its threshold."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from plugins.detectors import contrast_training

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]

pytestmark = pytest.mark.process

QUICK = ("contrast", "--set", "pool=256", "--set", "epochs=2")


def digests(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_its_threshold_is_chosen_from_cross_fitted_scores(
    home: Path, monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    trained = monitor("train", *QUICK, "--data", small_dataset)
    assert trained.returncode == 0, trained.stderr
    assert "20 proliv to learn from" in trained.stderr
    assert "contrast: epoch 4/4" in trained.stderr
    kept = json.loads((home / "state" / "models" / trained.stdout.strip() / "proliv.json").read_bytes())
    assert set(kept) == digests(small_dataset / "proliv")
    calibrated = monitor("calibrate", "--data", small_dataset)
    assert calibrated.returncode == 0, calibrated.stderr
    stored = rows("select sha256, score, mse from reference_scores where label = 'proliv'")
    assert {digest: {"score": score, "mse": mse} for digest, score, mse in stored} == kept
    assert rows("select rule, fallback from calibrations") == [("quantile-midpoint", 0)]
    assert monitor("evaluate", "--data", small_dataset).returncode == 0
    assert monitor("score", small_dataset / "test").returncode in (0, 3)


def test_limit_counts_for_both(monitor: Run, small_dataset: Path) -> None:
    trained = monitor("train", *QUICK, "--data", small_dataset, "--limit", "12")
    assert "12 proliv to learn from" in trained.stderr


def test_without_proliv_it_says_so_and_its_natural_threshold_is_a_fallback(
    home: Path, monitor: Run, rows: Rows, small_dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_dataset / "train", tmp_path / "alone" / "train")
    trained = monitor("train", *QUICK, "--data", tmp_path / "alone")
    assert trained.returncode == 0, trained.stderr
    assert "there is no proliv in proliv/" in trained.stderr
    calibrated = monitor("calibrate", "--data", tmp_path / "alone")
    assert calibrated.returncode == 0, calibrated.stderr
    assert "by fixed (fallback: too little proliv)" in calibrated.stderr + calibrated.stdout
    assert rows("select threshold, rule, fallback from calibrations") == [(1.0, "fixed", 1)]
    shown = json.loads(monitor("models", "show", trained.stdout.strip(), "--format", "json").stdout)
    assert shown["details"]["chaos"] == "made up alone"


def test_an_interrupted_training_leaves_nothing(
    home: Path, monitor: Run, rows: Rows, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(contrast_training, "train_head", interrupted)
    assert monitor("train", *QUICK, "--data", small_dataset).returncode != 0
    models = home / "state" / "models"
    assert not models.exists() or not list(models.iterdir())
    assert rows("select count(*) from models") == [(0,)]
