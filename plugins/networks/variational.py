"""The network of ``cvae``: a convolutional variational autoencoder, which may know the number of the hole.

Source: D. P. Kingma, M. Welling: Auto-Encoding Variational Bayes, ICLR 2014 (arXiv:1312.6114). The condition is
appended to what the encoder and the decoder get, as by K. Sohn, H. Lee, X. Yan: Learning Structured Output
Representation using Deep Conditional Generative Models, NeurIPS 2015.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from plugins.networks.inference import Tunable
from plugins.networks.parts import Standardization
from plugins.pictures.images import squared_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

# The channels of the encoder's convolutions, each of which halves its input; the decoder goes the same way back.
CHANNELS: Final = (16, 32, 32, 64)
STRIDE: Final = 2 ** len(CHANNELS)

# The numbers 0-255 of holes, of which 0 stands for a hole that is not known.
HOLES: Final = 256
UNKNOWN: Final = 0
# How many numbers describe a hole to the network.
HOLE_SIZE: Final = 8

# Logarithms of variances stay within plus and minus this, so that their exponential is finite.
LOG_VARIANCES: Final = 12.0


class VariationalNetwork(Tunable):
    """Pictures -> normal distributions of codes -> pictures.

    Pictures are float32 (N, 3, H, W), standardised except in `forward`; H and W are multiples of 16. Codes are
    float32 (N, D). ``holes`` throughout: int64 (N,), 0-255, or None for a network that knows no holes.
    """

    known: Tensor

    def __init__(self, height: int, width: int, code_size: int, *, holes: bool) -> None:
        super().__init__()
        rows, columns = height // STRIDE, width // STRIDE
        features, condition = CHANNELS[-1] * rows * columns, HOLE_SIZE if holes else 0
        self.standardization = Standardization()
        self.holes = nn.Embedding(HOLES, HOLE_SIZE) if holes else None
        self.register_buffer("known", torch.zeros(HOLES, dtype=torch.bool))
        self.encoder = nn.Sequential(*_halvings(), nn.Flatten())
        self.posterior = nn.Linear(features + condition, 2 * code_size)
        self.decoder = nn.Sequential(
            nn.Linear(code_size + condition, features), nn.ReLU(),
            nn.Unflatten(1, (CHANNELS[-1], rows, columns)), *_doublings(),
        )  # fmt: skip

    def learn_holes(self, holes: Tensor | None) -> None:
        """Remember which holes are trained on; all others are treated as not known."""
        if holes is not None:
            self.known[holes] = True

    def encode(self, pictures: Tensor, holes: Tensor | None) -> tuple[Tensor, Tensor]:
        """The means and the logarithms of the variances of the codes, each (N, D)."""
        mean, log_variance = self.posterior(self._beside(self.encoder(pictures), holes)).chunk(2, dim=1)
        return mean, log_variance.clamp(-LOG_VARIANCES, LOG_VARIANCES)

    def decode(self, codes: Tensor, holes: Tensor | None) -> Tensor:
        """The pictures that codes stand for."""
        pictures: Tensor = self.decoder(self._beside(codes, holes))
        return pictures

    def forward(self, pictures: Tensor, holes: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reconstruct pictures, 0-1 and not standardised, from their mean codes; the result is not clamped to 0-1.

        Also returns the mean squared error of each standardised picture, (N,), and what `encode` returns.
        """
        standardized = self.standardization(pictures)
        mean, log_variance = self.encode(standardized, holes)
        restored = self.decode(mean, holes)
        error = squared_errors(standardized, restored)
        return self.standardization.back(restored), error, mean, log_variance

    def _beside(self, values: Tensor, holes: Tensor | None) -> Tensor:
        """Append the description of each hole to the values, (N, F)."""
        if self.holes is None or holes is None:
            return values
        described: Tensor = self.holes(holes.where(self.known[holes], UNKNOWN))
        return torch.cat([values, described], dim=1)


def draw(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Draw codes, (N, D), by the reparameterisation ``z = m + s e``, e standard normal; gradients reach m and s."""
    noise = torch.randn(mean.shape, generator=generator).to(mean.device)
    return mean + (log_variance / 2).exp() * noise


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of each code's distribution from the standard normal one, in nats: (N,).

    ``sum_d (m_d^2 + s_d^2 - 1 - log s_d^2) / 2`` (Kingma & Welling, appendix B).
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2


def _halvings() -> Iterator[nn.Module]:
    for before, after in zip((3, *CHANNELS[:-1]), CHANNELS, strict=True):
        yield nn.Conv2d(before, after, 4, stride=2, padding=1)
        yield nn.ReLU()


def _doublings() -> Iterator[nn.Module]:
    for before, after in itertools.pairwise(CHANNELS[::-1]):
        yield nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
        yield nn.ReLU()
    yield nn.ConvTranspose2d(CHANNELS[0], 3, 4, stride=2, padding=1)
