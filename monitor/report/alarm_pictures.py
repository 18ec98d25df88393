"""Draws what an alarm was decided on: each crop enlarged, and what the models that decided see in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from monitor.crops.decoder import format_of
from monitor.crops.loader import CropReader, FileContent
from monitor.errors import CropRefusedError, MonitorError
from monitor.files.looks import Looks
from monitor.files.text import printable
from monitor.models.loader import ModelLoader
from monitor.models.pictures import as_png, magnified, pictures_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from monitor.api import Detector
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.report.alarm_facts import EvidenceCrop
    from monitor.store.models import ModelRow

    Picture = NDArray[np.uint8]

# About how many pixels wide or high an enlarged picture becomes, and at most how many times larger than it was.
ENLARGED_TO: Final = 480
MOST_TIMES: Final = 12
# What files of each format end with.
SUFFIXES: Final = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp"}
# What a reader is told of each picture.
MEANINGS: Final = {
    "view": "as the model sees it",
    "reconstruction": "what the model makes of it",
    "heatmap": "where it is abnormal: black is nothing, white is this picture's own maximum",
}


@dataclass
class DrawnCrop:
    """The pictures of a crop: (model or "", what it shows, the content of a PNG file); why some are missing."""

    pictures: list[tuple[str, str, bytes]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def suffix_of(content: bytes) -> str:
    """What a file with this content ends with."""
    return SUFFIXES.get(format_of(content) or "", ".bin")


def file_name(text: str) -> str:
    """A name that any system can take as that of a file."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text).strip(".-")[:60] or "model"


def enlarged(picture: Picture) -> Picture:
    """A picture, uint8 (h, w, 3), with each pixel as a square of several, none of them mixed."""
    times = max(1, min(MOST_TIMES, ENLARGED_TO // max(picture.shape[:2])))
    return magnified(picture, times)


class Drawer:
    """Draws crops with the models that decided on them, each loaded once."""

    def __init__(self, registry: Registry, configuration: Configuration, rows: Sequence[ModelRow]) -> None:
        limits = configuration.settings.crops
        self._reader = CropReader(max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
        self._detectors: dict[str, Detector] = {}
        # Why a model cannot show anything, by its name.
        self.problems: dict[str, str] = {}
        loader = ModelLoader(registry, configuration)
        for row in rows:
            self._attempt(row.name, self.problems, lambda row=row: loader.load(row))  # type: ignore[misc]

    def _attempt(self, name: str, problems: dict[str, str], load: Callable[[], Detector]) -> None:
        try:
            self._detectors[name] = load()
        except MonitorError as error:
            problems[name] = printable(str(error))

    def draw(self, crop: EvidenceCrop) -> DrawnCrop:
        """All pictures of a crop whose content is kept."""
        drawn = DrawnCrop()
        if crop.content is None:
            return drawn
        try:
            looks = Looks(len(crop.content), 0, 0)
            pixels = self._reader.decode(FileContent(crop.content, crop.row.sha256, looks)).pixels
        except CropRefusedError as refusal:
            drawn.missing.append(f"it cannot be drawn: {refusal}")
            return drawn
        drawn.pictures.append(("", "crop", as_png(enlarged(pixels))))
        decided = dict.fromkeys(one.model for one in crop.decisions)
        for name in decided:
            if name in self._detectors:
                self._draw_model(name, pixels, crop.row.hole, drawn)
        return drawn

    def _draw_model(self, name: str, pixels: Picture, hole: int | None, drawn: DrawnCrop) -> None:
        try:
            seen: Mapping[str, Picture] = pictures_of(self._detectors[name], pixels, hole)
        except Exception as error:  # noqa: BLE001 - a detector's code, which may raise anything
            words = " ".join(f"{type(error).__name__}: {error}".split())
            drawn.missing.append(f"{name} cannot show what it sees in it: {printable(words)[:300]}")
            return
        drawn.pictures += [(name, what, as_png(enlarged(picture))) for what, picture in seen.items()]
