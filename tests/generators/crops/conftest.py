"""A stream of crops for the tests of several modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generators.crops.datasets import CastingTable
from generators.crops.streaming import CropStream

if TYPE_CHECKING:
    from datetime import timedelta


def stream(holes: int = 3, cameras: str = "C", **options: timedelta | int | None) -> CropStream:
    tables = [CastingTable(1, holes=holes, camera=camera) for camera in cameras]
    return CropStream(tables, **options)  # type: ignore[arg-type]
