"""Actions: labels that one person gave at one go, and proliv labels that are all of one incident.

A pattern or a hole that was typed too widely labels dozens of crops at once, as if a person had looked at each of them.
So the guard takes what one action brings as one thing (`monitor.thresholds.guard.one_action`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from monitor.files.text import printable
from monitor.formulas.incidents import incidents
from monitor.times import on_clock
from monitor.words import UNKNOWN, Label

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from monitor.labels.labels import LabelledCrop
    from monitor.thresholds.evidence import Item

# Labels of one labeller with no longer pause between them are one action: a command, or several in a row.
LONGEST_PAUSE: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Action:
    """What one action brought: ``crops`` of all ``of`` crops that were newly given ``label``; ``words`` describe it."""

    label: Label
    crops: int
    of: int
    words: str


def largest_action(newest: Sequence[Item], label: Label, *, gap_seconds: float, zone: ZoneInfo) -> Action | None:
    """The action that brought most of the newest crops with this label; None where there is none.

    ``gap_seconds``: the longest pause within an incident. ``zone``: the plant's clock. Crops of random draws belong to
    no action, because chance has chosen them, and a draw is usually labelled at one go.
    """
    labelled = [item.crop for item in newest if item.label is label and item.crop]
    chosen = [crop for crop in labelled if crop.audit is None]
    if not chosen:
        return None
    sitting = _largest(chosen, _sittings(chosen))
    words = f"were given by {_labeller(sitting[0])} {_span([crop.recorded_at for crop in sitting], zone)}"
    largest = Action(label, len(sitting), len(labelled), words)
    if label is Label.PROLIV:
        times = [crop.captured_at or crop.seen_at for crop in chosen]
        numbers = incidents([(crop.camera, time) for crop, time in zip(chosen, times, strict=True)], gap_seconds)
        incident = _largest(chosen, numbers)
        if len(incident) > largest.crops:
            span = _span([crop.captured_at or crop.seen_at for crop in incident], zone)
            camera = printable(incident[0].camera or UNKNOWN)
            largest = Action(label, len(incident), len(labelled), f"are of one incident, on camera {camera} {span}")
    return largest


def _sittings(crops: Sequence[LabelledCrop]) -> list[Hashable]:
    """By what each crop's label is known to be of one sitting with others, in the order given."""
    by_labeller: defaultdict[str, list[int]] = defaultdict(list)
    for place, crop in enumerate(crops):
        by_labeller[_labeller(crop)].append(place)
    found: dict[int, Hashable] = {}
    for labeller, places in by_labeller.items():
        places.sort(key=lambda place: crops[place].recorded_at)
        sitting, previous = 0, crops[places[0]].recorded_at
        for place in places:
            sitting += crops[place].recorded_at - previous > LONGEST_PAUSE
            previous = crops[place].recorded_at
            found[place] = labeller, sitting
    return [found[place] for place in range(len(crops))]


def _largest(crops: Sequence[LabelledCrop], groups: Iterable[Hashable]) -> list[LabelledCrop]:
    members: defaultdict[Any, list[LabelledCrop]] = defaultdict(list)
    for crop, group in zip(crops, groups, strict=True):
        members[group].append(crop)
    return max(members.values(), key=len)


def _labeller(crop: LabelledCrop) -> str:
    return "the labelled folder" if crop.source == "folder" else printable(crop.author or "an unnamed author")


def _span(times: Sequence[datetime], zone: ZoneInfo) -> str:
    first, last = on_clock(min(times), zone), on_clock(max(times), zone)
    return f"at {first}" if first == last else f"from {first} to {last}"
