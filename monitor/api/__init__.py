"""All that a plug-in may import from monitor: the contracts, the hook marker and the value types.

Importing this module loads neither numpy nor torch nor pydantic, because plug-ins are listed at every start.

Arrays at the boundary are numpy's; what a detector uses inside is its own affair. Throughout, *positive* means
proliv (bleed-out), and a higher score means more abnormal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, TypeAlias

import pluggy

from monitor.errors import CropRefusedError, DataError, EvidenceMissingError, InputMissingError, OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel

    Pixels: TypeAlias = NDArray[np.uint8]
    Floats: TypeAlias = NDArray[np.float32]
    ScoreArray: TypeAlias = NDArray[np.float64]

__all__ = [
    "CropRefusedError",
    "DataError",
    "Detector",
    "EpochReport",
    "EvidenceMissingError",
    "FitReport",
    "InputMissingError",
    "OutputError",
    "Progress",
    "Provider",
    "Runtime",
    "ScoreEvidence",
    "Scores",
    "ThresholdRule",
    "hookimpl",
]

PROJECT_NAME: Final = "monitor"
"""The entry-point group and pluggy's project name."""

hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
"""Marks a function of a plug-in as the implementation of a hook."""

Runtime: TypeAlias = Literal["auto", "torch", "onnx"]
"""What ``pipeline.runtime`` may be; see `Detector.use_runtime`."""

SMALLEST_CROP: Final = 8
"""Crops with a side below this many pixels are refused: no detector can say anything about them."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a detector, rule or command is to be found, resolved only when it is used.

    ``name`` is what a person types, ``summary`` one line of help, ``target`` is ``package.module:Object``.
    """

    name: str
    summary: str
    target: str


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One pass over the training crops: its number from 1, how many are planned, and its mean losses."""

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float


class Progress(Protocol):
    """Called by a detector's `fit` after every epoch, for progress bars and loss curves."""

    def __call__(self, report: EpochReport) -> None:
        """Take one epoch's report."""


@dataclass(frozen=True, slots=True)
class FitReport:
    """What `Detector.fit` did: the loss curves and the epoch whose weights were kept (0: not epoch-wise)."""

    epochs: tuple[EpochReport, ...] = ()
    best_epoch: int = 0


@dataclass(frozen=True)
class Scores:
    """The scores of N crops.

    ``mse``: float32 (N,), mean squared reconstruction error over pixels and channels in squared intensity
    (intensities 0-1), finite and >= 0. ``others``: further named scores, each float32 (N,) and finite.
    ``decision``: which of them is held against the threshold, ``"mse"`` or a key of ``others``.
    """

    mse: Floats
    others: Mapping[str, Floats] = field(default_factory=dict)
    decision: str = "mse"

    @property
    def deciding(self) -> Floats:
        """float32 (N,): the scores that are held against the threshold."""
        return self.mse if self.decision == "mse" else self.others[self.decision]

    def check(self, count: int) -> None:
        """Raise `DataError` unless the scores keep the contract for ``count`` crops."""
        import numpy as np

        if self.decision != "mse" and self.decision not in self.others:
            raise DataError(f"the deciding score {self.decision!r} is not among the scores {sorted(self.others)}")
        for name, values in {"mse": self.mse, **self.others}.items():
            if values.shape != (count,) or values.dtype != np.float32:
                raise DataError(
                    f"the score {name!r} must be float32 of shape ({count},), "
                    f"got {values.dtype} of shape {values.shape}"
                )
            if not np.isfinite(values).all():
                raise DataError(f"the score {name!r} holds a value that is not a finite number")
        if (self.mse < 0).any():
            raise DataError("the score 'mse' holds a negative value")


