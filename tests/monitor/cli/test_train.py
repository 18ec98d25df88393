from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Start = Callable[..., subprocess.Popen[bytes]]
    Rows = Callable[[str], list[tuple[Any, ...]]]

pytestmark = pytest.mark.process

QUICK = ("--set", "epochs=1")


def digests(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_the_name_alone_goes_to_standard_output(home: Path, monitor: Run, rows: Rows, small_dataset: Path) -> None:
    outcome = monitor("train", "ae", "--data", small_dataset, *QUICK)
    assert outcome.returncode == 0
    name = outcome.stdout.removesuffix("\n")
    assert re.fullmatch(r"ae-[0-9a-f]{12}", name)
    assert re.search(r"^ae: epoch 1/1  train loss 0\.\d+  validation loss 0\.\d+$", outcome.stderr, re.MULTILINE)
    assert f"monitor calibrate --data {small_dataset}" in outcome.stderr
    assert [path.name for path in (home / "state" / "models").iterdir()] == [name]
    assert rows("select name, detector, folder, active from models") == [(name, "ae", name, 0)]


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told_before_the_training(home: Path, monitor: Run, small_dataset: Path) -> None:
    (home / "config.toml").write_text('[pipeline]\ndevice = "cuda"\n', encoding="utf-8")
    outcome = monitor("train", "ae", "--data", small_dataset, *QUICK)
    assert (outcome.returncode, outcome.stdout) == (78, "")
    assert 'monitor: pipeline.device is "cuda", but torch ' in outcome.stderr
    assert not (home / "state").exists()


def test_a_recipe_trains_as_published_whatever_is_configured(
    home: Path, monitor: Run, rows: Rows, small_dataset: Path
) -> None:
    (home / "config.toml").write_text("[detectors.ae]\ncode_size = 16\nblur_sigma = 2.0\n", encoding="utf-8")
    outcome = monitor("train", "--recipe", "dense-30x50", "--data", small_dataset, "--limit", "30", *QUICK)
    assert outcome.returncode == 0, outcome.stderr
    name = outcome.stdout.strip()
    assert f"monitor calibrate --model {name} --rule fixed --set threshold=12/4500 --data {small_dataset}" in (
        outcome.stderr
    )
    ((settings,),) = rows("select settings from models")
    found = json.loads(settings)
    assert (found["variant"], found["code_size"], found["blur_sigma"], found["epochs"]) == ("dense-30x50", 256, 0, 1)
    # The loss is a sum over 30 x 50 pixels and 3 channels, so it is a number of another size than a mean.
    (loss,) = re.findall(r"train loss (\S+)", outcome.stderr)
    assert float(loss) > 1
    words = outcome.stderr.partition("monitor calibrate ")[2].split()
    assert monitor("calibrate", *words).returncode == 0
    assert rows("select threshold from calibrations") == [(12 / 4500,)]


def test_a_recipe_that_is_not_there(monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("train", "--recipe", "nix", "--data", small_dataset)
    assert outcome.returncode == 78
    assert "there is no recipe 'nix'; the recipes are: cvae-64, dense-30x50, linear-2, linear-5" in outcome.stderr
    both = monitor("train", "ae", "--recipe", "linear-2", "--data", small_dataset)
    assert both.returncode == 2
    assert "give either --recipe or DETECTOR" in both.stderr


def test_without_a_detector_all_are_trained(home: Path, monitor: Run, small_dataset: Path) -> None:
    from monitor.registry import Registry

    registry = Registry.load()
    # Not all detectors are trained by epochs, so --set would be refused.
    by_epochs = [name for name in registry.detectors if "epochs" in registry.detector_class(name).Settings.model_fields]
    sections = "".join(f"[detectors.{name}]\nepochs = 1\n" for name in by_epochs if name != "contrast")
    sections += "[detectors.contrast]\nepochs = 1\npool = 256\n"
    (home / "config.toml").write_text(sections, encoding="utf-8")
    outcome = monitor("train", "--data", small_dataset, "--limit", "20")
    assert outcome.returncode == 0, outcome.stderr
    assert [line.rpartition("-")[0] for line in outcome.stdout.splitlines()] == sorted(registry.trainable())


def test_a_detector_that_is_named_twice_is_trained_once(monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("train", "ae", "ae", "--data", small_dataset, "--limit", "20", *QUICK)
    assert len(outcome.stdout.splitlines()) == 1


def test_the_seed_decides_which_model_it_is(monitor: Run, rows: Rows, small_dataset: Path) -> None:
    names = [
        monitor("train", "ae", "--data", small_dataset, "--limit", "40", "--seed", seed, *QUICK).stdout
        for seed in ("3", "3", "4")
    ]
    assert names[0] == names[1] != names[2]
    assert rows("select count(*) from models") == [(2,)]


def test_a_part_of_train_is_held_out_and_test_and_proliv_are_never_touched(
    home: Path, monitor: Run, small_dataset: Path, tmp_path: Path
) -> None:
    name = monitor("train", "ae", "--data", small_dataset, *QUICK).stdout.strip()
    held_out = set((home / "state" / "models" / name / "validation.txt").read_text(encoding="ascii").split())
    train = digests(small_dataset / "train")
    assert 0.1 * len(train) <= len(held_out) <= 0.3 * len(train)
    assert held_out < train
    assert not held_out & (digests(small_dataset / "test") | digests(small_dataset / "proliv"))
    # Nothing else of the folder takes part: without it, the very same model comes out.
    shutil.copytree(small_dataset / "train", tmp_path / "alone" / "train")
    assert monitor("train", "ae", "--data", tmp_path / "alone", *QUICK).stdout.strip() == name


def test_limit_trains_on_so_many(monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("train", "ae", "--data", small_dataset, "--limit", "30", *QUICK)
    match = re.search(r"^(\d+) crops to train on, (\d+) held out, 0 left out$", outcome.stderr, re.MULTILINE)
    assert match is not None
    assert int(match[1]) + int(match[2]) == 30


def test_damaged_crops_are_named_and_left_out(monitor: Run, small_dataset: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(small_dataset / "train", data / "train")
    damaged = data / "train" / "new\nline.jpg"
    damaged.write_bytes(b"")
    outcome = monitor("train", "ae", "--data", data, *QUICK)
    assert outcome.returncode == 0
    assert f"{data}/train/new\\nline.jpg: it holds no bytes" in outcome.stderr
    assert "150 crops" not in outcome.stderr
    assert "1 left out" in outcome.stderr


@pytest.mark.parametrize(
    ("assignments", "sentences"),
    [
        (["nix=1"], ["--set: detectors.ae.nix: unknown key; the keys of detectors.ae: ", "learning_rate"]),
        (["epochs=many"], ["--set: detectors.ae.epochs: should be a whole number", "(got 'many')"]),
        (["epochs=0", "nix=1"], ["--set: detectors.ae.epochs: ", "--set: detectors.ae.nix: "]),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_done(
    home: Path, monitor: Run, small_dataset: Path, assignments: list[str], sentences: list[str]
) -> None:
    options = [word for assignment in assignments for word in ("--set", assignment)]
    outcome = monitor("train", "ae", "--data", small_dataset, *options)
    assert outcome.returncode == 78
    assert outcome.stdout == ""
    for sentence in sentences:
        assert sentence in outcome.stderr
    assert not (home / "state").exists()


def test_a_wrong_key_of_the_file_is_named_with_the_file(home: Path, monitor: Run, small_dataset: Path) -> None:
    (home / "config.toml").write_text("[detectors.ae]\nnix = 1\n", encoding="utf-8")
    outcome = monitor("train", "ae", "--data", small_dataset)
    assert outcome.returncode == 78
    assert re.search(rf"{re.escape(str(home))}/config\.toml:[0-9]+: detectors\.ae\.nix: unknown key", outcome.stderr)


def test_set_wins_over_the_file(home: Path, monitor: Run, rows: Rows, small_dataset: Path) -> None:
    (home / "config.toml").write_text("[detectors.ae]\nepochs = 0\ncode_size = 16\n", encoding="utf-8")
    assert monitor("train", "ae", "--data", small_dataset, "--limit", "20", *QUICK).returncode == 0
    query = "select json_extract(settings, '$.epochs'), json_extract(settings, '$.code_size') from models"
    assert rows(query) == [(1, 16)]


def test_set_without_a_value_is_a_wrong_command_line(monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("train", "ae", "--data", small_dataset, "--set", "epochs")
    assert outcome.returncode == 2
    assert "'epochs' is not KEY=VALUE" in outcome.stderr


def test_an_unknown_detector(monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("train", "nix", "--data", small_dataset)
    assert outcome.returncode == 78
    assert "there is no detector 'nix'; installed are: " in outcome.stderr


def test_folders_that_hold_nothing_to_train_on(home: Path, monitor: Run, small_dataset: Path) -> None:
    missing = monitor("train", "ae", "--data", "nowhere")
    assert (missing.returncode, missing.stderr) == (66, "monitor: nowhere: there is no such folder; check the path\n")
    (home / "empty").mkdir()
    empty = monitor("train", "ae", "--data", "empty")
    assert empty.returncode == 65
    assert "monitor: empty: looked for crops without proliv in train/" in empty.stderr
    (home / "few" / "train").mkdir(parents=True)
    shutil.copy(next((small_dataset / "train").iterdir()), home / "few" / "train")
    few = monitor("train", "ae", "--data", "few")
    assert few.returncode == 65
    assert few.stderr == "monitor: few: 1 of the 1 crops in train/ can be read, and at least 2 are needed\n"
    next((home / "few" / "train").iterdir()).write_bytes(b"")
    empty_file = monitor("train", "ae", "--data", "few")
    assert empty_file.returncode == 65
    assert "monitor: few: 0 of the 1 crops in train/ can be read, and at least 2 are needed; few/train/" in (
        empty_file.stderr
    )
    assert not (home / "state" / "models").exists()


def test_a_state_folder_that_cannot_be_made(home: Path, monitor: Run, small_dataset: Path) -> None:
    (home / "state").write_text("in the way", encoding="utf-8")
    outcome = monitor("train", "ae", "--data", small_dataset, *QUICK)
    assert outcome.returncode == 73
    assert f"{home}/state" in outcome.stderr


def test_interrupted_it_leaves_no_model(home: Path, start: Start, rows: Rows, small_dataset: Path) -> None:
    endless = ("--set", "epochs=1000", "--set", "patience=0")
    process = start("train", "ae", "--data", small_dataset, *endless)
    assert process.stderr is not None
    for line in process.stderr:
        if b"epoch 2/" in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == b""
    assert err.endswith(b"monitor: interrupted\n")
    assert b"Traceback" not in err
    models = home / "state" / "models"
    assert not models.exists() or not list(models.iterdir())
    assert rows("select count(*) from models") == [(0,)]


def test_a_log_for_tensorboard(home: Path, monitor: Run, small_dataset: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    outcome = monitor("train", "ae", "--data", small_dataset, "--log", "tensorboard", "--set", "epochs=2")
    assert outcome.returncode == 0, outcome.stderr
    (folder,) = (home / "state" / "logs").iterdir()
    assert re.fullmatch(r"ae-\d{8}-\d{6}", folder.name)
    assert f"the log is in {folder}\n" in outcome.stderr
    events = EventAccumulator(str(folder))
    events.Reload()
    losses = re.findall(r"train loss (\S+)  validation loss (\S+)$", outcome.stderr, re.MULTILINE)
    for position, name in enumerate(("loss/train", "loss/validation")):
        written = [(event.step, event.value) for event in events.Scalars(name)]
        assert written == [
            (step, pytest.approx(float(both[position]), rel=1e-4)) for step, both in enumerate(losses, 1)
        ]
    # TensorBoard draws what has the same tag in one chart, a curve for each run.
    runs = EventMultiplexer().AddRunsFromDirectory(str(folder))
    runs.Reload()
    together = {run for run, tags in runs.Runs().items() if "loss" in tags["scalars"]}
    assert together == {"loss_train", "loss_validation"}
    for position, run in enumerate(sorted(together)):
        values = [event.value for event in runs.Scalars(run, "loss")]
        assert values == [pytest.approx(float(both[position]), rel=1e-4) for both in losses]
    (image,) = events.Images("held-out/crops")
    assert image.width > image.height > 100
    held_out = re.search(r"(\d+) held out", outcome.stderr)
    assert held_out is not None
    assert events.Histograms("held-out/scores")[0].histogram_value.num == int(held_out[1])


def test_a_log_for_wandb_stays_on_this_machine(home: Path, start: Start, small_dataset: Path) -> None:
    pytest.importorskip("wandb")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    # In a process of its own: the library leaves a service and changed settings behind.
    process = start(
        "train", "ae", "--data", small_dataset, "--log", "wandb", "--log-dir", home / "runs", *QUICK, env=environment
    )
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert re.fullmatch(rb"ae-[0-9a-f]{12}\n", out)
    (folder,) = (home / "runs").iterdir()
    (run,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    content = run.read_bytes()
    for name in (b"loss/train", b"loss/validation", b"held-out/scores", b"code_size"):
        assert name in content
    assert len(list(folder.glob("wandb/offline-run-*/files/media/images/held-out/*.png"))) == 1
    assert not (home / "wandb").exists()


def test_a_log_changes_no_model(monitor: Run, small_dataset: Path) -> None:
    pytest.importorskip("tensorboard")
    arguments = ("train", "ae", "--data", small_dataset, "--limit", "40", *QUICK)
    assert monitor(*arguments, "--log", "tensorboard").stdout == monitor(*arguments).stdout


def test_where_no_log_can_go_is_told_before_the_training(home: Path, monitor: Run, small_dataset: Path) -> None:
    pytest.importorskip("tensorboard")
    (home / "logs").touch()
    outcome = monitor("train", "ae", "--data", small_dataset, "--log", "tensorboard", "--log-dir", "logs", *QUICK)
    assert (outcome.returncode, outcome.stdout) == (73, "")
    assert "epoch 1" not in outcome.stderr


def test_a_place_without_a_log_is_a_wrong_command_line(home: Path, monitor: Run, small_dataset: Path) -> None:
    outcome = monitor("train", "ae", "--data", small_dataset, "--log-dir", "logs")
    assert outcome.returncode == 2
    assert "choose the kind of log with --log" in outcome.stderr


def test_a_log_whose_package_is_missing(
    home: Path, monitor: Run, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.configuration.extras.find_spec", lambda _name: None)
    outcome = monitor("train", "ae", "--data", small_dataset, "--log", "tensorboard")
    assert outcome.returncode == 78
    assert outcome.stderr == (
        "monitor: --log tensorboard: the package tensorboard is not installed; install the extra: "
        "pip install 'proliv-monitor[tensorboard]'\n"
    )
    assert not (home / "state").exists()
