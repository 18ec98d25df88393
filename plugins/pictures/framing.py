"""Fits crops of any shape into a network's input, and varies them at random in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import torch

from plugins.pictures.resizing import grouped, resized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from monitor.api import Pixels

Padding = Literal["edge", "reflect", "black", "mean"]

# Augmentation moves a picture by up to the first share of its sides, and changes its light by up to the second.
SHIFT_SHARE: Final = 1 / 16
LIGHT_CHANGE: Final = 0.15


def fitted(
    crops: Sequence[Pixels],
    *,
    size: tuple[int, int],
    share: tuple[float, float],
    padding: Padding,
    enlarge: bool = True,
) -> Pixels:
    """Fit the middle ``share`` (of rows, of columns; 0-1) of each crop, uint8 (h, w, 3), into ``size``.

    It keeps its shape, touches two opposite sides and stands in the middle: uint8 (N, H, W, 3). Without ``enlarge``, a
    picture that is smaller keeps its own pixels. ``padding`` is what fills the rest: its edge repeated, its mirror
    images, black, or its mean colour.
    """
    frames = np.empty((len(crops), *size, 3), dtype=np.uint8)
    for shape, places in grouped(pixels.shape[:2] for pixels in crops).items():
        kept = [side * part for side, part in zip(shape, share, strict=True)]
        scale = min(side / part for side, part in zip(size, kept, strict=True))
        if not enlarge:
            scale = min(scale, 1.0)
        height, width = (max(round(part * scale), 1) for part in kept)
        pictures = resized([crops[place] for place in places], size=(height, width), share=share)
        frames[places] = _framed(pictures, size, padding)
    return frames


def _framed(pictures: Pixels, size: tuple[int, int], padding: Padding) -> Pixels:
    """Pictures, uint8 (n, h, w, 3), in the middle of frames (n, H, W, 3)."""
    height, width = pictures.shape[1:3]
    if padding in ("edge", "reflect"):
        for axis, inner, outer in ((1, height, size[0]), (2, width, size[1])):
            if inner != outer:
                pictures = pictures.take(_places(inner, outer, mirrored=padding == "reflect"), axis=axis)
        return pictures
    frames = np.zeros((len(pictures), *size, 3), dtype=np.uint8)
    if padding == "mean":
        frames[:] = pictures.mean(axis=(1, 2), keepdims=True).round()
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    frames[:, top : top + height, left : left + width] = pictures
    return frames


def _places(inner: int, outer: int, *, mirrored: bool) -> NDArray[np.intp]:
    """Which of a picture's ``inner`` rows stands in each of ``outer`` rows around it."""
    places = np.arange(outer) - (outer - inner) // 2
    if not mirrored:
        return places.clip(0, inner - 1)
    period = max(2 * (inner - 1), 1)
    return np.minimum(places % period, -places % period)


def augmented(crops: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, mirror and brighten crops, uint8 (N, H, W, C), each at random; channels after the third are not lit."""
    count, height, width, channels = crops.shape
    device = crops.device

    def drawn(most: float) -> Tensor:
        return (torch.rand(count, 1, generator=generator).to(device) * 2 - 1) * most

    rows = torch.arange(height, device=device) + drawn(height * SHIFT_SHARE).round().long()
    columns = torch.arange(width, device=device) + drawn(width * SHIFT_SHARE).round().long()
    columns = columns.where(drawn(1) < 0, width - 1 - columns).clamp(0, width - 1)
    places = torch.arange(count, device=device)[:, None, None]
    moved = crops[places, rows.clamp(0, height - 1)[:, :, None], columns[:, None, :]]
    lit = torch.ones(count, 1, 1, channels, device=device)
    lit[..., :3] += drawn(LIGHT_CHANGE)[:, None, None]
    return (moved * lit).round().clamp(0, 255).to(torch.uint8)
