from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.api import EpochReport
from monitor.errors import ConfigurationError, OutputError
from monitor.models import training_log
from monitor.models.training_log import HeldOutView, TrainingLog, Writer

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2023, 3, 1, 5, 39, 27, tzinfo=UTC)
EPOCHS = [EpochReport(1, 3, 0.5, 0.6), EpochReport(2, 3, 0.25, 0.7)]


class Breaking(Writer):
    """A writer whose disk is full from the second epoch on."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def epoch(self, report: EpochReport) -> None:
        self.calls.append(report)
        if report.epoch == 2:
            raise OSError(28, "No space left on device")

    def result(self, view: HeldOutView) -> None:
        self.calls.append("result")

    def close(self) -> None:
        self.calls.append("close")


def test_a_log_that_breaks_is_warned_of_once_and_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    writer = Breaking()
    log = TrainingLog(writer, "state/logs/ae")
    told: list[EpochReport] = []

    def tell(report: EpochReport) -> None:
        told.append(report)

    progress = log.behind(tell)
    for number in range(1, 5):
        progress(EpochReport(number, 4, 0.5, 0.5))
    log.close()
    assert [report.epoch for report in told] == [1, 2, 3, 4]
    assert len(writer.calls) == 2
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "the log state/logs/ae cannot be written any more (OSError: [Errno 28] No space left on device); the training "
        "goes on without it"
    )


def test_without_a_writer_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    log = TrainingLog(None)
    log.epoch(EPOCHS[0])
    log.close()
    assert caplog.records == []


def test_an_interruption_is_no_failure_of_the_log() -> None:
    class Interrupted(Breaking):
        def epoch(self, report: EpochReport) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TrainingLog(Interrupted()).epoch(EPOCHS[0])


def test_every_training_has_a_folder_of_its_own(tmp_path: Path) -> None:
    names = [training_log.new_folder(tmp_path / "logs", "ae", NOW).name for _ in range(3)]
    assert names == ["ae-20230301-053927", "ae-20230301-053927-2", "ae-20230301-053927-3"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(OutputError, match=r"the log's folder cannot be made: .*; give another with --log-dir"):
        training_log.new_folder(tmp_path / "logs", "ae", NOW)


def test_a_log_that_cannot_be_begun_is_told_before_the_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(folder: Path, settings: object) -> Writer:
        raise RuntimeError("no\nkey")

    monkeypatch.setattr(training_log, "WandbWriter", fail)
    with (
        pytest.raises(
            ConfigurationError, match=r"--log wandb: no log can be begun: no key; check wandb's own settings"
        ),
        training_log.opened("wandb", tmp_path, {}),
    ):
        pytest.fail("it was begun")


def test_tensorboard_can_read_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    writer = training_log.TensorBoardWriter(tmp_path, {"epochs": 2, "variant": "conv"})
    for report in EPOCHS:
        writer.epoch(report)
    writer.result(HeldOutView(np.array([0.1, 0.2, 0.4]), picture))
    writer.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    for name, losses in (("loss/train", [0.5, 0.25]), ("loss/validation", [0.6, 0.7])):
        assert [(event.step, event.value) for event in events.Scalars(name)] == [
            (step, pytest.approx(loss)) for step, loss in enumerate(losses, 1)
        ]
        # One chart shows both: the same tag, in a run for each curve.
        curve = EventAccumulator(str(tmp_path / name.replace("/", "_")))
        curve.Reload()
        assert [event.value for event in curve.Scalars("loss")] == pytest.approx(losses)
    (image,) = events.Images("held-out/crops")
    assert (image.step, image.height, image.width) == (2, 20, 30)
    (histogram,) = events.Histograms("held-out/scores")
    assert histogram.histogram_value.num == 3
    assert b"epochs = 2" in events.Tensors("settings/text_summary")[0].tensor_proto.string_val[0]


@pytest.mark.parametrize("name", ["WANDB_MODE", "WANDB_ERROR_REPORTING"])
def test_nothing_leaves_the_machine_unasked(name: str) -> None:
    assert training_log.WANDB_DEFAULTS[name] in {"offline", "false"}
