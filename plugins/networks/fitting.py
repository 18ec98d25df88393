"""Trains a network epoch by epoch, stops early, and keeps the weights of the best epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from monitor.api import DataError, EpochReport, FitReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from monitor.api import Progress


def fit_epochs(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    train: Tensor,
    validation: Tensor,
    epochs: int,
    patience: int,
    batch_size: int,
    generator: torch.Generator,
    progress: Progress,
    keep_last: bool = False,
) -> FitReport:
    """Train ``network`` and leave it in evaluation mode with the weights of its best epoch, or of the last one.

    ``train`` (N, ...) and ``validation`` (M, ...) are crops, of which ``loss`` takes a batch and returns the mean
    loss, a scalar. ``generator`` (on the CPU) draws a new order of the crops for every epoch. ``patience``: the
    training stops once that many epochs in a row have not lowered the validation loss; 0 trains all ``epochs``. Raises
    `DataError` when there is nothing to learn from or to validate on, or when a loss is not a finite number.
    """
    for purpose, crops in {"learn from": train, "validate on": validation}.items():
        if len(crops) == 0:
            raise DataError(f"there are no crops to {purpose}; a detector needs both kinds")
    reports: list[EpochReport] = []
    best, best_weights = EpochReport(0, epochs, math.inf, math.inf), _copy(network.state_dict())
    for epoch in range(1, epochs + 1):
        train_loss = _train_epoch(network, loss, optimizer, train, batch_size, generator)
        report = EpochReport(epoch, epochs, train_loss, _mean_loss(network, loss, validation, batch_size))
        _require_finite(report)
        reports.append(report)
        if report.validation_loss < best.validation_loss:
            best, best_weights = report, _copy(network.state_dict())
        progress(report)
        if patience and epoch - best.epoch >= patience:
            break
    kept = reports[-1] if keep_last else best
    if kept is best:
        network.load_state_dict(best_weights)
    network.eval()
    return FitReport(tuple(reports), kept.epoch)


def _train_epoch(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    crops: Tensor,
    batch_size: int,
    generator: torch.Generator,
) -> float:
    """One pass over the crops in a new order; returns the mean loss over them while they were learned."""
    network.train()
    total = 0.0
    order = torch.randperm(len(crops), generator=generator).to(crops.device)
    for start in range(0, len(crops), batch_size):
        rows = order[start : start + batch_size]
        batch_loss = loss(crops[rows])
        optimizer.zero_grad(set_to_none=True)
        batch_loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += batch_loss.item() * len(rows)
    return total / len(crops)


@torch.no_grad()
def _mean_loss(network: nn.Module, loss: Callable[[Tensor], Tensor], crops: Tensor, batch_size: int) -> float:
    """The mean loss over the crops in evaluation mode."""
    network.eval()
    total = 0.0
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        total += loss(batch).item() * len(batch)
    return total / len(crops)


def _copy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy of the weights, which training then does not change."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def _require_finite(report: EpochReport) -> None:
    if not (math.isfinite(report.train_loss) and math.isfinite(report.validation_loss)):
        raise DataError(
            f"the training diverged: in epoch {report.epoch} the training loss is {report.train_loss} and the "
            f"validation loss {report.validation_loss}; lower the learning rate and train again"
        )
