"""How much each labelled crop counts when a threshold is chosen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from numpy.typing import NDArray

    from monitor.thresholds.evidence import Item

# The weight of a crop, however old, stays a positive number.
SMALLEST_WEIGHT: Final = 1e-9


def age_weights(items: Sequence[Item], now: datetime, half_life: timedelta | None) -> NDArray[np.float64]:
    """Half for each half-life, float64 (N,), 0-1; only proportions within a class count, so its newest crop has 1."""
    if half_life is None or not items:
        return np.ones(len(items))
    ages = np.array([max((now - item.since) / half_life, 0.0) for item in items])
    weights: NDArray[np.float64] = np.exp2(ages.min() - ages)
    return weights.clip(min=SMALLEST_WEIGHT)


def event_weights(numbers: Sequence[int]) -> NDArray[np.float64]:
    """1 / crops of its event, float64 (N,), by the number of each crop's event."""
    counts = Counter(numbers)
    return np.array([1 / counts[number] for number in numbers])


def stratum_weights(
    normal: Sequence[Item], ages: NDArray[np.float64], recent: Mapping[str, int], false_share: float
) -> NDArray[np.float64]:
    """Weights, float64 (N,), that combine false alarms and all others in the proportion of the line.

    ``ages``: weights by age, float64 (N,), whose proportions hold within a stratum. ``recent``: crops of the line by
    verdict. ``false_share``: the share of false alarms among the alarms, 0-1.
    """
    false_alarms = np.array(
        [item.crop is not None and item.crop.alarmed and item.crop.in_operation for item in normal], dtype=np.bool_
    )
    masses = (
        (false_alarms, recent.get(Label.PROLIV.value, 0) * false_share),
        (~false_alarms, float(recent.get(Label.NE_PROLIV.value, 0))),
    )
    if not all(members.any() and mass > 0 for members, mass in masses):
        return ages
    weights = ages.copy()
    for members, mass in masses:
        weights[members] *= mass / ages[members].sum()
    return weights
