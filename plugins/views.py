"""What the detectors with a network share: which view of a crop the network is shown, and the settings of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from monitor.api import Detector
from plugins.images import as_tensor, blur, centre, gaussian, light
from plugins.networks import available_device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.api import Pixels


class ViewSettings(BaseModel):
    """Settings of a `ViewDetector` and of the training of its network; detectors bring their own defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(default=32, ge=8, le=256, description="Rows of the network's input, in pixels.")
    width: int = Field(default=32, ge=8, le=256, description="Columns of the network's input, in pixels.")
    centre_height: float = Field(default=0.8, gt=0, le=1, description="The middle share of a crop's rows to keep.")
    centre_width: float = Field(default=0.5, gt=0, le=1, description="The middle share of a crop's columns to keep.")
    blur_sigma: float = Field(
        default=1.0, ge=0, le=10, description="Gaussian blur of the input, in its pixels; 0: none."
    )
    even_light: bool = Field(
        default=True, description="Bring every view to the same mean brightness before the network sees it."
    )
    cell: int = Field(default=4, ge=2, le=64, description="Side of a square region, in pixels of the network's input.")
    shrinkage: float = Field(
        default=0.5, ge=0, le=1, description="The part of a region's covariance that is taken from all together."
    )
    epochs: int = Field(default=30, ge=1, le=10_000, description="Passes over the training crops, at most.")
    patience: int = Field(
        default=5, ge=0, description="Stop after so many epochs without a lower validation loss; 0: never."
    )
    batch_size: int = Field(default=64, ge=1, le=65_536, description="Crops for each step of the training.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Step size of Adam.")

    @model_validator(mode="after")
    def _whole_cells(self) -> Self:
        if self.height % self.cell or self.width % self.cell:
            raise ValueError("height and width must be multiples of cell")
        return self


class ViewDetector(Detector):
    """A detector that looks at a *view* of each crop: its centre, resized, blurred, float32 (N, 3, H, W), 0-1.

    Its settings derive from `ViewSettings`.
    """

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:
        super().__init__(settings, available_device(device))
        self._kernel = gaussian(self.settings.blur_sigma).to(self.device)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""
        return self.settings.height, self.settings.width

    def prepare(self, pixels: Pixels) -> Pixels:
        """Cut the centre out of a crop, uint8 (h, w, 3), and resize it, bilinear, to uint8 (H, W, 3)."""
        shares = (self.settings.centre_height, self.settings.centre_width)
        return centre(pixels, size=self.input_size, share=shares)

    @property
    def _cells(self) -> int:
        """How many square regions the view has."""
        return int(self.settings.height // self.settings.cell) * int(self.settings.width // self.settings.cell)

    def _view(self, crops: Tensor) -> Tensor:
        """The views of prepared crops, uint8 (N, H, W, 3 or more)."""
        return blur(as_tensor(crops[..., :3]), self._kernel)

    def _level(self, view: Tensor) -> Tensor:
        """What a view is divided by to be in an even light: (N, 1, 1, 1)."""
        return light(view) if self.settings.even_light else torch.ones_like(view[:, :1, :1, :1])

    def _batches(self, crops: Pixels, size: int = 64) -> Iterator[Tensor]:
        """Prepared crops on the device, few enough at once for memory and for the processor's caches."""
        for start in range(0, len(crops), size):
            yield torch.tensor(crops[start : start + size], device=self.device)
