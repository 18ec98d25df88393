"""The detector ``onnx``: networks that were trained elsewhere and come as ONNX files, by `monitor models import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from monitor.api import ConfigurationError, DataError, Detector, FitReport, Scores, mean_squared_errors
from plugins.networks.allocation import keep_freed_memory
from plugins.networks.imported import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    ImportedNetwork,
    Scaling,
    Use,
    keeps_crops_apart,
    learned_from,
    tried,
)
from plugins.networks.onnx_files import LARGEST_SIDE, ImageInput, check, image_input, on_one_line, printable, read
from plugins.networks.runtimes import OnnxSession, missing_packages, say_once
from plugins.networks.trial import apart
from plugins.pictures.images import patches
from plugins.pictures.resizing import resized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.api import Floats, Pixels, Progress, Runtime

NETWORK: Final = "network.onnx"
LEARNED: Final = "learned.safetensors"
# How many made-up crops a network is tried on.
PROBES: Final = 5
# How many of the training crops tell the lowest value of the maps, which is drawn as nothing abnormal.
MAPPED: Final = 256

Side = Annotated[int | None, Field(ge=8, le=LARGEST_SIDE)]
Colours = Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...] | None, Field(min_length=3, max_length=3)]
Divisors = Annotated[
    tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] | None, Field(min_length=3, max_length=3)
]


class OnnxSettings(BaseModel):
    """Settings of `Onnx`; those that a file answers are filled in when it is imported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Scaling | None = Field(
        default=None,
        description="How intensities go in: 0-1, 0-255, or imagenet: 0-1, less ImageNet's mean, in its deviations.",
    )
    mean: Colours = Field(default=None, description="What is taken from red, green and blue then, in place of input's.")
    deviation: Divisors = Field(default=None, description="What they are divided by then, in place of input's.")
    height: Side = Field(default=None, description="Rows that crops are resized to, where the file leaves them open.")
    width: Side = Field(default=None, description="Columns that crops are resized to, where the file leaves them open.")
    score: str | None = Field(default=None, description="The output that decides; by default one with a usual name.")
    map: str | None = Field(default=None, description="The output that is drawn; it decides where there is no score.")
    quantile: float = Field(
        default=0.9, ge=0, le=1, description="The quantile of the map's pixels that decides then; 1: their maximum."
    )
    one_by_one: bool = Field(default=False, description="Give the network one crop at a time.")


