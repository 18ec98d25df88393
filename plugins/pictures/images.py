"""Turns prepared crops into what networks see: tensors, blurred, in an even light."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from monitor.api import Pixels

# How many values of a row, three for each pixel, one product of matrices blurs.
BLURRED_TOGETHER: Final = 48


def as_tensor(crops: Tensor) -> Tensor:
    """Crops, uint8 (N, H, W, 3), as torch's networks take them: float32 (N, 3, H, W), 0-1."""
    return crops.permute(0, 3, 1, 2).float() / 255


def as_pixels(pictures: Tensor) -> Pixels:
    """The way back: uint8 (N, H, W, 3) of pictures, float32 (N, 3, H, W), 0-1."""
    pixels: Pixels = (pictures.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    return pixels


def patches(size: tuple[int, int], count: int) -> Pixels:
    """Made-up prepared crops, to try networks on: patches of random colours, in random light; uint8 (N, H, W, 3)."""
    generator = np.random.default_rng(0)
    height, width = size
    light = generator.uniform(0.2, 1, size=(count, 1, 1, 1))
    drawn = light * generator.integers(0, 256, size=(count, -(-height // 4), -(-width // 4), 3))
    return drawn.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width].astype(np.uint8)


def light(images: Tensor) -> Tensor:
    """How bright images, float32 (N, 3, H, W), 0-1, are: (N, 1, 1, 1), their mean as a share of the usual 0.5.

    An image divided by it has the mean brightness 0.5; nearly black ones are not amplified without limit.
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


def squared_errors(pictures: Tensor, restored: Tensor) -> Tensor:
    """The mean squared error of each picture, (N, 3, H, W): (N,)."""
    return (pictures - restored).square().mean(dim=(1, 2, 3))


class QuickView:
    """`as_tensor` and `blur` in one, for scoring: the same pictures up to rounding, in less than half the time.

    A convolution of one channel with seven weights uses a small part of what a processor can do; the same blur as a
    product with a matrix uses all of it. Training keeps the convolution, so that it gives the same weights as ever.
    """

    def __init__(self, height: int, width: int, kernel: Tensor) -> None:
        """``kernel``: that of `gaussian`, on the device of the crops."""
        self._blurs = len(kernel) > 1
        self._rows = (_blur_matrix(height, kernel) / 255).float()
        # The channels of a pixel lie side by side, so a column's weight is one for three values.
        channels = torch.eye(3, dtype=torch.float64, device=kernel.device)
        columns = torch.kron(_blur_matrix(width, kernel).T.contiguous(), channels).float()
        # Far from the diagonal the matrix is 0: a block of columns needs only those that the kernel reaches.
        reach = 3 * (len(kernel) // 2)
        starts = range(0, 3 * width, BLURRED_TOGETHER)
        blocks = [(slice(max(start - reach, 0), start + BLURRED_TOGETHER + reach), start) for start in starts]
        self._blocks = [
            (seen, slice(start, start + BLURRED_TOGETHER), columns[seen, start : start + BLURRED_TOGETHER].contiguous())
            for seen, start in blocks
        ]

    def __call__(self, crops: Tensor) -> Tensor:
        """The views of crops, uint8 (N, H, W, 3): float32 (N, 3, H, W), 0-1, channels last in memory."""
        count, height, width, channels = crops.shape
        pixels = crops.float()
        if not self._blurs:
            # Divided as in `as_tensor`: a product with 1 / 255 would be rounded differently.
            return pixels.div_(255).permute(0, 3, 1, 2)
        rows = (self._rows @ pixels.reshape(count, height, width * channels)).reshape(-1, width * channels)
        blurred = torch.empty_like(rows)
        for seen, block, weights in self._blocks:
            torch.mm(rows[:, seen], weights, out=blurred[:, block])
        return blurred.reshape(crops.shape).permute(0, 3, 1, 2)


def _blur_matrix(side: int, kernel: Tensor) -> Tensor:
    """The blur of a line of ``side`` pixels as a matrix, float64 (side, side)."""
    radius = len(kernel) // 2
    matrix = torch.zeros(side, side, dtype=torch.float64, device=kernel.device)
    pixels = torch.arange(side, device=kernel.device)
    for offset, weight in enumerate(kernel.double(), -radius):
        # Beyond the edge the edge's pixels repeat.
        matrix[pixels, (pixels + offset).clamp(0, side - 1)] += weight
    return matrix
