"""A network that comes as an ONNX file: which of its outputs tell how abnormal a crop is, and what they say."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np

from monitor.api import DataError
from plugins.networks.onnx_files import ImageInput, on_one_line, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.api import Floats, Pixels
    from plugins.networks.runtimes import OnnxSession

# What exporters call the outputs; anomalib has the first of each.
SCORE_NAMES: Final = ("pred_score", "pred_scores", "anomaly_score", "score")
MAP_NAMES: Final = ("anomaly_map", "anomaly_maps", "heatmap", "heat_map", "map")
# So many pixels go through a network at once, and at most so many crops: a deep one has a hundred numbers for each.
PIXELS_AT_ONCE: Final = 1 << 19
CROPS_AT_ONCE: Final = 64
# How much a crop's result may differ with its batch, as a share of the largest: float32 sums in another order.
MOST_DIFFERENCE: Final = 1e-4
# So many crops of a batch are compared with what they get alone.
COMPARED: Final = 5
# On so many crops the speed is measured.
TIMED: Final = 64

# How intensities go in: as they are in a picture, divided by 255, or then standardised as is usual with ImageNet.
Scaling: TypeAlias = Literal["0-1", "0-255", "imagenet"]
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION: Final = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Use:
    """How a network is used.

    ``mean`` and ``deviation``: by channel, of intensities as ``scaling`` has them. ``score``: the output that decides;
    None: ``quantile`` of the map's pixels does, 1 is its maximum. ``map``: the output that is drawn, None for none.
    ``one_by_one``: whether it gets one crop at a time.
    """

    scaling: Scaling
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    score: str | None
    map: str | None
    quantile: float
    one_by_one: bool


class Answer(NamedTuple):
    """What a network says of N crops: float32 scores (N,), and float32 maps (N, h, w) where it draws any."""

    scores: Floats
    maps: Floats | None


class ImportedNetwork:
    """Scores prepared crops, uint8 (N, H, W, 3)."""

    def __init__(self, session: OnnxSession, taken: ImageInput, use: Use) -> None:
        self._session = session
        self._input = taken
        self._use = use
        self._outputs = [name for name in (use.score, use.map) if name is not None]
        factor = 1 if use.scaling == "0-255" else 255
        deviation = np.array(use.deviation, dtype=np.float32)
        self._factor = (1 / (factor * deviation)).astype(np.float32)
        self._offset = (np.array(use.mean, dtype=np.float32) / deviation).astype(np.float32)

    def answers(self, crops: Pixels) -> Iterator[Answer]:
        """What it says of prepared crops, batch by batch."""
        size = self.batch_size(crops.shape[1], crops.shape[2])
        for start in range(0, len(crops), size):
            batch = crops[start : start + size]
            arrays = dict(zip(self._outputs, self._run(batch, self._outputs), strict=True))
            maps = None if self._use.map is None else _as_maps(arrays[self._use.map], len(batch))
            if self._use.score is not None:
                yield Answer(arrays[self._use.score].reshape(len(batch)).astype(np.float32), maps)
            else:
                assert maps is not None
                pixels = maps.reshape(len(batch), -1)
                yield Answer(np.quantile(pixels, self._use.quantile, axis=1).astype(np.float32), maps)

    def everything(self, crops: Pixels) -> dict[str, Any]:
        """All of its outputs for crops that go through it together."""
        names = self._session.outputs
        return dict(zip(names, self._run(crops, names), strict=True))

    def batch_size(self, height: int, width: int) -> int:
        """How many crops of this size in pixels go through it at once."""
        return 1 if self._use.one_by_one else max(1, min(CROPS_AT_ONCE, PIXELS_AT_ONCE // (height * width)))

    def _run(self, crops: Pixels, outputs: Sequence[str]) -> list[Any]:
        images: NDArray[Any] = crops if self._input.uint8 else crops * self._factor - self._offset
        if not self._input.channels_last:
            images = images.transpose(0, 3, 1, 2)
        return self._session.run({self._input.name: np.ascontiguousarray(images)}, outputs)


def chosen_outputs(
    arrays: Mapping[str, Any], score: str | None, heat_map: str | None, file: Path
) -> tuple[str | None, str | None]:
    """Which outputs are the score and the map, of those that a network has for one crop; either may be None.

    ``score`` and ``heat_map``: those that were asked for, if any. Raises `DataError` where it cannot be told.
    """
    kinds = {name: kind for name, array in arrays.items() if (kind := _kind(array)) is not None}
    listed = "; ".join(f"{shown(name)} {_described(array)}" for name, array in list(arrays.items())[:10])
    for name, kind, option in ((score, "score", "--score"), (heat_map, "map", "--map")):
        if name is not None and kinds.get(name) != kind:
            raise DataError(
                f"{file}: {option} {shown(name)} is no {kind} among its outputs: a score is one float for each crop, a "
                f"map (N, 1, H, W) or (N, H, W) floats; its outputs for one crop are: {listed}"
            )
    maps = [name for name, kind in kinds.items() if kind == "map"]
    scores = [name for name, kind in kinds.items() if kind == "score"]
    found_map = heat_map if heat_map is not None else _named(maps, MAP_NAMES)
    if score is not None or heat_map is not None:
        return score, found_map
    found_score = _named(scores, SCORE_NAMES)
    if found_score is None and found_map is None:
        why = "several may be the score or the map; name one with --score or --map" if kinds else (
            "none is a score, one float for each crop, or a map, (N, 1, H, W) or (N, H, W) floats; export it with one"
        )  # fmt: skip
        raise DataError(f"{file}: of its outputs {why}; for one crop they are: {listed}")
    return found_score, found_map


def _named(candidates: Sequence[str], names: Sequence[str]) -> str | None:
    """The one that has a usual name, or the only one."""
    usual = next((name for name in names if name in candidates), None)
    return usual or (candidates[0] if len(candidates) == 1 else None)


def _kind(array: Any) -> Literal["score", "map"] | None:
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        return None
    if array.size == 1:
        return "score"
    return "map" if _map_sides(array.shape) else None


def _map_sides(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """(h, w) of maps (N, 1, h, w), (N, h, w, 1) or (N, h, w), None for other shapes."""
    if len(shape) == 4 and 1 in (shape[1], shape[3]):
        return (shape[2], shape[3]) if shape[1] == 1 else (shape[1], shape[2])
    return (shape[1], shape[2]) if len(shape) == 3 else None


def _as_maps(array: Any, count: int) -> Floats:
    sides = _map_sides(array.shape)
    assert sides is not None
    maps: Floats = array.reshape(count, *sides).astype(np.float32)
    return maps


def _described(array: Any) -> str:
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    return f"{array.dtype} {array.shape}"


def tried(
    network: ImportedNetwork, crops: Pixels, score: str | None, heat_map: str | None, file: Path
) -> tuple[str | None, str | None]:
    """The outputs to use, as `chosen_outputs`, of a network that was tried on made-up crops, one at a time.

    Raises `DataError` for one that fails, says something else of the same crop the second time, or says NaN.
    """
    first = [_one(network, crop, file) for crop in crops]
    outputs = chosen_outputs(first[0], score, heat_map, file)
    for name in (name for name in outputs if name is not None):
        for crop, found in zip(crops, first, strict=True):
            if not np.isfinite(found[name]).all():
                raise DataError(
                    f"{file}: its output {shown(name)} of a made-up crop holds NaN or infinity; check how it takes "
                    "intensities (--input), and that it was trained to an end"
                )
            if not np.array_equal(_one(network, crop, file)[name], found[name]):
                raise DataError(
                    f"{file}: its output {shown(name)} is another one when the same crop comes again; export the "
                    "network as it is in use, without dropout and random numbers (model.eval())"
                )
    return outputs


def keeps_crops_apart(network: ImportedNetwork, crops: Pixels, outputs: Sequence[str | None]) -> bool:
    """Whether many crops together get what some of them get alone; a failure with many counts as no."""
    try:
        together = network.everything(crops)
    except Exception:  # noqa: BLE001 - a graph that was traced for one image fails in any way with several
        return False
    rows = np.unique(np.linspace(0, len(crops) - 1, COMPARED).round().astype(int))
    alone = [network.everything(crops[row : row + 1]) for row in rows]
    for name in (name for name in outputs if name is not None):
        found = np.asarray(together[name])
        expected = np.stack([np.ravel(answer[name]) for answer in alone])
        if found.shape[:1] != (len(crops),) or found.size != len(crops) * expected.shape[1]:
            return False
        difference = float(abs(found.reshape(len(crops), -1)[rows] - expected).max())
        if not difference <= MOST_DIFFERENCE * float(abs(expected).max()):
            return False
    return True


def learned_from(network: ImportedNetwork, drawn: Pixels, held_out: Pixels, file: Path) -> dict[str, Any]:
    """What real crops, prepared, tell of a network, as JSON holds it.

    ``floor``: the lowest value of its maps of the crops ``drawn``, at most 0. ``milliseconds``: what a crop takes.
    Raises `DataError` for one that tells none of the crops ``held_out`` from another.
    """
    lowest = [float(answer.maps.min()) for answer in network.answers(drawn) if answer.maps is not None]
    _require_different(network, held_out, file)
    timed = held_out[:TIMED]
    start = time.perf_counter()
    for _ in network.answers(timed):
        pass
    milliseconds = (time.perf_counter() - start) / max(1, len(timed)) * 1000
    return {"floor": min(0.0, *lowest) if lowest else 0.0, "milliseconds": milliseconds}


def _require_different(network: ImportedNetwork, crops: Pixels, file: Path) -> None:
    first: Any = None
    for answer in network.answers(crops):
        if not np.isfinite(answer.scores).all():
            raise DataError(
                f"{file}: its score of a crop of train/ is NaN or infinity; check how it takes intensities (--input), "
                "and that it was trained to an end"
            )
        first = answer.scores[0] if first is None else first
        if (answer.scores != first).any():
            return
    if len(crops) > 1:
        raise DataError(
            f"{file}: its score is {float(first):.6g} for each of the {len(crops)} held-out crops, so it tells nothing "
            "apart; check how it takes intensities (--input), which output decides (--score, --map), and that it was "
            "trained to an end"
        )


def _one(network: ImportedNetwork, crop: Pixels, file: Path) -> dict[str, Any]:
    try:
        return network.everything(crop[None])
    except Exception as error:
        raise DataError(
            f"{file}: ONNX Runtime cannot compute it for a made-up crop of {crop.shape[1]}x{crop.shape[0]} pixels: "
            f"{on_one_line(error)}; give another size (--set height=H --set width=W), or export it again"
        ) from error
