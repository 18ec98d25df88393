"""What the detectors with a network share: the view it restores, its settings, and how what it learned is kept."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Generic, Self, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from monitor.api import DataError, Detector
from plugins.images import as_tensor, blur, centre, gaussian, light
from plugins.networks import available_device, joined, load_weights, save_weights
from plugins.regions import Regions, residual_features

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.api import Floats, Pixels

NetworkType = TypeVar("NetworkType", bound=nn.Module)
Learned = TypeVar("Learned")

# Settings of more than one detector. Each names them itself, so that its keys stand in its own order.
Kinds = Annotated[
    int, Field(ge=1, le=64, description="Into how many kinds of scene the training crops are parted, at most.")
]
Trimmed = Annotated[
    float,
    Field(ge=0, lt=1, description="The share of the regions, the farthest from the usual, that does not count."),
]
Shrinkage = Annotated[
    float, Field(ge=0, le=1, description="The part of a region's covariance that is taken from all together.")
]


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
    shrinkage: Shrinkage = 0.5
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


@dataclass(frozen=True)
class Seen:
    """A batch of n crops as a network sees and restores it.

    ``view`` and ``reconstruction``: float32 (n, 3, H, W), 0-1. ``level``: what both are divided by to be in an even
    light, (n, 1, 1, 1).
    """

    view: Tensor
    reconstruction: Tensor
    level: Tensor


class ViewDetector(Detector, Generic[NetworkType]):
    """A detector whose network restores a *view* of each crop: its centre, resized, blurred, (N, 3, H, W), 0-1.

    The error that it leaves is held against what is usual in each region of the view. A subclass's settings derive
    from `ViewSettings`, and its `fit` sets ``_network`` and, where it judges regions, ``_regions``.

    ``network_name``: what messages call the network. ``region_features``: how many features a region has.
    """

    network_name: ClassVar[str]
    region_features: ClassVar[int]

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:
        super().__init__(settings, available_device(device))
        self._kernel = gaussian(self.settings.blur_sigma).to(self.device)
        self._network: NetworkType | None = None
        self._regions: Regions | None = None

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""
        return self.settings.height, self.settings.width

    def prepare(self, pixels: Pixels) -> Pixels:
        """Cut the centre out of a crop, uint8 (h, w, 3), and resize it, bilinear, to uint8 (H, W, 3)."""
        shares = (self.settings.centre_height, self.settings.centre_width)
        return centre(pixels, size=self.input_size, share=shares)

    def reconstruct(self, crops: Pixels) -> Floats:
        """Reconstruct prepared crops: float32 (N, H, W, 3), 0-1; of the blurred view, in its own light."""
        network = self._learned(self._network)
        pictures = [seen.reconstruction.permute(0, 2, 3, 1) for seen in self._seen(network, crops)]
        return joined(pictures, (*self.input_size, 3))

    def save(self, folder: Path) -> None:
        """Write the network's weights, and what is usual in the regions."""
        save_weights(self._learned(self._network), folder)
        if self._judges_regions:
            self._learned(self._regions).save(folder)

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read them back; raises `DataError` when they are damaged or belong to other settings."""
        detector = cls(settings, device)
        network = detector._new_network(seed=0)
        load_weights(network, folder, cls.network_name)
        if detector._judges_regions:
            detector._regions = Regions.load(folder, cells=detector._cells, features=cls.region_features)
        detector._network = network
        return detector

    @abstractmethod
    def _new_network(self, seed: int) -> NetworkType:
        """An untrained network on the device, the same for the same settings and seed."""

    @abstractmethod
    def _seen(self, network: NetworkType, crops: Pixels) -> Iterator[Seen]:
        """What the network sees and restores of prepared crops, batch by batch."""

    @property
    def _judges_regions(self) -> bool:
        """Whether what is usual in the regions is learned."""
        return True

    def _learned(self, part: Learned | None) -> Learned:
        """The network, or what is usual in the regions; raises `DataError` before there are any."""
        if part is None:
            raise DataError(f"this {self.network_name} has not been trained yet; fit it or load a trained one")
        return part

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

    def _residual_features(self, seen: Seen) -> Floats:
        """`plugins.regions.residual_features` of each region, float32 (n, C, 5), as if all crops had the same light."""
        view, restored = (
            (images / seen.level).permute(0, 2, 3, 1).cpu().numpy() for images in (seen.view, seen.reconstruction)
        )
        return residual_features(view, restored, self.settings.cell)


def squared_errors(pictures: Tensor, restored: Tensor) -> Tensor:
    """The mean squared error of each picture, (N, 3, H, W): (N,)."""
    return (pictures - restored).square().mean(dim=(1, 2, 3))
