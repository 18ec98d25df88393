"""Collects what is known of an alarm: what it was decided on, by which models and thresholds, and who was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.alarms.acknowledgement import require
from monitor.alarms.wording import as_dict
from monitor.store import alarm_evidence, alarm_members, alarms, calibrations, kept, models, outbox
from monitor.store.details import decisions_on, stored_crop
from monitor.store.labels import labels_of_contents
from monitor.times import iso

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.store.alarm_evidence import EvidenceRow
    from monitor.store.alarm_members import ShownCrop
    from monitor.store.alarms import AlarmRow
    from monitor.store.calibrations import CalibrationRow
    from monitor.store.database.engine import Database
    from monitor.store.details import ModelDecisionRow, StoredCropRow
    from monitor.store.labels import LabelRow
    from monitor.store.models import ModelRow
    from monitor.store.outbox import Due

# The newest crops of an alarm that are listed with their scores; the alarm says how many there were.
MOST_CROPS: Final = 5000


@dataclass(frozen=True)
class EvidenceCrop:
    """A crop that the alarm was decided on, with what is kept of it.

    ``content``: the bytes of its file; None where they are not kept, for the reason that ``why`` says. ``decisions``:
    those of all models; none where retention has deleted them. ``labels``: of its content, the oldest first.
    """

    row: StoredCropRow
    role: str
    content: bytes | None
    why: str | None
    decisions: Sequence[ModelDecisionRow]
    labels: Sequence[LabelRow]

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON, without the content."""
        return {
            **self.row._asdict(),
            "captured_at": iso(self.row.captured_at),
            "seen_at": iso(self.row.seen_at),
            "role": self.role,
            "kept": self.content is not None,
            "why_not": self.why,
            "models": [
                {**one._asdict(), "scored_at": iso(one.scored_at), "calibrated_at": iso(one.calibrated_at)}
                for one in self.decisions
            ],
            "labels": [
                {**one._asdict(), "at": iso(one.at), "recorded_at": iso(one.recorded_at)} for one in self.labels
            ],
        }


@dataclass(frozen=True)
class AlarmFacts:
    """An alarm; ``parts``: the alarms of holes that it took in. ``crops``: the newest of its crops."""

    alarm: AlarmRow
    parts: Sequence[AlarmRow]
    evidence: Sequence[EvidenceCrop]
    crops: Sequence[ShownCrop]
    models: Sequence[ModelRow]
    calibrations: Sequence[CalibrationRow]
    deliveries: Sequence[Due]

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON: null for what is not known, times in UTC."""
        return {
            "alarm": as_dict(self.alarm),
            "parts": [as_dict(part) for part in self.parts],
            "evidence": [crop.as_dict() for crop in self.evidence],
            "newest_crops": [{**crop._asdict(), "at": iso(crop.at)} for crop in self.crops],
            "models": [
                {
                    **{name: getattr(row, name) for name in ("id", "name", "detector", "fingerprint", "settings")},
                    "trained_at": iso(row.trained_at),
                }
                for row in self.models
            ],
            "calibrations": [
                {**row._asdict(), "created_at": iso(row.created_at), "ended_at": iso(row.ended_at)}
                for row in self.calibrations
            ],
            "deliveries": [
                {
                    **one._asdict(),
                    **{name: iso(getattr(one, name)) for name in ("at", "next_try_at", "delivered_at")},
                }
                for one in self.deliveries
            ],
        }


def gather_alarm(database: Database, alarm_id: int) -> AlarmFacts:
    """Read everything about an alarm; raises `DataError` where there is none with this id."""
    alarm = require(database, alarm_id)
    with database.read() as connection:
        parts = alarms.parts_of(connection, alarm_id)
        found = [_crop(connection, row) for row in alarm_evidence.of_alarm(connection, alarm_id)]
        evidence = sorted((crop for crop in found if crop is not None), key=_time)
        model_ids = {one.model_id for crop in evidence for one in crop.decisions}
        chosen = sorted({one.calibration for crop in evidence for one in crop.decisions})
        return AlarmFacts(
            alarm,
            parts,
            evidence,
            alarm_members.crops_of(connection, alarm_id, MOST_CROPS),
            [row for row in models.all_models(connection) if row.id in model_ids],
            [calibrations.find(connection, number) for number in chosen],
            outbox.deliveries_of(connection, [alarm_id, *(part.id for part in parts)]),
        )


def _time(crop: EvidenceCrop) -> tuple[datetime, int]:
    return crop.row.captured_at or crop.row.seen_at, crop.row.id


def _crop(connection: Connection, evidence: EvidenceRow) -> EvidenceCrop | None:
    row = stored_crop(connection, evidence.crop_id)
    if row is None:
        return None  # retention has deleted it between two statements
    content = None if evidence.sha256 is None else kept.content(connection, evidence.sha256)
    why = None if content is not None else evidence.problem or "its file has yet to be read"
    labels = labels_of_contents(connection, [row.sha256]).get(row.sha256, []) if row.sha256 else []
    return EvidenceCrop(row, evidence.role, content, why, decisions_on(connection, row.id), labels)
