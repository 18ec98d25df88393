"""What detectors do to pictures before they look at them: cut the centre out, resize, blur."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from monitor.api import Pixels


def centre(pixels: Pixels, *, size: tuple[int, int], share: tuple[float, float]) -> Pixels:
    """Cut the middle ``share`` (of rows, of columns; 0-1) out of a crop, uint8 (h, w, 3), and resize it.

    ``size``: (height, width) in pixels of the result, uint8 (height, width, 3); the filter is Pillow's bilinear.
    """
    from PIL import Image

    rows, columns = pixels.shape[:2]
    top, left = rows * (1 - share[0]) / 2, columns * (1 - share[1]) / 2
    resized = Image.fromarray(pixels).resize(
        (size[1], size[0]), Image.Resampling.BILINEAR, box=(left, top, columns - left, rows - top)
    )
    return np.asarray(resized, dtype=np.uint8)


def as_tensor(crops: Tensor) -> Tensor:
    """Crops, uint8 (N, H, W, 3), as torch's networks take them: float32 (N, 3, H, W), 0-1."""
    return crops.permute(0, 3, 1, 2).float() / 255


def light(images: Tensor) -> Tensor:
    """The light in which images, float32 (N, 3, H, W), 0-1, were taken: (N, 1, 1, 1), their mean over the usual 0.5.

    An image divided by it has the mean brightness 0.5; nearly black ones are not amplified without bound.
    """
    return images.mean(dim=(1, 2, 3), keepdim=True).clamp(min=0.05) / 0.5


def gaussian(sigma: float) -> Tensor:
    """A normalised Gaussian kernel, float32 (2 r + 1,), cut off at r = 3 sigma; a single 1 for sigma 0."""
    radius = math.ceil(3 * sigma)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2) if sigma else torch.ones(1)
    return weights / weights.sum()


def blur(images: Tensor, kernel: Tensor) -> Tensor:
    """Blur images, float32 (N, 3, H, W), along rows and columns; beyond the edge the edge's pixels repeat."""
    if len(kernel) == 1:
        return images
    radius = len(kernel) // 2
    padded = nn.functional.pad(images, (radius, radius, radius, radius), mode="replicate")
    rows = nn.functional.conv2d(padded, kernel.expand(3, 1, 1, -1), groups=3)
    return nn.functional.conv2d(rows, kernel[:, None].expand(3, 1, -1, 1), groups=3)
