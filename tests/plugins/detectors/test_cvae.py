from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from generators.crops.holes import Hole
from monitor.api import CropRefusedError, DataError
from plugins.detectors.cvae import VariationalAutoencoder
from plugins.networks.variational import UNKNOWN, VariationalNetwork, divergence, draw
from plugins.pictures.framing import Padding, augmented, fitted
from tests.plugins.conftest import assert_it_says_that_it_is_untrained

PADDINGS: Sequence[Padding] = ("edge", "reflect", "black", "mean")
SMALL: dict[str, Any] = {"height": 32, "width": 32, "code_size": 8, "epochs": 2, "batch_size": 16}


def holes(count: int) -> list[Hole]:
    return [Hole(number + 1, np.random.default_rng(number)) for number in range(count)]


def normal(count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Crops without a proliv, of four holes in turn."""
    generator = np.random.default_rng(seed)
    drawn = [list(hole.normal(-(-count // 4), generator)) for hole in holes(4)]
    return [drawn[index % 4][index // 4] for index in range(count)]


def proliv(count: int) -> list[NDArray[np.uint8]]:
    return list(holes(1)[0].proliv(count, np.random.default_rng(98)))


def trained(count: int = 48, seed: int = 0, numbers: Sequence[int | None] | None = None, **settings: Any) -> Any:
    detector = VariationalAutoencoder(VariationalAutoencoder.Settings.model_validate({**SMALL, **settings}))
    detector.fit(
        detector.prepare_batch(normal(count), numbers),
        validation=detector.prepare_batch(normal(16, seed=1), None if numbers is None else [1, 2, 3, 4] * 4),
        seed=seed,
        progress=lambda _: None,
    )
    return detector


@pytest.mark.process
@pytest.mark.parametrize("decide_on", ["mse", "elbo", "regions"])
def test_bleed_outs_score_higher_than_new_normal_crops(decide_on: str) -> None:
    detector = trained(240, epochs=8, decide_on=decide_on)
    usual = detector.score(detector.prepare_batch(normal(20, seed=2)))
    odd = detector.score(detector.prepare_batch(proliv(20)))
    assert usual.decision == odd.decision == decide_on
    assert np.median(odd.deciding) > usual.deciding.max()


@pytest.mark.process
def test_a_surface_that_is_too_smooth_is_odd_although_it_is_restored_well() -> None:
    detector = trained(240, epochs=8)
    rough = detector.prepare_batch(normal(20, seed=2))
    smooth = np.broadcast_to(rough.mean(axis=(1, 2), keepdims=True).round(), rough.shape).astype(np.uint8)
    rough_scores, smooth_scores = detector.score(rough), detector.score(smooth)
    assert np.median(smooth_scores.mse) < rough_scores.mse.max()
    assert smooth_scores.others["regions"].min() > rough_scores.others["regions"].max()


def test_mse_is_the_mean_squared_error_of_the_reconstruction() -> None:
    detector = trained(blur_sigma=0)
    batch = detector.prepare_batch(normal(5, seed=3))
    errors = (batch.astype(np.float32) / 255 - detector.reconstruct(batch)) ** 2
    np.testing.assert_allclose(detector.score(batch).mse, errors.mean(axis=(1, 2, 3)), rtol=1e-4)


@pytest.mark.parametrize("beta", [0.0, 2.0])
def test_the_bound_is_the_error_in_units_of_the_spread_and_beta_times_the_divergence(beta: float) -> None:
    detector = trained(blur_sigma=0, even_light=False, beta=beta)
    batch = detector.prepare_batch(normal(5, seed=3))
    standardization = detector._network.standardization
    view = torch.tensor(batch).permute(0, 3, 1, 2) / 255
    restored = torch.tensor(detector.reconstruct(batch)).permute(0, 3, 1, 2)
    errors = (standardization(view) - standardization(restored)).square().mean(dim=(1, 2, 3)).numpy()
    scores = detector.score(batch)
    expected = errors + beta * scores.others["kl"] / (3 * 32 * 32)
    np.testing.assert_allclose(scores.others["elbo"], expected, rtol=1e-3)


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    mean, log_variance = torch.tensor([[1.0, 0.0], [0.0, -2.0]]), torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    coded = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(coded, torch.distributions.Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(divergence(mean, log_variance), expected)


def test_codes_are_drawn_with_their_mean_and_variance() -> None:
    mean, log_variance = torch.full((50_000, 1), 3.0), torch.full((50_000, 1), -1.0)
    drawn = draw(mean, log_variance, torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(3, abs=0.02)
    assert drawn.var().item() == pytest.approx(np.exp(-1), rel=0.03)


@pytest.mark.process
def test_a_heavier_divergence_leaves_less_in_the_code() -> None:
    batch = trained().prepare_batch(normal(12, seed=3))
    free, bound = (trained(160, epochs=6, beta=beta).score(batch).others["kl"].mean() for beta in (0.01, 100.0))
    assert bound < free / 2


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("rows", "columns"), [(28, 50), (50, 28), (30, 30), (1, 40), (2, 80)])
def test_a_crop_keeps_its_shape_and_stands_in_the_middle(padding: Padding, rows: int, columns: int) -> None:
    crop = np.full((rows, columns, 3), 120, dtype=np.uint8)
    (framed,) = fitted([crop], size=(32, 32), share=(1.0, 1.0), padding=padding)
    assert framed.shape == (32, 32, 3)
    if padding == "black":
        inside = (framed == 120).all(axis=2)
        height, width = (max(round(32 * side / max(rows, columns)), 1) for side in (rows, columns))
        assert (inside.any(axis=1).sum(), inside.any(axis=0).sum()) == (height, width)
        top, left = np.argwhere(inside)[0]
        assert (top, left) == ((32 - height) // 2, (32 - width) // 2)
        assert (framed[~inside] == 0).all()
    else:
        assert (framed == 120).all()


def test_each_padding_fills_the_frame_in_its_own_way() -> None:
    crop = np.repeat(np.arange(4, dtype=np.uint8)[:, None, None] * 40, 12, axis=1).repeat(3, axis=2)
    column = {
        padding: fitted([crop], size=(12, 12), share=(1.0, 1.0), padding=padding)[0, :, 5, 0].tolist()
        for padding in PADDINGS
    }
    picture = [0, 40, 80, 120]
    assert column == {
        "edge": [0] * 4 + picture + [120] * 4,
        "reflect": [80, 120, 80, 40, *picture, 80, 40, 0, 40],
        "black": [0] * 4 + picture + [0] * 4,
        "mean": [60] * 4 + picture + [60] * 4,
    }


def test_a_small_crop_may_keep_its_pixels() -> None:
    crops = [np.random.default_rng(0).integers(1, 256, size=(24, 46, 3), dtype=np.uint8), bright(80, 40)]
    small, large = fitted(crops, size=(64, 64), share=(1.0, 1.0), padding="black", enlarge=False)
    assert (small[20:44, 9:55] == crops[0]).all()
    assert small.sum() == crops[0].sum()
    # One that is too large is made smaller.
    assert (large.any(axis=2).sum(axis=0) > 0).sum() == 32


def bright(rows: int, columns: int) -> NDArray[np.uint8]:
    return np.full((rows, columns, 3), 200, dtype=np.uint8)


def test_without_standardisation_the_network_sees_intensities() -> None:
    plain, standardised = trained(standardize=False)._network, trained()._network
    assert (plain.standardization.mean == 0).all()
    assert (plain.standardization.spread == 1).all()
    assert (standardised.standardization.spread < 1).all()


def test_the_published_recipe_trains_and_decides_on_the_mean_squared_error() -> None:
    (recipe,) = VariationalAutoencoder.recipes
    settings = {**recipe.settings, "epochs": 1}
    detector = VariationalAutoencoder(VariationalAutoencoder.Settings.model_validate(settings))
    report = detector.fit(
        detector.prepare_batch(normal(32)),
        validation=detector.prepare_batch(normal(16, seed=1)),
        seed=0,
        progress=lambda _: None,
    )
    assert detector.input_size == (64, 64)
    scores = detector.score(detector.prepare_batch(proliv(4)))
    assert scores.decision == "mse"
    assert np.isfinite(scores.mse).all()
    assert (recipe.rule, report.best_epoch) == ("mean-proliv", 1)


def test_only_the_centre_of_a_crop_is_seen() -> None:
    detector = VariationalAutoencoder(VariationalAutoencoder.Settings(centre_height=0.5, centre_width=0.5))
    (crop,) = normal(1)
    framed = crop.copy()
    framed[:5], framed[-5:], framed[:, :10], framed[:, -10:] = 0, 255, 0, 255
    assert (detector.prepare(framed) == detector.prepare(crop)).all()


@pytest.mark.process
def test_in_an_even_light_the_lamps_do_not_matter_to_the_regions() -> None:
    detector = trained(240, epochs=4)
    batch = detector.prepare_batch(normal(12, seed=3))
    darker = (batch * 0.85).round().astype(np.uint8)
    usual, dark = (detector.score(crops).others["regions"] for crops in (batch, darker))
    np.testing.assert_allclose(dark, usual, rtol=0.2)


def test_augmentation_moves_mirrors_and_lights_each_crop_for_itself_and_is_repeatable() -> None:
    crops = torch.tensor(np.random.default_rng(0).integers(40, 200, size=(6, 32, 32, 4), dtype=np.uint8))
    crops[..., 3] = torch.arange(6, dtype=torch.uint8)[:, None, None]
    first, again = (augmented(crops, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.dtype == torch.uint8
    assert torch.equal(first[..., 3], crops[..., 3])
    assert len({tuple(picture.flatten().tolist()) for picture in first[..., :3]}) == 6
    brightness = first[..., :3].float().mean(dim=(1, 2, 3)) / crops[..., :3].float().mean(dim=(1, 2, 3))
    assert 0.8 < brightness.min() < brightness.max() < 1.2


def test_a_detector_can_learn_from_augmented_crops() -> None:
    detector = trained(augment=True)
    detector.score(detector.prepare_batch(normal(3))).check(3)


@pytest.mark.process
# Without these settings it is one of the laws of every detector.
@pytest.mark.parametrize("settings", [{"augment": True}, {"hole_numbers": True}])
def test_the_same_seed_trains_the_same_detector_and_the_global_generator_is_left_alone(
    settings: dict[str, Any],
) -> None:
    before = torch.get_rng_state()
    first, again, other = (trained(seed=seed, numbers=[1, 2, 3, 4] * 12, **settings) for seed in (4, 4, 5))
    batch = first.prepare_batch(normal(4, seed=6))
    for name, values in first.score(batch).others.items():
        assert (values == again.score(batch).others[name]).all()
        assert (values != other.score(batch).others[name]).any()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "settings",
    [
        {"padding": "white"},
        {"height": 40},
        {"width": 0},
        {"cell": 5},
        {"beta": -1},
        {"beta": float("nan")},
        {"decide_on": "kl"},
        {"code_size": 0},
        {"colour": "red"},
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VariationalAutoencoder.Settings.model_validate(settings)


# Holes that are known by number


def test_without_the_setting_numbers_change_nothing() -> None:
    detector = VariationalAutoencoder(VariationalAutoencoder.Settings())
    crops = normal(3)
    assert (detector.prepare_batch(crops, [1, 2, None]) == detector.prepare_batch(crops)).all()


def test_the_fourth_channel_carries_the_number_or_zero() -> None:
    detector = VariationalAutoencoder(VariationalAutoencoder.Settings(hole_numbers=True))
    crops = normal(7)
    prepared = detector.prepare_batch(crops, [7, None, 0, 255, 256, 10**30, -3])
    assert prepared.shape == (7, 64, 64, 4)
    assert prepared.dtype == np.uint8
    assert (prepared[..., 3] == np.array([7, 0, 0, 255, 255, 255, 0])[:, None, None]).all()
    assert (detector.prepare_batch(crops)[..., 3] == UNKNOWN).all()
    assert detector.prepare_batch([]).shape == (0, 64, 64, 4)
    with pytest.raises(CropRefusedError):
        detector.prepare_batch([np.zeros((4, 50, 3), dtype=np.uint8)], [1])


@pytest.fixture(scope="module")
def conditioned() -> VariationalAutoencoder:
    """Trained on the crops of four holes, most of them with their number."""
    detector: VariationalAutoencoder = trained(240, numbers=[1, 2, 3, 4] * 60, hole_numbers=True, epochs=8)
    return detector


@pytest.mark.process
def test_another_holes_number_changes_the_scores(conditioned: VariationalAutoencoder) -> None:
    crops = normal(40, seed=5)
    own = conditioned.score(conditioned.prepare_batch(crops, [1, 2, 3, 4] * 10))
    others = conditioned.score(conditioned.prepare_batch(crops, [2, 3, 4, 1] * 10))
    assert (own.mse != others.mse).all()
    assert own.others["elbo"].mean() < others.others["elbo"].mean()


@pytest.mark.process
def test_a_hole_that_is_not_known_is_scored_as_one_without_a_number(conditioned: VariationalAutoencoder) -> None:
    crops = normal(8, seed=5)
    nameless = conditioned.score(conditioned.prepare_batch(crops))
    foreign = conditioned.score(conditioned.prepare_batch(crops, [77] * 8))
    nameless.check(8)
    assert (nameless.deciding == foreign.deciding).all()
    odd = conditioned.score(conditioned.prepare_batch(proliv(8)))
    assert np.median(odd.deciding) > nameless.deciding.max()


@pytest.mark.process
def test_a_conditioned_detector_keeps_the_laws(conditioned: VariationalAutoencoder, tmp_path: Path) -> None:
    batch = conditioned.prepare_batch(normal(9, seed=5), [1, 2, None, 4, 1, 2, 3, 99, 1])
    batch.setflags(write=False)
    scores = conditioned.score(batch)
    scores.check(9)
    assert conditioned.reconstruct(batch).shape == (9, 32, 32, 3)
    assert conditioned.latent(batch).shape == (9, 8)
    assert conditioned.reconstruct(batch[:0]).shape == (0, 32, 32, 3)
    conditioned.score(batch[:0]).check(0)
    for row in range(9):
        single = conditioned.score(batch[row : row + 1])
        np.testing.assert_allclose(single.mse, scores.mse[row : row + 1], rtol=1e-4)
        np.testing.assert_allclose(single.deciding, scores.deciding[row : row + 1], rtol=1e-4)
    conditioned.save(tmp_path)
    loaded = VariationalAutoencoder.load(tmp_path, conditioned.settings, "cpu")
    assert (loaded.score(batch).deciding == scores.deciding).all()
    np.testing.assert_array_equal(loaded.reconstruct(batch), conditioned.reconstruct(batch))


def test_crops_without_a_number_are_learned_from_among_those_with_one() -> None:
    network = trained(numbers=[1, 2, 3, 4] * 12, hole_numbers=True)._network
    assert isinstance(network, VariationalNetwork)
    assert network.holes is not None
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        first = VariationalNetwork(32, 32, 8, holes=True).holes
    assert first is not None
    learned = (network.holes.weight != first.weight).any(dim=1).nonzero().flatten().tolist()
    assert learned == [UNKNOWN, 1, 2, 3, 4]


def test_an_untrained_detector_says_so(tmp_path: Path) -> None:
    assert_it_says_that_it_is_untrained(VariationalAutoencoder(VariationalAutoencoder.Settings()), tmp_path)


def test_foreign_or_damaged_weights_are_refused(tmp_path: Path) -> None:
    trained(epochs=1).save(tmp_path)
    for other in ({"code_size": 7}, {"hole_numbers": True}):
        settings = VariationalAutoencoder.Settings.model_validate({**SMALL, **other})
        with pytest.raises(DataError, match=r"weights\.safetensors"):
            VariationalAutoencoder.load(tmp_path, settings, "cpu")
    with pytest.raises(DataError, match=r"regions\.safetensors"):
        VariationalAutoencoder.load(
            tmp_path, VariationalAutoencoder.Settings.model_validate({**SMALL, "cell": 8}), "cpu"
        )
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(DataError, match=r"weights\.safetensors"):
        VariationalAutoencoder.load(tmp_path, VariationalAutoencoder.Settings.model_validate(SMALL), "cpu")
