"""Which files are on their way, and which wait to be complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from monitor.files.looks import Looks


@dataclass(slots=True)
class Waiting:
    """An incomplete file: since when it has looked like this, the pause before the next try, and when that is due."""

    looks: Looks | None
    since: float
    pause: float
    due: float


class Pending(NamedTuple):
    """What a watcher has found that is not finished; ``oldest_ns``: the earliest last change, None where none waits.

    ``held_up``: more may lie in the folder that it has not come by, for the stages after it have no space.
    """

    crops: int
    oldest_ns: int | None
    held_up: bool
