"""Made-up summaries of hours: normal scores with standard deviation 1 around each hour's median."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from monitor.store.summaries import Summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

START = datetime(2023, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

# The quantiles of the scores of one hour, about its median.
SHAPE = norm.ppf(np.clip(np.linspace(0, 1, 21), 0.001, 0.999))


def summary(hour: int, median: float, key: tuple[str, int] = ("*", -1), crops: int = 100) -> Summary:
    return Summary(START + hour * HOUR, *key, crops, 0, list(SHAPE + median))


def line(medians: Mapping[tuple[str, int], Sequence[float] | NDArray[np.float64]]) -> list[Summary]:
    return [summary(hour, median, key) for key, row in medians.items() for hour, median in enumerate(row)]


def plant(holes: int, hours: int, seed: int, cameras: int = 1) -> dict[tuple[str, int], NDArray[np.float64]]:
    """Medians of a line where nothing drifts: normal, standard deviation 0.2 from hour to hour."""
    random = np.random.default_rng(seed)
    keys = [("*", -1), *((str(camera), hole) for camera in range(1, cameras + 1) for hole in range(1, holes + 1))]
    return {key: 10 + 0.2 * random.standard_normal(hours) for key in keys}
