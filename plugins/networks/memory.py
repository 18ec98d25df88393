"""The network of ``mnad``: an autoencoder without skip connections and with a memory of prototypes in its middle.

Source: H. Park, J. Noh, B. Ham: Learning Memory-guided Normality for Anomaly Detection, CVPR 2020
(arXiv:2003.13228), the variant that reconstructs. A *query* is what the encoder makes of one place of the picture, a
vector of length 1. The *items* of the memory are such vectors too: prototypes of normal places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from plugins.networks.inference import Tunable
from plugins.networks.parts import seeded

if TYPE_CHECKING:
    from collections.abc import Iterator

# Pixels from one query to the next, both ways: the encoder halves its input three times.
STRIDE: Final = 8

# How much nearer each query should be to its nearest item than to the second nearest.
MARGIN: Final = 1.0

# The least width of a range, as a share of its upper end.
LEAST_SPAN: Final = 0.01


class Range(nn.Module):
    """A min-max scale ``g(v) = (v - low) / (high - low)``, not clamped, whose ends come from normal crops."""

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros((), dtype=torch.float64))
        self.register_buffer("high", torch.ones((), dtype=torch.float64))

    def learn(self, values: Tensor) -> None:
        """Take the least and the greatest of the values, (N,), but at least `LEAST_SPAN` apart.

        Between values that are nearly alike, the noise of the arithmetic would decide.
        """
        low, high = float(values.min()), float(values.max())
        self.low.fill_(low)
        self.high.fill_(low + (max(high - low, LEAST_SPAN * abs(high)) or 1))

    def forward(self, values: Tensor) -> Tensor:
        """g of values, (N,): float64."""
        return (values.double() - self.low) / (self.high - self.low)

    def ends(self) -> list[float]:
        """Low and high."""
        return [float(self.low), float(self.high)]


class Memory(nn.Module):
    """M items, float32 (M, C), each of length 1. They follow the queries and are not trained by gradients.

    ``use``: float32 (M,), the share of held-out queries whose nearest item each is, once `count_use` was called.
    """

    items: Tensor
    use: Tensor

    def __init__(self, items: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("items", normalize(torch.rand(items, channels), dim=1))
        self.register_buffer("use", torch.zeros(items))

    def read(self, queries: Tensor) -> Tensor:
        """Answers to queries, (N, C): ``sum_m w_km p_m`` with w the softmax over the items of q_k . p_m."""
        answers: Tensor = (queries @ self.items.T).softmax(dim=1) @ self.items
        return answers

    @torch.no_grad()
    def update(self, queries: Tensor) -> None:
        """Move every item towards those of the queries, (N, C), whose nearest item it is: U_m.

        ``p_m <- l2norm(p_m + sum_{k in U_m} v_km / max(v_m) q_k)`` with v the softmax over the queries of q_k . p_m.
        The maximum is taken over U_m, as the paper has it, so that the best of them counts in full; the authors'
        program takes it over all queries. An item that is nearest to no query stays as it is.
        """
        similarity = queries @ self.items.T
        belongs = one_hot(similarity.argmax(dim=1), len(self.items)).bool()
        similarity = similarity.masked_fill(~belongs, -torch.inf)
        # The sum in the softmax cancels in v / max(v). No cosine is under -1, so the clamp is only for an empty U_m.
        weights = (similarity - similarity.amax(dim=0).clamp(min=-1)).exp()
        # A new tensor: the read that went before still needs the old one for its gradient.
        self.items = normalize(self.items + weights.T @ queries, dim=1)

    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """The numbers of the nearest and the second nearest item of each query, (N, C): each (N,)."""
        first, second = (queries @ self.items.T).topk(2, dim=1).indices.T
        return first, second

    def distances(self, queries: Tensor) -> Tensor:
        """``mean (q - p)^2`` over the places and channels of each picture, p being the item nearest to q: (B,).

        ``queries``: (B, C, h, w).
        """
        rows = as_rows(queries)
        nearest = self.items[self.nearest(rows)[0]]
        return (rows - nearest).square().reshape(len(queries), -1).mean(dim=1)

    def count_use(self, queries: Tensor) -> None:
        """Keep how often each item is the nearest to one of the queries, (N, C)."""
        counts = torch.bincount(self.nearest(queries)[0], minlength=len(self.items))
        self.use.copy_(counts / len(queries))

    def largest_cosine(self) -> float:
        """The cosine of the two items that are most alike; at 1 they are the same."""
        cosines = self.items @ self.items.T
        return float(cosines.fill_diagonal_(-1).max())

    def losses(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Compactness and separateness of queries, (N, C), both scalars.

        ``mean (q - p_1st)^2`` over queries and channels, and the mean over queries of
        ``max(|q - p_1st| - |q - p_2nd| + 1, 0)``: queries should lie near an item, and items far apart.
        """
        first, second = (self.items[numbers] for numbers in self.nearest(queries))
        nearer = (queries - first).norm(dim=1) - (queries - second).norm(dim=1)
        return (queries - first).square().mean(), (nearer + MARGIN).clamp(min=0).mean()


