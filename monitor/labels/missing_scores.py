"""The labelled folder: which of its files are new, which are gone, and labelled crops that a model has not scored.

``labelled/proliv`` and ``labelled/ne_proliv``, with any sub-folders, say of the crops in them what they are. The daemon
watches the folder and takes what is new through its pipeline; `rescan` does the same by hand, with the same functions.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.crops import reader as crops_reader
from monitor.files.chunks import chunks
from monitor.files.text import from_text
from monitor.labels import labels
from monitor.scoring import pipeline, record
from monitor.scoring.ensemble import Decision
from monitor.store import crops as store_crops
from monitor.store import decisions, labelled_files
from monitor.words import Identity, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from monitor.crops.reader import Reader
    from monitor.labels.labels import LabelledCrop
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.work import Work
    from monitor.store.database.engine import Database
    from monitor.store.decisions import StoredScore

log = logging.getLogger(__name__)

LOST_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class ScoredMissing:
    """How many labelled crops were scored later, and of how many the file is deleted or changed."""

    scored: int
    lost: int


def score_missing(configuration: Configuration, database: Database, ensemble: Ensemble) -> ScoredMissing:
    """Let each model of the ensemble score the labelled crops that it has not scored, from their files.

    The file is the crop's own, an archived or a labelled one of the same content; one whose content is another by now
    is not taken. A decision that was made stands. One warning names what is lost.
    """
    reader = crops_reader.Reader(configuration)
    with database.read() as connection:
        crops = labels.read(connection).crops
    scored = 0
    lost: list[str] = []
    for batch in chunks(crops, configuration.settings.pipeline.batch_size):
        works: dict[int, Work] = {}
        with database.read() as connection:
            missing = _missing(connection, batch, ensemble)
            places = _places(connection, [crop for crop, _ in missing])
        for crop, before in missing:
            work = _read_again(reader, crop, places[crop.sha256])
            if work is None:
                lost.append(crop.path)
                continue
            work.decisions = [
                Decision(model, score.mse, score.score, score.threshold, Label(score.verdict))
                for model in ensemble.models
                for score in before
                if score.model_id == model.id
            ]
            works[crop.id] = work
        pipeline.score(list(works.values()), ensemble)
        scored += _store_again(database, works)
    if lost:
        shown = ", ".join(lost[:LOST_SHOWN]) + (", …" if len(lost) > LOST_SHOWN else "")
        log.warning(
            "%d labelled crops have no score of every active model, and their files are deleted or changed: %s; "
            "they do not count for those models until a copy lies in the labelled folder",
            len(lost), shown,
        )  # fmt: skip
    return ScoredMissing(scored, len(lost))


def _missing(
    connection: Connection, crops: Sequence[LabelledCrop], ensemble: Ensemble
) -> list[tuple[LabelledCrop, list[StoredScore]]]:
    """The crops that some model has not scored, each with the decisions that there are."""
    model_ids = [model.id for model in ensemble.models]
    before = decisions.stored_scores(connection, [crop.id for crop in crops], model_ids)
    found = [(crop, before.get(crop.id, [])) for crop in crops]
    return [(crop, scores) for crop, scores in found if len(scores) < len(model_ids)]


def _places(connection: Connection, crops: Sequence[LabelledCrop]) -> dict[str, list[str]]:
    """By content, the paths where it may lie: the crop's own first, then in the archive."""
    places = {crop.sha256: [crop.path] for crop in crops}
    for sha256, archived in store_crops.archived_places(connection, places.keys()).items():
        places[sha256] += archived
    for row in labelled_files.files_of_contents(connection, places.keys()):
        places[row.sha256].append(row.path)
    return places


def _read_again(reader: Reader, crop: LabelledCrop, places: Iterable[str]) -> Work | None:
    """The crop's picture, from the first place that still has its content; none where it cannot be had."""
    for place in places:
        work = reader.read(from_text(place))
        if work.decoded is not None and work.content is not None and work.content.sha256 == crop.sha256:
            # What is known of the crop was read from its own name.
            work.path = os.fspath(from_text(crop.path))
            work.identity = Identity(crop.hole, crop.camera, crop.captured_at)
            return work
    return None


def _store_again(database: Database, works: Mapping[int, Work]) -> int:
    """Add the new models' scores of known crops; what was decided on them in operation stays as it is."""
    rows = {crop_id: record.row(work).scores for crop_id, work in works.items()}
    with database.write() as connection:
        return decisions.add_scores(connection, rows)
