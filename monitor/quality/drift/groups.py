"""What is known about the drift of a model: of each camera and hole, and of all together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.store.summaries import ALL_CAMERAS, NO_HOLE

if TYPE_CHECKING:
    from monitor.store.summaries import GroupKey


# The group of all cameras and holes together.
EVERYTHING: Final[GroupKey] = (ALL_CAMERAS, NO_HOLE)


class DriftState(StrEnum):
    """What can be said about a group."""

    STEADY = "steady"
    DRIFTING = "drifting"
    # There are fewer than half of the hours to compare with.
    LEARNING = "learning"
    # No recent hour has enough crops.
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class GroupDrift:
    """What the test says about one (camera, hole); ``("*", -1)`` is all together, ``""`` and -1 are unknown ones.

    ``crops``, ``baseline_crops``: the recent ones and those that they are compared with. ``missing_hours``: how many
    hours are missing before it can be tested. ``shift``: of the median, in robust sigmas of the baseline's crops,
    positive upwards; infinite where those crops all had the same score. ``stability``: the population stability index,
    >= 0. ``t``, ``p``: see `hourly_test`, of the medians `on_even_scale`. All four are None where nothing was tested.
    """

    camera: str
    hole: int
    state: DriftState
    crops: int
    baseline_crops: int
    missing_hours: int
    shift: float | None = None
    stability: float | None = None
    t: float | None = None
    p: float | None = None

    @property
    def key(self) -> GroupKey:
        """(camera, hole)."""
        return self.camera, self.hole

    @property
    def tested(self) -> bool:
        """Whether there was enough to test."""
        return self.p is not None

    @property
    def everything(self) -> bool:
        """Whether it is all cameras and holes together."""
        return self.key == EVERYTHING

    @property
    def drifting(self) -> bool:
        """Whether it drifts."""
        return self.state is DriftState.DRIFTING

    @property
    def up(self) -> bool:
        """Whether it moved upwards."""
        return self.t is not None and self.t > 0

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON; an infinite number becomes None."""
        values = asdict(self)
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in values.items()
        }


@dataclass(frozen=True, slots=True)
class ModelDrift:
    """What is known about one model's drift.

    ``level``: a group drifts when its p is smaller; None when no group was tested. ``groups``: all together first, then
    the holes by camera and number.
    """

    model: str
    detector: str
    level: float | None
    groups: tuple[GroupDrift, ...]
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {
            "model": self.model,
            "detector": self.detector,
            "sentence": self.sentence,
            "level": self.level,
            "groups": [group.as_dict() for group in self.groups],
        }