class Detector(ABC):
    """A trainable scorer of crops, one class per kind; a trained one saved on disk is a *model*.

    A subclass sets ``name`` and ``Settings`` (a frozen pydantic model with ``extra="forbid"`` whose defaults
    make a usable detector) and implements the abstract methods. Preprocessing belongs to the detector and to
    its settings, so that training and scoring cannot differ. The laws that every detector has to keep are
    tested in ``tests/plugins/detectors/test_laws.py``: scores are deterministic, do not depend on the batch or on the
    order, survive saving and loading, and no input array is ever modified.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:
        """Make an untrained detector; ``device`` is a torch device name such as ``cpu`` or ``cuda``, or ``auto``.

        A detector that computes on a GPU says so in ``self.device``: on the processor, crops are scored in processes
        that are forked from the one that loaded the model, which a GPU does not survive.
        """
        self.settings: Any = settings
        self.device = device

    @property
    @abstractmethod
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""

    def prepare(self, pixels: Pixels) -> Pixels:
        """Bring one decoded crop, uint8 (h, w, 3) of any size, to uint8 (H, W, 3) of `input_size`.

        The default squeezes the whole crop with Pillow's bilinear filter. An override may raise
        `CropRefusedError` for a crop that it cannot judge.
        """
        from PIL import Image

        height, width = self.input_size
        return _as_array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))

    def prepare_together(self, crops: Sequence[Pixels]) -> Pixels:
        """`prepare` for many crops, each uint8 (h, w, 3), at once: uint8 (N, H, W, 3).

        The default prepares one after the other. A detector that is faster with many overrides it; the pixels have
        to be those of `prepare`. A subclass that overrides `prepare` alone gets this default back.
        """
        import numpy as np

        batch = np.empty((len(crops), *self.input_size, 3), dtype=np.uint8)
        for row, pixels in zip(batch, crops, strict=True):
            row[:] = self.prepare(pixels)
        return batch

    def prepare_batch(self, crops: Sequence[Pixels], holes: Sequence[int | None] | None = None) -> Pixels:  # noqa: ARG002 - for overrides
        """Bring decoded crops, each uint8 (h, w, 3), to one uint8 (N, H, W, 3).

        ``holes``: the number of each crop's hole, None where nobody knows it. A detector that learns holes
        overrides this and carries the numbers as further channels behind the three of the picture: everything
        after it gets the prepared crops and nothing else. Raises `CropRefusedError` for a crop with a side under
        `SMALLEST_CROP` pixels.
        """
        for pixels in crops:
            height, width = pixels.shape[:2]
            if height < SMALLEST_CROP or width < SMALLEST_CROP:
                raise CropRefusedError(
                    "too_small", f"{width}x{height} pixels are too few; a side needs at least {SMALLEST_CROP}"
                )
        # Of the two ways to prepare crops, the one that the most derived class has said.
        newest = next(kind for kind in type(self).__mro__ if {"prepare", "prepare_together"} & vars(kind).keys())
        if "prepare_together" in vars(newest):
            return self.prepare_together(crops)
        return Detector.prepare_together(self, crops)

    def use_runtime(self, runtime: Runtime) -> str:  # noqa: ARG002 - for overrides
        """Choose what computes the scores from here on, as ``pipeline.runtime`` asks for; return what it is in words.

        Called once for a loaded model, before it scores. The default changes nothing, for a detector whose arithmetic
        has one way alone. An override for a network may choose between ``torch`` and ``onnx`` (ONNX Runtime); where it
        cannot do what is asked for, it logs a warning that says why, and goes on with what it can. Whatever is chosen,
        every ``mse`` stays the same within 1e-5 of itself. Processes may be forked after the call, so threads that a
        runtime needs are to be started at the first score of each process.
        """
        return "its own arithmetic"

    @abstractmethod
    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:
        """Learn from ne_proliv crops, uint8 (N, H, W, 3) as `prepare_batch` returns them.

        ``validation``: uint8 (M, H, W, 3), held out, for stopping early and for what has to be learned on crops
        that the weights have not seen. The threshold is chosen on them as well, so nothing may be fitted to them
        closely. The same crops and ``seed`` give the same weights on one machine.
        """

    @abstractmethod
    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3)."""

    @abstractmethod
    def reconstruct(self, crops: Pixels) -> Floats:
        """Reconstruct prepared crops: float32 (N, H, W, 3), 0-1."""

    @abstractmethod
    def latent(self, crops: Pixels) -> Floats:
        """Return the codes of prepared crops: float32 (N, D)."""

    def prototypes(self) -> Floats:
        """Points among the codes that crops are held against, such as memory items: float32 (K, D); K may be 0."""
        import numpy as np

        return np.empty((0, 0), dtype=np.float32)

    def details(self) -> Mapping[str, Any]:
        """What a person may want to know of a trained detector, by name, as JSON holds it; none by default."""
        return {}

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the learned state into ``folder`` (exists, empty), without pickle; settings are kept for you."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read back what `save` wrote. Starts no threads: processes may be forked from this one afterwards."""


class ScoreEvidence:
    """The deciding scores that a threshold is chosen from, each with the weight that it counts with.

    ``normal``, float64 (N,): crops known to be ne_proliv that the detector was not trained on. ``proliv``, float64
    (M,): known proliv. ``normal_weights`` (N,) and ``proliv_weights`` (M,), float64, positive, of mean 1: a crop of
    weight 2 stands for twice as many crops as one of weight 1; all 1 where nothing else is given. They are what makes
    a random draw stand for all that it was drawn from, and a hundred pictures of one bleed-out count as one event.
    ``crops_per_week``: how many crops the line takes in a week; none where nobody knows.
    """

    def __init__(
        self,
        normal: ScoreArray,
        proliv: ScoreArray,
        *,
        normal_weights: ScoreArray | None = None,
        proliv_weights: ScoreArray | None = None,
        crops_per_week: float | None = None,
    ) -> None:
        """Raise `DataError` for a score that is no finite number or a weight that is not positive."""
        self.normal, self.normal_weights = _weighted("normal", normal, normal_weights)
        self.proliv, self.proliv_weights = _weighted("proliv", proliv, proliv_weights)
        self.crops_per_week = crops_per_week


def _weighted(kind: str, scores: ScoreArray, weights: ScoreArray | None) -> tuple[ScoreArray, ScoreArray]:
    import numpy as np

    values = np.asarray(scores, dtype=np.float64)
    counts = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or counts.shape != values.shape:
        raise DataError(f"the {kind} scores and their weights must be one to one, got {values.shape}, {counts.shape}")
    if not np.isfinite(values).all():
        raise DataError(f"the {kind} scores hold a value that is not a finite number; score these crops again")
    if not (np.isfinite(counts) & (counts > 0)).all():
        raise DataError(f"the weights of the {kind} scores must be finite and positive")
    return values, counts / counts.mean() if len(counts) else counts


class ThresholdRule(ABC):
    """Chooses a threshold from scores; a crop is proliv when its deciding score >= the threshold.

    ``Settings`` is a frozen pydantic model with ``extra="forbid"``, filled from ``[rules.NAME]``.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]

    def __init__(self, settings: BaseModel) -> None:
        self.settings: Any = settings

    @abstractmethod
    def choose(self, evidence: ScoreEvidence) -> float:
        """Return the threshold, finite. Raises `EvidenceMissingError` saying which scores are missing."""


def _as_array(image: Any) -> Pixels:
    """uint8 (H, W, 3) of an RGB Pillow image."""
    import numpy as np

    return np.asarray(image, dtype=np.uint8)
