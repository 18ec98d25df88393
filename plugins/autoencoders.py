"""The networks of the detector ``ae``: the convolutional one, and the fully connected ones of published recipes."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from torch import Tensor, nn

from plugins.images import light
from plugins.networks import Standardization, seeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugins.ae import AutoencoderSettings


class Network(nn.Module):
    """An encoder and a decoder: float32 (N, 3, H, W), 0-1 -> code (N, D) -> float32 (N, 3, H, W), 0-1."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, *, even_light: bool) -> None:
        super().__init__()
        self.standardization = Standardization()
        self.encoder = encoder
        self.decoder = decoder
        self.even_light = even_light

    def encode(self, view: Tensor) -> Tensor:
        """The code of each view, (N, D)."""
        code: Tensor = self.encoder(self.standardization(view / self._level(view)))
        return code

    def forward(self, view: Tensor) -> Tensor:
        """The reconstruction of each view."""
        restored = self.standardization.back(self.decoder(self.encode(view)))
        return (restored * self._level(view)).clamp(0, 1)

    def _level(self, view: Tensor) -> Tensor | float:
        return light(view) if self.even_light else 1.0


def new_network(settings: AutoencoderSettings, seed: int) -> Network:
    """An untrained network on the CPU, the same for the same settings and seed."""
    with seeded(seed):
        if settings.variant == "conv":
            return Network(
                *_convolutional(settings.height, settings.width, settings.code_size), even_light=settings.even_light
            )
        shape = (3, settings.height, settings.width)
        inner = {"linear-2": (), "linear-5": (512, 128), "dense-30x50": (512,)}[settings.variant]
        parts = _fully_connected(shape, inner, settings.code_size, odd=settings.variant == "linear-5")
        return Network(*parts, even_light=settings.even_light)


def _convolutional(height: int, width: int, code_size: int) -> tuple[nn.Module, nn.Module]:
    """Three halvings by strided convolutions to 8, 16 and 16 channels, a linear code, and the way back."""
    rows, columns = height // 8, width // 8
    encoder = nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(8, 16, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 16, 4, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(16 * rows * columns, code_size),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(code_size, 16 * rows * columns), nn.ReLU(), nn.Unflatten(1, (16, rows, columns)),
        nn.ConvTranspose2d(16, 16, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1),
    )  # fmt: skip
    return encoder, decoder


def _fully_connected(
    shape: tuple[int, int, int], inner: tuple[int, ...], code_size: int, *, odd: bool
) -> tuple[nn.Module, nn.Module]:
    """Linear layers with ReLUs between them; ``odd`` leaves out the decoder's first inner layer."""
    sizes = (math.prod(shape), *inner, code_size)
    back = tuple(reversed(sizes[:-2] if odd else sizes[:-1]))
    encoder = nn.Sequential(nn.Flatten(), *_linear_layers(sizes))
    decoder = nn.Sequential(nn.ReLU(), *_linear_layers((code_size, *back)), nn.Unflatten(1, shape))
    return encoder, decoder


def _linear_layers(sizes: tuple[int, ...]) -> Iterator[nn.Module]:
    """Linear layers from each size to the next, a ReLU between two of them."""
    for position, (before, after) in enumerate(itertools.pairwise(sizes)):
        if position:
            yield nn.ReLU()
        yield nn.Linear(before, after)
