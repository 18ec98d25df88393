"""What is known of one crop: where its file is, what every model decided on it and why, and how it was labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from monitor.files.looks import look
from monitor.files.text import from_text
from monitor.store.crops import archived_places
from monitor.store.details import decisions_on, stored_crop
from monitor.store.labelled_files import files_of_contents
from monitor.store.labels import labels_of_contents
from monitor.times import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.store.database.engine import Database
    from monitor.store.details import ModelDecisionRow, StoredCropRow
    from monitor.store.labels import LabelRow

# Whether a file at a place is as large as the crop's was, differs from it, or is not there.
PlaceState = Literal["there", "changed", "gone"]


@dataclass(frozen=True, slots=True)
class Place:
    """A path, as text, where the crop's content is or was: in the inbox, the archive or the labelled folder."""

    path: str
    state: PlaceState


@dataclass(frozen=True, slots=True)
class CropDetails:
    """A crop with the decisions of all models, the labels of its content, oldest first, and its places."""

    crop: StoredCropRow
    decisions: Sequence[ModelDecisionRow]
    labels: Sequence[LabelRow]
    places: Sequence[Place]

    @property
    def label(self) -> LabelRow | None:
        """The label that counts: the newest one."""
        return self.labels[-1] if self.labels else None

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        crop = self.crop._asdict()
        return {
            **crop,
            "captured_at": iso(self.crop.captured_at),
            "seen_at": iso(self.crop.seen_at),
            "models": [
                {
                    **one._asdict(),
                    "scored_at": iso(one.scored_at),
                    "calibrated_at": iso(one.calibrated_at),
                    "margin": one.score - one.threshold,
                }
                for one in self.decisions
            ],
            "labels": [
                {**one._asdict(), "at": iso(one.at), "recorded_at": iso(one.recorded_at)} for one in self.labels
            ],
            "places": [{"path": one.path, "state": one.state} for one in self.places],
        }


def crop_details(database: Database, crop_id: int) -> CropDetails | None:
    """Everything that is known of a crop; None if there is no crop with this id."""
    with database.read() as connection:
        crop = stored_crop(connection, crop_id)
        if crop is None:
            return None
        decisions = decisions_on(connection, crop_id)
        contents = [crop.sha256] if crop.sha256 else []
        labels = labels_of_contents(connection, contents).get(crop.sha256, [])
        archived = archived_places(connection, contents).get(crop.sha256, [])
        labelled = [row.path for row in files_of_contents(connection, contents)]
    # Looked at after the transaction: a share may take its time to answer.
    paths = dict.fromkeys([crop.path, *archived, *labelled])
    return CropDetails(crop, decisions, labels, [Place(path, _state(path, crop)) for path in paths])


def _state(path: str, crop: StoredCropRow) -> PlaceState:
    looks = look(from_text(path))
    if looks is None:
        return "gone"
    return "there" if looks.size_bytes == crop.size_bytes else "changed"
