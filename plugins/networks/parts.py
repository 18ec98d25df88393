"""Parts of networks, their first weights, and how weights are saved and loaded."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from monitor.api import ConfigurationError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from monitor.api import Floats

WEIGHTS: Final = "weights.safetensors"


def available_device(name: str) -> str:
    """torch's name of a device; ``auto`` is the GPU where there is one, else the processor.

    Raises `ConfigurationError` for a GPU that is not there or that this build of torch cannot use.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and (why := _why_no_gpu(name)):
        raise ConfigurationError(f'pipeline.device is "{name}", but {why}; or set pipeline.device to "auto" or "cpu"')
    return name


def _why_no_gpu(name: str) -> str | None:
    """Why torch cannot use a GPU, and what to do; None where it can."""
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        return (
            f"torch {torch.__version__} is a build for the processor alone; install one with CUDA, as "
            "https://pytorch.org/get-started says"
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        return "torch finds no GPU; look at what nvidia-smi says, and whether the driver is as new as torch's CUDA"
    number = int(name.partition(":")[2] or 0)
    return None if number < count else f"the GPUs here have the numbers 0 to {count - 1}; take one of them"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw the first weights of the networks that are made inside from ``seed``.

    torch's layers draw them from the global generator, which is put back afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class Standardization(nn.Module):
    """Colours less the training crops' mean, in units of their standard deviation, by channel.

    The crops fill a small part of 0-1, and networks learn best from numbers around 0 with a spread of 1: this saves
    more than half of the epochs.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.register_buffer("spread", torch.ones(3, 1, 1))

    def learn(self, crops: Tensor) -> None:
        """Take mean and spread from the training crops, uint8 (N, H, W, 3)."""
        # Whole numbers have exact sums, however many crops there are and in whatever order.
        values, count = crops.reshape(-1, 3).long(), crops.numel() / 3
        mean = values.sum(dim=0) / count
        variance = values.square().sum(dim=0) / count - mean.square()
        self.mean.copy_((mean / 255).reshape(3, 1, 1))
        self.spread.copy_((variance.clamp(min=1).sqrt() / 255).reshape(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Standardise images, float32 (N, 3, H, W), 0-1."""
        return (images - self.mean) / self.spread

    def back(self, values: Tensor) -> Tensor:
        """Turn standardised values back into images, which may lie outside of 0-1."""
        return values * self.spread + self.mean


class RowwiseStandardization(Standardization):
    """A learned `Standardization` for scoring: the same numbers, a whole row of pixels at a time.

    Images lie channels last in memory, where torch would work on three numbers at a time.
    """

    def __init__(self, learned: Standardization) -> None:
        super().__init__()
        self.mean, self.spread = learned.mean, learned.spread

    def forward(self, images: Tensor) -> Tensor:
        """Standardise images, float32 (N, 3, H, W), 0-1."""
        mean, spread = self._rows(images)
        rows = images.permute(0, 2, 3, 1).flatten(2)
        return (rows - mean).div_(spread).reshape(-1, *images.shape[2:], 3).permute(0, 3, 1, 2)

    def back(self, values: Tensor) -> Tensor:
        """Turn standardised values back into images; in place, where they lie channels last."""
        mean, spread = self._rows(values)
        rows = values.permute(0, 2, 3, 1).flatten(2)
        return rows.mul_(spread).add_(mean).reshape(-1, *values.shape[2:], 3).permute(0, 3, 1, 2)

    def _rows(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and spread of each number of a row: (3 W,)."""
        width = images.shape[3]
        return self.mean.flatten().repeat(width), self.spread.flatten().repeat(width)


class NoStandardization(Standardization):
    """For a network whose layers contain the standardisation."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the images."""
        return images

    def back(self, values: Tensor) -> Tensor:
        """Return the values."""
        return values


def save_weights(network: nn.Module, folder: Path) -> None:
    """Write a network's weights and buffers into ``folder``, without pickle."""
    (folder / WEIGHTS).write_bytes(save({key: value.cpu().contiguous() for key, value in network.state_dict().items()}))


def load_weights(network: nn.Module, folder: Path, detector: str) -> None:
    """Read the weights back into ``network``; raises `DataError` when they are damaged or another network's."""
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (SafetensorError, RuntimeError) as error:
        raise DataError(
            f"{folder / WEIGHTS}: these are not the weights of this {detector}: {error}; train it again"
        ) from error
    network.eval()


def joined(batches: Sequence[Tensor], shape: tuple[int, ...]) -> Floats:
    """Batches as one float32 array, (N, ``*shape``); ``shape`` is that of one item, used where there are no batches."""
    if not batches:
        return np.empty((0, *shape), dtype=np.float32)
    together: Floats = torch.cat(list(batches)).cpu().numpy()
    return together
