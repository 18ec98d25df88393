"""The detector ``cvae``: a convolutional variational autoencoder of a square view of the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, Field, model_validator
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from monitor.api import FitReport, Recipe, Scores
from plugins.detectors.regions import Regions
from plugins.detectors.residuals import ENERGY_FLOOR
from plugins.detectors.settings import Keep, Standardize, ViewSettings
from plugins.detectors.views import Passage, Seen, ViewDetector, in_own_light
from plugins.networks.parts import joined, seeded
from plugins.networks.variational import HOLES, STRIDE, UNKNOWN, VariationalNetwork, divergence, draw
from plugins.pictures.framing import Padding, augmented, fitted
from plugins.pictures.images import squared_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monitor.api import Floats, Pixels, Progress

# How many crops go through the network at once: few enough for the processor's caches.
BATCH: Final = 64
# The share of training crops that are shown without the number of their hole, so that such crops can be judged.
UNKNOWN_SHARE: Final = 0.2


class VariationalAutoencoderSettings(ViewSettings):
    """Settings of `VariationalAutoencoder`."""

    height: int = Field(default=64, ge=16, le=256, description="Rows of the network's input, in pixels.")
    width: int = Field(default=64, ge=16, le=256, description="Columns of the network's input, in pixels.")
    padding: Padding = Field(
        default="edge",
        description="What fills the input beside a picture of another shape: edge, reflect, black, mean.",
    )
    enlarge: bool = Field(
        default=True, description="Enlarge a picture that is smaller than the input, or else keep its pixels."
    )
    standardize: Standardize = True
    keep: Keep = "best"
    code_size: int = Field(default=32, ge=1, le=4096, description="How many numbers a crop is squeezed into.")
    beta: float = Field(
        default=0.1, ge=0, le=1e6, description="Weight of the code's divergence beside the reconstruction error."
    )
    augment: bool = Field(default=False, description="Shift, mirror and light the training crops at random.")
    hole_numbers: bool = Field(default=False, description="Tell the network the number of each crop's hole.")
    decide_on: Literal["mse", "elbo", "regions"] = Field(
        default="regions",
        description="The deciding score: the mean squared error, the negative evidence lower bound, or the pattern of "
        "the error over the regions.",
    )

    @model_validator(mode="after")
    def _halves_evenly(self) -> Self:
        if self.height % STRIDE or self.width % STRIDE:
            raise ValueError(f"the network halves its input four times: height and width must be multiples of {STRIDE}")
        return self


@dataclass(frozen=True)
class Coded(Seen):
    """A batch of n crops with their mean codes, ``code`` (n, D), and ``elbo`` and ``kl``, (n,)."""

    code: Tensor
    elbo: Tensor
    kl: Tensor


class VariationalAutoencoder(ViewDetector[VariationalNetwork]):
    """Learns a distribution of short codes for ne_proliv crops; what a crop's code does not restore is abnormal.

    The *view* v of a crop is its centre, resized to fit into ``height`` x ``width`` with its shape kept, padded, and
    blurred. The network sees x: the view in an even light, standardised by channel, unless the settings say otherwise.
    Its encoder gives each of the D numbers of the code a mean m_d and a variance s_d^2; its decoder makes a picture
    y(z) of a code z.

    - ``kl = sum_d (m_d^2 + s_d^2 - 1 - log s_d^2) / 2``, in nats: how much the code says about the crop.
    - ``elbo = mean (x - y(m))^2 + beta kl / n``, n being the number of values in x. The loss of the training is the
      same with a drawn code ``z = m + s e``, e standard normal. But for the factor ``beta / n`` and a constant it is
      the negative evidence lower bound for pictures with independent normal noise of the variance ``beta / 2``, in
      units of x. Source: D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, ICLR 2014 (arXiv:1312.6114).
    - ``mse = mean (v - w)^2``, w being y(m) as a picture in the crop's own light: the reconstruction.
    - ``regions``, which decides: the view is divided into square cells, and in each the logarithms of three means are
      compared with a Gaussian of those of held-out crops (`plugins.detectors.regions`): of the squared error of the
      brightness, of the squared error of the opponent colours, and of the squared gradient of the view, because more
      texture leaves more error. The score is the geometric mean of the cells' distances. It is two-sided: the smooth
      surface of an empty hole leaves too little error for its place. It learns from the held-out crops because the
      training crops are restored better than any other will be.

    Scores come from the mean code, so nothing is drawn. With ``hole_numbers`` a prepared crop has a fourth channel
    that is filled with the number of its hole, 0-255, or 0 if it is not known; holes that were not trained on count
    as not known.
    """

    name = "cvae"
    network_name = "variational autoencoder"
    region_features = 3
    Settings: ClassVar[type[BaseModel]] = VariationalAutoencoderSettings
    recipes: ClassVar[Sequence[Recipe]] = (
        # Size, padding, epochs and threshold are published; code and weight of the divergence are ours.
        Recipe(
            "cvae-64",
            "the published convolutional VAE: 64 x 64 pixels, padded, threshold at the mean mse of proliv",
            {
                "height": 64,
                "width": 64,
                "centre_height": 1.0,
                "centre_width": 1.0,
                "padding": "black",
                "enlarge": False,
                "blur_sigma": 0.0,
                "even_light": False,
                "standardize": False,
                "code_size": 32,
                "beta": 1.0,
                "augment": False,
                "hole_numbers": False,
                "decide_on": "mse",
                "epochs": 300,
                "patience": 0,
                "keep": "last",
                "batch_size": 64,
                "learning_rate": 1e-3,
            },
            rule="mean-proliv",
        ),
    )

    def prepare_together(self, crops: Sequence[Pixels]) -> Pixels:
        """Fit the centre of each crop, uint8 (h, w, 3), into uint8 (N, H, W, 3): bilinear, its shape kept, padded."""
        shares = (self.settings.centre_height, self.settings.centre_width)
        return fitted(
            crops, size=self.input_size, share=shares, padding=self.settings.padding, enlarge=self.settings.enlarge
        )

    def prepare_batch(self, crops: Sequence[Pixels], holes: Sequence[int | None] | None = None) -> Pixels:
        """Prepare crops, each uint8 (h, w, 3): uint8 (N, H, W, 3), or (N, H, W, 4) with ``hole_numbers``."""
        pictures = super().prepare_batch(crops)
        if not self.settings.hole_numbers:
            return pictures
        numbers = np.full((*pictures.shape[:3], 1), UNKNOWN, dtype=np.uint8)
        for channel, hole in zip(numbers, [None] * len(crops) if holes is None else holes, strict=True):
            channel[:] = min(max(hole or UNKNOWN, 0), HOLES - 1)
        return np.concatenate([pictures, numbers], axis=3)

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:
        """Learn from prepared ne_proliv crops with Adam; what is usual in the regions, from the held-out ones.

        ``crops`` and ``validation``: uint8 (N, H, W, 3), or (N, H, W, 4) with ``hole_numbers``.
        """
        network = self._new_network(seed)
        if self.settings.standardize:
            network.standardization.learn(torch.tensor(crops[..., :3]))
        network.learn_holes(self._holes(torch.tensor(crops[:, :1, :1], device=self.device)))
        # It draws the order of the crops, their codes, and how they are varied.
        generator = torch.Generator().manual_seed(seed)
        report = self._train(
            network,
            lambda batch: self._loss(network, batch, generator),
            torch.optim.Adam(network.parameters(), lr=self.settings.learning_rate),
            crops=crops,
            validation=validation,
            generator=generator,
            progress=progress,
            keep_last=self.settings.keep == "last",
        )
        seen = self._seen(self._as_trained(network), validation)
        features = np.concatenate([self._features(batch) for batch in seen])
        self._regions = Regions.learn(features, shrinkage=self.settings.shrinkage)
        self._take(network)
        return report

    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3 or 4): ``mse``, ``elbo``, ``kl`` and ``regions``."""
        passage, regions = self._for_scoring(), self._learned(self._regions)
        errors, bounds, divergences = [], [], []
        distances = [np.empty(0, dtype=np.float32)]
        for seen in self._seen(passage, crops):
            errors.append(squared_errors(seen.view, seen.reconstruction))
            bounds.append(seen.elbo)
            divergences.append(seen.kl)
            distances.append(regions.distance(self._features(seen)))
        others = {"elbo": joined(bounds, ()), "kl": joined(divergences, ()), "regions": np.concatenate(distances)}
        return Scores(joined(errors, ()), others, decision=self.settings.decide_on)

    def latent(self, crops: Pixels) -> Floats:
        """Return the mean codes of prepared crops: float32 (N, code_size)."""
        return joined([seen.code for seen in self._seen(self._for_scoring(), crops)], (self.settings.code_size,))

    def _new_network(self, seed: int) -> VariationalNetwork:
        with seeded(seed):
            network = VariationalNetwork(*self.input_size, self.settings.code_size, holes=self.settings.hole_numbers)
        # Channels side by side in memory save the convolutions a fifth of their time.
        network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def _loss(self, network: VariationalNetwork, crops: Tensor, generator: torch.Generator) -> Tensor:
        """The mean loss of crops, uint8 (N, H, W, 3 or 4), with drawn codes in training and mean codes otherwise."""
        if network.training and self.settings.augment:
            crops = augmented(crops, generator)
        view, holes = self._view(crops), self._holes(crops)
        if network.training and holes is not None:
            holes = holes.where(torch.rand(len(holes), generator=generator).to(holes.device) >= UNKNOWN_SHARE, UNKNOWN)
        target = network.standardization(self._lit_evenly(view)[0])
        mean, log_variance = network.encode(target, holes)
        code = draw(mean, log_variance, generator) if network.training else mean
        error = squared_errors(target, network.decode(code, holes))
        return self._bound(error, divergence(mean, log_variance)).mean()

    def _bound(self, error: Tensor, kl: Tensor) -> Tensor:
        """``mean (x - y)^2 + beta kl / n`` of each of N crops, from its first term ``error`` and ``kl``: (N,)."""
        beta: float = self.settings.beta
        values: int = 3 * self.settings.height * self.settings.width
        return error + beta * kl / values

    @torch.inference_mode()
    def _seen(self, passage: Passage, crops: Pixels) -> Iterator[Coded]:
        for batch in self._batches(crops, BATCH):
            view, holes = passage.view(batch), self._holes(batch)
            pictures, level = self._lit_evenly(view)
            inputs = (pictures,) if holes is None else (pictures, holes)
            restored, error, mean, log_variance = passage.forward(*inputs)
            kl = divergence(mean, log_variance)
            reconstruction = in_own_light(restored.clamp_(0, 1), level)
            yield Coded(view, pictures, reconstruction, level, mean, self._bound(error, kl), kl)

    def _features(self, seen: Seen) -> Floats:
        """The features of each cell, float32 (n, C, 3), row by row; as if in an even light."""
        red, green, blue = (seen.view - seen.reconstruction).contiguous().unbind(dim=1)
        energies = red.new_empty(3, *red.shape)
        yellow = red + green
        torch.add(yellow, blue, out=energies[0]).div_(3).square_()
        torch.sub(red, green, out=energies[1]).square_()
        energies[1].add_(blue.sub_(yellow, alpha=0.5).square_()).div_(2)
        brightness = pad(seen.view.contiguous().mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")[:, 0]
        down = brightness[:, 2:, 1:-1] - brightness[:, :-2, 1:-1]
        across = torch.sub(brightness[:, 1:-1, 2:], brightness[:, 1:-1, :-2], out=energies[2])
        across.square_().add_(down.square_()).div_(4)
        cells = avg_pool2d(energies, self.settings.cell).flatten(start_dim=2).permute(1, 2, 0)
        # The light comes last, because there are fewer cells than pixels.
        cells = cells / seen.level.square()[:, 0]
        # Contiguous, because the mean of an array keeps its memory order, in which what is learned is saved.
        features: Floats = (cells + float(ENERGY_FLOOR)).log().contiguous().cpu().numpy()
        return features

    def _view(self, crops: Tensor) -> Tensor:
        """The views of crops, uint8 (N, H, W, 3 or 4): float32 (N, 3, H, W), 0-1, blurred."""
        return super()._view(crops).contiguous(memory_format=torch.channels_last)

    def _inputs(self, view: Callable[[Tensor], Tensor], crops: Tensor) -> tuple[Tensor, ...]:
        holes = self._holes(crops)
        return (*super()._inputs(view, crops), *(() if holes is None else (holes,)))

    def _probe(self) -> Pixels:
        pictures = super()._probe()
        if not self.settings.hole_numbers:
            return pictures
        numbers = np.arange(len(pictures), dtype=np.uint8)[:, None, None, None]
        return np.concatenate([pictures, np.broadcast_to(numbers, (*pictures.shape[:3], 1))], axis=3)

    def _holes(self, crops: Tensor) -> Tensor | None:
        """The numbers of the holes of crops, uint8 (N, H, W, 4): int64 (N,)."""
        return crops[:, 0, 0, 3].long() if self.settings.hole_numbers else None
