"""The contract of a detector: a trainable scorer of crops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from monitor.api.differences import squared_error_maps
from monitor.errors import CropRefusedError, NotOfferedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from pydantic import BaseModel

    from monitor.api.arrays import Floats, Pixels
    from monitor.api.lessons import Lesson
    from monitor.api.measurements import Measurement
    from monitor.api.recipes import Recipe
    from monitor.api.scores import Scores
    from monitor.api.training import FitReport, Progress

# What ``pipeline.runtime`` may be; see `Detector.use_runtime`.
Runtime: TypeAlias = Literal["auto", "torch", "onnx"]

# The methods that a detector need not have; see `Detector.offers`.
OptionalMethod: TypeAlias = Literal["heatmap", "reconstruct", "latent", "lessons"]

# Crops with a side below this many pixels are refused: no detector can say anything about them.
SMALLEST_CROP: Final = 8


class Detector(ABC):
    """A trainable scorer of crops, one class per kind; a trained one saved on disk is a *model*.

    A subclass sets ``name`` and ``Settings`` (a frozen pydantic model with ``extra="forbid"`` whose defaults
    make a usable detector) and implements the abstract methods. `heatmap`, `reconstruct`, `latent` and `lessons` are
    optional: a detector has those that it overrides, and everything that a detector is for works without them.
    Preprocessing belongs to the detector and to its settings, so that training and scoring cannot differ. The laws that
    every detector has to keep are tested in ``tests/plugins/detectors/test_laws.py``: scores are deterministic, do not
    depend on the batch or on the order, survive saving and loading, and no input array is ever modified.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]
    # Published experiments that the detector repeats, for `monitor train --recipe`; none need be there.
    recipes: ClassVar[Sequence[Recipe]] = ()
    # Whether `fit` also gets ``proliv``, a `KnownProliv`, and returns cross-fitted scores of it.
    learns_from_proliv: ClassVar[bool] = False
    # The threshold that the deciding score itself suggests, used for as long as too little proliv is known to choose
    # one; None: calibration.fallback_rule chooses.
    natural_threshold: ClassVar[float | None] = None
    # Whether its models come from outside, by `monitor models import`, which asks `from_file` for them: `monitor train`
    # and everything else that goes over the detectors that can be trained leaves it out.
    imported: ClassVar[bool] = False

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

        A detector with ``learns_from_proliv`` takes ``proliv`` as well, a `KnownProliv`, by its name; with a default,
        such as None, because others are called without it.

        One that is ``imported`` learns here only what `score` needs besides its file, such as the mean crop. It gets a
        part of the crops, which is enough for that.
        """

    @classmethod
    def from_file(cls, file: Path, settings: BaseModel, device: str) -> Self:  # noqa: ARG003 - for overrides
        """Make a detector of a file that another program has trained; for those that are ``imported`` alone.

        The file is not to be trusted: all of it is checked before anything is done with it. Nothing of it may be
        needed afterwards but what `save` writes. The settings of what is returned also say what was found out about the
        file, so that `load` has to ask for nothing. Raises `InputMissingError` or `DataError`, with the path and what
        to do, and `ConfigurationError` where a package is missing or a setting does not fit the file.
        """
        raise NotOfferedError(f"the detector {cls.name!r} imports no models; train one: monitor train {cls.name}")

    @abstractmethod
    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3).

        Every detector gives an ``mse``. One that reconstructs nothing gives the error against the mean of its training
        crops, by `monitor.api.mean_squared_errors`.
        """

    def measurement(self) -> Measurement | None:
        """What it measures of prepared crops before it judges them, where another detector may begin in the same way.

        Where several active models do, crops are measured once, by a measurement that covers those of the others, and
        each model is asked by `score_measured`. None by default: nothing is shared.
        """
        return None

    def score_measured(self, measured: Any) -> Scores:  # noqa: ARG002 - for overrides
        """The scores that `score` gives, of what a measurement has told that covers the detector's own."""
        raise NotOfferedError(f"the detector {self.name!r} shares no measurement")

    @classmethod
    def offers(cls, method: OptionalMethod) -> bool:
        """Whether the detector has an optional method; `heatmap` comes with `reconstruct`."""
        overridden = getattr(cls, method) is not getattr(Detector, method)
        return overridden or (method == "heatmap" and cls.offers("reconstruct"))

    def heatmap(self, crops: Pixels) -> Floats:
        """Where prepared crops are abnormal: float32 (N, H, W), the H and W of `input_size`, finite and >= 0.

        The higher, the more abnormal, in whatever unit. The default is the squared error of the reconstruction, in
        squared intensity; raises `NotOfferedError` where there is neither.
        """
        if not self.offers("heatmap"):
            raise NotOfferedError(f"the detector {self.name!r} has no heat map")
        return squared_error_maps(crops, self.reconstruct(crops))

    def reconstruct(self, crops: Pixels) -> Floats:  # noqa: ARG002 - for overrides
        """Reconstruct prepared crops: float32 (N, H, W, 3), 0-1; raises `NotOfferedError` unless overridden."""
        raise NotOfferedError(f"the detector {self.name!r} reconstructs no crops")

    def latent(self, crops: Pixels) -> Floats:  # noqa: ARG002 - for overrides
        """The codes of prepared crops: float32 (N, D); raises `NotOfferedError` unless overridden."""
        raise NotOfferedError(f"the detector {self.name!r} has no codes of crops")

    def prototypes(self) -> Floats:
        """Points among the codes that crops are compared with, such as memory items: float32 (K, D); K may be 0."""
        import numpy as np

        return np.empty((0, 0), dtype=np.float32)

    def lessons(self, crops: Pixels, *, proliv: Pixels, seed: int) -> Sequence[Lesson]:  # noqa: ARG002 - for overrides
        """Pictures such as the detector was taught by, a `Lesson` for each kind, for people to look at.

        ``crops``: prepared normal crops, uint8 (N, H, W, 3), N > 0, of which the pictures are made, one of each crop
        and kind. ``proliv``: prepared proliv, uint8 (P, H, W, 3); P is 0 where none is known. They are made as those
        of the training were, of other crops and by other random numbers; the same input and ``seed`` give the same
        pictures. Raises `NotOfferedError` unless overridden.
        """
        raise NotOfferedError(f"the detector {self.name!r} learns from no made-up pictures")

    def details(self) -> Mapping[str, Any]:
        """What a person may want to know of a trained detector, by name, as JSON holds it; none by default."""
        return {}

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the learned state into ``folder`` (exists, empty), without pickle; settings are kept for you.

        Raises `OSError` where the disk refuses, not what a library makes of it.
        """

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read back what `save` wrote. Starts no threads: processes may be forked from this one afterwards."""


def _as_array(image: Any) -> Pixels:
    """uint8 (H, W, 3) of an RGB Pillow image."""
    import numpy as np

    return np.asarray(image, dtype=np.uint8)
