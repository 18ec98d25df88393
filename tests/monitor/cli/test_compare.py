from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


def lines(outcome: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert outcome.returncode == 0, outcome.stderr
    *found, sentence = outcome.stdout.splitlines()
    assert sentence.startswith("A lower bound of 0.98 for TPR (95 % interval) takes 183 proliv without a miss; with ")
    return dict(line.split(None, 1) for line in found)


def test_all_models_and_the_decision_are_compared(pair: Path, monitor: Run, small_dataset: Path) -> None:
    found = lines(monitor("compare", small_dataset))
    assert list(found)[-1] == "decision"
    assert set(found) == {*(path.name for path in (pair / "state" / "models").iterdir()), "decision"}
    reports = json.loads(monitor("evaluate", small_dataset, "--all", "--format", "json").stdout)
    for line, report in zip(found.values(), reports, strict=True):
        assert line == (
            f"ROC AUC {report['roc_auc']:.4f}  "
            f"TPR {report['tpr']:.4f} ({report['tpr_low']:.4f} to {report['tpr_high']:.4f})  "
            f"TNR {report['tnr']:.4f} ({report['tnr_low']:.4f} to {report['tnr_high']:.4f})  "
            f"at the threshold {report['threshold']:.6g}, on 10 proliv and 30 ne_proliv; "
            f"caught {report['proliv_events_caught']} of 1 incident "
            f"({report['event_tpr_low']:.4f} to {report['event_tpr_high']:.4f})"
        )
    with Image.open(pair / "compare.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 800


def test_named_ones_alone(pair: Path, monitor: Run, small_dataset: Path) -> None:
    everyone = lines(monitor("compare", small_dataset))
    ae = next(name for name in everyone if name.startswith("ae-"))
    found = lines(monitor("compare", small_dataset, "--model", "ae", "--model", ae, "--output", "a.svg"))
    assert found == {ae: everyone[ae]}
    assert (pair / "a.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert lines(monitor("compare", small_dataset, "--model", "decision")) == {"decision": everyone["decision"]}
    both = monitor("compare", small_dataset, "--model", "decision", "--model", "brightness")
    assert list(lines(both))[1:] == ["decision"]
    assert next(iter(lines(both))).startswith("brightness-")


def test_one_label_alone_has_no_curve(trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(small_dataset / "test" / "ne_proliv", tmp_path / "test" / "ne_proliv")
    (tmp_path / "test" / "proliv").mkdir()
    outcome = monitor("compare", tmp_path)
    assert outcome.returncode == 65
    assert f"{tmp_path}: 0 proliv and 30 ne_proliv crops can be read; a ROC curve needs both kinds" in outcome.stderr
    assert not (trained / "compare.png").exists()


def test_a_model_that_refuses_all_of_one_label_has_a_line_and_no_curve(
    pair: Path, monitor: Run, small_dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_dataset / "test" / "ne_proliv", tmp_path / "test" / "ne_proliv")
    (tmp_path / "test" / "proliv").mkdir()
    Image.new("RGB", (50, 30), (90, 90, 90)).save(tmp_path / "test" / "proliv" / "blank.png")
    found = lines(monitor("compare", tmp_path))
    brightness = next(line for name, line in found.items() if name.startswith("brightness-"))
    assert brightness.startswith("ROC AUC unknown  TPR unknown  TNR ")
    assert (pair / "compare.png").exists()


@pytest.mark.parametrize(("output", "code"), [("a.jpg", 2), ("a", 2), ("no/a.png", 73)])
def test_outputs_that_cannot_be_drawn(trained: Path, monitor: Run, small_dataset: Path, output: str, code: int) -> None:
    outcome = monitor("compare", small_dataset, "--output", output)
    assert (outcome.returncode, outcome.stdout) == (code, "")


def test_nothing_is_stored(trained: Path, monitor: Run, dump: Callable[[], list[str]], small_dataset: Path) -> None:
    before, files = dump(), sorted((trained / "state").rglob("*"))
    lines(monitor("compare", small_dataset))
    assert dump() == before
    assert sorted((trained / "state").rglob("*")) == files


def test_without_a_database_none_is_made(home: Path, monitor: Run, small_dataset: Path) -> None:
    assert monitor("compare", small_dataset).returncode == 4
    assert not (home / "state").exists()
