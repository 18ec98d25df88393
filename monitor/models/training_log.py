"""Logs a training while it runs, for TensorBoard or for Weights & Biases; both are optional packages.

A log never stops a training: once the training has begun, a log that fails is reported with a warning and given up.
"""

from __future__ import annotations

import json
import logging
import os
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from monitor.errors import ConfigurationError, OutputError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from monitor.api import EpochReport, Progress

log = logging.getLogger(__name__)

LogKind = Literal["tensorboard", "wandb"]

LOSSES: Final = ("loss/train", "loss/validation")
# The chart with both curves.
BOTH_LOSSES: Final = "loss"
PICTURE: Final = "held-out/crops"
SCORES: Final = "held-out/scores"

# Our defaults for W&B's own environment variables; one that is set keeps its value.
WANDB_DEFAULTS: Final = {
    # Crops and settings are the plant's own: nothing leaves the machine unless WANDB_MODE says so.
    "WANDB_MODE": "offline",
    "WANDB_PROJECT": "proliv-monitor",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_DISABLE_CODE": "true",
    "WANDB_DISABLE_GIT": "true",
    # Standard output is for results, and standard error for our own words.
    "WANDB_CONSOLE": "off",
    "WANDB_SILENT": "true",
}


class HeldOutView(NamedTuple):
    """How a trained detector sees M held-out crops.

    ``scores``: the deciding scores, float64 (M,). ``picture``: ten of the crops, uint8 (H, W, 3); None where no
    pictures can be drawn.
    """

    scores: NDArray[np.float64]
    picture: NDArray[np.uint8] | None


class Writer(ABC):
    """Where a log goes; any method may fail."""

    @abstractmethod
    def epoch(self, report: EpochReport) -> None:
        """Write the losses of an epoch."""

    @abstractmethod
    def result(self, view: HeldOutView) -> None:
        """Write how the trained detector sees the held-out crops."""

    @abstractmethod
    def close(self) -> None:
        """Write what is still waiting."""


class TensorBoardWriter(Writer):
    """Event files in a folder of their own."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Open the event file and write the settings, as text."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(log_dir=str(folder))
        self._writer.add_text("settings", "\n".join(f"    {key} = {json.dumps(settings[key])}" for key in settings))
        self._last_epoch = 0

    def epoch(self, report: EpochReport) -> None:
        """Two curves over the epochs in one chart, and each by itself."""
        losses = {"train": report.train_loss, "validation": report.validation_loss}
        self._writer.add_scalars(BOTH_LOSSES, losses, report.epoch)
        # Earlier logs have these alone, and can be compared with by them.
        for name, loss in zip(LOSSES, losses.values(), strict=True):
            self._writer.add_scalar(name, loss, report.epoch)
        # What was written so far can be looked at while the training goes on, and survives its end.
        self._writer.flush()
        self._last_epoch = report.epoch

    def result(self, view: HeldOutView) -> None:
        """An image and a histogram at the last epoch."""
        if view.picture is not None:
            self._writer.add_image(PICTURE, view.picture, self._last_epoch, dataformats="HWC")
        self._writer.add_histogram(SCORES, view.scores, self._last_epoch)

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()


class WandbWriter(Writer):
    """A run of Weights & Biases, offline unless WANDB_MODE says otherwise; it puts its files into a sub-folder."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Start a run with the settings as its configuration."""
        for variable, value in WANDB_DEFAULTS.items():
            os.environ.setdefault(variable, value)
        import wandb

        self._wandb = wandb
        name = os.environ.get("WANDB_NAME", folder.name)
        self._run = wandb.init(dir=str(folder), name=name, config=dict(settings))

    def epoch(self, report: EpochReport) -> None:
        """Two curves over the epochs."""
        losses = dict(zip(LOSSES, (report.train_loss, report.validation_loss), strict=True))
        self._run.log({"epoch": report.epoch, **losses})

    def result(self, view: HeldOutView) -> None:
        """An image and a histogram."""
        picture = {} if view.picture is None else {PICTURE: self._wandb.Image(view.picture)}
        self._run.log({**picture, SCORES: self._wandb.Histogram(view.scores.tolist())})

    def close(self) -> None:
        """End the run."""
        self._run.finish()


class TrainingLog:
    """One training's log; without a writer it does nothing."""

    def __init__(self, writer: Writer | None, name: str = "") -> None:
        """``name`` is how warnings name it."""
        self._writer = writer
        self._name = name

    def epoch(self, report: EpochReport) -> None:
        """Write an epoch's losses."""
        self._try(lambda writer: writer.epoch(report))

    def behind(self, progress: Progress) -> Progress:
        """Call ``progress`` after every epoch, and then write the epoch into the log."""

        def both(report: EpochReport) -> None:
            progress(report)
            self.epoch(report)

        return both

    def result(self, view_held_out: Callable[[], HeldOutView]) -> None:
        """Write how the trained detector sees the held-out crops; without a writer, it is not asked."""
        self._try(lambda writer: writer.result(view_held_out()))

    def close(self) -> None:
        """End the log."""
        self._try(lambda writer: writer.close())

    def _try(self, act: Callable[[Writer], None]) -> None:
        if self._writer is None:
            return
        try:
            act(self._writer)
        except Exception as error:  # noqa: BLE001 - whatever such a library raises must not end the training
            log.warning(
                "the log %s cannot be written any more (%s: %s); the training goes on without it",
                self._name, type(error).__name__, printable(str(error)),
            )  # fmt: skip
            self._writer = None


def new_folder(parent: Path, detector: str, now: datetime) -> Path:
    """Make a folder for one training's log, named by the detector and the time; raises `OutputError`."""
    name = f"{detector}-{now:%Y%m%d-%H%M%S}"
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError(
                f"{printable(folder)}: the log's folder cannot be made: {error.strerror}; give another with --log-dir"
            ) from None
        else:
            return folder


@contextmanager
def opened(kind: LogKind, folder: Path, settings: Mapping[str, Any]) -> Iterator[TrainingLog]:
    """A log in ``folder``, closed at the end; raises `ConfigurationError` when it cannot even be begun."""
    writer_class = {"tensorboard": TensorBoardWriter, "wandb": WandbWriter}[kind]
    try:
        writer = writer_class(folder, settings)
    except Exception as error:
        raise ConfigurationError(
            f"--log {kind}: no log can be begun: {' '.join(str(error).split())}; check {kind}'s own settings, or "
            "train without --log"
        ) from error
    journal = TrainingLog(writer, printable(folder))
    try:
        yield journal
    finally:
        journal.close()
