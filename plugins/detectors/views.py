"""What detectors with a network share: the view that it restores, its training, saving and loading."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar

import torch
from torch import Tensor

from monitor.api import DataError, Detector
from plugins.detectors.regions import Regions
from plugins.detectors.residuals import residual_features
from plugins.networks.allocation import keep_freed_memory
from plugins.networks.fitting import fit_epochs
from plugins.networks.inference import Tunable
from plugins.networks.parts import available_device, joined, load_weights, save_weights
from plugins.networks.runtimes import NotExportedError, OnnxNetwork, missing_packages, say_once
from plugins.pictures.images import QuickView, as_tensor, blur, gaussian, light, patches
from plugins.pictures.resizing import resized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pydantic import BaseModel

    from monitor.api import FitReport, Floats, Pixels, Progress, Runtime

# How much a mean squared error may differ between torch and another runtime, as a share of itself.
MOST_DIFFERENCE: Final = 1e-5
# How many crops the two are compared on.
PROBES: Final = 5

# How many pixels of crops together keep a GPU busy.
GPU_PIXELS: Final = 1 << 20

NetworkType = TypeVar("NetworkType", bound=Tunable)
Learned = TypeVar("Learned")


@dataclass(frozen=True)
class Passage:
    """One way through a network: ``view`` turns crops into what it sees, ``forward`` is its answer.

    There is the way of training, on whose every rounding the weights depend, and a quicker one for scoring.
    """

    view: Callable[[Tensor], Tensor]
    forward: Callable[..., Any]


@dataclass(frozen=True)
class Seen:
    """A batch of n crops as a network sees and restores it.

    ``view`` and ``reconstruction``: float32 (n, 3, H, W), 0-1. ``level``: what both are divided by to bring them into
    an even light, (n, 1, 1, 1). ``pictures``: the view in that light.
    """

    view: Tensor
    pictures: Tensor
    reconstruction: Tensor
    level: Tensor


class ViewDetector(Detector, Generic[NetworkType]):
    """A detector whose network restores a *view* of each crop: its centre, resized, blurred, (N, 3, H, W), 0-1.

    The error that it leaves is compared with what is usual in each region of the view. A subclass's settings derive
    from `ViewSettings`, and its `fit` sets ``_network`` and, where it judges regions, ``_regions``.

    ``network_name``: what messages call the network. ``region_features``: how many features a region has.
    """

    network_name: ClassVar[str]
    region_features: ClassVar[int]

    def __init__(self, settings: BaseModel, device: str = "cpu") -> None:
        super().__init__(settings, available_device(device))
        self._kernel = gaussian(self.settings.blur_sigma).to(self.device)
        self._quick_view = QuickView(*self.input_size, self._kernel)
        self._network: NetworkType | None = None
        self._passage: Passage | None = None
        self._regions: Regions | None = None

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what `prepare` returns."""
        return self.settings.height, self.settings.width

    def prepare(self, pixels: Pixels) -> Pixels:
        """Cut the centre out of a crop, uint8 (h, w, 3), and resize it, bilinear, to uint8 (H, W, 3)."""
        picture: Pixels = self.prepare_together([pixels])[0]
        return picture

    def prepare_together(self, crops: Sequence[Pixels]) -> Pixels:
        """`prepare` for many crops: uint8 (N, H, W, 3)."""
        shares = (self.settings.centre_height, self.settings.centre_width)
        return resized(crops, size=self.input_size, share=shares)

    def reconstruct(self, crops: Pixels) -> Floats:
        """Reconstruct prepared crops: float32 (N, H, W, 3), 0-1; of the blurred view, in its own light."""
        pictures = [seen.reconstruction.permute(0, 2, 3, 1) for seen in self._seen(self._for_scoring(), crops)]
        return joined(pictures, (*self.input_size, 3))

    def save(self, folder: Path) -> None:
        """Write the network's weights, and what is usual in the regions."""
        save_weights(self._learned(self._network), folder)
        if self._judges_regions:
            self._learned(self._regions).save(folder)

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        """Read them back; raises `DataError` when they are damaged or belong to other settings."""
        keep_freed_memory()
        detector = cls(settings, device)
        network = detector._new_network(seed=0)
        load_weights(network, folder, cls.network_name)
        if detector._judges_regions:
            detector._regions = Regions.load(folder, cells=detector._cells, features=cls.region_features)
        detector._take(network)
        return detector

    def use_runtime(self, runtime: Runtime) -> str:
        """Let torch compute the network, or ONNX Runtime on the processor, as ``pipeline.runtime`` says."""
        self._passage = None
        # `auto` is torch: with the copies of `plugins.networks.inference` it was at most 4 % slower than ONNX Runtime,
        # and up to a fifth quicker, see docs/runtimes.md.
        if runtime == "onnx":
            try:
                self._passage = self._onnx_passage()
            except NotExportedError as error:
                say_once(f"the detector {self.name} is computed by torch, not by ONNX Runtime: {error}")
            else:
                return "ONNX Runtime on cpu"
        # Made now, before processes are forked, so that they share its memory.
        self._for_scoring()
        return f"torch on {self.device}"

    def _onnx_passage(self) -> Passage:
        """The way through the network by ONNX Runtime; raises `NotExportedError` where it cannot be taken."""
        if self.device != "cpu":
            raise NotExportedError(f"pipeline.device is {self.device}, and it is used on the processor only")
        if missing := missing_packages():
            raise NotExportedError(
                f"{' and '.join(missing)} cannot be imported; install the extra: pip install 'proliv-monitor[runtime]'"
            )
        torchs, probe = self._for_scoring(), self._probe()
        with torch.inference_mode():
            network = self._learned(self._network).tuned(doubling=False)
            # Exported with other crops than it is tried with, and with fewer of them.
            passage = Passage(torchs.view, OnnxNetwork(network, self._inputs(torchs.view, torch.tensor(probe[:2]))))
        expected = self.score(probe).mse
        self._passage = passage
        try:
            found = self.score(probe).mse
        except Exception as error:
            raise NotExportedError(f"it fails where torch does not: {error}") from error
        finally:
            self._passage = torchs
        difference = float((abs(found - expected) / expected).max())
        if not difference <= MOST_DIFFERENCE:
            raise NotExportedError(
                f"its scores are not torch's: the mean squared error of a crop differs by {difference:.1e} of itself"
            )
        return passage

    def _inputs(self, view: Callable[[Tensor], Tensor], crops: Tensor) -> tuple[Tensor, ...]:
        """The network's inputs for prepared crops."""
        return (self._lit_evenly(view(crops))[0],)

    def _probe(self) -> Pixels:
        """A few made-up prepared crops."""
        return patches(self.input_size, PROBES)

    def _train(
        self,
        network: NetworkType,
        loss: Callable[[Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        *,
        crops: Pixels,
        validation: Pixels,
        generator: torch.Generator,
        progress: Progress,
        keep_last: bool = False,
    ) -> FitReport:
        """`plugins.networks.fitting.fit_epochs` on prepared crops, uint8 (N, H, W, C), as the settings say."""
        return fit_epochs(
            network,
            loss,
            optimizer,
            train=torch.tensor(crops, device=self.device),
            validation=torch.tensor(validation, device=self.device),
            epochs=self.settings.epochs,
            patience=self.settings.patience,
            batch_size=self.settings.batch_size,
            generator=generator,
            progress=progress,
            keep_last=keep_last,
        )

    @abstractmethod
    def _new_network(self, seed: int) -> NetworkType:
        """An untrained network on the device, the same for the same settings and seed."""

    @abstractmethod
    def _seen(self, passage: Passage, crops: Pixels) -> Iterator[Seen]:
        """What the network sees and restores of prepared crops, batch by batch."""

    def _take(self, network: NetworkType) -> None:
        """Use this network from now on."""
        self._network, self._passage = network, None

    def _as_trained(self, network: NetworkType) -> Passage:
        return Passage(self._view, network)

    def _for_scoring(self) -> Passage:
        """The quick way through the network; raises `DataError` before there is one."""
        if self._passage is None:
            self._passage = Passage(self._seen_quickly, self._learned(self._network).tuned())
        return self._passage

    def _seen_quickly(self, crops: Tensor) -> Tensor:
        """`_view` up to rounding, in less time."""
        return self._quick_view(crops[..., :3])

    @property
    def _judges_regions(self) -> bool:
        """Whether what is usual in the regions is learned."""
        return True

    def _learned(self, part: Learned | None) -> Learned:
        """The network, or what is usual in the regions; raises `DataError` before the training."""
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

    def _lit_evenly(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """A view in an even light, and what it was divided by for that: (N, 3, H, W) and (N, 1, 1, 1)."""
        if not self.settings.even_light:
            return view, torch.ones_like(view[:, :1, :1, :1])
        level = light(view)
        return view / level, level

    def _batches(self, crops: Pixels, size: int = 64) -> Iterator[Tensor]:
        """Prepared crops on the device, ``size`` at once, which suits memory and the processor's caches.

        A GPU gets more of them if they are small.
        """
        if self.device != "cpu":
            size = max(size, GPU_PIXELS // (self.settings.height * self.settings.width))
        for start in range(0, len(crops), size):
            yield torch.tensor(crops[start : start + size], device=self.device)

    def _residual_features(self, seen: Seen) -> Floats:
        """`residual_features` of each region, float32 (n, C, 5), as if all crops had the same light."""
        view, restored = (
            images.permute(0, 2, 3, 1).cpu().numpy() for images in (seen.pictures, seen.reconstruction / seen.level)
        )
        return residual_features(view, restored, self.settings.cell)


def in_own_light(restored: Tensor, level: Tensor) -> Tensor:
    """Bring what was restored, (N, 3, H, W), back into the light of its view; in place, so only for scoring."""
    return restored.mul_(level).clamp_(0, 1)
