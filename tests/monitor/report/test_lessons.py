"""The contact sheets of the made-up pictures that a detector learned from."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from monitor.api import Lesson
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.crops.dataset import open_dataset
from monitor.crops.reader import Reader
from monitor.report import inside, lessons
from monitor.report.measuring import measure_folder, read_folder
from monitor.report.page import Note, Picture
from tests.monitor.report.conftest import Scoring

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from monitor.api import Pixels
    from monitor.report.measuring import Judged
    from monitor.scoring.ensemble import ActiveModel

    NewModel = Callable[..., ActiveModel]

pytestmark = pytest.mark.process


class Taught(Scoring):
    """It learned that darker crops are normal and that inverted proliv is proliv."""

    def lessons(self, crops: Pixels, *, proliv: Pixels, seed: int) -> Sequence[Lesson]:
        self.given = crops, proliv, seed
        darker = Lesson("dark crops", "Half as bright.", taught_as="normal", proliv=False, pictures=crops // 2)
        inverted = Lesson("negatives", "Inverted.", taught_as="chaos", proliv=True, pictures=255 - crops)
        return darker, inverted


@pytest.fixture
def judged(folder: Path, new_model: NewModel) -> Callable[[int], Judged]:
    """What a model says of the folder, of which so many crops of train/ were held out."""

    def make(held_out: int) -> Judged:
        kept = [hashlib.sha256((folder / f"train/{number:02}.png").read_bytes()).hexdigest() for number in range(30)]
        by_model = {"brightness-1": frozenset(kept[:held_out])}
        read = read_folder(open_dataset(folder), Reader(Configuration(settings=Settings(), file=None)), by_model)
        return measure_folder(read, [new_model()], None, by_model).judged["brightness-1"]

    return make


def test_each_kind_has_a_sheet_that_says_what_it_teaches(new_model: NewModel, judged: Callable[[int], Judged]) -> None:
    detector = new_model(detector_class=Taught).detector
    introduction, darker, inverted = inside.taught(detector, judged(30))
    assert introduction == Note(lessons.INTRODUCTION)
    assert isinstance(darker, Picture)
    assert isinstance(inverted, Picture)
    assert (darker.title, inverted.title) == ("Made up: dark crops", "Made up: negatives")
    assert darker.sentence == "Half as bright. Taught as 'normal', which is ne_proliv."
    assert inverted.sentence == "Inverted. Taught as 'chaos', which is proliv."
    crops, proliv, seed = detector.given  # type: ignore[attr-defined]
    assert crops.shape == (lessons.SHOWN, 8, 12, 4)
    assert proliv.shape == (10, 8, 12, 4)
    # Only crops of train/, and all of proliv/.
    assert {int(crop[0, 0, 0]) for crop in crops} <= {60 + 2 * number for number in range(30)}
    assert {int(crop[0, 0, 0]) for crop in proliv} == {160 + 2 * number for number in range(10)}
    assert inside.taught(detector, judged(30)) == [introduction, darker, inverted]
    assert seed == lessons.SEED


def test_a_sheet_shows_the_pictures_in_their_order_in_frames_of_the_colour() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (8, 5, 7, 3), dtype=np.uint8)
    sheet = lessons.contact_sheet(pictures, "#D55E00")
    large, edge, gap = lessons.ENLARGED, lessons.FRAME, lessons.GAP
    height, width = large * 5 + 2 * edge + gap, large * 7 + 2 * edge + gap
    assert sheet.shape == (2 * height + gap, 6 * width + gap, 3)
    for number, picture in enumerate(pictures):
        top, left = gap + number // 6 * height + edge, gap + number % 6 * width + edge
        assert (sheet[top : top + 5 * large : large, left : left + 7 * large : large] == picture).all()
        assert sheet[top - 1, left].tolist() == sheet[top, left - 1].tolist() == [0xD5, 0x5E, 0x00]
    assert (sheet[:gap] == 255).all()
    assert (sheet[height + gap :, 2 * width + gap :] == 255).all()


def test_the_sheet_is_a_picture_of_the_first_three_channels(
    new_model: NewModel, judged: Callable[[int], Judged]
) -> None:
    _, darker, _ = inside.taught(new_model(detector_class=Taught).detector, judged(2))
    assert isinstance(darker, Picture)
    with Image.open(io.BytesIO(darker.content)) as picture:
        shown = np.asarray(picture.convert("RGB"))
    assert {tuple(shown[20, column]) for column in (20, 20 + 12 * 3 + 12)} == {(30, 30, 30), (31, 31, 31)}


def test_of_a_detector_without_any_nothing_is_said(new_model: NewModel, judged: Callable[[int], Judged]) -> None:
    assert inside.taught(new_model().detector, judged(30)) == []


def test_without_held_out_crops_a_sentence_says_why(new_model: NewModel, judged: Callable[[int], Judged]) -> None:
    assert inside.taught(new_model(detector_class=Taught).detector, judged(0)) == [Note(lessons.NO_CROPS)]


def test_wrong_pictures_cost_only_the_sheets(
    new_model: NewModel, judged: Callable[[int], Judged], caplog: pytest.LogCaptureFixture
) -> None:
    detector = new_model(detector_class=Taught).detector
    wrong = Lesson("dark crops", "Cut.", taught_as="normal", proliv=False, pictures=np.zeros((1, 2, 2, 3), np.uint8))
    detector.lessons = lambda *_, **__: [wrong]  # type: ignore[method-assign]
    (note,) = inside.taught(detector, judged(30))
    assert isinstance(note, Note)
    assert note.warning
    assert note.text.startswith("The made-up pictures cannot be shown: DataError: the pictures of 'dark crops' must")
    assert "the report goes on without them" in caplog.text
