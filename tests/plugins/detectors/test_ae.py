from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from monitor.api import DataError
from plugins.detectors.ae import Autoencoder
from tests.plugins.conftest import assert_it_says_that_it_is_untrained, bleed_outs, crops

VARIANTS = ["conv", "linear-2", "linear-5", "dense-30x50"]


def trained(count: int = 48, seed: int = 0, **settings: Any) -> Autoencoder:
    detector = Autoencoder(Autoencoder.Settings.model_validate({"epochs": 2, **settings}))
    detector.fit(
        detector.prepare_batch(crops(count)),
        validation=detector.prepare_batch(crops(16, seed=1)),
        seed=seed,
        progress=lambda _: None,
    )
    return detector


@pytest.mark.process
@pytest.mark.parametrize("variant", VARIANTS)
def test_bleed_outs_score_higher_than_new_normal_crops(variant: str) -> None:
    detector = trained(200, variant=variant, epochs=4, batch_size=16)
    normal = detector.score(detector.prepare_batch(crops(20, seed=2))).mse
    proliv = detector.score(detector.prepare_batch(bleed_outs(20))).mse
    assert proliv.min() > normal.max()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_score_is_the_mean_squared_error_of_the_reconstruction(variant: str) -> None:
    detector = trained(variant=variant, blur_sigma=0)
    batch = detector.prepare_batch(crops(5, seed=3))
    errors = (batch.astype(np.float32) / 255 - detector.reconstruct(batch)) ** 2
    np.testing.assert_allclose(detector.score(batch).mse, errors.mean(axis=(1, 2, 3)), rtol=1e-4)


def test_the_blur_takes_noise_away_and_leaves_an_even_colour_as_it_is() -> None:
    even = np.full((1, 32, 32, 3), 100, dtype=np.uint8)
    noisy = (even + np.random.default_rng(0).integers(-40, 40, size=even.shape)).astype(np.uint8)
    blurred, plain = trained(blur_sigma=3.0), trained(blur_sigma=0.0)
    assert blurred.score(noisy).mse < plain.score(noisy).mse
    spread = abs(blurred._view(torch.tensor(even)) - 100 / 255).max()
    assert spread < 1e-6


def test_the_edge_of_a_crop_is_not_seen() -> None:
    detector = trained(centre_width=0.5, centre_height=0.5)
    (crop,) = crops(1)
    framed = crop.copy()
    framed[:5], framed[-5:], framed[:, :10], framed[:, -10:] = 0, 255, 0, 255
    assert (detector.prepare(framed) == detector.prepare(crop)).all()


