"""Makes quicker copies of trained networks for scoring, whose answers are the same up to rounding."""

from __future__ import annotations

import copy
from typing import Self, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.nn.utils.fusion import fuse_conv_bn_eval

from plugins.networks.parts import RowwiseStandardization, Standardization

NetworkType = TypeVar("NetworkType", bound=nn.Module)


class Tunable(nn.Module):
    """A network of which there is a quicker copy."""

    def tuned(self, *, doubling: bool = True) -> Self:
        """A copy for scoring only, whose answers are the same up to rounding: `tuned` below."""
        return tuned(self, doubling=doubling)


def tuned(network: NetworkType, *, doubling: bool = True) -> NetworkType:
    """A copy of a trained network for scoring only; the network itself stays as it was trained and saved.

    In each of its `nn.Sequential`, batch normalisation is folded into the convolution before it, ReLUs work in place,
    and with ``doubling``, on a processor, transposed convolutions that double their input become `Doubling`. Channels
    lie last in memory, and a ``standardization`` takes whole rows.
    """
    fast = copy.deepcopy(network).eval().requires_grad_(False)
    for part in [module for module in fast.modules() if isinstance(module, nn.Sequential)]:
        layers = _folded(list(part))
        part._modules.clear()
        part.extend(_faster(layer, position == 0, doubling) for position, layer in enumerate(layers))
    if isinstance(learned := getattr(fast, "standardization", None), Standardization):
        fast.standardization = RowwiseStandardization(learned)
    return fast.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _folded(layers: list[nn.Module]) -> list[nn.Module]:
    """The layers with every batch normalisation folded into the convolution before it."""
    folded: list[nn.Module] = []
    for layer in layers:
        before = folded[-1] if folded else None
        if isinstance(layer, nn.BatchNorm2d) and isinstance(before, nn.Conv2d | nn.ConvTranspose2d):
            folded[-1] = fuse_conv_bn_eval(before, layer, transpose=isinstance(before, nn.ConvTranspose2d))
        else:
            folded.append(layer)
    return folded


def _faster(layer: nn.Module, first: bool, doubling: bool) -> nn.Module:
    if isinstance(layer, nn.ReLU):
        # What goes into the first layer may be wanted elsewhere.
        return nn.ReLU(inplace=not first)
    if isinstance(layer, nn.Unflatten):
        return Pictures(torch.Size(layer.unflattened_size))
    if doubling and isinstance(layer, nn.ConvTranspose2d) and Doubling.replaces(layer):
        return Doubling(layer)
    return layer


class Pictures(nn.Module):
    """Turns rows, (N, C H W) or, with ``pixels``, (N, H W C), into pictures (N, C, H, W).

    Like `nn.Unflatten`, but an exported network then takes any number of crops.
    """

    def __init__(self, shape: torch.Size, *, pixels: bool = False) -> None:
        """``shape``: (C, H, W)."""
        super().__init__()
        self.shape, self.pixels = shape, pixels

    def forward(self, rows: Tensor) -> Tensor:
        """float32 (N, C H W) -> (N, C, H, W)."""
        channels, height, width = self.shape
        if self.pixels:
            return rows.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return rows.reshape(-1, channels, height, width)


class Doubling(nn.Module):
    """A transposed convolution of 4 x 4, stride 2, padding 1, computed as a convolution of 2 x 2 and an interleaving.

    Each of the four pixels that one input pixel becomes depends on 2 x 2 input pixels. So one convolution gives all
    four, as groups of channels:
    ``y[2r + a, 2c + b] = sum_st x[r - 1 + a + s, c - 1 + b + t] w[3 - a - 2s, 3 - b - 2t]``. With few output channels a
    processor, which computes 16 of them at once, takes half the time for it.
    Source: W. Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network, CVPR 2016 (arXiv:1609.05158).
    """

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        before, self.channels = layer.weight.shape[:2]
        # (before, channels, 3 - a - 2s, 3 - b - 2t) -> (a, b, channels, before, s, t)
        taps = layer.weight.detach().flip(2, 3).reshape(before, self.channels, 2, 2, 2, 2).permute(3, 5, 1, 0, 2, 4)
        assert layer.bias is not None
        # No `nn.Conv2d`, which would draw its first weights from torch's global generator.
        self.weight = nn.Parameter(taps.reshape(4 * self.channels, before, 2, 2), requires_grad=False)
        self.bias = nn.Parameter(layer.bias.detach().repeat(4), requires_grad=False)

    @staticmethod
    def replaces(layer: nn.ConvTranspose2d) -> bool:
        """Whether `Doubling` computes what the layer does, on a device where the layer is slower."""
        shape = (layer.kernel_size, layer.stride, layer.padding, layer.output_padding, layer.dilation, layer.groups)
        doubles = shape == ((4, 4), (2, 2), (1, 1), (0, 0), (1, 1), 1)
        return doubles and layer.bias is not None and layer.weight.device.type == "cpu"

    def forward(self, images: Tensor) -> Tensor:
        """float32 (N, C, H, W) -> (N, K, 2 H, 2 W), channels last in memory."""
        count, _, height, width = images.shape
        grouped = conv2d(images, self.weight, self.bias, padding=1).permute(0, 2, 3, 1)
        groups = grouped.reshape(count, height + 1, width + 1, 2, 2, self.channels)
        doubled = images.new_empty(count, height, 2, width, 2, self.channels)
        for down in range(2):
            for across in range(2):
                doubled[:, :, down, :, across] = groups[:, down : down + height, across : across + width, down, across]
        return doubled.reshape(count, 2 * height, 2 * width, self.channels).permute(0, 3, 1, 2)
