"""What a detector sees in one crop, as pictures: its own view, its reconstruction and its heat map."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

import numpy as np

from monitor.errors import PluginError
from monitor.files.replacing import MADE_BY
from monitor.registry import whose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.api import Detector

    Picture = NDArray[np.uint8]


def pictures_of(detector: Detector, pixels: Picture, hole: int | None) -> dict[str, Picture]:
    """Pictures by name, each uint8 (H, W, 3), RGB, in the detector's own size.

    ``pixels``: a decoded crop, uint8 (h, w, 3). "view" is the crop as the detector prepares it; "reconstruction" and
    "heatmap" are there if the detector offers them. Raises what the detector raises for a crop that it refuses.
    """
    prepared = detector.prepare_batch([pixels], [hole])
    found = {"view": np.ascontiguousarray(prepared[0, ..., :3])}
    if detector.offers("reconstruct"):
        reconstructed = np.clip(_asked(detector, "reconstruct", prepared, (*detector.input_size, 3)), 0, 1)
        found["reconstruction"] = np.rint(reconstructed * 255).astype(np.uint8)
    if detector.offers("heatmap"):
        found["heatmap"] = coloured(_asked(detector, "heatmap", prepared, tuple(detector.input_size)))
    return found


def _asked(
    detector: Detector, method: Literal["reconstruct", "heatmap"], prepared: Picture, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """What a method makes of the one prepared crop; raises `PluginError` where it is no array of this shape."""
    made = getattr(detector, method)(prepared)
    if not isinstance(made, np.ndarray) or made.shape != (1, *shape):
        found = f"an array of shape {made.shape}" if isinstance(made, np.ndarray) else type(made).__name__
        raise PluginError(
            f"the detector {detector.name!r}{whose(detector)}: its method {method} returned {found}, and it has to "
            f"return an array of shape {(1, *shape)}; update the package that it comes from"
        )
    first: NDArray[np.float32] = made[0]
    return first


def coloured(heatmap: NDArray[np.float32]) -> Picture:
    """A heat map, float32 (H, W), >= 0, as uint8 (H, W, 3): black is 0, then red and yellow, white is its maximum."""
    highest = float(heatmap.max(initial=0))
    share = heatmap / highest if highest > 0 else np.zeros_like(heatmap)
    channels = [np.clip(3 * share - start, 0, 1) for start in range(3)]
    return np.asarray(np.rint(np.stack(channels, axis=-1) * 255), dtype=np.uint8)


def magnified(picture: Picture, times: int) -> Picture:
    """A picture, uint8 (h, w, 3), with each pixel as a square of ``times`` x ``times``, none of them mixed."""
    return np.ascontiguousarray(picture.repeat(times, axis=0).repeat(times, axis=1))


def as_png(picture: Picture) -> bytes:
    """A picture, uint8 (H, W, 3), RGB, as the bytes of a PNG file, which name this program."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    stream, facts = io.BytesIO(), PngInfo()
    facts.add_text("Software", MADE_BY)
    Image.fromarray(picture).save(stream, "PNG", pnginfo=facts)
    return stream.getvalue()