class Onnx(Detector):
    """Scores crops by a network that another program has trained, computed by ONNX Runtime on the processor.

    The network has one input, a batch of images in colour. One of its outputs, a number for each image, decides: a crop
    is the more abnormal, the higher it is. Another, a map, tells where. Where there is no such number, a quantile of
    the map's pixels decides: by default a high one and not their maximum, for a proliv covers much of a crop.

    The file is copied into the model as it is. What is learned here is the mean of the training crops, from which
    ``mse`` is measured, and the lowest value of the maps if that is negative.
    """

    name = "onnx"
    Settings: ClassVar[type[BaseModel]] = OnnxSettings
    imported: ClassVar[bool] = True

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:  # noqa: ARG002 - computed on the processor
        super().__init__(settings, "cpu")
        self._content = b""
        self._network: ImportedNetwork | None = None
        self._mean: Floats = np.zeros((*self.input_size, 3), dtype=np.float32)
        self._floor = 0.0
        self._milliseconds: float | None = None
        # What the file is called in messages.
        self._file = Path(NETWORK)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""
        return self.settings.height or 0, self.settings.width or 0

    def prepare_together(self, crops: Sequence[Pixels]) -> Pixels:
        """`prepare` for many crops: uint8 (N, H, W, 3); the whole crop, squeezed."""
        return resized(crops, size=self.input_size)

    @classmethod
    def from_file(cls, file: Path, settings: BaseModel, device: str) -> Self:
        """Check an ONNX file, try it on made-up crops, and find out how it is to be used."""
        shown = Path(printable(file))
        _require_packages(shown)
        content = read(file)
        found = OnnxSettings.model_validate(apart(lambda: _found_out(content, settings, shown), shown))
        session = OnnxSession(content)
        detector = cls._made(content, session, image_input(session, shown), found, device)
        detector._file = shown
        return detector

    @classmethod
    def _made(cls, content: bytes, session: OnnxSession, taken: ImageInput, settings: Any, device: str) -> Self:
        kind = cls if settings.map is not None else OnnxWithoutMap
        detector: Any = kind(settings, device)
        detector._content = content
        detector._network = ImportedNetwork(session, taken, _use(settings))
        made: Self = detector
        return made

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:  # noqa: ARG002 - the network is trained
        """Learn the mean of prepared crops, uint8 (N, H, W, 3), and how low the maps are.

        What is not trusted is computed apart; raises `DataError` where that fails, or tells no crop from another.
        """
        network = self._imported()
        drawn = crops[: MAPPED if self.settings.map is not None else 0]
        learned = apart(lambda: learned_from(network, drawn, validation, self._file), self._file)
        self._mean = (crops.mean(axis=0, dtype=np.float64) / 255).astype(np.float32)
        self._floor, self._milliseconds = float(learned["floor"]), float(learned["milliseconds"])
        return FitReport()

    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3): ``mse`` against the mean crop, and ``score``, which decides."""
        scores = [answer.scores for answer in self._imported().answers(crops)]
        errors = [mean_squared_errors(crops[row : row + 1], self._mean) for row in range(len(crops))]
        return Scores(_joined(errors, ()), {"score": _joined(scores, ())}, decision="score")

    def heatmap(self, crops: Pixels) -> Floats:
        """The network's map, enlarged to the prepared crops: float32 (N, H, W), above the lowest of training crops."""
        maps = [_enlarged(answer.maps, self.input_size) for answer in self._imported().answers(crops)]
        return (_joined(maps, self.input_size) - np.float32(self._floor)).clip(min=0)

    def use_runtime(self, runtime: Runtime) -> str:
        """ONNX Runtime on the processor; there is no other."""
        if runtime == "torch":
            say_once(f"the detector {self.name} is computed by ONNX Runtime: torch cannot compute what was imported")
        return "ONNX Runtime on cpu"

    def details(self) -> Mapping[str, Any]:
        """How large the file is, what decides, and, just after the import, how long a crop takes."""
        use = self.settings
        decides = f"the output {use.score}" if use.score is not None else f"the {use.quantile:g} quantile of {use.map}"
        measured = {} if self._milliseconds is None else {"milliseconds": self._milliseconds}
        return {"megabytes": round(len(self._content) / 1e6, 1), "decides": decides, **measured}

    def save(self, folder: Path) -> None:
        """Write the file, as it came, and what was learned here."""
        self._imported()
        (folder / NETWORK).write_bytes(self._content)
        (folder / LEARNED).write_bytes(save({"mean": self._mean, "floor": np.array([self._floor])}))

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read them back; raises `DataError` for what is damaged, `ConfigurationError` where a package is missing."""
        _require_packages(folder / NETWORK, ("onnxruntime",))
        keep_freed_memory()
        content = (folder / NETWORK).read_bytes()
        session = OnnxSession(content)
        detector = cls._made(content, session, image_input(session, folder / NETWORK), settings, device)
        try:
            learned = load_file(folder / LEARNED)
            detector._mean = learned["mean"].reshape(*detector.input_size, 3)
            detector._floor = float(learned["floor"][0])
        except (SafetensorError, KeyError, ValueError) as error:
            raise DataError(f"{folder / LEARNED}: is not of this model: {error}; import it again") from error
        return detector

    def _imported(self) -> ImportedNetwork:
        if self._network is None:
            raise DataError("this detector has no network; import one: monitor models import FILE --data DIR")
        return self._network


class OnnxWithoutMap(Onnx):
    """One whose network tells only how abnormal a crop is, not where."""

    heatmap = Detector.heatmap


def _found_out(content: bytes, settings: Any, file: Path) -> dict[str, Any]:
    """Check a file and try it on made-up crops; return the settings with what was found out, as JSON holds them."""
    check(content, file)
    try:
        session = OnnxSession(content)
    except Exception as error:
        raise DataError(
            f"{file}: ONNX Runtime cannot load it: {on_one_line(error)}; export it again, if need be for an older opset"
        ) from error
    taken = image_input(session, file)
    known = {**_sizes(settings, taken, file), "input": _scaling(settings, taken, file)}
    chosen = settings.model_copy(update=known)
    crops = patches((chosen.height, chosen.width), PROBES)
    network = ImportedNetwork(session, taken, _use(chosen))
    score, heat_map = tried(network, crops, chosen.score, chosen.map, file)
    # As many as go through it at once later: a graph may do something else with more crops than with few.
    many = patches((chosen.height, chosen.width), max(2, network.batch_size(chosen.height, chosen.width)))
    alone = chosen.one_by_one or taken.one_by_one or not keeps_crops_apart(network, many, (score, heat_map))
    found: dict[str, Any] = chosen.model_copy(update={"score": score, "map": heat_map, "one_by_one": alone}).model_dump(
        mode="json"
    )
    return found


def _require_packages(file: Path, needed: tuple[str, ...] = ("onnxruntime", "onnx")) -> None:
    missing = [name for name in missing_packages() if name in needed]
    if missing:
        raise ConfigurationError(
            f"{file}: {' and '.join(missing)} cannot be imported; to read ONNX files, install the extra: pip "
            "install 'proliv-monitor[runtime]'"
        )


def _sizes(settings: Any, taken: ImageInput, file: Path) -> dict[str, int]:
    """The size of prepared crops: the file's where it is fixed, else as the settings say."""
    sizes = {}
    for key, fixed in zip(("height", "width"), taken.size, strict=True):
        wanted = getattr(settings, key)
        if fixed is None and wanted is None:
            raise ConfigurationError(
                f"{file}: takes images of any {key}; give the one that it was trained with: --set {key}=PIXELS"
            )
        if fixed is not None and wanted not in (None, fixed):
            raise ConfigurationError(f"{file}: takes images of the {key} {fixed} alone, and not {wanted}; leave it out")
        sizes[key] = fixed or wanted
    return sizes


