"""`monitor models import`: from a file that was trained elsewhere to a model that decides like any other."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.onnx_files import SIZE, model, needs_runtime, node, written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.cli.conftest import Rows, Run

pytestmark = [pytest.mark.process, needs_runtime]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, model())


def kept(home: Path) -> list[str]:
    """All that lies among the models, half-written things too."""
    folder = home / "state" / "models"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_an_imported_model_is_calibrated_decides_and_is_drawn_like_any_other(
    home: Path, monitor: Run, rows: Rows, small_dataset: Path, file: Path
) -> None:
    outcome = monitor("models", "import", file, "--name", "grey", "--data", small_dataset)
    assert outcome.returncode == 0, outcome.stderr
    name = outcome.stdout.removesuffix("\n")
    assert re.fullmatch("grey-[0-9a-f]{12}", name)
    assert "it sees 24x16 pixels, for " in outcome.stderr
    assert "the output pred_score decides" in outcome.stderr
    assert f"next, choose the threshold: monitor calibrate --model {name} --data {small_dataset}" in outcome.stderr
    assert rows("select name, detector, active from models") == [(name, "onnx", 0)]
    file.unlink()
    assert monitor("calibrate", "--model", "grey", "--data", small_dataset).returncode == 0
    shown = json.loads(monitor("models", "show", name, "--format", "json").stdout)
    assert (shown["detector"], shown["active"], shown["computed_by"]) == ("onnx", True, "ONNX Runtime on cpu")
    assert (shown["settings"]["score"], shown["settings"]["map"]) == ("pred_score", "anomaly_map")
    assert shown["calibration"]["proliv_crops"] == 20
    crops = home / "crops"
    crops.mkdir()
    shutil.copy(min((small_dataset / "proliv").iterdir()), crops / "1.jpg")
    assert monitor("score", crops).returncode in (0, 3)
    assert len(rows("select score from scores")) == 1
    assert monitor("show", "1", "--output", "pictures").returncode == 0
    drawn = {path.name for path in (home / "pictures").iterdir()}
    assert {f"{name}-view.png", f"{name}-heatmap.png"} <= drawn
    assert not any("reconstruction" in picture for picture in drawn)


def test_a_second_one_waits_until_it_is_activated(
    home: Path, monitor: Run, rows: Rows, small_dataset: Path, file: Path
) -> None:
    names = []
    for options in (("--name", "first"), ("--name", "second", "--map", "anomaly_map")):
        names.append(monitor("models", "import", file, "--data", small_dataset, *options).stdout.strip())
        assert monitor("calibrate", "--model", names[-1], "--data", small_dataset).returncode == 0
    active = "select name from models where active"
    assert rows(active) == [(names[0],)]
    assert monitor("models", "activate", names[1]).returncode == 0
    assert rows(active) == [(names[1],)]
    assert monitor("models", "rollback", "onnx").returncode == 0
    assert rows(active) == [(names[0],)]


def test_the_same_file_is_the_same_model(home: Path, monitor: Run, rows: Rows, small_dataset: Path, file: Path) -> None:
    names = [monitor("models", "import", file, "--data", small_dataset).stdout for _ in range(2)]
    assert names[0] == names[1]
    assert rows("select count(*) from models") == [(1,)]


def test_what_is_held_out_is_what_a_training_holds_out_or_what_is_listed(
    home: Path, monitor: Run, small_dataset: Path, file: Path, tmp_path: Path
) -> None:
    def held_out(name: str) -> str:
        return (home / "state" / "models" / name.strip() / "validation.txt").read_text(encoding="ascii")

    trained = held_out(monitor("train", "patchstats", "--data", small_dataset, "--seed", "3").stdout)
    imported = monitor("models", "import", file, "--data", small_dataset, "--seed", "3")
    assert held_out(imported.stdout) == trained
    listed = tmp_path / "held-out.txt"
    listed.write_text("".join(trained.splitlines(keepends=True)[:5]), encoding="ascii")
    by_list = monitor("models", "import", file, "--data", small_dataset, "--held-out", listed)
    assert held_out(by_list.stdout) == listed.read_text(encoding="ascii")
    listed.write_text("0" * 64, encoding="ascii")
    refused = monitor("models", "import", file, "--data", small_dataset, "--held-out", listed)
    assert refused.returncode == 65
    assert "0 of 1 listed digests are crops of train/" in refused.stderr


def test_a_network_that_says_the_same_of_every_crop_changes_nothing(
    home: Path, monitor: Run, small_dataset: Path, tmp_path: Path
) -> None:
    nodes = [
        node("Sub", ["image", "image"], "nothing"),
        node("ReduceMax", ["nothing"], "score", axes=[1, 2, 3], keepdims=0),
    ]
    file = written(tmp_path, model(nodes=nodes, outputs=["score"]), "same.onnx")
    outcome = monitor("models", "import", file, "--data", small_dataset)
    assert (outcome.returncode, outcome.stdout) == (65, "")
    assert f"monitor: {file}: its score is 0 for each of the " in outcome.stderr
    assert kept(home) == []


def spoilt(tmp_path: Path) -> dict[str, tuple[bytes, int, str]]:
    """Files that are refused: their content, the exit code, and words of the sentence."""
    own = model(nodes=[node("Own", ["image"], "pred_score", domain="com.example")], outputs=["pred_score"])
    flat = model(nodes=[node("Flatten", ["image"], "codes")], outputs=["codes"])
    return {
        "nothing": (b"", 65, "is no ONNX file"),
        "picture": (b"\xff\xd8\xff\xe0", 65, "is no ONNX file"),
        "own": (own.SerializeToString(), 65, "its operator 'Own' is of the domain 'com.example'"),
        "flat": (flat.SerializeToString(), 65, "none is a score"),
        "open": (model(shape=("N", 3, "H", "W")).SerializeToString(), 78, "--set height=PIXELS"),
        "undefined": (model(nodes=[node("Relu", ["nix"], "pred_score")]).SerializeToString(), 65, "cannot load it"),
    }


@pytest.mark.parametrize("kind", ["nothing", "picture", "own", "flat", "open", "undefined"])
def test_a_file_that_cannot_be_used_changes_nothing(
    trained: Path, monitor: Run, rows: Rows, small_dataset: Path, tmp_path: Path, kind: str
) -> None:
    content, code, words = spoilt(tmp_path)[kind]
    file = tmp_path / f"{kind}.onnx"
    file.write_bytes(content)
    before = kept(trained), rows("select * from models")
    outcome = monitor("models", "import", file, "--data", small_dataset)
    assert (outcome.returncode, outcome.stdout) == (code, "")
    assert outcome.stderr.startswith(f"monitor: {file}: ")
    assert words in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert (kept(trained), rows("select * from models")) == before


def test_a_file_that_is_not_there(home: Path, monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("models", "import", "nix.onnx", "--data", small_dataset)
    assert outcome.returncode == 66
    assert "nix.onnx: cannot be read: No such file or directory" in outcome.stderr
    assert not (home / "state").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--name", "../x"), 78, "--name '../x': a name has at most 40 small letters"),
        (("--importer", "ae"), 78, "the detector 'ae' imports no models"),
        (("--score", "nix"), 65, "--score 'nix' is no score among its outputs"),
        (("--set", "nix=1"), 78, "--set: detectors.onnx.nix: unknown key; the keys of detectors.onnx: "),
        (("--set", "height=7"), 78, "--set: detectors.onnx.height: should be greater than or equal to 8"),
        (("--input", "bgr"), 2, "'bgr' is not one of '0-1', '0-255', 'imagenet'"),
    ],
)
def test_wrong_options(
    home: Path, monitor: Run, small_dataset: Path, file: Path, options: Any, code: int, words: str
) -> None:
    outcome = monitor("models", "import", file, "--data", small_dataset, *options)
    assert outcome.returncode == code
    assert words in outcome.stderr
    assert kept(home) == []


def test_settings_come_from_the_configuration_and_the_command_line(
    home: Path, monitor: Run, rows: Rows, small_dataset: Path, tmp_path: Path
) -> None:
    with (home / "config.toml").open("a", encoding="utf-8") as opened:
        opened.write("[detectors.onnx]\nquantile = 0.8\nheight = 20\n")
    any_size = written(tmp_path, model(shape=("N", 3, "H", "W")))
    options = ("--input", "imagenet", "--map", "anomaly_map", "--set", "width=30")
    assert monitor("models", "import", any_size, "--data", small_dataset, *options).returncode == 0
    ((settings,),) = rows("select settings from models")
    found = json.loads(settings)
    assert (found["quantile"], found["height"], found["width"], found["input"]) == (0.8, 20, 30, "imagenet")
    assert found["score"] is None
    assert (found["height"], found["width"]) != SIZE


def test_it_is_not_trained(home: Path, monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("train", "onnx", "--data", small_dataset)
    assert outcome.returncode == 78
    assert outcome.stderr == (
        "monitor: the detector 'onnx' is not trained here; import a model that was trained elsewhere: monitor models "
        "import FILE --data DIR\n"
    )


def test_where_there_is_none_it_is_said_how_one_comes(trained: Path, monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("calibrate", "--detector", "onnx", "--data", small_dataset)
    assert outcome.returncode == 4
    assert "'onnx' is there yet; import one: monitor models import FILE --data DIR" in outcome.stderr


def test_what_can_only_be_imported_is_not_measured(monitor: Run) -> None:
    outcome = monitor("bench", "--detector", "onnx")
    assert outcome.returncode == 2
    assert "'onnx' is not measured: its models are imported, and here they are trained" in outcome.stderr