class MemoryNetwork(Tunable):
    """Pictures, float32 (B, 3, H, W), -1 to 1 -> queries (B, C, H/8, W/8) -> pictures (B, 3, H, W), -1 to 1.

    ``channels``: those of the first convolution, 64 as published; C is eight times as many. Without a memory
    (``items`` 0) the decoder gets each query twice in place of the query and the memory's answer, so that nothing
    else differs.
    """

    def __init__(self, *, channels: int, items: int) -> None:
        super().__init__()
        self.query_channels = 8 * channels
        self.encoder = nn.Sequential(*_encoder(channels))
        self.memory = Memory(items, self.query_channels) if items else None
        self.decoder = nn.Sequential(*_decoder(channels))
        self.psnr_range, self.distance_range = Range(), Range()
        # Channels last in memory: convolutions of few channels take about two thirds of the time on a processor.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def query(self, pictures: Tensor) -> Tensor:
        """The queries of pictures, each a vector of length 1: (B, C, H/8, W/8)."""
        return normalize(self.encoder(pictures.contiguous(memory_format=torch.channels_last)), dim=1)

    def answer(self, queries: Tensor) -> Tensor:
        """What the memory answers to queries, (B, C, h, w), place by place; the queries themselves without one."""
        if self.memory is None:
            return queries
        count, channels, height, width = queries.shape
        answers = self.memory.read(as_rows(queries))
        return answers.reshape(count, height, width, channels).permute(0, 3, 1, 2)

    def decode(self, queries: Tensor) -> Tensor:
        """The reconstruction from queries, (B, C, h, w), and what the memory answers to them."""
        reconstruction: Tensor = self.decoder(torch.cat([queries, self.answer(queries)], dim=1))
        return reconstruction

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The queries of pictures, and the reconstruction."""
        queries = self.query(pictures)
        return queries, self.decode(queries)

    def learn_usual(self, psnr: Tensor, queries: Tensor) -> None:
        """Set both ranges by held-out normal pictures, and count how often they use each item.

        ``psnr``: (N,), in dB. ``queries``: (N, C, h, w).
        """
        self.psnr_range.learn(psnr)
        if self.memory is not None:
            self.distance_range.learn(self.memory.distances(queries))
            self.memory.count_use(as_rows(queries))

    def published_scores(self, psnr: Tensor, queries: Tensor, *, alpha: float) -> dict[str, Tensor]:
        """``1 - g(P)``, D and ``alpha (1 - g(P)) + (1 - alpha) g(D)``, each (N,), of PSNRs P and queries, as above.

        D is the mean over a picture's places of the distance to the nearest item. Without a memory there is none, and
        the combined score is ``1 - g(P)``.
        """
        low_psnr: Tensor = 1 - self.psnr_range(psnr)
        if self.memory is None:
            return {"low_psnr": low_psnr, "combined": low_psnr}
        distances = self.memory.distances(queries)
        combined = alpha * low_psnr + (1 - alpha) * self.distance_range(distances)
        return {"low_psnr": low_psnr, "feature_distance": distances, "combined": combined}


def new_memory_network(*, channels: int, items: int, seed: int) -> MemoryNetwork:
    """An untrained network on the CPU, the same for the same numbers and seed."""
    with seeded(seed):
        return MemoryNetwork(channels=channels, items=items)


def as_rows(queries: Tensor) -> Tensor:
    """Queries (B, C, h, w) as one row for each place, picture by picture: (B h w, C)."""
    return queries.permute(0, 2, 3, 1).flatten(0, 2)


def _encoder(channels: int) -> Iterator[nn.Module]:
    """Two convolutions to 1, 2 and 4 times ``channels``, each pair halved, and two to 8 times, the last one bare."""
    before = 3
    for after in (channels, 2 * channels, 4 * channels):
        yield from (*_convolution(before, after), *_convolution(after, after), nn.MaxPool2d(2))
        before = after
    yield from (*_convolution(before, 2 * before), nn.Conv2d(2 * before, 2 * before, 3, padding=1))


def _decoder(channels: int) -> Iterator[nn.Module]:
    """Two convolutions from 16 to 8, 4, 2 and 1 times ``channels``, doubled in size in between, and one to colours."""
    for after in (8 * channels, 4 * channels, 2 * channels):
        yield from (*_convolution(2 * after, after), *_convolution(after, after))
        yield nn.ConvTranspose2d(after, after, 3, stride=2, padding=1, output_padding=1)
        yield from (nn.BatchNorm2d(after), nn.ReLU())
    yield from (*_convolution(2 * channels, channels), *_convolution(channels, channels))
    yield from (nn.Conv2d(channels, 3, 3, padding=1), nn.Tanh())


def _convolution(before: int, after: int) -> tuple[nn.Module, ...]:
    """A 3 x 3 convolution, batch normalisation and ReLU."""
    return nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()