def _scaling(settings: Any, taken: ImageInput, file: Path) -> Scaling:
    """How intensities go in: as the settings say, or else as whole numbers up to 255 and floats up to 1."""
    wanted: Scaling | None = settings.input
    if not taken.uint8:
        return wanted or "0-1"
    if wanted not in (None, "0-255") or settings.mean or settings.deviation:
        given = f"--input {wanted}" if wanted not in (None, "0-255") else "a mean or a deviation"
        raise ConfigurationError(f"{file}: takes whole numbers from 0 to 255, so {given} does not fit; leave it out")
    return "0-255"


def _use(settings: Any) -> Use:
    usual = (IMAGENET_MEAN, IMAGENET_DEVIATION) if settings.input == "imagenet" else ((0.0,) * 3, (1.0,) * 3)
    return Use(
        scaling=settings.input,
        mean=settings.mean or usual[0],
        deviation=settings.deviation or usual[1],
        score=settings.score,
        map=settings.map,
        quantile=settings.quantile,
        one_by_one=settings.one_by_one,
    )


def _enlarged(maps: Floats | None, size: tuple[int, int]) -> Floats:
    """Maps, float32 (n, h, w), at another size, by a bilinear filter: (n, H, W)."""
    assert maps is not None
    enlarged: Floats = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None], size=size, mode="bilinear", align_corners=False
    )[:, 0].numpy()
    return enlarged


def _joined(batches: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    if not batches:
        return np.empty((0, *shape), dtype=np.float32)
    return np.concatenate(batches).astype(np.float32)
