"""Trains the network of `plugins.networks.head` with torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import OneCycleLR

from plugins.networks.head import FARTHEST, LEAST_SPREAD, Head
from plugins.networks.parts import seeded

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from monitor.api import Floats

HIDDEN: Final = (96, 48)
# The share of the numbers that is left out in each step, of the features and of the hidden ones.
FEATURE_DROPOUT: Final = 0.1
HIDDEN_DROPOUT: Final = 0.3
# The share of the certainty that is spread over all classes. It bounds how sure the network may become, so that it
# cannot outvote everything that is added to its answer.
LABEL_SMOOTHING: Final = 0.05
LEARNING_RATE: Final = 3e-3
WEIGHT_DECAY: Final = 1e-3
BATCH: Final = 512


class Examples(NamedTuple):
    """Features, float32 (N, D), and the class of each, int64 (N,)."""

    features: Floats
    classes: NDArray[np.int64]


def train_head(
    train: Examples,
    validation: Examples,
    *,
    classes: int,
    epochs: int,
    seed: int,
    on_epoch: Callable[[float, float], None],
) -> Head:
    """Learn to tell the classes apart; ``on_epoch`` gets the mean losses on both kinds of examples after each epoch."""
    features, labels = torch.tensor(train.features), torch.tensor(train.classes)
    mean, spread = features.mean(dim=0), features.std(dim=0, correction=0) + LEAST_SPREAD

    def standardized(values: Tensor) -> Tensor:
        return ((values - mean) / spread).clamp(-FARTHEST, FARTHEST)

    features, other = standardized(features), standardized(torch.tensor(validation.features))
    other_labels = torch.tensor(validation.classes)
    # The dropout draws from the global generator, as the first weights do.
    with seeded(seed):
        network = _network(features.shape[1], classes)
        batch = min(BATCH, len(features))
        steps = len(features) // batch
        optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        schedule = OneCycleLR(optimizer, LEARNING_RATE, total_steps=epochs * steps)
        for _ in range(epochs):
            network.train()
            total = 0.0
            for rows in torch.randperm(len(features))[: steps * batch].reshape(steps, batch):
                loss = cross_entropy(network(features[rows]), labels[rows], label_smoothing=LABEL_SMOOTHING)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                total += loss.item()
            network.eval()
            with torch.no_grad():
                on_epoch(total / steps, cross_entropy(network(other), other_labels).item())
    return _head(network, mean, spread)


def _network(features: int, classes: int) -> nn.Sequential:
    first, second = HIDDEN
    return nn.Sequential(
        nn.Dropout(FEATURE_DROPOUT),
        nn.Linear(features, first),
        nn.ReLU(),
        nn.Dropout(HIDDEN_DROPOUT),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Dropout(HIDDEN_DROPOUT),
        nn.Linear(second, classes),
    )


def _head(network: nn.Sequential, mean: Tensor, spread: Tensor) -> Head:
    weights: list[Floats] = []
    for layer in network:
        if isinstance(layer, nn.Linear):
            weights += [layer.weight.detach().T.contiguous().numpy(), layer.bias.detach().numpy()]
    return Head(mean.numpy(), spread.numpy(), *weights)
