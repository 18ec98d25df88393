"""Floods: more labels than a person gives in an hour, or to one incident; they do not count until they are accepted."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from monitor.files.text import printable
from monitor.formulas.incidents import incidents
from monitor.labels import labels
from monitor.times import on_clock
from monitor.words import UNKNOWN, Label

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from monitor.configuration.settings import Calibration
    from monitor.labels.labels import Contradiction, LabelledCrop, LabelledCrops
    from monitor.store.labels import LabelRow


# More than ``flood_labels`` of one labeller within this span are a flood.
FLOOD_SPAN: Final = timedelta(hours=1)


def labels_of_floods(
    labelled: LabelledCrops,
    settings: Calibration,
    accepted_until: datetime | None,
    set_aside: list[str],
    zone: ZoneInfo,
) -> set[int]:
    """The ids of the labels that came in a flood and were not accepted; a sentence for each is added to ``set_aside``.

    All labels that were ever given are looked at, so that correcting a part of a flood does not let the rest pass. A
    flood is not named once none of its labels counts any more.
    """
    limit = settings.flood_labels
    unseen = [row for row in labelled.given if accepted_until is None or row.recorded_at > accepted_until]
    counting = {crop.label_id for crop in labelled.crops}
    flooding: set[int] = set()
    by_labeller: dict[str, list[LabelRow]] = defaultdict(list)
    for row in unseen:
        by_labeller["the labelled folder" if row.source == "folder" else row.author or "an unnamed author"].append(row)
    for name, rows in by_labeller.items():
        flood = _dense(sorted(rows, key=lambda row: row.recorded_at), limit)
        flooding |= {row.id for row in flood}
        if any(row.id in counting for row in flood):
            first, last = flood[0].recorded_at, flood[-1].recorded_at
            set_aside.append(
                f"{len(flood)} labels of {printable(name)} were given faster than {limit} an hour, from "
                f"{on_clock(first, zone)} to {on_clock(last, zone)}; see: monitor labels list; correct them, or accept "
                "them all: monitor recalibrate --accept"
            )
    return flooding


def before_floods(labelled: LabelledCrops, floods: Collection[int]) -> list[LabelledCrop]:
    """The crops with the labels that would count if there had been no flood; those without any are left out."""
    calm = _others(labelled, floods)
    crops = []
    for crop in labelled.crops:
        if crop.label_id not in floods:
            crops.append(crop)
        elif crop.sha256 in calm:
            row = labels.valid(calm[crop.sha256])[-1]
            crops.append(
                replace(
                    crop,
                    label=Label(row.label),
                    label_id=row.id,
                    recorded_at=row.recorded_at,
                    source=row.source,
                    author=row.author,
                )
            )
    return crops


def contradictions_before_floods(labelled: LabelledCrops, floods: Collection[int]) -> list[Contradiction]:
    """The contents whose labels would contradict each other if there had been no flood.

    A folder that was copied to the wrong place contradicts what people said of its crops; that must not take away the
    labels that show how wrong it is.
    """
    of_floods = [row for row in labelled.given if row.id in floods]
    touched = {row.sha256 for row in of_floods}
    calm = _others(labelled, floods)
    paths = {crop.sha256: crop.path for crop in labelled.crops if crop.sha256 in touched and crop.sha256 in calm}
    in_both = set(labelled.in_both) - {row.sha256 for row in of_floods if row.source == "folder"}
    judged = labels.contradictions({sha256: labels.valid(calm[sha256]) for sha256 in paths}, in_both, paths)
    found = [*(one for one in labelled.contradictions if one.sha256 not in touched), *judged]
    return sorted(found, key=lambda one: one.path)


def _others(labelled: LabelledCrops, floods: Collection[int]) -> dict[str, list[LabelRow]]:
    """By content, the labels that came in no flood, the oldest first."""
    calm: dict[str, list[LabelRow]] = defaultdict(list)
    for row in labelled.given:
        if row.id not in floods:
            calm[row.sha256].append(row)
    return calm


def floods_of_incidents(
    crops: Sequence[LabelledCrop],
    settings: Calibration,
    accepted_until: datetime | None,
    set_aside: list[str],
    zone: ZoneInfo,
) -> set[str]:
    """The contents of incidents with a flood of proliv labels; a sentence for each is added to ``set_aside``."""
    unseen = [
        crop
        for crop in crops
        if crop.label is Label.PROLIV and (accepted_until is None or crop.recorded_at > accepted_until)
    ]
    taken = [(crop.camera, crop.captured_at or crop.seen_at) for crop in unseen]
    numbers = incidents(taken, settings.event_gap_seconds)
    contents: set[str] = set()
    for number, count in Counter(numbers).items():
        if count > settings.flood_labels:
            members = [crop for crop, one in zip(unseen, numbers, strict=True) if one == number]
            first = min(crop.captured_at or crop.seen_at for crop in members)
            set_aside.append(
                f"{count} proliv labels are of one incident, on camera {printable(members[0].camera or UNKNOWN)} at "
                f"{on_clock(first, zone)}; look at them, then: monitor recalibrate --accept"
            )
            contents |= {crop.sha256 for crop in members}
    return contents


def _dense(rows: Sequence[LabelRow], limit: int) -> list[LabelRow]:
    """The labels, given in the order in which they were stored, that lie in an hour with more than ``limit``."""
    dense: list[LabelRow] = []
    start = taken = 0
    for end, row in enumerate(rows):
        while row.recorded_at - rows[start].recorded_at > FLOOD_SPAN:
            start += 1
        if end - start + 1 > limit:
            dense += rows[max(start, taken) : end + 1]
            taken = end + 1
    return dense
