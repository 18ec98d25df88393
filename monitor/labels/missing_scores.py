"""Lets models score the labelled crops that they have not scored yet, from the crops' files."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.crops.reader import Reader
from monitor.files.chunks import chunks
from monitor.labels import labels
from monitor.labels.pictures import Picture, places_of, read_again
from monitor.models.calls import score_each
from monitor.scoring.ensemble import Decision
from monitor.scoring.record import latencies, score_row
from monitor.scoring.vote import verdict
from monitor.store.decisions import add_scores, stored_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from monitor.labels.labels import LabelledCrop
    from monitor.scoring.ensemble import Ensemble
    from monitor.store.database.engine import Database
    from monitor.store.decisions import ScoreRow

log = logging.getLogger(__name__)

# How many files a warning names.
SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class ScoredMissing:
    """How many labelled crops were scored later; the others have no file to score.

    ``lost``: it is deleted or changed. ``refused``: it is there and was not read, as for lack of memory.
    """

    scored: int
    lost: int = 0
    refused: int = 0


class _Found(NamedTuple):
    """A labelled crop whose picture was found, and the models that have not scored it."""

    crop: LabelledCrop
    picture: Picture
    missing: frozenset[int]


def score_missing(configuration: Configuration, database: Database, ensemble: Ensemble) -> ScoredMissing:
    """Let each model of the ensemble score the labelled crops that it has not scored, from their files.

    The file is the crop's own, or an archived or labelled one of the same content; one whose content has changed is
    not taken. A decision that was made stands. One warning names what is lost, and one what was refused.
    """
    reader = Reader(configuration)
    with database.read() as connection:
        crops = labels.read(connection).crops
    scored = 0
    lost: list[str] = []
    refused: list[str] = []
    for batch in chunks(crops, configuration.settings.pipeline.batch_size):
        with database.read() as connection:
            missing = _missing(connection, batch, ensemble)
            places = places_of(connection, [crop for crop, _ in missing])
        found: list[_Found] = []
        for crop, models in missing:
            one = read_again(reader, crop, places[crop.sha256])
            if isinstance(one, Picture):
                found.append(_Found(crop, one, models))
            elif one is None:
                lost.append(crop.path)
            else:
                refused.append(f"{crop.path}: {one}")
        scored += _score(database, found, ensemble)
    _warn(lost, "their files are deleted or changed", ", ", "until a copy lies in the labelled folder")
    _warn(refused, "their files are not read", "; ", "until they can be read, which is tried again the next time")
    return ScoredMissing(scored, len(lost), len(refused))


def _warn(crops: Sequence[str], why: str, between: str, until: str) -> None:
    if crops:
        log.warning(
            "%d labelled crops have no score of every active model, and %s: %s; they do not count for those models %s",
            len(crops), why, between.join(crops[:SHOWN]) + (f"{between}…" if len(crops) > SHOWN else ""), until,
        )  # fmt: skip


def _missing(
    connection: Connection, crops: Sequence[LabelledCrop], ensemble: Ensemble
) -> list[tuple[LabelledCrop, frozenset[int]]]:
    """The crops that some model has not scored, each with the ids of those models."""
    stored = stored_scores(connection, [crop.id for crop in crops], ensemble.model_ids)
    everyone = frozenset(ensemble.model_ids)
    found = [(crop, everyone - {score.model_id for score in stored.get(crop.id, ())}) for crop in crops]
    return [(crop, missing) for crop, missing in found if missing]


def _score(database: Database, found: Sequence[_Found], ensemble: Ensemble) -> int:
    """Store the scores of the models that have none; what was decided in operation stays. Returns how many crops."""
    rows: dict[int, list[ScoreRow]] = {one.crop.id: [] for one in found}
    for model in ensemble.models:
        asked = [one for one in found if model.id in one.missing]
        # The hole is the crop's own: an archived or labelled copy may have another name.
        answers = score_each(model.detector, [one.picture.pixels for one in asked], [one.crop.hole for one in asked])
        at = datetime.now(UTC)
        waited = latencies([one.picture.looks for one in asked], at)
        for row, one in enumerate(asked):
            if row not in answers.refusals:
                mse, score = float(answers.mse[row]), float(answers.deciding[row])
                decision = Decision(model, mse, score, model.threshold, verdict(score, model.threshold))
                rows[one.crop.id].append(score_row(decision, at, waited[row]))
    with database.write() as connection:
        return add_scores(connection, rows)
