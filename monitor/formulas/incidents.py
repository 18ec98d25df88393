"""Groups crops into incidents: crops of one bleed-out look alike and are not independent of one another."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def incidents(crops: Sequence[tuple[str | None, datetime | None]], gap_seconds: float) -> list[int]:
    """The number of the incident that each crop (camera, time) belongs to, in the order given; numbers count from 0.

    Crops of one camera are one incident as long as no pause between them is longer than ``gap_seconds``. A camera's
    crops of unknown time (None) are together one more incident, and an unknown camera (None) is a camera like any
    other. Incidents are numbered in the order in which they first occur.
    """
    by_camera: defaultdict[str | None, list[tuple[datetime, int]]] = defaultdict(list)
    keys: dict[int, tuple[str | None, int]] = {}
    for index, (camera, time) in enumerate(crops):
        if time is None:
            keys[index] = camera, -1
        else:
            by_camera[camera].append((time, index))
    for camera, found in by_camera.items():
        number = 0
        found.sort()
        previous = found[0][0]
        for time, index in found:
            number += (time - previous).total_seconds() > gap_seconds
            keys[index] = camera, number
            previous = time
    numbers: dict[tuple[str | None, int], int] = {}
    return [numbers.setdefault(keys[index], len(numbers)) for index in range(len(crops))]