def test_the_default_is_the_convolutional_recipe() -> None:
    assert Autoencoder.Settings() == Autoencoder.Settings.model_validate({"variant": "conv"})
    assert trained(epochs=1).input_size == (32, 32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_settings_that_a_model_keeps_are_those_in_effect(variant: str) -> None:
    settings = Autoencoder.Settings.model_validate({"variant": variant})
    assert None not in settings.model_dump().values()
    assert Autoencoder.Settings.model_validate(settings.model_dump(mode="json")) == settings


def test_a_variant_brings_its_settings_and_what_is_given_wins() -> None:
    dense = Autoencoder.Settings.model_validate({"variant": "dense-30x50"}).model_dump()
    assert (dense["height"], dense["width"], dense["epochs"], dense["patience"]) == (30, 50, 50, 0)
    shorter = Autoencoder.Settings.model_validate({"variant": "dense-30x50", "epochs": 3}).model_dump()
    assert shorter == {**dense, "epochs": 3}


@pytest.mark.parametrize(
    ("variant", "widths"),
    [
        ("linear-2", [4500, 64, 4500]),
        ("linear-5", [4500, 512, 128, 64, 512, 4500]),
        ("dense-30x50", [4500, 512, 256, 512, 4500]),
    ],
)
def test_the_published_networks_have_the_published_layers(variant: str, widths: list[int]) -> None:
    network = trained(24, variant=variant, epochs=1)._network
    assert network is not None
    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    assert [layers[0].in_features, *(layer.out_features for layer in layers)] == widths


RECIPES = {recipe.name: recipe for recipe in Autoencoder.recipes}


def test_the_recipes_say_what_the_publications_say() -> None:
    dense = RECIPES["dense-30x50"]
    settings = Autoencoder.Settings.model_validate(dense.settings).model_dump()
    published = {
        "height": 30, "width": 50, "centre_height": 1, "centre_width": 1, "blur_sigma": 0, "even_light": False,
        "standardize": False, "loss": "sum", "epochs": 50, "patience": 0, "keep": "last", "batch_size": 64,
        "learning_rate": 1e-3, "decide_on": "mse", "code_size": 256,
    }  # fmt: skip
    assert published.items() <= settings.items()
    assert (dense.rule, dense.rule_settings) == ("fixed", {"threshold": "12/4500"})
    found = {name: (one.rule, one.rule_settings) for name, one in RECIPES.items() if name != "dense-30x50"}
    assert found == {"linear-2": ("fraction-of-max", {"k": 0.56}), "linear-5": ("fraction-of-max", {"k": 0.6})}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_learns_from_colours_as_they_are(name: str) -> None:
    detector = trained(200, **{**RECIPES[name].settings, "epochs": 4})
    network = detector._network
    assert network is not None
    assert (network.standardization.mean == 0).all()
    assert (network.standardization.spread == 1).all()
    usual = detector.score(detector.prepare_batch(crops(20, seed=2))).mse
    assert detector.score(detector.prepare_batch(bleed_outs(20))).mse.mean() > usual.mean()


def test_the_loss_may_be_the_sum_of_squares() -> None:
    def losses(loss: str) -> list[float]:
        detector = Autoencoder(Autoencoder.Settings.model_validate({"epochs": 1, "learning_rate": 1e-9, "loss": loss}))
        batch = detector.prepare_batch(crops(8))
        report = detector.fit(batch, validation=batch, seed=0, progress=lambda _: None)
        return [report.epochs[0].train_loss, report.epochs[0].validation_loss]

    assert losses("sum") == pytest.approx([loss * 3 * 32 * 32 for loss in losses("mean")], rel=1e-4)


def test_a_model_of_an_earlier_program_is_standardised(tmp_path: Path) -> None:
    """Its settings have neither of the new keys, and its weights hold mean and deviation."""
    detector = trained(variant="linear-2")
    detector.save(tmp_path)
    new = {"standardize", "loss", "keep"}
    earlier = {key: value for key, value in detector.settings.model_dump(mode="json").items() if key not in new}
    settings = Autoencoder.Settings.model_validate(earlier)
    assert settings == detector.settings
    batch = detector.prepare_batch(crops(4))
    assert (Autoencoder.load(tmp_path, settings, "cpu").score(batch).mse == detector.score(batch).mse).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"variant": "cubist"},
        {"variant": ["conv"]},
        {"height": 30},
        {"epochs": 0},
        {"blur_sigma": float("nan")},
        {"centre_width": 0},
        {"learning_rate": float("inf")},
        {"colour": "red"},
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Autoencoder.Settings.model_validate(settings)


def test_another_seed_trains_another_detector() -> None:
    first, other = trained(seed=4), trained(seed=5)
    batch = first.prepare_batch(crops(4, seed=6))
    assert (first.score(batch).mse != other.score(batch).mse).any()


def test_an_untrained_detector_says_so(tmp_path: Path) -> None:
    assert_it_says_that_it_is_untrained(Autoencoder(Autoencoder.Settings()), tmp_path)


def test_foreign_or_damaged_weights_are_refused(tmp_path: Path) -> None:
    trained(epochs=1).save(tmp_path)
    weights = tmp_path / "weights.safetensors"
    with pytest.raises(DataError, match=r"weights\.safetensors"):
        Autoencoder.load(tmp_path, Autoencoder.Settings.model_validate({"code_size": 7}), "cpu")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(DataError, match=r"weights\.safetensors"):
        Autoencoder.load(tmp_path, Autoencoder.Settings(), "cpu")
