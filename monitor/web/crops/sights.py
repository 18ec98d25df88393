"""What models see in crops, for the page: one model at a time, in a thread of its own, so that no other page waits."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.errors import MonitorError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from monitor.api import Detector
    from monitor.store.models import ModelRow
    from monitor.web.site import Site

    Picture = NDArray[np.uint8]

# How many models stay in memory, the pictures of how many crops are remembered, and how many requests may wait.
MOST_MODELS: Final = 3
MOST_CROPS: Final = 64
MOST_WAITING: Final = 24
# A model that cannot be loaded is tried again after this.
TRY_AGAIN_SECONDS: Final = 60.0


class NotSeen(NamedTuple):
    """Why a model shows nothing of a crop, a sentence; ``loading``: the model itself cannot be loaded."""

    sentence: str
    loading: bool


class Wanted(NamedTuple):
    """A crop as a model is to see it: its digest and hole, and its pixels, uint8 (h, w, 3)."""

    sha256: str
    hole: int | None
    pixels: Picture


class Sights:
    """Asks models for pictures. Models are loaded when they are needed first, and kept, the last used ones."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._thread = ThreadPoolExecutor(1, "sights")
        self._waiting = 0
        # Only the one thread touches these.
        self._models: OrderedDict[int, Detector] = OrderedDict()
        self._problems: dict[int, tuple[float, str]] = {}
        self._seen: OrderedDict[tuple[int, str, int | None], Mapping[str, Picture] | NotSeen] = OrderedDict()

    async def of(self, model: ModelRow, wanted: Wanted) -> Mapping[str, Picture] | NotSeen | None:
        """Pictures by name, see `monitor.models.pictures.pictures_of`; None where too many requests wait already."""
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            return await asyncio.wrap_future(self._thread.submit(self._look, model, wanted))
        finally:
            self._waiting -= 1

    def _look(self, model: ModelRow, wanted: Wanted) -> Mapping[str, Picture] | NotSeen:
        key = (model.id, wanted.sha256, wanted.hole)
        if key in self._seen:
            self._seen.move_to_end(key)
            return self._seen[key]
        detector = self._model(model)
        if isinstance(detector, NotSeen):
            return detector
        from monitor.models.pictures import pictures_of

        try:
            found: Mapping[str, Picture] | NotSeen = pictures_of(detector, wanted.pixels, wanted.hole)
        except Exception as error:  # noqa: BLE001 - a detector's code, which may raise anything
            found = NotSeen(_words(error), loading=False)
        self._seen[key] = found
        while len(self._seen) > MOST_CROPS:
            self._seen.popitem(last=False)
        return found

    def _model(self, row: ModelRow) -> Detector | NotSeen:
        if row.id in self._models:
            self._models.move_to_end(row.id)
            return self._models[row.id]
        tried, problem = self._problems.get(row.id, (0.0, ""))
        if problem and time.monotonic() - tried < TRY_AGAIN_SECONDS:
            return NotSeen(problem, loading=True)
        from monitor.models.loader import ModelLoader

        while len(self._models) >= MOST_MODELS:
            self._models.popitem(last=False)
        try:
            detector = ModelLoader(self._site.registry, self._site.configuration).load(row)
        except Exception as error:  # noqa: BLE001 - also what an installed plug-in raises
            problem = printable(str(error)) if isinstance(error, MonitorError) else _words(error)
            self._problems[row.id] = (time.monotonic(), problem)
            return NotSeen(problem, loading=True)
        self._models[row.id] = detector
        return detector


def _words(error: Exception) -> str:
    return printable(" ".join(f"{type(error).__name__}: {error}".split()))[:300]
