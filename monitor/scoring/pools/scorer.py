"""Reads and scores a list of files, wherever it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.crops.reader import Reader, looks_now
from monitor.errors import CropRefusedError
from monitor.models.loader import ModelLoader
from monitor.scoring import pipeline
from monitor.scoring.pools import wire
from monitor.words import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from monitor.api import Detector
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.scoring.pools.suspects import GivenUp
    from monitor.scoring.pools.trail import Slot
    from monitor.scoring.pools.wire import Flat
    from monitor.store.models import ModelRow

# A batch of large pictures is worked on in parts of about this many pixels, so that memory stays bounded.
PIXELS_AT_ONCE: Final = 32_000_000


class Scorer:
    """Reads and scores; ``detectors``, by the ids of their models, are those of the last batch."""

    def __init__(self, configuration: Configuration, registry: Registry, root: Path | None = None) -> None:
        """``root``: a folder below which no link is followed, as for `Reader`."""
        self._loader = ModelLoader(registry, configuration)
        self._reader = Reader(configuration, root)
        self.detectors: Mapping[int, Detector] = {}

    def run(self, slot: Slot, number: int, detectors: Mapping[int, Detector]) -> Flat:
        """Read and score the files of a task, the first ones alone where their pictures are large or paths are long.

        Every step is noted in the slot.
        """
        batch = self._reader.read(slot.paths(number), most_pixels=PIXELS_AT_ONCE, steps=slot)
        slot.scoring()
        return wire.flat(pipeline.ask(batch, detectors))

    def load(self, rows: Sequence[ModelRow]) -> None:
        """Have the detectors of these models, and no others; those that are there are not loaded again."""
        if [row.id for row in rows] != list(self.detectors):
            self.detectors = {row.id: self.detectors.get(row.id) or self._loader.load(row) for row in rows}

    def given_up(self, path: str, reason: GivenUp, model_ids: Sequence[int]) -> Flat:
        """The answer about a file that is not worked on any more."""
        refusal, identity, digest, looks = reason.refusal, Identity(None, None, None), "", looks_now(path)
        # What names the failed crop in the store, and moves it to the quarantine. Whatever took too long or ended a
        # worker before the content was read would do it here, too.
        if reason.was_read:
            identity = self._reader.pattern.parse(path.rpartition("/")[2])
            try:
                content = self._reader.crops.load(path)
                digest, looks = content.sha256, content.looks
            except CropRefusedError as error:
                refusal = error
        none = np.full((1, len(model_ids)), np.nan)
        seen = None if looks is None else tuple(looks)
        return wire.Flat(
            [tuple(identity)], [digest], [seen], [None], [None], tuple(model_ids), none, none, {0: refusal}, {}
        )
