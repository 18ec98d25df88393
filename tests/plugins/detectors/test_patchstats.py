from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from monitor.api import DataError
from plugins.detectors.patchstats import PatchStatistics
from plugins.detectors.regions import Regions
from tests.plugins.conftest import assert_it_says_that_it_is_untrained, bleed_outs, crops


def empty_holes(count: int) -> list[NDArray[np.uint8]]:
    """Smooth in the middle, at the usual brightness and colour."""
    pictures = crops(count, seed=97)
    for picture in pictures:
        picture[4:24, 10:38] = picture[4:24, 10:38].mean(axis=(0, 1))
    return pictures


def trained(count: int = 200, **settings: Any) -> PatchStatistics:
    detector = PatchStatistics(PatchStatistics.Settings.model_validate(settings))
    batch = detector.prepare_batch(crops(count))
    detector.fit(batch, validation=batch[:1], seed=0, progress=lambda _: None)
    return detector


def deciding(detector: PatchStatistics, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    return detector.score(detector.prepare_batch(pictures)).deciding


def measured(batch: NDArray[np.uint8], *, cell: int, rows: slice, columns: slice) -> NDArray[np.float64]:
    """The features of the class's description, (N, C, 7), each written down as it stands there."""
    levels = batch[:, ::2, ::2].mean(axis=3).reshape(len(batch), -1)
    gain = np.maximum(np.median(levels, axis=1) / 255, 0.05) / 0.5
    images = np.pad(batch / 255 / gain[:, None, None, None], ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    red, green, blue = np.moveaxis(images, 3, 0)
    brightness, red_green, blue_yellow = (red + green + blue) / 3, red - green, blue - (red + green) / 2

    def pooled(values: NDArray[np.float64]) -> NDArray[np.float64]:
        inner = values[:, 1:-1, 1:-1][:, rows, columns]
        height, width = inner.shape[1] // cell, inner.shape[2] // cell
        cells: NDArray[np.float64] = inner.reshape(-1, height, cell, width, cell).mean(axis=(2, 4))
        return cells.reshape(len(batch), -1)

    down, across = np.gradient(brightness, axis=(1, 2))
    around = sum(np.roll(brightness, step, axis) for step in (1, -1) for axis in (1, 2))
    colours = sum(np.square(np.gradient(values, axis=(1, 2))).sum(axis=0) for values in (red_green, blue_yellow))
    energies = [down**2, across**2, (4 * brightness - around) ** 2, colours]
    return np.stack(
        [pooled(values) for values in (brightness, red_green, blue_yellow)]
        + [np.log(pooled(values) + 1e-5) for values in energies],
        axis=2,
    )


@pytest.mark.parametrize(
    ("settings", "cell", "rows", "columns"),
    [
        ({}, 4, slice(4, 28), slice(12, 36)),
        # Up to the picture's edge.
        ({"centre_height": 1, "centre_width": 1}, 4, slice(None), slice(None)),
        # An odd number of pixels has one in the middle.
        ({"height": 27, "width": 45, "cell": 9, "centre_height": 0.5}, 9, slice(9, 18), slice(9, 36)),
    ],
)
def test_the_features_are_what_they_are_said_to_be(
    settings: dict[str, Any], cell: int, rows: slice, columns: slice
) -> None:
    detector = trained(150, **settings, colour_cast=0, kinds=1)
    batch = detector.prepare_batch([*crops(70), *bleed_outs(5), *(crop // 16 for crop in crops(5))])
    features = measured(batch, cell=cell, rows=rows, columns=columns)
    usual = measured(detector.prepare_batch(crops(150)), cell=cell, rows=rows, columns=columns)
    regions = Regions.learn(usual, shrinkage=0.05)  # type: ignore[arg-type]
    np.testing.assert_allclose(detector.score(batch).deciding, regions.distance(features, trimmed=0.4), rtol=1e-4)  # type: ignore[arg-type]


def test_a_score_is_to_the_bit_the_same_in_every_batch() -> None:
    detector = trained()
    batch = detector.prepare_batch([*crops(140, seed=6), *bleed_outs(10)])
    together = detector.score(batch)
    for size in (1, 7, 100):
        parts = [detector.score(batch[start : start + size]) for start in range(0, len(batch), size)]
        np.testing.assert_array_equal(np.concatenate([part.deciding for part in parts]), together.deciding)
        np.testing.assert_array_equal(np.concatenate([part.mse for part in parts]), together.mse)


@pytest.mark.parametrize("odd", [bleed_outs, empty_holes])
def test_bleed_outs_and_empty_holes_score_higher_than_new_normal_crops(odd: Any) -> None:
    detector = trained()
    assert deciding(detector, odd(20)).min() > deciding(detector, crops(50, seed=2)).max()


def test_an_empty_hole_is_not_seen_by_the_mean_squared_error() -> None:
    # Else the test above would show nothing.
    detector = trained()
    empty, normal = (
        detector.score(detector.prepare_batch(pictures)).mse for pictures in (empty_holes(20), crops(20, 2))
    )
    assert np.median(empty) < np.quantile(normal, 0.9)


@pytest.mark.parametrize("light", [0.85, 1.15])
def test_the_light_does_not_matter(light: float) -> None:
    detector = trained()
    usual, other = (deciding(detector, crops(50, seed=2, light=level)) for level in (1.0, light))
    assert np.median(other) == pytest.approx(np.median(usual), rel=0.25)
    assert other.max() < deciding(detector, bleed_outs(20)).min()


def test_what_lies_outside_the_centre_does_not_matter() -> None:
    detector = trained()
    (crop,) = crops(1, seed=3)
    framed = crop.copy()
    framed[:, -4:] = (200, 160, 40)
    assert deciding(detector, [framed]) == pytest.approx(deciding(detector, [crop]), rel=0.1)


def test_mse_is_the_error_of_the_mean_crop_in_the_crop_s_light() -> None:
    detector = trained()
    batch = detector.prepare_batch(crops(5, seed=4))
    errors = (batch.astype(np.float32) / 255 - detector.reconstruct(batch)) ** 2
    np.testing.assert_allclose(detector.score(batch).mse, errors.mean(axis=(1, 2, 3)), rtol=1e-4)


def test_the_codes_are_the_logarithms_that_the_score_is_the_mean_of() -> None:
    detector = trained()
    batch = detector.prepare_batch(crops(5, seed=5))
    codes = detector.latent(batch)
    assert codes.shape == (5, 36)
    nearest = np.sort(codes, axis=1)[:, :22]
    np.testing.assert_allclose(np.exp(nearest.mean(axis=1)), detector.score(batch).deciding, rtol=1e-5)
    assert detector.details()["cells"] == "6 rows of 6"


@pytest.mark.parametrize(
    "settings",
    [{"cell": 5}, {"height": 30}, {"centre_width": 0.01}, {"centre_height": 0}, {"shrinkage": 2}, {"colour": "red"}],
)
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PatchStatistics.Settings.model_validate(settings)


def test_without_crops_or_training_it_says_so(tmp_path: Path) -> None:
    detector = PatchStatistics(PatchStatistics.Settings())
    assert_it_says_that_it_is_untrained(detector, tmp_path)
    batch = np.zeros((1, 32, 48, 3), dtype=np.uint8)
    with pytest.raises(DataError, match="no crops"):
        detector.fit(batch[:0], validation=batch, seed=0, progress=lambda _: None)


def test_foreign_or_damaged_files_are_refused(tmp_path: Path) -> None:
    trained(20).save(tmp_path)
    with pytest.raises(DataError, match="other settings"):
        PatchStatistics.load(tmp_path, PatchStatistics.Settings.model_validate({"centre_width": 1.0}), "cpu")
    with pytest.raises(DataError, match="no mean picture"):
        PatchStatistics.load(
            tmp_path, PatchStatistics.Settings.model_validate({"height": 64, "width": 96, "cell": 8}), "cpu"
        )
    (tmp_path / "picture.safetensors").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="no mean picture"):
        PatchStatistics.load(tmp_path, PatchStatistics.Settings(), "cpu")


def test_another_white_balance_is_learned_as_usual() -> None:
    tinted = [(picture * [1.06, 0.97, 0.96]).clip(0, 255).astype(np.uint8) for picture in crops(50, seed=2)]
    told, untold = (deciding(trained(colour_cast=cast), tinted) for cast in (0.08, 0.0))
    assert np.median(told) < 0.5 * np.median(untold)


def test_crops_under_a_made_up_cast_are_learned_at_the_usual_brightness() -> None:
    # Channels that are changed by up to a half change the brightness of the whole by far more than it varies in a cell.
    told, untold = (trained(colour_cast=cast, kinds=1, shrinkage=0)._regions for cast in (0.5, 0.0))
    assert told is not None
    assert untold is not None
    spread, usual = (np.sqrt(np.linalg.inv(regions.precision[0])[:, 0, 0]) for regions in (told, untold))
    np.testing.assert_allclose(spread, usual, rtol=0.1)
