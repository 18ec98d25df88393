"""The detector ``mnad``: an autoencoder with a small memory of what is normal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, Field, model_validator

from monitor.api import FitReport, Scores
from plugins.detectors.regions import Regions
from plugins.detectors.settings import Kinds, Shrinkage, Trimmed, ViewSettings
from plugins.detectors.views import Passage, Seen, ViewDetector, in_own_light
from plugins.networks.memory import STRIDE, MemoryNetwork, as_rows, new_memory_network
from plugins.networks.parts import joined
from plugins.pictures.images import squared_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

    from monitor.api import EpochReport, Floats, Pixels, Progress

# The square of the distance from black, -1, to white, 1.
PEAK_SQUARED: Final = 4.0
# How many crops go through the network at once: few enough for the processor's caches.
BATCH: Final = 64
# As a share of the squared range: keeps the PSNR of a perfect reconstruction finite (90 dB).
LEAST_ERROR: Final = 1e-9


class MemoryAutoencoderSettings(ViewSettings):
    """Settings of `MemoryAutoencoder`."""

    height: int = Field(default=32, ge=16, le=256, description="Rows of the network's input, in pixels.")
    width: int = Field(default=32, ge=16, le=256, description="Columns of the network's input, in pixels.")
    centre_height: float = Field(default=0.6, gt=0, le=1, description="The middle share of a crop's rows to keep.")
    channels: int = Field(
        default=8, ge=1, le=128, description="Channels of the first convolution; 64 is the published network."
    )
    memory: bool = Field(
        default=True, description="Whether there is a memory; without it the decoder gets each query twice."
    )
    items: int = Field(default=10, ge=2, le=10_000, description="How many prototypes the memory holds.")
    compactness: float = Field(
        default=0.01, ge=0, le=1e6, description="Weight of the loss that draws queries to their nearest item."
    )
    separateness: float = Field(
        default=0.01, ge=0, le=1e6, description="Weight of the loss that keeps the two nearest items apart."
    )
    alpha: float = Field(
        default=0.7, ge=0, le=1, description="Weight of the PSNR in the combined score; the rest is the distance's."
    )
    decide_on: Literal["mse", "combined", "regions"] = Field(
        default="regions",
        description="The deciding score: the mean squared error, the published combination, or the pattern of the "
        "error over the regions.",
    )
    kinds: Kinds = 4
    trimmed: Trimmed = 0.25
    shrinkage: Shrinkage = 0.05
    epochs: int = Field(default=15, ge=1, le=10_000, description="Passes over the training crops, at most.")
    batch_size: int = Field(default=32, ge=1, le=65_536, description="Crops for each step of the training.")
    learning_rate: float = Field(default=2e-4, gt=0, le=1, description="First step size of Adam; it falls to 0.")

    @model_validator(mode="after")
    def _halves_evenly(self) -> Self:
        if self.height % STRIDE or self.width % STRIDE:
            raise ValueError("the network halves its input three times: height and width must be multiples of 8")
        return self


@dataclass(frozen=True)
class Queried(Seen):
    """A batch of n crops with its ``queries``, float32 (n, C, H/8, W/8), and ``psnr``, (n,), in dB."""

    queries: Tensor
    psnr: Tensor


class MemoryAutoencoder(ViewDetector[MemoryNetwork]):
    """Restores a crop from its own features and from prototypes of normal ones; what this does not restore is abnormal.

    The *view* of a crop is its centre, resized to ``height`` x ``width`` and blurred. The network sees x: the view in
    an even light, -1 to 1. Its encoder gives a *query* q_k of length 1 for each place k of 8 x 8 pixels, the memory
    answers with a mixture of its *items* p_m, and the decoder makes y of both; `plugins.networks.memory` has the
    formulas. Nothing leads around the memory. Source: H. Park, J. Noh, B. Ham, Learning Memory-guided Normality for
    Anomaly Detection, CVPR 2020 (arXiv:2003.13228). The items are updated with every batch of the training; the
    greatest weight is taken over the queries of the item, as in the paper. They do not change while crops are scored,
    because a score would then depend on the order of the crops.

    - ``mse = mean (v - w)^2`` with v the view and w the reconstruction, which is y in the crop's own light; 0-1.
    - ``low_psnr = 1 - g(P)`` with the peak signal-to-noise ratio ``P = 10 log10(4 / mean (x - y)^2)``.
    - ``feature_distance``: ``D = mean (q_k - p)^2`` over places and channels, p being the item nearest to q_k.
    - ``combined = alpha (1 - g(P)) + (1 - alpha) g(D)``, the published score.
    - ``regions``, which decides by default: the view is divided into square cells, and in each two logarithms are
      compared with Gaussians of those of training crops (`plugins.detectors.regions`): of the mean squared error and
      of the mean squared gradient of the view, because more texture leaves more error; both in an even light. It is
      two-sided: the smooth surface of an empty hole, which every network restores well, leaves too little error.

    g is a min-max scale, ``g(v) = (v - low) / (high - low)``. The paper takes low and high from the sequence that is
    scored, which a program that scores crop by crop cannot do; here they are the least and the greatest of the held-out
    crops, found once at the end of the training and kept with the weights. g is not clamped: proliv lie outside.

    Without ``memory`` the decoder gets each query twice, there is no ``feature_distance``, and ``combined`` is
    ``low_psnr``.
    """

    name = "mnad"
    network_name = "memory network"
    region_features = 2
    Settings: ClassVar[type[BaseModel]] = MemoryAutoencoderSettings

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:
        """Learn from prepared ne_proliv crops, uint8 (N, H, W, 3), with Adam, its step falling along a cosine.

        The held-out crops give the ends of g and the use of the items, the training crops what is usual in the regions.
        """
        network = self._new_network(seed)
        optimizer = torch.optim.Adam(network.parameters(), lr=self.settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.settings.epochs)

        def after_epoch(report: EpochReport) -> None:
            schedule.step()
            progress(report)

        report = self._train(
            network,
            lambda batch: self._loss(network, batch),
            optimizer,
            crops=crops,
            validation=validation,
            generator=torch.Generator().manual_seed(seed),
            progress=after_epoch,
        )
        seen = list(self._seen(self._as_trained(network), validation))
        network.learn_usual(torch.cat([batch.psnr for batch in seen]), torch.cat([batch.queries for batch in seen]))
        features = np.concatenate([self._features(batch) for batch in self._seen(self._as_trained(network), crops)])
        shrinkage, kinds = self.settings.shrinkage, self.settings.kinds
        self._regions = Regions.learn(features, shrinkage=shrinkage, kinds=kinds, seed=seed)
        self._take(network)
        return report

    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3): ``mse`` and the other scores of the class's description."""
        network, regions = self._learned(self._network), self._learned(self._regions)
        errors: list[Tensor] = []
        others: dict[str, list[Tensor]] = {"low_psnr": [], "combined": []}
        if network.memory is not None:
            others["feature_distance"] = []
        distances = [np.empty(0, dtype=np.float32)]
        for seen in self._seen(self._for_scoring(), crops):
            errors.append(squared_errors(seen.view, seen.reconstruction))
            published = network.published_scores(seen.psnr, seen.queries, alpha=self.settings.alpha)
            for name, values in published.items():
                others[name].append(values.float())
            distances.append(regions.distance(self._features(seen), trimmed=self.settings.trimmed))
        named = {name: joined(batches, ()) for name, batches in others.items()}
        return Scores(joined(errors, ()), {**named, "regions": np.concatenate(distances)}, self.settings.decide_on)

    def latent(self, crops: Pixels) -> Floats:
        """Return the mean over the places of each crop's queries: float32 (N, 8 * channels)."""
        network = self._learned(self._network)
        means = [seen.queries.mean(dim=(2, 3)) for seen in self._seen(self._for_scoring(), crops)]
        return joined(means, (network.query_channels,))

    def prototypes(self) -> Floats:
        """The memory's items: float32 (items, 8 * channels), in the space of `latent`; none without a memory."""
        network = self._learned(self._network)
        return joined([] if network.memory is None else [network.memory.items], (network.query_channels,))

    def details(self) -> Mapping[str, Any]:
        """The ends of g, and how well the memory is used.

        ``use``: the share of the held-out queries that each item was nearest to; ``dead_items``: how many items were
        nearest to none; ``largest_cosine``: that of the two items that are most alike. ``psnr_range`` is in dB.
        """
        network = self._learned(self._network)
        memory = network.memory
        if memory is None:
            return {"memory": False, "psnr_range": network.psnr_range.ends()}
        return {
            "memory": True,
            "use": [round(share, 4) for share in memory.use.tolist()],
            "dead_items": int((memory.use == 0).sum()),
            "largest_cosine": round(memory.largest_cosine(), 4),
            "psnr_range": network.psnr_range.ends(),
            "feature_distance_range": network.distance_range.ends(),
        }

    def _new_network(self, seed: int) -> MemoryNetwork:
        items = self.settings.items if self.settings.memory else 0
        return new_memory_network(channels=self.settings.channels, items=items, seed=seed).to(self.device)

    def _loss(self, network: MemoryNetwork, crops: Tensor) -> Tensor:
        """The mean loss over crops, uint8 (N, H, W, 3); while the network trains, the memory learns from them."""
        view = self._view(crops)
        pictures = _ranged(self._lit_evenly(view)[0])
        queries = network.query(pictures)
        loss: Tensor = (pictures - network.decode(queries)).square().mean()
        if network.memory is None:
            return loss
        rows = as_rows(queries)
        compactness, separateness = network.memory.losses(rows)
        if network.training:
            network.memory.update(rows)
        weights: tuple[float, float] = self.settings.compactness, self.settings.separateness
        return loss + weights[0] * compactness + weights[1] * separateness

    @torch.inference_mode()
    def _seen(self, passage: Passage, crops: Pixels) -> Iterator[Queried]:
        for batch in self._batches(crops, BATCH):
            view = passage.view(batch)
            pictures, level = self._lit_evenly(view)
            ranged = _ranged(pictures)
            queries, restored = passage.forward(ranged)
            error = squared_errors(ranged, restored).double() / PEAK_SQUARED
            psnr = -10 * error.clamp(min=LEAST_ERROR).log10()
            yield Queried(view, pictures, in_own_light(restored.add_(1).div_(2), level), level, queries, psnr)

    def _inputs(self, view: Callable[[Tensor], Tensor], crops: Tensor) -> tuple[Tensor, ...]:
        return tuple(_ranged(pictures) for pictures in super()._inputs(view, crops))

    def _features(self, seen: Seen) -> Floats:
        """The features of each cell, float32 (n, cells, 2), row by row; as if in an even light."""
        # Only the energies: with the error's colours, crops in another light come nearer to proliv.
        return self._residual_features(seen)[..., : self.region_features]


def _ranged(pictures: Tensor) -> Tensor:
    """Views in an even light as the network takes and restores them: float32 (N, 3, H, W), -1 to 1."""
    return (pictures * 2 - 1).clamp(max=1)
