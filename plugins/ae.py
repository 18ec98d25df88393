"""The detector ``ae``: an autoencoder, whose error of reconstructing a crop says how abnormal the crop is."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from monitor.api import DataError, Detector, FitReport, Scores
from plugins.fitting import fit_epochs
from plugins.images import as_tensor, blur, centre, gaussian
from plugins.networks import Standardization, available_device, joined, load_weights, save_weights, seeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.api import Floats, Pixels, Progress

Variant = Literal["conv", "linear-2", "linear-5", "dense-30x50"]

CONVOLUTION_BATCH: Final = 64
DENSE_BATCH: Final = 256
"""Crops that go through the network at once: few enough for the processor's caches."""

WHOLE_CROP: Final = {"height": 30, "width": 50, "centre_height": 1.0, "centre_width": 1.0, "blur_sigma": 0.0}
RECIPES: Final[dict[str, dict[str, Any]]] = {
    # Of Kirsanov's networks the number of layers is published; sizes, code and epochs are ours.
    "linear-2": {**WHOLE_CROP, "code_size": 64, "epochs": 10},
    "linear-5": {**WHOLE_CROP, "code_size": 64, "epochs": 10},
    # Vyaznikov's network, as published: 4500-512-256-512-4500, 50 epochs, all of them.
    "dense-30x50": {**WHOLE_CROP, "code_size": 256, "epochs": 50, "patience": 0},
}
"""What the published variants set differently from the defaults, which are the recipe of ``conv``."""


class AutoencoderSettings(BaseModel):
    """Settings of `Autoencoder`.

    ``variant`` is a whole recipe: it sets every other key that is not given, so that what is saved with a model
    and shown are the values that were in effect. The defaults below are those of ``conv``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: Variant = Field(
        default="conv",
        description="The network and its recipe: conv (convolutional, the default), linear-2 and linear-5 "
        "(Kirsanov's, of two and five linear layers) or dense-30x50 (Vyaznikov's).",
    )
    height: int = Field(default=32, ge=8, le=256, description="Rows of the network's input, in pixels.")
    width: int = Field(default=32, ge=8, le=256, description="Columns of the network's input, in pixels.")
    centre_height: float = Field(default=0.8, gt=0, le=1, description="The middle share of a crop's rows to keep.")
    centre_width: float = Field(default=0.5, gt=0, le=1, description="The middle share of a crop's columns to keep.")
    blur_sigma: float = Field(
        default=1.0, ge=0, le=10, description="Gaussian blur of the input, in its pixels; 0: none."
    )
    code_size: int = Field(default=32, ge=1, le=4096, description="How many numbers a crop is squeezed into.")
    epochs: int = Field(default=30, ge=1, le=10_000, description="Passes over the training crops, at most.")
    patience: int = Field(
        default=5, ge=0, description="Stop after so many epochs without a lower validation loss; 0: never."
    )
    batch_size: int = Field(default=64, ge=1, le=65_536, description="Crops for each step of the training.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Step size of Adam.")

    @model_validator(mode="before")
    @classmethod
    def _follow_the_recipe(cls, values: Any) -> Any:
        """Fill in what the chosen variant's recipe says and the caller does not."""
        if not isinstance(values, dict):
            return values
        # An unknown variant, of whatever type, is left to the validation that follows.
        return {**RECIPES.get(str(values.get("variant")), {}), **values}

    @model_validator(mode="after")
    def _halves_evenly(self) -> Self:
        if self.variant == "conv" and (self.height % 8 or self.width % 8):
            raise ValueError("the variant conv halves its input three times: height and width must be multiples of 8")
        return self


