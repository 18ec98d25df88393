"""Chooses the two crops that are sent: those that the active models themselves decide as they should, most clearly."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from monitor.api import SMALLEST_CROP
from monitor.crops.batch import CropFiles, ReadBatch
from monitor.crops.reader import Reader
from monitor.errors import DataError
from monitor.scoring import pipeline
from monitor.selftest import candidates
from monitor.store import selftests
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.vote import FinalDecision
    from monitor.selftest.candidates import Candidate
    from monitor.store.database.engine import Database

# Its place in the name of a file of a self-test, so that names are parsed as those of the files will be.
_ANY_NAME = f"{selftests.NAME}0.png"


class Chosen(NamedTuple):
    """A crop that is sent; ``said``: where it is from. ``score``, ``threshold``: of the final decision on it here."""

    label: Label
    content: bytes
    said: str
    score: float
    threshold: float

    @property
    def sha256(self) -> str:
        """What identifies its content."""
        return hashlib.sha256(self.content).hexdigest()


def choose(configuration: Configuration, database: Database, ensemble: Ensemble) -> dict[Label, Chosen]:
    """A proliv and a normal crop that these models decide so.

    Raises `DataError` if none of the crops that can be had is decided as it should be, and `InputMissingError` if one
    that the configuration names cannot be read.
    """
    return {label: _chosen(configuration, database, ensemble, label) for label in Label}


def _chosen(configuration: Configuration, database: Database, ensemble: Ensemble, label: Label) -> Chosen:
    reader = Reader(configuration)
    tried: list[str] = []
    for kind, found in _candidates(configuration, database, reader, label, ensemble.models[0].id):
        some = [one for one in found if min(one.pixels.shape[:2]) >= SMALLEST_CROP]
        decisions = _decided(reader, ensemble, some)
        fitting = [
            (abs(one.score - one.threshold), place)
            for place, one in enumerate(decisions)
            if one is not None and one.verdict is label
        ]
        if fitting:
            _, place = max(fitting)
            one, final = some[place], decisions[place]
            assert final is not None
            missed = f"; none of {', '.join(tried)} is decided {label.value}" if tried else ""
            return Chosen(label, one.content, one.said + missed, final.score, final.threshold)
        if some:
            tried.append(f"{len(some)} {kind}")
    raise DataError(_nothing(configuration, ensemble, label, tried))


def _candidates(
    configuration: Configuration, database: Database, reader: Reader, label: Label, model_id: int
) -> Iterator[tuple[str, list[Candidate]]]:
    """Kinds of crops, in words, with those that there are, the best known ones first."""
    settings = configuration.settings.alarms.selftest
    key = "proliv_crop" if label is Label.PROLIV else "normal_crop"
    path = settings.proliv_crop if label is Label.PROLIV else settings.normal_crop
    if path is not None:
        yield "named", [candidates.named(reader, configuration.resolve(path), f"alarms.selftest.{key}")]
        return
    labelled, decided = candidates.known(configuration, database, reader, label)
    yield f"labelled {label.value}", labelled
    yield f"reference {label.value}", candidates.references(configuration, database, reader, model_id, label)
    yield f"decided {label.value} before", decided
    ground: list[Candidate] = []
    if label is Label.PROLIV:
        labelled, decided = candidates.known(configuration, database, reader, Label.NE_PROLIV)
        ground = labelled or decided
    yield "made-up", candidates.invented(label, ground)


def _decided(reader: Reader, ensemble: Ensemble, some: Sequence[Candidate]) -> list[FinalDecision | None]:
    """The final decision on each crop; None where no model takes it."""
    if not some:
        return []
    identity = reader.pattern.parse(_ANY_NAME)
    count = len(some)
    names, none = [_ANY_NAME] * count, [None] * count
    sizes = [(one.pixels.shape[1], one.pixels.shape[0]) for one in some]
    files = CropFiles(
        *(names, datetime.now(UTC), "folder", none, [identity] * count, [""] * count, none, sizes, [True] * count)
    )
    return pipeline.score(ReadBatch(files, [one.pixels for one in some], {}), ensemble).final.listed


def _nothing(configuration: Configuration, ensemble: Ensemble, label: Label, tried: Sequence[str]) -> str:
    of = f"of {', '.join(tried)} crops" if tried else "of the crops that there are"
    key = "proliv_crop" if label is Label.PROLIV else "normal_crop"
    sentence = (
        f"{configuration.source}: leg detector: {of} {ensemble.name} decides none to be {label.value}, so there is no "
        "known crop to send, and a real bleed-out may be decided no better"
    )
    return f"{sentence}; look at its threshold (monitor threshold show), or name a crop: alarms.selftest.{key}"
