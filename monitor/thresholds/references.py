"""Prepares `monitor calibrate`: which models, and the scores of a labelled folder's crops."""

from __future__ import annotations

import logging
import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from monitor.crops.in_memory import read_all
from monitor.errors import DataError, NoModelError
from monitor.files.text import printable
from monitor.models.calls import score_all
from monitor.models.folders import CrossFitted, cross_fitted, validation_digests
from monitor.models.loader import ModelLoader
from monitor.store import models
from monitor.store.references import ReferenceRow
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitor.api import Detector
    from monitor.configuration.resolved import Configuration
    from monitor.crops.dataset import Dataset
    from monitor.crops.in_memory import ReadCrops
    from monitor.crops.reader import Reader
    from monitor.registry import Registry
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow

log = logging.getLogger(__name__)

# Name this many contents that lie in both folders.
MOST_NAMED: Final = 5


def score_labelled(
    detector: Detector,
    validation: frozenset[str],
    dataset: Dataset,
    reader: Reader,
    on_read: Callable[[], None] = lambda: None,
    *,
    learned: Mapping[str, CrossFitted] = MappingProxyType({}),
) -> list[ReferenceRow]:
    """Score the model's held-out crops, found again in train/ by their content, and those of proliv/.

    ``learned``: the cross-fitted scores of the proliv that the model learned from; they stand in for the model's own,
    which say how well it remembers.
    """
    train = read_all(reader, dataset.train, on_read)
    held_out = train.those(digest in validation for digest in train.digests)
    if validation and not held_out.pixels:
        raise DataError(
            f"{printable(dataset.root)}: none of the {len(validation)} crops that were held out when the model was "
            "trained is in train/; give the folder that it was trained on"
        )
    missing = len(validation.difference(train.digests))
    if missing:
        log.warning(
            "%s: %d of the %d crops that were held out when the model was trained are no longer in train/; "
            "the threshold is chosen from the others; bring them back for the full evidence",
            printable(dataset.root), missing, len(validation),
        )  # fmt: skip
    proliv = read_all(reader, dataset.proliv, on_read)
    normal_rows, proliv_rows = (
        references_of_crops(detector, held_out, Label.NE_PROLIV),
        references_of_crops(detector, proliv, Label.PROLIV, learned),
    )
    in_both = normal_rows.keys() & proliv_rows.keys()
    if in_both:
        log.warning(
            "%s: %d crops lie in train/ and, with the same content, in proliv/; it is unclear which is right, so they "
            "do not count; remove them from one of the two; by sha256: %s",
            printable(dataset.root), len(in_both), ", ".join(sorted(in_both)[:MOST_NAMED]),
        )  # fmt: skip
    return [row for rows in (normal_rows, proliv_rows) for digest, row in rows.items() if digest not in in_both]


def references_of_crops(
    detector: Detector, crops: ReadCrops, label: Label, learned: Mapping[str, CrossFitted] = MappingProxyType({})
) -> dict[str, ReferenceRow]:
    """Each content once, by its digest, without those that the detector refuses; by its cross-fitted score, if any."""
    answers = score_all(detector, crops.pixels, crops.holes)
    plain = map(CrossFitted, answers.deciding.tolist(), answers.mse.tolist())
    scores = [learned.get(digest, own) for digest, own in zip(crops.digests, plain, strict=True)]
    return {
        digest: ReferenceRow(digest, label.value, score, identity.camera, identity.captured_at, mse)
        for digest, (score, mse), identity in zip(crops.digests, scores, crops.identities, strict=True)
        if math.isfinite(score)
    }


def models_to_calibrate(
    database: Database, registry: Registry, names: Sequence[str] = (), detectors: Sequence[str] = ()
) -> list[ModelRow]:
    """The named models and the newest ones of the named detectors, each once; without names, those of all detectors.

    The latter come in the reverse order of the registry, which begins with the recommended detector: the model that is
    activated last is the primary. Raises `NoModelError` where there is no model.
    """
    with database.read() as connection:
        named = [models.find_model(connection, name) for name in names]
        rows = {row.detector: row for row in models.newest_models(connection)}
    for detector in detectors:
        if detector not in rows:
            how = f"is trained yet; train one: monitor train {detector} --data DIR"
            if detector in registry.imported():
                how = "is there yet; import one: monitor models import FILE --data DIR"
            raise NoModelError(f"no model of the detector {detector!r} {how}")
    if names or detectors:
        chosen = {row.name: row for row in (*named, *(rows[detector] for detector in detectors))}
        return list(chosen.values())
    if not rows:
        raise NoModelError("no model is trained yet; train one: monitor train contrast --data DIR")
    recommended = [name for name in registry.detectors if name in rows]
    uninstalled = rows.keys() - set(recommended)
    return [rows[name] for name in (*sorted(uninstalled), *reversed(recommended))]


def references_for(
    registry: Registry,
    configuration: Configuration,
    model: ModelRow,
    dataset: Dataset,
    reader: Reader,
    on_read: Callable[[], None] = lambda: None,
) -> list[ReferenceRow]:
    """Load a model and score the labelled crops that its threshold is chosen from."""
    detector = ModelLoader(registry, configuration).load(model)
    validation = validation_digests(configuration.models, model)
    learned = cross_fitted(configuration.models, model)
    return score_labelled(detector, validation, dataset, reader, on_read, learned=learned)
