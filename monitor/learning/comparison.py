"""How the active model and the one that was trained again decide on the same crops and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.learning.checks import Pair, Share
from monitor.models.calls import SCORED_AT_ONCE
from monitor.models.folders import trained_on
from monitor.thresholds.gather import gather_evidence
from monitor.words import Label

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from monitor.api import Detector, Pixels
    from monitor.configuration.settings import Calibration
    from monitor.models.folders import CrossFitted
    from monitor.models.training import TrainingData
    from monitor.scoring.ensemble import ActiveModel
    from monitor.store.models import ModelRow
    from monitor.thresholds.evidence import Evidence

# Far from the seeds of trainings, so that no model has seen these pictures.
SEED: Final = 1_000_000_007
# How many pictures of each kind: half a point of them is ten.
PICTURES: Final = 2000


def where_proliv_begins(model: ActiveModel) -> float:
    """The threshold that a detector's score itself suggests, or else that of the model."""
    natural = model.detector.natural_threshold
    return model.threshold if natural is None else natural


def known_proliv(
    before: ActiveModel, learned: dict[str, CrossFitted], after: dict[str, CrossFitted], data: TrainingData
) -> tuple[dict[str, float], dict[str, float]]:
    """By content, the scores of all known proliv by the former and by the new model, each cross-fitted if learned."""
    crops = data.confirmed
    own = scores(before.detector, before.detector.prepare_batch(crops.pixels, crops.holes)) if crops.pixels else ()
    former = {digest: float(score) for digest, score in zip(crops.digests, own, strict=True)}
    former |= {digest: one.score for digest, one in learned.items()}
    return former, {digest: one.score for digest, one in after.items()}


def made_up_shares(before: ActiveModel, after: ActiveModel, data: TrainingData) -> list[Share]:
    """How both models decide on made-up pictures over crops that neither was trained on; none if it makes none up."""
    detector = after.detector
    if not detector.offers("lessons"):
        return []
    normal = detector.prepare_batch(data.validation.pixels, data.validation.holes)
    proliv = detector.prepare_batch(data.proliv.pixels, data.proliv.holes) if data.proliv.pixels else normal[:0]
    rows = np.random.default_rng(SEED).integers(0, len(normal), PICTURES)
    shares = []
    for lesson in detector.lessons(normal[rows], proliv=proliv, seed=SEED):
        lesson.check(detector.input_size)
        right = [
            int(((scores(model.detector, lesson.pictures) >= model.threshold) == lesson.proliv).sum())
            for model in (before, after)
        ]
        shares.append(Share(lesson.kind, len(lesson.pictures), *right))
    return shares


def labelled_pairs(
    connection: Connection, models_folder: Path, rows: tuple[ModelRow, ModelRow], settings: Calibration, now: datetime
) -> list[Pair]:
    """All labelled contents that both models have a score of, which is cross-fitted where a model learned from it."""
    former, new = (
        gather_evidence(connection, row.id, settings, now=now, trained_on=trained_on(models_folder, row))
        for row in rows
    )
    limits = [row.threshold for row in rows]
    assert limits[0] is not None
    assert limits[1] is not None
    earlier = {(item.sha256, item.label): item.score for item in former.items}
    weights = _weights(new)
    return [
        Pair(
            item.sha256,
            item.crop.path if item.crop else item.sha256,
            item.label,
            (earlier[item.sha256, item.label] >= limits[0]) == (item.label is Label.PROLIV),
            (item.score >= limits[1]) == (item.label is Label.PROLIV),
            weights[item.sha256],
        )
        for item in new.items
        if (item.sha256, item.label) in earlier
    ]


def scores(detector: Detector, crops: Pixels) -> NDArray[np.float64]:
    """The deciding scores of prepared crops, float64 (N,)."""
    starts = range(0, len(crops), SCORED_AT_ONCE)
    parts = [detector.score(crops[start : start + SCORED_AT_ONCE]).deciding for start in starts]
    return np.concatenate([np.empty(0), *parts]).astype(np.float64)


def _weights(evidence: Evidence) -> dict[str, float]:
    found: dict[str, float] = {}
    for label, weights in (
        (Label.NE_PROLIV, evidence.scores.normal_weights),
        (Label.PROLIV, evidence.scores.proliv_weights),
    ):
        items = [item for item in evidence.items if item.label is label]
        found |= {item.sha256: float(weight) for item, weight in zip(items, weights, strict=True)}
    return found