class Autoencoder(Detector):
    """Learns to squeeze ne_proliv crops into a short code and back; what it cannot restore is abnormal.

    ``mse`` is measured on the detector's own view of a crop: its centre (``centre_height``, ``centre_width``)
    resized to ``height`` x ``width``, intensities 0-1, blurred by ``blur_sigma``. With x the view and y its
    reconstruction, ``mse = mean((x - y)^2)`` over pixels and channels; it is the deciding score. The blur takes
    away the camera's noise, which no code can hold, and the centre crop the neighbourhood of the hole. The loss
    of the training is the same number.
    """

    name = "ae"
    Settings: ClassVar[type[BaseModel]] = AutoencoderSettings

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:
        super().__init__(settings, available_device(device))
        self._network: Network | None = None
        self._kernel = gaussian(self.settings.blur_sigma).to(self.device)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""
        return self.settings.height, self.settings.width

    def prepare(self, pixels: Pixels) -> Pixels:
        """Cut the centre out of a crop, uint8 (h, w, 3), and resize it, bilinear, to uint8 (H, W, 3)."""
        shares = (self.settings.centre_height, self.settings.centre_width)
        return centre(pixels, size=self.input_size, share=shares)

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:
        """Learn from prepared ne_proliv crops, uint8 (N, H, W, 3), with Adam on the mean squared error."""
        network = _new_network(self.settings, seed).to(self.device)
        network.standardization.learn(torch.tensor(crops))
        report = fit_epochs(
            network,
            lambda batch: _squared_errors(network, self._view(batch)).mean(),
            torch.optim.Adam(network.parameters(), lr=self.settings.learning_rate),
            train=torch.tensor(crops, device=self.device),
            validation=torch.tensor(validation, device=self.device),
            epochs=self.settings.epochs,
            patience=self.settings.patience,
            batch_size=self.settings.batch_size,
            generator=torch.Generator().manual_seed(seed),
            progress=progress,
        )
        self._network = network
        return report

    @torch.inference_mode()
    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3): ``mse`` alone."""
        network = self._trained()
        errors = [_squared_errors(network, view) for view in self._views(crops)]
        return Scores(joined(errors, ()))

    @torch.inference_mode()
    def reconstruct(self, crops: Pixels) -> Floats:
        """Reconstruct prepared crops: float32 (N, H, W, 3), 0-1; of the blurred view, as the network sees it."""
        network = self._trained()
        return joined([network(view).permute(0, 2, 3, 1) for view in self._views(crops)], (*self.input_size, 3))

    @torch.inference_mode()
    def latent(self, crops: Pixels) -> Floats:
        """Return the codes of prepared crops: float32 (N, code_size)."""
        network = self._trained()
        return joined([network.encode(view) for view in self._views(crops)], (self.settings.code_size,))

    def save(self, folder: Path) -> None:
        """Write the network's weights."""
        save_weights(self._trained(), folder)

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read the weights back; raises `DataError` when they are damaged or belong to other settings."""
        detector = cls(settings, device)
        network = _new_network(detector.settings, seed=0)
        load_weights(network, folder, "autoencoder")
        detector._network = network.to(detector.device)
        return detector

    def _trained(self) -> Network:
        if self._network is None:
            raise DataError("this autoencoder has not been trained yet; fit it or load a trained one")
        return self._network

    def _view(self, crops: Tensor) -> Tensor:
        """What the network sees of crops, uint8 (N, H, W, 3): float32 (N, 3, H, W), 0-1, blurred."""
        return blur(as_tensor(crops), self._kernel)

    def _views(self, crops: Pixels) -> Iterator[Tensor]:
        """The views of crops, uint8 (N, H, W, 3), in batches that fit into memory and the processor's caches."""
        size = CONVOLUTION_BATCH if self.settings.variant == "conv" else DENSE_BATCH
        for start in range(0, len(crops), size):
            yield self._view(torch.tensor(crops[start : start + size], device=self.device))


class Network(nn.Module):
    """An encoder and a decoder: float32 (N, 3, H, W), 0-1 -> code (N, D) -> float32 (N, 3, H, W), 0-1."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.standardization = Standardization()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, view: Tensor) -> Tensor:
        """The code of each view, (N, D)."""
        code: Tensor = self.encoder(self.standardization(view))
        return code

    def forward(self, view: Tensor) -> Tensor:
        """The reconstruction of each view."""
        return self.standardization.back(self.decoder(self.encode(view)))


def _new_network(settings: AutoencoderSettings, seed: int) -> Network:
    """An untrained network on the CPU, the same for the same settings and seed."""
    with seeded(seed):
        if settings.variant == "conv":
            return _convolutional(settings.height, settings.width, settings.code_size)
        shape = (3, settings.height, settings.width)
        inner = {"linear-2": (), "linear-5": (512, 128), "dense-30x50": (512,)}[settings.variant]
        return _fully_connected(shape, inner, settings.code_size, odd=settings.variant == "linear-5")


def _convolutional(height: int, width: int, code_size: int) -> Network:
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
    return Network(encoder, decoder)


def _fully_connected(shape: tuple[int, int, int], inner: tuple[int, ...], code_size: int, *, odd: bool) -> Network:
    """Linear layers with ReLUs between them; ``odd`` leaves out the decoder's first inner layer."""
    sizes = (math.prod(shape), *inner, code_size)
    back = tuple(reversed(sizes[:-2] if odd else sizes[:-1]))
    encoder = nn.Sequential(nn.Flatten(), *_linear_layers(sizes))
    decoder = nn.Sequential(nn.ReLU(), *_linear_layers((code_size, *back)), nn.Unflatten(1, shape))
    return Network(encoder, decoder)


def _linear_layers(sizes: tuple[int, ...]) -> Iterator[nn.Module]:
    """Linear layers from each size to the next, a ReLU between two of them."""
    for position, (before, after) in enumerate(itertools.pairwise(sizes)):
        if position:
            yield nn.ReLU()
        yield nn.Linear(before, after)


def _squared_errors(network: Network, view: Tensor) -> Tensor:
    """The mean squared error of each view, (N, 3, H, W): float32 (N,)."""
    reconstruction: Tensor = network(view)
    return (view - reconstruction).square().mean(dim=(1, 2, 3))
