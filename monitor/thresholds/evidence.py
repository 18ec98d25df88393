"""The labelled scores that a threshold is chosen from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.api import ScoreEvidence
    from monitor.labels.labels import LabelledCrop
    from monitor.words import Label


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled content with its deciding score; ``crop`` is none for a reference."""

    sha256: str
    label: Label
    score: float
    camera: str | None
    taken_at: datetime | None
    since: datetime
    """From when its age counts: when its crop was seen, or when the references were given."""
    crop: LabelledCrop | None = None


@dataclass(frozen=True)
class Evidence:
    """The labelled crops of one model, ready for a rule, and what a guard wants to know of them.

    ``newest``: the items that were labelled since a threshold was last judged. ``events``: how many bleed-outs the
    proliv crops come from. ``notes``: what a person should know. ``set_aside``: what was left out, a sentence each.
    """

    scores: ScoreEvidence
    items: Sequence[Item]
    newest: Sequence[Item]
    events: int
    labels_until: datetime | None
    accepted_until: datetime | None
    set_aside: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
