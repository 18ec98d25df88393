from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from monitor.api import DataError, EpochReport, FalseAlarms, FitReport, KnownProliv
from plugins.detectors import contrast_training
from plugins.detectors.contrast import Contrast
from plugins.detectors.contrast_parts import GRID
from plugins.detectors.folds import fold_of_each
from plugins.networks.runtimes import say_once
from plugins.pictures.made_up.copies import copies
from plugins.pictures.made_up.mixture import mixture
from tests.plugins.conftest import assert_it_says_that_it_is_untrained, bleed_outs, crops
from tests.support.onnx_files import needs_runtime

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from monitor.api import Pixels, Runtime
    from plugins.pictures.made_up.mixture import Material

# As little as is enough to tell the test's crops apart.
QUICK = {"pool": 512, "epochs": 8}
NORMAL = 120


def known(detector: Contrast, count: int, holes: int) -> KnownProliv:
    """So many bleed-outs in so many holes, and normal crops of which each two belong together."""
    proliv = detector.prepare_batch(bleed_outs(count)) if count else np.empty((0, 32, 48, 3), dtype=np.uint8)
    return KnownProliv(proliv, np.arange(count) % max(holes, 1), np.arange(NORMAL) // 2)


def trained(count: int = 16, holes: int = 4, **settings: Any) -> tuple[Contrast, FitReport]:
    detector = Contrast(Contrast.Settings.model_validate({**QUICK, **settings}))
    batch = detector.prepare_batch(crops(NORMAL))
    report = detector.fit(
        batch, validation=batch[:1], seed=0, progress=lambda _: None, proliv=known(detector, count, holes)
    )
    return detector, report


@pytest.fixture(scope="module")
def learned() -> tuple[Contrast, FitReport]:
    return trained()


def deciding(detector: Contrast, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    return detector.score(detector.prepare_batch(pictures)).deciding


def test_bleed_outs_score_higher_than_new_normal_crops(learned: tuple[Contrast, FitReport]) -> None:
    detector, report = learned
    assert report.cross_fitted is not None
    normal = deciding(detector, crops(50, seed=2))
    assert normal.max() < 1 < report.cross_fitted.deciding.min()
    assert detector.score(detector.prepare_batch(crops(1))).decision == report.cross_fitted.decision == "contrast"


def test_another_white_balance_is_seldom_an_alarm(learned: tuple[Contrast, FitReport]) -> None:
    # These crops are all of one colour, so for patchstats by itself each of these casts is far from the usual.
    detector, _ = learned
    casts = [np.array(signs) * 0.08 + 1 for signs in product((-1, 0, 1), repeat=3)]
    normal = crops(20, seed=2)
    tinted = [(crop * cast).clip(0, 255).astype(np.uint8) for cast in casts for crop in normal]
    assert (deciding(detector, tinted) >= 1).mean() < 0.2


@pytest.mark.parametrize(("count", "holes"), [(0, 0), (3, 2), (8, 1)])
def test_little_proliv_makes_a_working_model(
    count: int, holes: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detector, report = trained(count, holes)
    assert report.cross_fitted is not None
    report.cross_fitted.check(count)
    assert deciding(detector, crops(50, seed=2)).max() < deciding(detector, bleed_outs(20)).min()
    assert detector.details()["proliv learned from"] == count
    assert ("there is no proliv to learn from" in caplog.text) == (count == 0)
    if count == 0:
        assert deciding(detector, crops(50, seed=2)).max() < 1 < np.median(deciding(detector, bleed_outs(20)))
    assert detector.details()["chaos"] == ("made up alone" if count == 0 else "known proliv, transplanted and made up")


def test_no_fold_learns_from_what_it_is_judged_by(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Pixels, Pixels]] = []

    def note(material: Material, count: int, seed: int) -> Any:
        seen.append((material.normal, material.proliv))
        return mixture(material, count, seed)

    monkeypatch.setattr(contrast_training, "mixture", note)
    detector = Contrast(Contrast.Settings(pool=256, epochs=1))
    batch = detector.prepare_batch(crops(NORMAL))
    proliv = known(detector, 16, 4)
    detector.fit(batch, validation=batch[:1], seed=0, progress=lambda _: None, proliv=proliv)
    generator = np.random.default_rng(0)
    for crops_of, groups, place in ((batch, proliv.normal_groups, 0), (proliv.crops, proliv.groups, 1)):
        folds = fold_of_each(groups, 2, generator)
        for fold, learned_from in enumerate(seen):
            assert (learned_from[place] == crops_of[folds != fold]).all()
            assert not set(groups[folds == fold]) & set(groups[folds != fold])


def test_a_cross_fitted_score_is_that_of_the_part_that_has_not_seen_the_hole(
    learned: tuple[Contrast, FitReport],
) -> None:
    detector, report = learned
    proliv = known(detector, 16, 4)
    generator = np.random.default_rng(0)
    fold_of_each(proliv.normal_groups, 2, generator)
    folds = fold_of_each(proliv.groups, 2, generator)
    features = GRID.features_of(proliv.crops)
    assert report.cross_fitted is not None
    for fold, part in enumerate(detector._parts):
        own = folds == fold
        expected = part.contrast(features[own], 1.0, detector._parts[1 - fold].middle)
        np.testing.assert_allclose(np.log(report.cross_fitted.deciding[own]), expected, rtol=1e-4, atol=1e-5)


def test_the_score_is_the_sum_that_it_is_said_to_be(learned: tuple[Contrast, FitReport]) -> None:
    detector, _ = learned
    batch = detector.prepare_batch([*crops(5, seed=3), *bleed_outs(5)])
    features = GRID.features_of(batch)
    terms = []
    for part in detector._parts:
        normal, chaos, empty = part.head.logits(features.reshape(10, -1)).astype(np.float64).T
        odds = np.log(np.exp(chaos) + np.exp(empty)) - normal
        terms.append(odds / 3 + np.log(part.patchstats.score(batch).deciding) - part.middle)
    np.testing.assert_allclose(np.log(detector.score(batch).deciding), np.mean(terms, axis=0), rtol=1e-3, atol=1e-4)


def test_kappa_is_the_weight_of_the_distance(learned: tuple[Contrast, FitReport]) -> None:
    detector, _ = learned
    features = GRID.features_of(detector.prepare_batch(bleed_outs(5)))
    part = detector._parts[0]
    none, one, two = (part.contrast(features, kappa) for kappa in (0.0, 1.0, 2.0))
    np.testing.assert_allclose(two - one, one - none)


def test_epochs_of_all_folds_are_reported_in_one_row() -> None:
    reports: list[EpochReport] = []

    def keep(report: EpochReport) -> None:
        reports.append(report)

    detector = Contrast(Contrast.Settings(pool=256, epochs=2, folds=3))
    batch = detector.prepare_batch(crops(NORMAL))
    report = detector.fit(batch, validation=batch[:1], seed=0, progress=keep, proliv=known(detector, 6, 3))
    assert [(one.epoch, one.epochs) for one in reports] == [(number, 6) for number in range(1, 7)]
    assert (report.epochs, report.best_epoch) == (tuple(reports), 6)


def relearned(false_alarms: Pixels, groups: NDArray[np.intp], confirmed: int = 0) -> tuple[Contrast, FitReport]:
    """Trained again with labelled false alarms, and with the last of the known proliv confirmed in operation."""
    detector = Contrast(Contrast.Settings.model_validate(QUICK))
    batch = detector.prepare_batch(crops(NORMAL))
    before = known(detector, 16, 4)
    more = replace(
        before, confirmed=np.arange(16) >= 16 - confirmed, false_alarms=FalseAlarms(false_alarms, NORMAL // 2 + groups)
    )
    report = detector.fit(batch, validation=batch[:1], seed=0, progress=lambda _: None, proliv=more)
    return detector, report


def odds(detector: Contrast, batch: Pixels) -> NDArray[np.float64]:
    """What the networks say, without patchstats, which learns nothing from labels."""
    features = GRID.features_of(batch)
    by_part = [part.odds(features) for part in detector._parts]
    return (by_part[0] + by_part[1]) / 2


def test_labelled_false_alarms_lower_the_odds_of_others_like_them(learned: tuple[Contrast, FitReport]) -> None:
    detector, _ = learned
    # Bars of a colour and a place that no normal crop has.
    strange = detector.prepare_batch(crops(24, seed=3))
    strange[:, 8:22, 14:34] = (20, 210, 60)
    assert detector.score(strange).deciding.min() > 1
    again, report = relearned(strange[:12], np.arange(12) % 3)
    # Those that nobody labelled; so few pictures teach it a part of what there is to learn.
    assert odds(again, strange[12:]).max() < odds(detector, strange[12:]).min()
    proliv = detector.prepare_batch(bleed_outs(8))
    assert odds(again, proliv).min() > 0
    assert report.cross_fitted_normal is not None
    assert len(report.cross_fitted_normal.deciding) == 12
    assert report.cross_fitted is not None
    assert report.cross_fitted.deciding.min() > 1


def test_a_false_alarm_is_cross_fitted_by_the_fold_that_did_not_learn_it() -> None:
    detector = Contrast(Contrast.Settings())
    strange = detector.prepare_batch(crops(4, seed=3))
    strange[:, 8:22, 14:34] = (20, 210, 60)
    # Of one group, so that one fold has learned from all of them and the other from none.
    again, report = relearned(strange, np.zeros(4, dtype=np.intp))
    assert report.cross_fitted_normal is not None
    assert (report.cross_fitted_normal.deciding > again.score(strange).deciding).all()


def test_confirmed_proliv_is_copied_and_moves_no_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    proliv: list[int] = []

    def counted(pictures: Pixels, weights: NDArray[np.float32], count: int, seed: int, *, scale: float) -> Pixels:
        made.append(count)
        return copies(pictures, weights, count, seed, scale=scale)

    def spied(material: Material, count: int, seed: int) -> Any:
        proliv.append(len(material.proliv))
        return mixture(material, count, seed)

    monkeypatch.setattr(contrast_training, "copies", counted)
    monkeypatch.setattr(contrast_training, "mixture", spied)
    detector = Contrast(Contrast.Settings())
    _, report = relearned(detector.prepare_batch(crops(2, seed=3)), np.arange(2), confirmed=5)
    # In each fold 1/12 and 1/24 as many as there are made-up pictures.
    assert made == [43, 22] * 2
    assert sum(proliv) == 11
    assert report.cross_fitted is not None
    assert len(report.cross_fitted.deciding) == 16


def test_copies_are_changed_and_the_same_for_a_seed() -> None:
    pictures = Contrast(Contrast.Settings()).prepare_batch(crops(3, seed=3))
    first, again = (copies(pictures, np.ones(3, dtype=np.float32), 300, 5, scale=0.1) for _ in range(2))
    assert first.shape == (300, 32, 48, 3)
    assert (first == again).all()
    assert len({picture.tobytes() for picture in first}) == 300
    drawn = copies(pictures, np.array([1, 0, 0], dtype=np.float32), 20, 5, scale=0.1)
    nearest = [min(range(3), key=lambda row: abs(one.astype(int) - pictures[row]).mean()) for one in drawn]
    assert nearest.count(0) > 10


def test_what_it_knows_survives_saving(learned: tuple[Contrast, FitReport], tmp_path: Path) -> None:
    detector, _ = learned
    detector.save(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".safetensors"}
    loaded = Contrast.load(tmp_path, detector.settings, "cpu")
    batch = detector.prepare_batch([*crops(5), *bleed_outs(5)])
    assert (loaded.score(batch).deciding == detector.score(batch).deciding).all()
    assert loaded.details() == detector.details()


def test_foreign_or_damaged_files_are_refused(learned: tuple[Contrast, FitReport], tmp_path: Path) -> None:
    detector, _ = learned
    detector.save(tmp_path)
    with pytest.raises(DataError, match="other settings"):
        Contrast.load(tmp_path, Contrast.Settings(folds=3), "cpu")
    (tmp_path / "fold-2" / "head.safetensors").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"fold-2.*is damaged"):
        Contrast.load(tmp_path, detector.settings, "cpu")
    (tmp_path / "contrast.safetensors").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="train the detector again"):
        Contrast.load(tmp_path, detector.settings, "cpu")


def test_without_crops_or_training_it_says_so(tmp_path: Path) -> None:
    detector = Contrast(Contrast.Settings())
    assert_it_says_that_it_is_untrained(detector, tmp_path)
    batch = np.zeros((1, 32, 48, 3), dtype=np.uint8)
    with pytest.raises(DataError, match="no crops"):
        detector.fit(batch[:0], validation=batch, seed=0, progress=lambda _: None)


@pytest.mark.parametrize("settings", [{"pool": 100}, {"folds": 1}, {"epochs": 0}, {"kappa": -1}, {"colour": "red"}])
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Contrast.Settings.model_validate(settings)


def test_the_heat_map_is_hot_where_the_bleed_out_is(learned: tuple[Contrast, FitReport]) -> None:
    detector, _ = learned
    heat = detector.heatmap(detector.prepare_batch(bleed_outs(10))).mean(axis=0)
    assert heat[8:24, 16:32].mean() > 3 * heat[:, :8].mean()


def test_what_it_was_taught_can_be_looked_at(learned: tuple[Contrast, FitReport]) -> None:
    detector, _ = learned
    normal, proliv = detector.prepare_batch(crops(6)), detector.prepare_batch(bleed_outs(4))
    lessons = detector.lessons(normal, proliv=proliv, seed=0)
    assert [(lesson.kind, lesson.taught_as, lesson.proliv) for lesson in lessons] == [
        ("crops as they are", "normal", False),
        ("objects", "normal", False),
        ("other scenes", "normal", False),
        ("other light", "normal", False),
        ("known proliv", "chaos", True),
        ("chaos in other holes", "chaos", True),
        ("empty holes", "empty", True),
    ]
    # A detector that has learned from no proliv made its chaos up, whatever is known today.
    ignorant = Contrast(Contrast.Settings())
    kinds = [lesson.kind for lesson in ignorant.lessons(normal, proliv=proliv, seed=0)]
    assert kinds == [*(lesson.kind for lesson in lessons[:4]), "chaos out of nothing", "empty holes"]


@pytest.mark.parametrize(
    ("runtime", "computed_by"),
    [("torch", "torch on cpu"), pytest.param("onnx", "ONNX Runtime on cpu", marks=needs_runtime), ("auto", "numpy")],
)
def test_every_runtime_gives_the_same_scores(
    learned: tuple[Contrast, FitReport], runtime: Runtime, computed_by: str
) -> None:
    detector, _ = learned
    detector.use_runtime("auto")
    batch = detector.prepare_batch([*crops(60, seed=2), *bleed_outs(20)])
    expected = detector.score(batch)
    try:
        assert detector.use_runtime(runtime) == computed_by
        found = detector.score(batch)
    finally:
        detector.use_runtime("auto")
    np.testing.assert_allclose(found.deciding, expected.deciding, rtol=1e-4)
    assert (found.mse == expected.mse).all()
    assert ((found.deciding >= 1) == (expected.deciding >= 1)).all()


def test_without_onnx_runtime_numpy_computes_it_and_that_is_said(
    learned: tuple[Contrast, FitReport], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    detector, _ = learned
    say_once.cache_clear()
    monkeypatch.setattr("plugins.networks.head_runtimes.missing_packages", lambda: ["onnxruntime"])
    assert detector.use_runtime("onnx") == "numpy"
    assert "contrast is computed by numpy, not by ONNX Runtime: onnxruntime cannot be imported" in caplog.text
