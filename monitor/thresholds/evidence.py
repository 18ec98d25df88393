"""The evidence that a threshold is chosen from: labelled crops with their scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitor.api import ScoreEvidence
    from monitor.labels.labels import LabelledCrop


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled content with its deciding score.

    ``since``: the start of its age, when its crop was seen or the references were given. ``crop``: None for a
    reference.
    """

    sha256: str
    label: Label
    score: float
    camera: str | None
    taken_at: datetime | None
    since: datetime
    crop: LabelledCrop | None = None


@dataclass(frozen=True)
class Evidence:
    """The labelled crops of one model, ready for a rule and for the guard.

    ``newest``: the items that were labelled since a threshold was last chosen. ``incidents``: how many bleed-outs the
    proliv crops come from. ``labels_until``: when the newest label was stored. ``accepted_until``: until when floods of
    labels were accepted. ``set_aside``: what was left out, a sentence each. ``notes``: what a person should know.
    """

    scores: ScoreEvidence
    items: Sequence[Item]
    newest: Sequence[Item]
    incidents: int
    labels_until: datetime | None
    accepted_until: datetime | None
    set_aside: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def scores_by_label(items: Iterable[Item]) -> dict[Label, list[float]]:
    """The deciding scores of items; each label is there, if only with an empty list."""
    scores: dict[Label, list[float]] = {label: [] for label in Label}
    for item in items:
        scores[item.label].append(item.score)
    return scores
