"""How much each labelled crop counts when a threshold is chosen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from numpy.typing import NDArray

    from monitor.thresholds.evidence import Item

# The weight of a crop, however old, stays a positive number.
SMALLEST_WEIGHT: Final = 1e-9


class Recent(NamedTuple):
    """Crops of the line: by ``verdicts``, and how many of those that were passed are ``unusual``."""

    verdicts: Mapping[str, int]
    unusual: int


class NormalShares(NamedTuple):
    """The shares of ne_proliv, 0-1, among the ``alarms`` of the line and among its ``unusual`` crops."""

    alarms: float
    unusual: float


def age_weights(items: Sequence[Item], now: datetime, half_life: timedelta | None) -> NDArray[np.float64]:
    """Half for each half-life, float64 (N,), 0-1; only proportions within a class count, so its newest crop has 1."""
    if half_life is None or not items:
        return np.ones(len(items))
    ages = np.array([max((now - item.since) / half_life, 0.0) for item in items])
    weights: NDArray[np.float64] = np.exp2(ages.min() - ages)
    return weights.clip(min=SMALLEST_WEIGHT)


def incident_weights(numbers: Sequence[int]) -> NDArray[np.float64]:
    """1 / crops of its incident, float64 (N,), by the number of each crop's incident."""
    counts = Counter(numbers)
    return np.array([1 / counts[number] for number in numbers])


def stratum_weights(
    normal: Sequence[Item], ages: NDArray[np.float64], recent: Recent, shares: NormalShares
) -> NDArray[np.float64]:
    """Weights, float64 (N,), that combine false alarms, unusual crops and all others in the proportion of the line.

    ``ages``: weights by age, float64 (N,), whose proportions hold within a stratum.
    """
    in_operation = [item.crop if item.crop and item.crop.in_operation else None for item in normal]
    false_alarms = np.array([crop is not None and crop.alarmed for crop in in_operation], dtype=np.bool_)
    unusual = np.array([crop is not None and crop.unusual for crop in in_operation], dtype=np.bool_)
    passed = float(recent.verdicts.get(Label.NE_PROLIV.value, 0))
    alarms = recent.verdicts.get(Label.PROLIV.value, 0) * shares.alarms
    if alarms <= 0:
        # The line had none lately, so nothing says how many crops old false alarms stand for. They count as others.
        false_alarms[:] = False
    masses = [(false_alarms, alarms)]
    apart = recent.unusual * shares.unusual
    if unusual.any() and apart > 0 and not (false_alarms | unusual).all():
        masses += [(unusual, apart), (~(false_alarms | unusual), passed - recent.unusual)]
    else:
        masses += [(~false_alarms, passed)]
    present = [(members, mass) for members, mass in masses if members.any()]
    if len(present) < 2 or any(mass <= 0 for _, mass in present):
        return ages
    weights = ages.copy()
    for members, mass in present:
        weights[members] *= mass / ages[members].sum()
    return weights
