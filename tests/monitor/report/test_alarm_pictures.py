"""Crops that an alarm was decided on are drawn, and what cannot be drawn is said so."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from monitor.configuration.file import load
from monitor.registry import Registry
from monitor.report.alarm_facts import EvidenceCrop
from monitor.report.alarm_pictures import MOST_TIMES, Drawer, enlarged, file_name, suffix_of
from monitor.store.details import ModelDecisionRow, StoredCropRow
from monitor.store.models import ModelRow
from tests.support.brightness_detector import Brightness, BrightnessSettings

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "config.toml").write_text("")
    return load(tmp_path / "config.toml")


def crop(content: bytes | None, *models: str) -> EvidenceCrop:
    row = StoredCropRow(
        *(1, "/inbox/1.png", "0" * 64, 9, 0, 9, 9, 7, "C", None, NOW, "scored", None, None),
        *("proliv", 2.0, 1.0, "primary", "inbox", None, False),
    )
    decisions = [
        ModelDecisionRow(
            *(1, name, "brightness", 0.1, 2.0, 1.0, "proliv", NOW, 0.1, 1, "fixed", "set", None, None, NOW, "active"),
            False,
        )
        for name in models
    ]
    return EvidenceCrop(row, "opened", content, None, decisions, [])


def png(width: int = 50, height: int = 20) -> bytes:
    stream = io.BytesIO()
    pixels = np.arange(height * width * 3, dtype=np.uint32).reshape(height, width, 3) % 256
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def drawer(configuration: Configuration, **detectors: Any) -> Drawer:
    made = Drawer(Registry(), configuration, [])
    made._detectors.update(detectors)
    return made


def test_pixels_are_enlarged_as_squares() -> None:
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    large = enlarged(picture)
    assert large.shape == (2 * MOST_TIMES, 3 * MOST_TIMES, 3)
    assert np.array_equal(large[::MOST_TIMES, ::MOST_TIMES], picture)
    huge = np.zeros((1000, 2000, 3), dtype=np.uint8)
    assert enlarged(huge).shape == huge.shape


def test_names_of_files() -> None:
    assert [suffix_of(content) for content in (png(), b"\xff\xd8\xff", b"BM", b"", b"?")] == [
        ".png", ".jpg", ".bmp", ".bin", ".bin",
    ]  # fmt: skip
    assert [file_name(text) for text in ("ae-1", "../../x y", "…")] == ["ae-1", "x-y", "model"]


def test_a_crop_that_cannot_be_decoded_is_said_so(configuration: Configuration) -> None:
    drawn = drawer(configuration).draw(crop(b"\x89PNG\r\n\x1a\n and no more"))
    assert drawn.pictures == []
    (sentence,) = drawn.missing
    assert sentence.startswith("it cannot be drawn: ")
    assert drawer(configuration).draw(crop(None)).pictures == []


def test_a_model_that_fails_while_it_draws_keeps_the_others(configuration: Configuration) -> None:
    class Broken(Brightness):
        def prepare_batch(self, *_: Any) -> Any:
            raise RuntimeError("out of\norder")

    good, bad = Brightness(BrightnessSettings()), Broken(BrightnessSettings())
    good.mean = np.float32(0.5)
    drawn = drawer(configuration, good=good, bad=bad).draw(crop(png(), "bad", "good"))
    assert [(model, what) for model, what, _ in drawn.pictures][:2] == [("", "crop"), ("good", "view")]
    assert drawn.missing == ["bad cannot show what it sees in it: RuntimeError: out of order"]
    picture = Image.open(io.BytesIO(drawn.pictures[0][2]))
    assert picture.size == (450, 180)


def test_a_model_that_does_not_load_is_named(configuration: Configuration) -> None:
    row = ModelRow(1, "gone-1", "brightness", "0" * 64, "gone-1", {}, NOW, True, None, 1.0, 1, "fixed")
    problems = Drawer(Registry(), configuration, [row]).problems
    assert list(problems) == ["gone-1"]
    assert "gone-1" in problems["gone-1"]
