"""The laws of `monitor.api.Detector`, held against every detector that is installed, third parties' too."""

from __future__ import annotations

import pickle
import random
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.api import (
    CropRefusedError,
    DataError,
    Detector,
    EpochReport,
    FalseAlarms,
    FitReport,
    KnownProliv,
    NotOfferedError,
    Progress,
    squared_error_maps,
)
from monitor.registry import Registry
from plugins.detectors.onnx import Onnx, OnnxSettings
from tests.support import onnx_files
from tests.support.disks import small_disk
from tests.support.onnx_files import needs_runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.api.detectors import OptionalMethod

REGISTRY = Registry.load()
# Relative: float32 sums in another order, with room for a deep network.
TOLERANCE = 1e-4
# Those that are asked about crops alone.
OPTIONAL: tuple[OptionalMethod, ...] = ("heatmap", "reconstruct", "latent")


def pictures(count: int, seed: int) -> list[NDArray[np.uint8]]:
    """Smooth random pictures of the sizes that cameras' crops have: uint8 (h, w, 3)."""
    generator = np.random.default_rng(seed)
    crops = []
    for _ in range(count):
        blocks = np.kron(generator.integers(60, 200, size=(7, 9, 3)), np.ones((5, 6, 1)))
        crops.append(blocks[: generator.integers(24, 32), : generator.integers(46, 54)].astype(np.uint8))
    return crops


def kinds() -> list[Any]:
    """The detectors that can be tried here: for those that are imported a file is needed, and there is one of ours."""
    trainable = [pytest.param(name) for name in sorted(REGISTRY.trainable())]
    # A file is tried in a process of its own.
    return [*trainable, pytest.param("onnx", marks=(pytest.mark.process, needs_runtime))]


def untrained(detector_class: type[Detector], *, epochs: int = 1) -> Detector:
    """A detector with its default settings, but for so many epochs, and few made-up pictures."""
    shorter = {"epochs": epochs, "pool": 256}
    known = {key: value for key, value in shorter.items() if key in detector_class.Settings.model_fields}
    if issubclass(detector_class, Onnx):
        with tempfile.TemporaryDirectory() as folder:
            file = onnx_files.written(Path(folder), onnx_files.model())
            return detector_class.from_file(file, OnnxSettings(), "cpu")
    return detector_class(detector_class.Settings.model_validate(known), "cpu")


