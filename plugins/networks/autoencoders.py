"""The networks of the detector ``ae``: the convolutional one, and the fully connected ones of published recipes."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Literal, Self

import torch
from torch import Tensor, nn

from plugins.networks.inference import Pictures, Tunable
from plugins.networks.parts import NoStandardization, Standardization, seeded

if TYPE_CHECKING:
    from collections.abc import Iterator

Variant = Literal["conv", "linear-2", "linear-5", "dense-30x50"]


class Network(Tunable):
    """An encoder and a decoder: float32 (N, 3, H, W), 0-1 -> code (N, D) -> float32 (N, 3, H, W), 0-1."""

    def __init__(self, encoder: nn.Sequential, decoder: nn.Sequential) -> None:
        super().__init__()
        self.standardization = Standardization()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, pictures: Tensor) -> Tensor:
        """The code of each picture, (N, D)."""
        code: Tensor = self.encoder(self.standardization(pictures))
        return code

    def restore(self, pictures: Tensor) -> Tensor:
        """What the decoder makes of each picture's code, which may lie outside of 0-1."""
        return self.standardization.back(self.decoder(self.encode(pictures)))

    def forward(self, pictures: Tensor) -> Tensor:
        """The reconstruction of each picture."""
        return self.restore(pictures).clamp(0, 1)

    def tuned(self, *, doubling: bool = True) -> Self:
        """A copy for scoring only: `plugins.networks.inference.tuned`.

        A fully connected one takes pixels in the order in which they lie in memory.
        """
        fast = super().tuned(doubling=doubling)
        if isinstance(fast.encoder[0], nn.Flatten) and isinstance(fast.encoder[1], nn.Linear):
            _take_pixels(fast)
        return fast


def new_network(variant: Variant, *, height: int, width: int, code_size: int, seed: int) -> Network:
    """An untrained network on the CPU, the same for the same arguments; ``height`` and ``width`` in pixels."""
    with seeded(seed):
        if variant == "conv":
            return Network(*_convolutional(height, width, code_size))
        inner = {"linear-2": (), "linear-5": (512, 128), "dense-30x50": (512,)}[variant]
        return Network(*_fully_connected((3, height, width), inner, code_size, odd=variant == "linear-5"))


def _convolutional(height: int, width: int, code_size: int) -> tuple[nn.Sequential, nn.Sequential]:
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
) -> tuple[nn.Sequential, nn.Sequential]:
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


@torch.no_grad()
def _take_pixels(network: Network) -> None:
    """Change a fully connected network so that it takes and gives pictures as they lie in memory, channels last.

    The standardisation becomes part of the first and the last layer. That saves eight passes over every picture.
    """
    first, last, unflatten = network.encoder[1], network.decoder[-2], network.decoder[-1]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    assert isinstance(unflatten, Pictures)
    shape = unflatten.shape
    order = torch.arange(shape.numel(), device=first.weight.device).reshape(shape).permute(1, 2, 0).flatten()
    mean, spread = (part.double().expand(shape).flatten() for part in network.standardization.buffers())
    weight = first.weight.double() / spread
    first.bias.copy_(first.bias - weight @ mean)
    first.weight.copy_(weight[:, order])
    last.bias.copy_((last.bias * spread + mean)[order])
    last.weight.copy_((last.weight * spread[:, None])[order])
    network.encoder[0], network.decoder[-1] = _Rows(), Pictures(shape, pixels=True)
    network.standardization = NoStandardization()


class _Rows(nn.Module):
    """Pictures (N, 3, H, W) as rows (N, 3 H W), pixel by pixel."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.permute(0, 2, 3, 1).flatten(1)
