"""Which labels a model learns from: those that count, of its false alarms and of proliv."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.labels import labels
from monitor.store.labels import labelled_scores
from monitor.thresholds.gather import NOTHING_SEEN, floods_accepted_until, usable_labels
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from sqlalchemy.engine import Connection

    from monitor.configuration.settings import Calibration
    from monitor.labels.labels import LabelledCrop
    from monitor.store.models import ModelRow


@dataclass(frozen=True)
class Selection:
    """The labelled crops to learn from.

    ``false_alarms``: labelled ne_proliv, and the model or the final decision called them proliv. ``confirmed``:
    labelled proliv. ``set_aside``: what was left out, a sentence each.
    """

    false_alarms: Sequence[LabelledCrop]
    confirmed: Sequence[LabelledCrop]
    set_aside: Sequence[str]

    @property
    def until(self) -> datetime | None:
        """When the newest of the labels was stored; None where there is none."""
        return max((crop.recorded_at for crop in (*self.false_alarms, *self.confirmed)), default=None)

    def since(self, moment: datetime | None) -> int:
        """How many of the labels were stored after a moment; None: all of them."""
        crops = (*self.false_alarms, *self.confirmed)
        return sum(moment is None or crop.recorded_at > moment for crop in crops)


def select(
    connection: Connection, model: ModelRow, settings: Calibration, *, now: datetime, zone: ZoneInfo
) -> Selection:
    """Read the labels; contradictory ones and floods are set aside, as where a threshold is chosen.

    ``zone``: the plant's clock, for the sentences. A crop stays a false alarm when a later model no longer calls it
    proliv: without it, the next training would forget what this one has learned.
    """
    accepted_until = floods_accepted_until(connection, model.id, now)
    usable = usable_labels(labels.read(connection), settings, accepted_until, NOTHING_SEEN, zone)
    verdicts = {crop_id: row.verdict for crop_id, row in labelled_scores(connection, model.id).items()}
    false_alarms = [
        crop
        for crop in usable.crops
        if crop.label is Label.NE_PROLIV and (crop.alarmed or verdicts.get(crop.id) == Label.PROLIV.value)
    ]
    confirmed = [crop for crop in usable.crops if crop.label is Label.PROLIV]
    return Selection(false_alarms, confirmed, usable.set_aside)
