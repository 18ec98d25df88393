"""Made-up arrivals of one camera, as the store counts them."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.store.arrivals import Arrivals, CameraArrivals, Grid, HoleArrivals

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
GRID = Grid(5, 0, 100, 60)


def came(camera: str, active: int, **holes: tuple[int, int, int]) -> Arrivals:
    """Arrivals of one camera: for each hole, such as h7, how many intervals came, came late, or were undecided."""
    counts = {(camera, int(name[1:])): HoleArrivals(*numbers, NOW) for name, numbers in holes.items()}
    return Arrivals({camera: CameraArrivals(active, 9, 0, 0)}, counts)
