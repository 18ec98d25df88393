"""Floods: many crops of one class within a short time, which count for less."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from monitor.files.text import printable
from monitor.formulas.events import events
from monitor.labels import labels
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from monitor.configuration.settings import Calibration
    from monitor.labels.labels import LabelledCrop, LabelledCrops
    from monitor.store.labels import LabelRow


FLOOD_SPAN: Final = timedelta(hours=1)


def labels_of_floods(
    labelled: LabelledCrops, settings: Calibration, accepted_until: datetime | None, set_aside: list[str]
) -> set[int]:
    """The ids of labels that came in a flood that nobody has accepted yet; the floods are named in ``set_aside``.

    A flood is told by all labels that were given, so that correcting a part of it does not let the rest pass. One of
    which no label counts any more is not named.
    """
    limit = settings.flood_labels
    unseen = [row for row in labelled.given if accepted_until is None or row.recorded_at > accepted_until]
    counting = {crop.label_id for crop in labelled.crops}
    flooding: set[int] = set()
    by_labeller: dict[str, list[LabelRow]] = defaultdict(list)
    for row in unseen:
        by_labeller["the labelled folder" if row.source == "folder" else row.author or "somebody unnamed"].append(row)
    for name, rows in by_labeller.items():
        flood = _dense(sorted(rows, key=lambda row: row.recorded_at), limit)
        flooding |= {row.id for row in flood}
        if any(row.id in counting for row in flood):
            first, last = flood[0].recorded_at, flood[-1].recorded_at
            set_aside.append(
                f"{len(flood)} labels of {printable(name)} were given faster than {limit} an hour, from "
                f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC; see: monitor labels list; correct them, or take "
                "them all: monitor recalibrate --accept"
            )
    return flooding


def before_floods(labelled: LabelledCrops, floods: Collection[int]) -> list[LabelledCrop]:
    """The crops with the label that counts where nothing that came in a flood does; without any, they are left out."""
    calm: dict[str, list[LabelRow]] = defaultdict(list)
    for row in labelled.given:
        if row.id not in floods:
            calm[row.sha256].append(row)
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
                    labelled_at=row.at,
                    recorded_at=row.recorded_at,
                    source=row.source,
                    author=row.author,
                )
            )
    return crops


def floods_of_events(
    crops: Sequence[LabelledCrop], settings: Calibration, accepted_until: datetime | None, set_aside: list[str]
) -> set[str]:
    """The contents of events that more proliv labels were given to than anybody would."""
    unseen = [
        crop
        for crop in crops
        if crop.label is Label.PROLIV and (accepted_until is None or crop.recorded_at > accepted_until)
    ]
    taken = [(crop.camera, crop.captured_at or crop.seen_at) for crop in unseen]
    numbers = events(taken, settings.event_gap_seconds)
    contents: set[str] = set()
    for number, count in Counter(numbers).items():
        if count > settings.flood_labels:
            members = [crop for crop, one in zip(unseen, numbers, strict=True) if one == number]
            first = min(crop.captured_at or crop.seen_at for crop in members)
            set_aside.append(
                f"{count} proliv labels are of one event, on camera {printable(members[0].camera or 'unknown')} at "
                f"{first:%Y-%m-%d %H:%M} UTC; look at them, then: monitor recalibrate --accept"
            )
            contents |= {crop.sha256 for crop in members}
    return contents


def _dense(rows: Sequence[LabelRow], limit: int) -> list[LabelRow]:
    """Those of the labels, in the order of their storing, that lie within an hour with more than ``limit``."""
    dense: list[LabelRow] = []
    start = taken = 0
    for end, row in enumerate(rows):
        while row.recorded_at - rows[start].recorded_at > FLOOD_SPAN:
            start += 1
        if end - start + 1 > limit:
            dense += rows[max(start, taken) : end + 1]
            taken = end + 1
    return dense
