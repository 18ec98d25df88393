"""Shows what a detector was taught by made-up pictures: a contact sheet for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.models.pictures import as_png
from monitor.report.page import Note, Picture
from monitor.report.style import NE_PROLIV, PROLIV

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.api import Detector, Lesson
    from monitor.report.measuring import FolderCrop, FolderPart, Judged
    from monitor.report.page import PagePart

# How many pictures of each kind a sheet shows, and how many side by side.
SHOWN: Final = 24
COLUMNS: Final = 6
# Crops are a few dozen pixels wide; each becomes a square of so many, so that a browser does not blur them.
ENLARGED: Final = 3
# Pixels of the frame around each picture, and between two of them.
FRAME: Final = 3
GAP: Final = 6
# Which crops are taken, and what is made of them, is the same each time.
SEED: Final = 0

INTRODUCTION: Final = (
    "This detector also learned from made-up pictures. Below are some of each kind, made for this page by the "
    "installed version, of crops that were held out from the training and of those of proliv/. Blue frames are taught "
    "as ne_proliv, orange ones as proliv. If a kind looks like something else, it taught the detector something wrong."
)
NO_CROPS: Final = (
    "The made-up pictures that this detector learned from are not shown: they would be made of crops of train/ that "
    "were held out from its training, and the folder holds none."
)


def sheets(detector: Detector, normal: NDArray[np.uint8], proliv: NDArray[np.uint8]) -> list[PagePart]:
    """A sheet for each kind of made-up picture, of prepared crops: uint8 (N, H, W, C), N > 0, and (P, H, W, C)."""
    taught = detector.lessons(normal, proliv=proliv, seed=SEED)
    for lesson in taught:
        lesson.check(detector.input_size)
    return [Note(INTRODUCTION), *map(_drawn, taught)]


def some_of(judged: Judged, part: FolderPart) -> list[FolderCrop]:
    """As many of a part's crops as a sheet shows, of different contents; always the same ones."""
    crops = list({crop.sha256: crop for crop in judged.crops if crop.part is part}.values())
    order = np.random.default_rng(SEED).permutation(len(crops))
    return [crops[row] for row in order[:SHOWN]]


def contact_sheet(pictures: NDArray[np.uint8], colour: str) -> NDArray[np.uint8]:
    """Pictures, uint8 (M, H, W, 3), M > 0, row by row on white, each in a frame of a ``#RRGGBB`` colour: (h, w, 3)."""
    large = pictures.repeat(ENLARGED, axis=1).repeat(ENLARGED, axis=2)
    height, width = (side + 2 * FRAME + GAP for side in large.shape[1:3])
    rows = -(-len(large) // COLUMNS)
    sheet = np.full((rows * height + GAP, COLUMNS * width + GAP, 3), 255, dtype=np.uint8)
    ink = tuple(bytes.fromhex(colour[1:]))
    for number, picture in enumerate(large):
        top, left = GAP + number // COLUMNS * height, GAP + number % COLUMNS * width
        sheet[top : top + height - GAP, left : left + width - GAP] = ink
        inner = slice(top + FRAME, top + height - GAP - FRAME), slice(left + FRAME, left + width - GAP - FRAME)
        sheet[inner] = picture
    return sheet


def _drawn(lesson: Lesson) -> Picture:
    counts_as = "proliv" if lesson.proliv else "ne_proliv"
    return Picture(
        f"Made up: {lesson.kind}",
        f"{lesson.sentence} Taught as {lesson.taught_as!r}, which is {counts_as}.",
        as_png(contact_sheet(lesson.pictures[:SHOWN, ..., :3], PROLIV if lesson.proliv else NE_PROLIV)),
        kind="png",
    )
