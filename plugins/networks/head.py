"""A small network from the features of a crop to its class, for scoring.

It is computed with numpy alone, which is quick to load and may be forked.
`plugins.networks.head_training` learns its weights with torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from monitor.api import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.api import Floats

HEAD: Final = "head.safetensors"
# Standardised features are cut off here: what lies farther away is new, and no network knows what it means.
FARTHEST: Final = 5.0
# The spread that is added to each feature's, so that one that never varies is not divided by nothing.
LEAST_SPREAD: Final = 1e-3


class Head(NamedTuple):
    """Three layers, with ReLUs between them: D features, H and then G hidden numbers, M classes.

    ``mean`` and ``spread``: (D,), of the features that were learned from. ``first``: (D, H), ``second``: (H, G),
    ``third``: (G, M), each with a bias. All float32.
    """

    mean: Floats
    spread: Floats
    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    third: Floats
    third_bias: Floats

    def standardized(self, features: Floats) -> Floats:
        """Features, float32 (N, D), in units of their spread, cut off at `FARTHEST`."""
        distance = features - self.mean
        distance /= self.spread
        return np.clip(distance, -FARTHEST, FARTHEST, out=distance)

    def logits(self, features: Floats) -> Floats:
        """What speaks for each class, as logarithms of odds: float32 (N, M)."""
        return self.of_first(self.standardized(features) @ self.first + self.first_bias)

    def of_first(self, hidden: Floats) -> Floats:
        """The same, of the first layer's output before its ReLU, (N, H)."""
        classes: Floats = np.maximum(self._of_second(hidden), 0) @ self.third + self.third_bias
        return classes

    def codes(self, features: Floats) -> Floats:
        """The second layer's output before its ReLU, by which pictures lay crops out: float32 (N, G)."""
        return self._of_second(self.standardized(features) @ self.first + self.first_bias)

    def _of_second(self, hidden: Floats) -> Floats:
        second: Floats = np.maximum(hidden, 0) @ self.second + self.second_bias
        return second

    def save(self, folder: Path) -> None:
        """Write the weights into ``folder``, without pickle."""
        (folder / HEAD).write_bytes(save({name: np.ascontiguousarray(array) for name, array in self._asdict().items()}))

    @classmethod
    def load(cls, folder: Path, *, features: int, classes: int) -> Self:
        """Read them back; raises `DataError` when they are damaged or have other numbers of features or classes."""
        try:
            head = cls(**load_file(folder / HEAD))
        except (SafetensorError, TypeError) as error:
            raise DataError(f"{folder / HEAD}: is damaged: {error}; train the detector again") from error
        if (head.mean.shape, head.third_bias.shape) != ((features,), (classes,)):
            raise DataError(f"{folder / HEAD}: belongs to other settings; train the detector again")
        return head