def fit(detector: Detector, progress: Progress = lambda _: None, *, proliv: int = 6) -> FitReport:
    """Train on pictures, and on so many others as proliv, two of each hole, where the detector learns from proliv."""
    crops, held_out = (detector.prepare_batch(pictures(count, seed)) for count, seed in ((24, 1), (8, 2)))
    known: dict[str, Any] = {}
    if detector.learns_from_proliv:
        abnormal = detector.prepare_batch(pictures(proliv, seed=7))
        known["proliv"] = KnownProliv(abnormal, np.arange(proliv) // 2, np.arange(24))
    return detector.fit(crops, validation=held_out, seed=0, progress=progress, **known)


@pytest.fixture(scope="module", params=kinds())
def detector(request: pytest.FixtureRequest) -> Detector:
    """Each detector, trained for one epoch at most, or imported."""
    detector = untrained(REGISTRY.detector_class(request.param))
    fit(detector)
    return detector


@pytest.fixture
def batch(detector: Detector) -> NDArray[np.uint8]:
    return detector.prepare_batch(pictures(9, seed=3))


def every_score(detector: Detector, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    scores = detector.score(crops)
    scores.check(len(crops))
    return {"mse": scores.mse, **scores.others}


def everything_else(detector: Detector, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """What the optional methods give that the detector offers, each (N, ...)."""
    return {method: getattr(detector, method)(crops) for method in OPTIONAL if detector.offers(method)}


def require(detector: Detector, method: OptionalMethod) -> None:
    if not detector.offers(method):
        pytest.skip(f"the detector {detector.name} has no {method}")


def assert_alike(scores: dict[str, NDArray[np.float32]], expected: dict[str, NDArray[np.float32]]) -> None:
    assert scores.keys() == expected.keys()
    for name, values in scores.items():
        np.testing.assert_allclose(values, expected[name], rtol=TOLERANCE, atol=1e-8, err_msg=name)


def test_there_is_a_detector() -> None:
    assert "ae" in REGISTRY.detectors


def test_its_name_is_the_one_it_is_registered_under(detector: Detector) -> None:
    assert REGISTRY.detector_class(detector.name) is type(detector)


def test_its_settings_are_closed_frozen_and_survive_json(detector: Detector) -> None:
    model = type(detector).Settings
    assert model.model_config.get("extra") == "forbid"
    assert model.model_config.get("frozen")
    assert all(field.description for field in model.model_fields.values())
    assert model.model_validate(detector.settings.model_dump(mode="json")) == detector.settings


def test_prepared_crops_have_the_input_size(detector: Detector) -> None:
    prepared = detector.prepare_batch(pictures(3, seed=4))
    assert prepared.shape == (3, *detector.input_size, 3)
    assert prepared.dtype == np.uint8


def test_the_same_input_has_the_same_scores(detector: Detector, batch: NDArray[np.uint8]) -> None:
    first, again = every_score(detector, batch), every_score(detector, batch)
    assert all((values == again[name]).all() for name, values in first.items())
    others, again = everything_else(detector, batch), everything_else(detector, batch)
    assert all((values == again[name]).all() for name, values in others.items())


def test_a_batch_scores_like_its_singles(detector: Detector, batch: NDArray[np.uint8]) -> None:
    singles = [every_score(detector, batch[row : row + 1]) for row in range(len(batch))]
    together = {name: np.concatenate([single[name] for single in singles]) for name in singles[0]}
    assert_alike(every_score(detector, batch), together)


def test_heat_maps_reconstructions_and_codes_of_a_batch_are_those_of_its_singles(
    detector: Detector, batch: NDArray[np.uint8]
) -> None:
    singles = [everything_else(detector, batch[row : row + 1]) for row in range(len(batch))]
    for method, values in everything_else(detector, batch).items():
        alone = np.concatenate([single[method] for single in singles])
        # A heat map may be a square of what is nearly nothing, so the tolerance is a part of its largest value.
        scale = float(abs(alone).max())
        np.testing.assert_allclose(values, alone, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=method)


def test_many_crops_score_like_few(detector: Detector, batch: NDArray[np.uint8]) -> None:
    # More than any detector takes through its network at once, and no multiple of a usual batch.
    often = np.tile(batch, (60, 1, 1, 1))[:523]
    few = every_score(detector, batch)
    expected = {name: np.tile(values, 60)[:523] for name, values in few.items()}
    assert_alike(every_score(detector, often), expected)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(9)))
def test_the_order_does_not_matter(detector: Detector, batch: NDArray[np.uint8], order: list[int]) -> None:
    expected = {name: values[order] for name, values in every_score(detector, batch).items()}
    assert_alike(every_score(detector, batch[order]), expected)


def test_what_was_measured_before_scores_as_the_crops_do(detector: Detector, batch: NDArray[np.uint8]) -> None:
    measurement = detector.measurement()
    if measurement is None:
        with pytest.raises(NotOfferedError, match=detector.name):
            detector.score_measured(batch)
        return
    assert measurement == detector.measurement()
    assert hash(measurement) == hash(detector.measurement())
    assert measurement.covers(measurement)
    expected, told = detector.score(batch), detector.score_measured(measurement.measure(batch))
    assert told.decision == expected.decision
    np.testing.assert_array_equal(told.mse, expected.mse)
    np.testing.assert_array_equal(told.deciding, expected.deciding)


def test_no_crops_have_no_scores(detector: Detector, batch: NDArray[np.uint8]) -> None:
    detector.score(batch[:0]).check(0)
    some = everything_else(detector, batch)
    for method, values in everything_else(detector, batch[:0]).items():
        assert values.shape == (0, *some[method].shape[1:])


def test_what_it_does_not_offer_it_refuses_by_its_name(detector: Detector, batch: NDArray[np.uint8]) -> None:
    for method in OPTIONAL:
        if not detector.offers(method):
            with pytest.raises(NotOfferedError, match=f"^the detector '{detector.name}' "):
                getattr(detector, method)(batch)
    if not detector.offers("lessons"):
        with pytest.raises(NotOfferedError, match=f"^the detector '{detector.name}' learns from no made-up pictures$"):
            detector.lessons(batch, proliv=batch[:0], seed=0)


def test_heat_maps_have_a_value_for_each_pixel_and_none_is_negative(
    detector: Detector, batch: NDArray[np.uint8]
) -> None:
    require(detector, "heatmap")
    heatmaps = detector.heatmap(batch)
    assert heatmaps.shape == (len(batch), *detector.input_size)
    assert heatmaps.dtype == np.float32
    assert np.isfinite(heatmaps).all()
    assert (heatmaps >= 0).all()


def test_the_heat_map_of_the_default_is_the_squared_error_of_each_pixel(
    detector: Detector, batch: NDArray[np.uint8]
) -> None:
    if type(detector).heatmap is not Detector.heatmap:
        pytest.skip(f"the detector {detector.name} has a heat map of its own")
    require(detector, "reconstruct")
    restored = detector.reconstruct(batch)
    expected = np.square(batch[..., :3] / 255 - restored.astype(np.float64)).mean(axis=-1)
    np.testing.assert_allclose(detector.heatmap(batch), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(detector.heatmap(batch), squared_error_maps(batch, restored))


def test_reconstructions_are_pictures_of_the_same_shape(detector: Detector, batch: NDArray[np.uint8]) -> None:
    require(detector, "reconstruct")
    pictures_again = detector.reconstruct(batch)
    assert pictures_again.shape == batch.shape
    assert pictures_again.dtype == np.float32
    assert pictures_again.min() >= 0
    assert pictures_again.max() <= 1


def test_codes_are_finite_and_tell_crops_apart(detector: Detector, batch: NDArray[np.uint8]) -> None:
    require(detector, "latent")
    codes = detector.latent(batch)
    assert codes.ndim == 2
    assert len(codes) == len(batch)
    assert codes.dtype == np.float32
    assert np.isfinite(codes).all()
    assert len(np.unique(codes, axis=0)) == len(batch)


@pytest.mark.parametrize("known", [0, 3])
def test_made_up_pictures_are_those_of_the_seed_one_of_each_crop(
    detector: Detector, batch: NDArray[np.uint8], known: int
) -> None:
    require(detector, "lessons")
    proliv = detector.prepare_batch(pictures(3, seed=7))[:known]
    for array in (batch, proliv):
        array.setflags(write=False)
    before = global_generators()
    lessons, again = (detector.lessons(batch, proliv=proliv, seed=5) for _ in range(2))
    assert global_generators() == before
    assert lessons
    assert len({lesson.kind for lesson in lessons}) == len(lessons)
    for lesson, same in zip(lessons, again, strict=True):
        lesson.check(detector.input_size)
        assert len(lesson.pictures) == len(batch)
        assert lesson.sentence.endswith(".")
        assert lesson.taught_as
        assert (lesson.pictures == same.pictures).all()


def test_a_saved_detector_scores_the_same_when_loaded(
    detector: Detector, batch: NDArray[np.uint8], tmp_path: Path
) -> None:
    detector.save(tmp_path)
    kept = type(detector).Settings.model_validate(detector.settings.model_dump(mode="json"))
    loaded = type(detector).load(tmp_path, kept, "cpu")
    expected = every_score(detector, batch)
    assert all((values == expected[name]).all() for name, values in every_score(loaded, batch).items())
    assert loaded.score(batch).decision == detector.score(batch).decision
    others = everything_else(loaded, batch)
    for method, values in everything_else(detector, batch).items():
        np.testing.assert_array_equal(others[method], values, err_msg=method)


@pytest.mark.process
def test_a_full_disk_is_what_the_system_says_of_it(detector: Detector, tmp_path: Path) -> None:
    # The program says so in a sentence; any other error would look like a defect.
    with small_disk(tmp_path / "disk", "4k") as folder:
        (folder / "full").write_bytes(bytes(4096))  # a small model would find room
        with pytest.raises(OSError, match="No space left on device"):
            detector.save(folder)


def test_the_same_seed_trains_the_same_detector_and_the_global_generators_are_left_alone(
    detector: Detector, batch: NDArray[np.uint8]
) -> None:
    before = global_generators()
    again = untrained(type(detector))
    fit(again)
    assert global_generators() == before
    expected = every_score(detector, batch)
    assert all((values == expected[name]).all() for name, values in every_score(again, batch).items())


def test_each_epoch_is_reported(detector: Detector) -> None:
    reports: list[EpochReport] = []

    def keep(report: EpochReport) -> None:
        reports.append(report)

    report = fit(untrained(type(detector), epochs=2), keep)
    assert report.epochs == tuple(reports)
    assert [epoch.epoch for epoch in reports] == list(range(1, len(reports) + 1))
    assert report.best_epoch <= len(reports)
    assert all(epoch.epochs == reports[0].epochs >= len(reports) for epoch in reports)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_one_that_learns_from_proliv_gives_each_a_score_that_was_not_learned_from_it(
    detector: Detector, count: int
) -> None:
    if not detector.learns_from_proliv:
        pytest.skip(f"the detector {detector.name} does not learn from proliv")
    learner = untrained(type(detector))
    report = fit(learner, proliv=count)
    assert report.cross_fitted is not None
    report.cross_fitted.check(count)
    assert report.cross_fitted.decision == learner.score(learner.prepare_batch(pictures(1, seed=3))).decision


@pytest.mark.parametrize(("confirmed", "false_alarms"), [(0, 1), (2, 0), (3, 5)])
def test_one_that_learns_from_proliv_learns_labels_of_operation_and_cross_fits_them(
    detector: Detector, confirmed: int, false_alarms: int
) -> None:
    if not detector.learns_from_proliv:
        pytest.skip(f"the detector {detector.name} does not learn from proliv")
    learner = untrained(type(detector))
    crops, proliv = (learner.prepare_batch(pictures(count, seed)) for count, seed in ((24, 1), (6, 7)))
    false = learner.prepare_batch(pictures(max(false_alarms, 1), seed=8))[:false_alarms]
    known = KnownProliv(
        proliv,
        np.arange(6) // 2,
        np.arange(24),
        confirmed=np.arange(6) >= 6 - confirmed,
        # The first is a near-duplicate of the first normal crop.
        false_alarms=FalseAlarms(false, np.arange(false_alarms) + 23 * (np.arange(false_alarms) > 0)),
    )
    arguments: dict[str, Any] = {"proliv": known}
    report = learner.fit(crops, validation=crops[:1], seed=0, progress=lambda _: None, **arguments)
    decision = learner.score(crops[:1]).decision
    for scores, count in ((report.cross_fitted, 6), (report.cross_fitted_normal, false_alarms)):
        assert scores is not None
        scores.check(count)
        assert scores.decision == decision


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_crops_of_one_colour_are_learned_from_and_scored_or_refused(detector: Detector, count: int, value: int) -> None:
    learner = untrained(type(detector))
    with suppress(CropRefusedError):
        even = learner.prepare_batch([np.full((28, 48, 3), value, dtype=np.uint8)] * count)
        if learner.imported and count > 1:
            # It was trained elsewhere; one that says the same of every crop here is not taken.
            with pytest.raises(DataError, match="tells nothing apart"):
                learner.fit(even, validation=even, seed=0, progress=lambda _: None)
            return
        learner.fit(even, validation=even, seed=0, progress=lambda _: None)
        learner.score(even).check(count)
        learner.score(255 - even).check(count)


def test_input_is_never_modified(detector: Detector, batch: NDArray[np.uint8]) -> None:
    crops = pictures(4, seed=5)
    for array in (*crops, batch):
        # Crops may come read-only, as Pillow's do; writing to them, or a warning about it, would fail here.
        array.setflags(write=False)
    before = batch.copy()
    detector.prepare_batch(crops)
    detector.score(batch)
    everything_else(detector, batch)
    assert (batch == before).all()


@settings(max_examples=25, deadline=None)
@given(height=st.integers(8, 400), width=st.integers(8, 400), value=st.integers(0, 255))
def test_a_crop_of_any_size_is_scored_or_refused(detector: Detector, height: int, width: int, value: int) -> None:
    scored_or_refused(detector, np.full((height, width, 3), value, dtype=np.uint8))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 4096), (4096, 8), (4096, 4096)])
def test_the_smallest_and_the_largest_crops_are_scored_or_refused(detector: Detector, height: int, width: int) -> None:
    noise = np.random.default_rng(6).integers(0, 256, size=(height, width, 3), dtype=np.uint8)
    scored_or_refused(detector, noise)


@pytest.mark.parametrize(("height", "width"), [(7, 50), (50, 7), (1, 1)])
def test_a_crop_below_the_smallest_is_refused(detector: Detector, height: int, width: int) -> None:
    with pytest.raises(CropRefusedError) as caught:
        detector.prepare_batch([np.zeros((height, width, 3), dtype=np.uint8)])
    assert caught.value.reason == "too_small"


def global_generators() -> bytes:
    return pickle.dumps((random.getstate(), np.random.get_state(), torch.get_rng_state().numpy()))


def scored_or_refused(detector: Detector, crop: NDArray[np.uint8]) -> None:
    try:
        prepared = detector.prepare_batch([crop])
    except CropRefusedError as error:
        refusal = error
    else:
        detector.score(prepared).check(1)
        return
    assert refusal.reason
    assert str(refusal)
