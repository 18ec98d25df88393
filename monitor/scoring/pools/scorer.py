"""Reads and scores a list of files, wherever it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.crops.reader import Reader
from monitor.models.loader import ModelLoader
from monitor.scoring import pipeline
from monitor.scoring.pools import wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.api import Detector
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.scoring.pools.wire import Flat
    from monitor.store.models import ModelRow

# A batch of large pictures is worked on in parts of about this many pixels, so that memory stays bounded.
PIXELS_AT_ONCE: Final = 32_000_000


class Scorer:
    """Reads and scores; ``detectors``, by the ids of their models, are those of the last batch."""

    def __init__(self, configuration: Configuration, registry: Registry) -> None:
        self._loader = ModelLoader(registry, configuration)
        self._reader = Reader(configuration)
        self.detectors: Mapping[int, Detector] = {}

    def run(self, paths: Sequence[str], detectors: Mapping[int, Detector]) -> Flat:
        """Read and score the first of the files, and the others as far as their pictures are small enough."""
        return wire.flat(pipeline.ask(self._reader.read(paths, most_pixels=PIXELS_AT_ONCE), detectors))

    def load(self, rows: Sequence[ModelRow]) -> None:
        """Have the detectors of these models, and no others; those that are there are not loaded again."""
        if [row.id for row in rows] != list(self.detectors):
            self.detectors = {row.id: self.detectors.get(row.id) or self._loader.load(row) for row in rows}
