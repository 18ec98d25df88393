"""Puts a model's drift into a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.quality.drift.groups import EVERYTHING, DriftState
from monitor.store.summaries import NO_HOLE
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.quality.drift.groups import GroupDrift
    from monitor.store.summaries import GroupKey


# Name this many holes, and count the others.
MOST_NAMED: Final = 5


def drift_sentence(groups: Sequence[GroupDrift]) -> str:
    """Where the scores drift: one hole alone, all together, or which holes."""
    everything = next((group for group in groups if group.everything), None)
    holes = [group for group in groups if not group.everything]
    tested = [group for group in holes if group.tested]
    drifting = [group for group in tested if group.drifting]
    several_cameras = len({group.camera for group in holes}) > 1
    if len(drifting) == 1:
        (alone,) = drifting
        return f"{group_name(alone.key, several_cameras)} alone: {_moved(alone)}"
    same_way = max(([one for one in drifting if one.up is up] for up in (True, False)), key=len)
    if 2 * len(same_way) > len(tested) > 0:
        middle = sorted(same_way, key=_size)[len(same_way) // 2]
        return f"all holes together: {_moved(middle)}, {len(same_way)} of {len(tested)} holes"
    if drifting:
        strongest = sorted(drifting, key=_size, reverse=True)
        named = ", ".join(f"{group_name(one.key, several_cameras)} {_moved(one)}" for one in strongest[:MOST_NAMED])
        more = len(strongest) - MOST_NAMED
        return f"{named}, and {more} more" if more > 0 else named
    if everything is not None and everything.drifting:
        return f"all holes together: {_moved(everything)}, no hole stands out"
    return _quiet(groups, everything)


def group_name(key: GroupKey, several_cameras: bool) -> str:
    """The name of a group in sentences; the camera is named only where there are several."""
    camera, hole = key
    if key == EVERYTHING:
        return "all together"
    named = f"{UNKNOWN} hole" if hole == NO_HOLE else f"hole {hole}"
    return f"camera {camera or UNKNOWN} {named}" if several_cameras else named


def _quiet(groups: Sequence[GroupDrift], everything: GroupDrift | None) -> str:
    tested = sum(group.tested for group in groups if not group.everything)
    if tested or (everything is not None and everything.tested):
        return f"no drift: of {tested} holes and of all together, none moved more than chance would"
    learning = [group for group in groups if group.state is DriftState.LEARNING]
    if len(learning) == len(groups) and everything is not None:
        return f"learning: {everything.missing_hours} more hours with crops are needed to compare with"
    return "silent: too few crops in the last hours to compare"


def _moved(group: GroupDrift) -> str:
    return f"{'up' if group.up else 'down'} by {_size(group):.1f} robust sigmas"


def _size(group: GroupDrift) -> float:
    return abs(group.shift or 0.0)
