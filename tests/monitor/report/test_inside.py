from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.crops.dataset import open_dataset
from monitor.crops.reader import Reader
from monitor.report import codes, inside
from monitor.report.measuring import measure_folder, read_folder
from monitor.report.page import Note, Picture, Table
from tests.monitor.report.conftest import Mapped, Scoring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitor.api import Detector, Floats, Pixels
    from monitor.report.measuring import Judged
    from monitor.scoring.ensemble import ActiveModel

    NewModel = Callable[..., ActiveModel]

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed, importing it alone takes longer than all these tests."""
    monkeypatch.setattr(codes, "has_umap", lambda: False)


@pytest.fixture
def judged(folder: Path, new_model: NewModel) -> Judged:
    read = read_folder(open_dataset(folder), Reader(Configuration(settings=Settings(), file=None)), {})
    kept: dict[str, frozenset[str]] = {"brightness-1": frozenset()}
    return measure_folder(read, [new_model()], None, kept).judged["brightness-1"]


def titles(parts: list[Any]) -> list[str]:
    return [part.title if isinstance(part, Picture | Table) else "note" for part in parts]


def test_ten_crops_and_their_codes(new_model: NewModel, judged: Judged) -> None:
    crops, pictures = inside.crops_and_codes(new_model().detector, judged)
    assert titles(crops) == ["Ten crops with reconstruction and error map", "The files of these crops"]
    table = crops[1]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == [str(number) for number in range(1, 11)]
    assert all(row[2].startswith("test/") for row in table.rows)
    has_tsne = importlib.util.find_spec("sklearn") is not None
    assert titles(pictures) == ["Codes: principal components", "Codes: t-SNE" if has_tsne else "note"]


def test_without_scikit_learn_a_sentence_says_how_to_get_it(
    new_model: NewModel, judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "has_tsne", lambda: False)
    note = inside.crops_and_codes(new_model().detector, judged)[1][-1]
    assert isinstance(note, Note)
    assert "pip install 'proliv-monitor[report]'" in note.text


def test_where_a_detector_fails_there_is_a_sentence(
    new_model: NewModel, judged: Judged, caplog: pytest.LogCaptureFixture
) -> None:
    detector = new_model().detector

    def fail(crops: Pixels) -> Floats:
        raise RuntimeError("no <codes> today")

    detector.latent = fail  # type: ignore[method-assign]
    crops, pictures = inside.crops_and_codes(detector, judged)
    assert titles(crops)[0] == "Ten crops with reconstruction and error map"
    assert pictures == [Note("The crops' codes cannot be shown: RuntimeError: no <codes> today", warning=True)]
    assert "the report goes on without them" in caplog.text


@pytest.mark.parametrize(
    ("detector_class", "title", "bright", "sentence"),
    [
        (Scoring, "Ten crops", False, "and has no heat map, so they are shown without."),
        (Mapped, "Ten crops with heat map", True, "reconstructs no crops, so they are shown without."),
    ],
)
def test_what_a_detector_does_not_offer_is_said_and_the_rest_is_shown(
    new_model: NewModel,
    judged: Judged,
    caplog: pytest.LogCaptureFixture,
    detector_class: type[Detector],
    title: str,
    bright: bool,
    sentence: str,
) -> None:
    crops, pictures = inside.crops_and_codes(new_model(detector_class=detector_class).detector, judged)
    assert titles(crops) == [title, "The files of these crops", "note"]
    picture, note = crops[0], crops[-1]
    assert isinstance(picture, Picture)
    assert ("where the heat map is bright" in picture.sentence) == bright
    assert isinstance(note, Note)
    assert not note.warning
    assert note.text.startswith("The detector 'brightness' reconstructs no crops")
    assert note.text.endswith(sentence)
    assert pictures == [Note("The crops' codes are not shown: the detector 'brightness' has no codes of crops.")]
    assert caplog.records == []


@pytest.mark.parametrize(
    ("prototypes", "drawn"),
    [(np.empty((0, 0)), True), (np.ones((4, 3)), True), (np.ones((4, 2)), False), (np.full((1, 3), np.nan), False)],
)
def test_prototypes_are_drawn_where_they_fit(
    new_model: NewModel, judged: Judged, prototypes: np.ndarray[Any, Any], drawn: bool
) -> None:
    detector = new_model().detector
    detector.prototypes = lambda: prototypes.astype(np.float32)  # type: ignore[method-assign]
    pictures = inside.crops_and_codes(detector, judged)[1]
    assert isinstance(pictures[0], Picture)
    assert ("Stars are the detector's prototypes" in pictures[0].sentence) == (drawn and len(prototypes) > 0)
    assert ("so they are not drawn" in str(pictures[-1])) == (not drawn)


def test_what_a_detector_tells_of_itself(new_model: NewModel) -> None:
    detector = new_model().detector
    assert inside.details(detector) == []
    detector.details = lambda: {"dead_items": 3, "use": [0.5, 0.25]}  # type: ignore[method-assign]
    (table,) = inside.details(detector)
    assert isinstance(table, Table)
    assert table.rows == [["dead items", "3"], ["use", "0.5, 0.25"]]
