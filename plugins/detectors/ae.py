"""The detector ``ae``: an autoencoder, whose reconstruction error says how abnormal a crop is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, Field, model_validator

from monitor.api import FitReport, Recipe, Scores
from plugins.detectors.regions import Regions
from plugins.detectors.residuals import RESIDUAL_FEATURES
from plugins.detectors.settings import Keep, Kinds, Shrinkage, Standardize, Trimmed, ViewSettings
from plugins.detectors.views import Passage, Seen, ViewDetector, in_own_light
from plugins.networks.autoencoders import Network, Variant, new_network
from plugins.networks.parts import joined
from plugins.pictures.images import squared_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from monitor.api import Floats, Pixels, Progress

# How many crops go through the network at once: few enough for the processor's caches.
CONVOLUTION_BATCH: Final = 64
DENSE_BATCH: Final = 256

# What the variants set differently from the defaults, which are those of ``conv``.
WHOLE_CROP: Final = {
    "height": 30, "width": 50, "centre_height": 1.0, "centre_width": 1.0, "blur_sigma": 0.0, "even_light": False,
    "decide_on": "mse", "cell": 10,
}  # fmt: skip
VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "linear-2": {**WHOLE_CROP, "code_size": 64, "epochs": 10},
    "linear-5": {**WHOLE_CROP, "code_size": 64, "epochs": 10},
    "dense-30x50": {**WHOLE_CROP, "code_size": 256, "epochs": 50, "patience": 0},
}

# What the publications have in common: colours as they are, every epoch, and the weights after the last one.
AS_PUBLISHED: Final = {
    **WHOLE_CROP, "standardize": False, "loss": "sum", "keep": "last", "patience": 0, "batch_size": 64,
    "learning_rate": 1e-3,
}  # fmt: skip


class AutoencoderSettings(ViewSettings):
    """Settings of `Autoencoder`.

    ``variant`` sets every other key that is not given, so that the values that are saved with a model and shown are
    those that were used. The defaults below are those of ``conv``.
    """

    variant: Variant = Field(
        default="conv",
        description="The network: conv (convolutional, the default), linear-2 and linear-5 (of two and five linear "
        "layers) or dense-30x50 (4500-512-256-512-4500).",
    )
    standardize: Standardize = True
    loss: Literal["mean", "sum"] = Field(
        default="mean", description="The loss of the training: the mean of a crop's squared errors, or their sum."
    )
    keep: Keep = "best"
    code_size: int = Field(default=32, ge=1, le=4096, description="How many numbers a crop is squeezed into.")
    decide_on: Literal["mse", "regions"] = Field(
        default="regions", description="The deciding score: the mean squared error, or its pattern over the regions."
    )
    kinds: Kinds = 4
    trimmed: Trimmed = 0.25
    shrinkage: Shrinkage = 0.05

    @model_validator(mode="before")
    @classmethod
    def _follow_the_variant(cls, values: Any) -> Any:
        """Take what the caller does not give from what the chosen variant brings."""
        if not isinstance(values, dict):
            return values
        # An unknown variant, of whatever type, is left to the validation that follows.
        return {**VARIANTS.get(str(values.get("variant")), {}), **values}

    @model_validator(mode="after")
    def _halves_evenly(self) -> Self:
        if self.variant == "conv" and (self.height % 8 or self.width % 8):
            raise ValueError("the variant conv halves its input three times: height and width must be multiples of 8")
        return self


class Autoencoder(ViewDetector[Network]):
    """Learns to compress ne_proliv crops into a short code and back; what it cannot restore is abnormal.

    The detector's own *view* of a crop is its centre (``centre_height``, ``centre_width``), resized to ``height`` x
    ``width``, intensities 0-1, blurred by ``blur_sigma``. The blur removes the camera's noise, which no code can hold;
    the centre leaves out what is around the hole. With ``even_light`` the network sees every view at the same mean
    brightness, and its answer is brought back to the brightness of the view.

    With x the view and y its reconstruction, ``mse = mean((x - y)^2)`` over pixels and channels; training minimises
    the same number, or with ``loss = "sum"`` the sum of a crop's squares. It is low for usual crops, but also for
    smooth ones, such as an empty hole.

    So by default ``regions`` decides, which looks at where the error is and of what kind. In each square region, the
    five features of `plugins.detectors.residuals.residual_features` are compared with a Gaussian of the training crops
    there (`plugins.detectors.regions.Regions`). The score is the trimmed geometric mean of Mahalanobis' distances,
    ``exp(mean_c log(d_c + 0.1))``: too little error is as abnormal as too much. The published experiments
    (``recipes``) decide by ``mse``, as published (``decide_on``).
    """

    name = "ae"
    network_name = "autoencoder"
    region_features = RESIDUAL_FEATURES
    Settings: ClassVar[type[BaseModel]] = AutoencoderSettings
    recipes: ClassVar[Sequence[Recipe]] = (
        Recipe(
            "dense-30x50",
            "Vyaznikov: 4500-512-256-512-4500 on 30 x 50 pixels, sums of squares compared with 12",
            {**AS_PUBLISHED, "variant": "dense-30x50", "code_size": 256, "epochs": 50},
            rule="fixed",
            # The published threshold is for the sum over 30 x 50 pixels and 3 channels, mse for their mean.
            rule_settings={"threshold": "12/4500"},
        ),
        # Of these two, the number of layers and the threshold are published; input, widths and epochs are ours.
        Recipe(
            "linear-2",
            "Kirsanov: two linear layers, threshold 0.56 of the highest mse of proliv",
            {**AS_PUBLISHED, "variant": "linear-2", "code_size": 64, "epochs": 10},
            rule="fraction-of-max",
            rule_settings={"k": 0.56},
        ),
        Recipe(
            "linear-5",
            "Kirsanov: five linear layers, threshold 0.60 of the highest mse of proliv",
            {**AS_PUBLISHED, "variant": "linear-5", "code_size": 64, "epochs": 10},
            rule="fraction-of-max",
            rule_settings={"k": 0.6},
        ),
    )

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:
        """Learn from prepared ne_proliv crops, uint8 (N, H, W, 3), with Adam on the mean squared error."""
        network = self._new_network(seed)
        if self.settings.standardize:
            network.standardization.learn(torch.tensor(crops))
        report = self._train(
            network,
            lambda batch: self._loss(network, self._view(batch)),
            torch.optim.Adam(network.parameters(), lr=self.settings.learning_rate),
            crops=crops,
            validation=validation,
            generator=torch.Generator().manual_seed(seed),
            progress=progress,
            keep_last=self.settings.keep == "last",
        )
        if self._judges_regions:
            features = [self._residual_features(seen) for seen in self._seen(self._as_trained(network), crops)]
            self._regions = Regions.learn(
                np.concatenate(features), shrinkage=self.settings.shrinkage, kinds=self.settings.kinds, seed=seed
            )
        self._take(network)
        return report

    def score(self, crops: Pixels) -> Scores:
        """Score prepared crops, uint8 (N, H, W, 3): ``mse``, and ``regions`` where that decides."""
        errors: list[Tensor] = []
        distances = [np.empty(0, dtype=np.float32)]
        for seen in self._seen(self._for_scoring(), crops):
            errors.append(squared_errors(seen.view, seen.reconstruction))
            if self._regions is not None:
                distances.append(self._regions.distance(self._residual_features(seen), trimmed=self.settings.trimmed))
        if self._regions is None:
            return Scores(joined(errors, ()))
        return Scores(joined(errors, ()), {"regions": np.concatenate(distances)}, decision="regions")

    @torch.inference_mode()
    def latent(self, crops: Pixels) -> Floats:
        """Return the codes of prepared crops: float32 (N, code_size)."""
        network = self._learned(self._network)
        views = (self._view(batch) for batch in self._batches(crops, self._batch))
        return joined([network.encode(self._lit_evenly(view)[0]) for view in views], (self.settings.code_size,))

    @property
    def _judges_regions(self) -> bool:
        return bool(self.settings.decide_on == "regions")

    def _new_network(self, seed: int) -> Network:
        height, width = self.input_size
        settings = self.settings
        network = new_network(settings.variant, height=height, width=width, code_size=settings.code_size, seed=seed)
        return network.to(self.device)

    def _loss(self, network: Network, view: Tensor) -> Tensor:
        """The squared errors of a batch of views, (N, 3, H, W): the mean over the crops of each one's mean or sum."""
        pictures, level = self._lit_evenly(view)
        if self.settings.standardize:
            restored = (network(pictures) * level).clamp(0, 1)
        else:
            # Untrained, half of the output is below 0. Cut off there, it would have no gradient and learn nothing.
            restored = network.restore(pictures) * level
        loss = squared_errors(view, restored).mean()
        return loss * view[0].numel() if self.settings.loss == "sum" else loss

    @torch.inference_mode()
    def _seen(self, passage: Passage, crops: Pixels) -> Iterator[Seen]:
        for batch in self._batches(crops, self._batch):
            view = passage.view(batch)
            pictures, level = self._lit_evenly(view)
            yield Seen(view, pictures, in_own_light(passage.forward(pictures), level), level)

    @property
    def _batch(self) -> int:
        return CONVOLUTION_BATCH if self.settings.variant == "conv" else DENSE_BATCH
