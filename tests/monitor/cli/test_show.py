"""What is known of a crop, as `monitor show` prints it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run


def test_a_crop_is_shown_with_its_decision_its_threshold_and_its_label(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    folder = trained / "crops"
    folder.mkdir()
    crop = folder / "7_CAM_C_01-03-2023_05-39-27-929.jpg"
    shutil.copy(min((small_dataset / "proliv").iterdir()), crop)
    monitor("score", folder)
    assert monitor("label", crop, "--as", "proliv", "--author", "ann", "--note", "hole 7, stopped").returncode == 0
    shown = monitor("show", "1")
    assert shown.returncode == 0, shown.stderr
    assert monitor("show", crop).stdout == shown.stdout
    lines = {line.split()[0]: line for line in shown.stdout.splitlines() if line}
    assert lines["file"].split()[1:] == [str(crop)]
    assert lines["hole"].split()[1] == "7"
    assert lines["captured"].split()[1:] == ["2023-03-01", "05:39:27+00:00"]
    assert lines["label"].split() == ["label", "by", "at", "note"]
    assert "hole 7, stopped" in lines["proliv"]
    told = json.loads(monitor("show", "1", "--format", "json").stdout)
    ((score, threshold, verdict),) = rows("select score, threshold, verdict from scores")
    (model,) = told["models"]
    assert (model["score"], model["threshold"], model["verdict"]) == (score, threshold, verdict)
    assert model["margin"] == score - threshold
    assert model["origin"] == "calibrate"
    assert [label["author"] for label in told["labels"]] == ["ann"]
    assert told["places"] == [{"path": str(crop), "state": "there"}]

    # The file is overwritten, then gone.
    crop.write_bytes(b"something else")
    assert f"{crop} (changed)" in monitor("show", "1").stdout
    crop.unlink()
    assert f"{crop} (gone)" in monitor("show", "1").stdout
    gone = monitor("show", "1", "--output", "pictures")
    assert gone.returncode == 0
    assert "no file with the crop's content is left" in gone.stderr
    assert not (trained / "pictures").exists()


def test_pictures_are_written_by_every_active_model(pair: Path, monitor: Run, rows: Rows, small_dataset: Path) -> None:
    folder = pair / "crops"
    folder.mkdir()
    shutil.copy(min((small_dataset / "proliv").iterdir()), folder / "1.jpg")
    monitor("score", folder)
    shown = monitor("show", "1", "--output", "pictures")
    assert shown.returncode == 0, shown.stderr
    models = [name for (name,) in rows("select name from models")]
    expected = {
        "crop.png",
        *(f"{model}-{name}.png" for model in models for name in ("view", "reconstruction", "heatmap")),
    }
    assert {path.name for path in (pair / "pictures").iterdir()} == expected
    with Image.open(pair / "pictures" / "crop.png") as written, Image.open(folder / "1.jpg") as crop:
        assert written.size == crop.size


def test_an_unusual_crop_is_shown_with_the_model_that_calls_it_proliv(
    pair: Path, monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    (pair / "config.toml").write_text('[decision]\ndetectors = ["ae", "brightness"]\n')
    monitor("score", small_dataset / "test")
    found = "select id from crops where unusual"
    ((crop_id,), *_) = rows(found)
    named = f"from scores join models on model_id = models.id where crop_id = {crop_id}"
    ((proliv, score, threshold),) = rows(f"select name, score, threshold {named} and verdict = 'proliv'")
    lines = monitor("show", str(crop_id)).stdout.splitlines()
    assert f"unusual      {proliv} calls it proliv: {score:.6g} >= {threshold:.6g}" in lines
    assert json.loads(monitor("show", str(crop_id), "--format", "json").stdout)["unusual"] is True
    # Its threshold is exchanged: what was decided then stays, and so does the mark.
    assert monitor("threshold", "set", "99", "--model", "brightness", "--why", "a try", "--accept").returncode == 0
    assert f"{proliv} calls it proliv" in monitor("show", str(crop_id)).stdout
    assert (crop_id,) in rows(found)

    (other,) = rows("select min(id) from crops where not unusual and verdict = 'ne_proliv'")[0]
    assert "unusual" not in monitor("show", str(other)).stdout
    assert json.loads(monitor("show", str(other), "--format", "json").stdout)["unusual"] is False


def test_a_crop_that_failed_is_shown_with_its_reason(trained: Path, monitor: Run) -> None:
    folder = trained / "crops"
    folder.mkdir()
    (folder / "bad.jpg").write_text("no picture")
    monitor("score", folder)
    shown = monitor("show", "1")
    assert shown.returncode == 0
    assert "failed" in shown.stdout
    assert "unknown_format" in shown.stdout


def test_what_is_not_known_is_said(trained: Path, monitor: Run) -> None:
    for target in ("4711", "nowhere.jpg"):
        missing = monitor("show", target)
        assert missing.returncode == 66
        assert target in missing.stderr
