from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import normalize

from monitor.api import DataError
from plugins.detectors.mnad import MemoryAutoencoder
from plugins.networks.memory import Memory, MemoryNetwork, Range, new_memory_network
from tests.plugins.conftest import assert_it_says_that_it_is_untrained, bleed_outs, crops

if TYPE_CHECKING:
    from pathlib import Path


def trained(count: int = 48, seed: int = 0, **settings: Any) -> MemoryAutoencoder:
    small = {"epochs": 2, "channels": 2, "learning_rate": 2e-3}
    detector = MemoryAutoencoder(MemoryAutoencoder.Settings.model_validate({**small, **settings}))
    detector.fit(
        detector.prepare_batch(crops(count)),
        validation=detector.prepare_batch(crops(16, seed=1)),
        seed=seed,
        progress=lambda _: None,
    )
    return detector


def unit(*rows: list[float]) -> torch.Tensor:
    return normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


# The memory


def test_a_query_is_answered_by_the_softmax_over_the_items() -> None:
    memory = Memory(3, 2)
    memory.items = unit([1, 0], [0, 1], [-1, 0])
    (answer,) = memory.read(unit([1, 0])).tolist()
    total = math.e + 1 + 1 / math.e
    assert answer == pytest.approx([(math.e - 1 / math.e) / total, 1 / total])


def test_an_item_moves_towards_the_queries_that_are_nearest_to_it() -> None:
    memory = Memory(3, 2)
    memory.items = unit([1, 0], [0, 1], [-1, 0])
    queries = unit([4, 3], [4, -3], [1, 0.1], [0.1, 1])
    memory.update(queries)
    # The first three are nearest to the first item; the third fits best and counts in full.
    cosines = queries[:3, 0]
    weights = (cosines - cosines.max()).exp()
    expected = normalize(unit([1, 0])[0] + weights @ queries[:3], dim=0)
    torch.testing.assert_close(memory.items[0], expected)
    torch.testing.assert_close(memory.items[1], normalize(unit([0, 1])[0] + queries[3], dim=0))
    # Nothing is nearest to the third item.
    assert memory.items[2].tolist() == [-1, 0]


def test_queries_are_drawn_to_their_nearest_item_and_away_from_the_second() -> None:
    memory = Memory(3, 2)
    memory.items = unit([1, 0], [0, 1], [-1, 0])
    compactness, separateness = memory.losses(unit([4, 3], [1, 0]))
    near, far = math.hypot(0.2, 0.6), math.hypot(0.8, 0.4)
    assert float(compactness) == pytest.approx(near**2 / 4)
    assert float(separateness) == pytest.approx((near - far + 1 + 0) / 2)


def test_the_memorys_health_is_counted() -> None:
    memory = Memory(3, 2)
    memory.items = unit([1, 0], [0, 1], [4, 3])
    memory.count_use(unit([1, 0], [1, 0.1], [0, 1], [1, -1]))
    assert memory.use.tolist() == [0.75, 0.25, 0]
    assert memory.largest_cosine() == pytest.approx(0.8)


def test_a_range_is_frozen_and_not_clamped() -> None:
    span = Range()
    span.learn(torch.tensor([4.0, 2.0, 3.0]))
    assert span(torch.tensor([2.0, 4.0, 6.0, 1.0])).tolist() == [0, 1, 2, -0.5]


@pytest.mark.parametrize(("values", "ends"), [([3.0, 3.0], [3, 3.03]), ([0.0, 0.0], [0, 1]), ([2.0], [2, 2.02])])
def test_a_range_of_values_that_are_all_alike_has_a_width(values: list[float], ends: list[float]) -> None:
    span = Range()
    span.learn(torch.tensor(values))
    assert span.ends() == pytest.approx(ends)


# The network


def test_at_64_channels_the_network_is_the_published_one() -> None:
    network = MemoryNetwork(channels=64, items=10)
    encoder, decoder = (
        [layer for layer in part.modules() if isinstance(layer, torch.nn.Conv2d)]
        for part in (network.encoder, network.decoder)
    )
    assert [encoder[0].in_channels, *(layer.out_channels for layer in encoder)] == [
        *(3, 64, 64, 128, 128, 256, 256, 512, 512)
    ]
    assert [decoder[0].in_channels, *(layer.out_channels for layer in decoder)] == [
        *(1024, 512, 512, 256, 256, 128, 128, 64, 64, 3)
    ]
    assert 16e6 < sum(weights.numel() for weights in network.parameters()) < 18e6
    assert isinstance(list(network.decoder.modules())[-1], torch.nn.Tanh)
    assert network.memory is not None
    assert network.memory.items.shape == (10, 512)


def test_a_crop_of_48_by_32_has_24_queries_of_length_1() -> None:
    network = new_memory_network(channels=2, items=10, seed=0).eval()
    queries = network.query(torch.rand(3, 3, 32, 48) * 2 - 1)
    assert queries.shape == (3, 16, 4, 6)
    torch.testing.assert_close(queries.norm(dim=1), torch.ones(3, 4, 6))


def test_the_decoder_sees_the_queries_and_what_the_memory_answers() -> None:
    network = new_memory_network(channels=2, items=10, seed=0)
    queries = normalize(torch.randn(2, 16, 4, 4), dim=1)
    assert network.memory is not None
    place = queries[1, :, 2, 3]
    torch.testing.assert_close(network.answer(queries)[1, :, 2, 3], network.memory.read(place[None])[0])
    before = network.decode(queries)
    network.memory.items = -network.memory.items
    assert not torch.equal(before, network.decode(queries))


# Scores


@pytest.mark.process
@pytest.mark.parametrize("memory", [True, False])
def test_bleed_outs_and_holes_that_are_too_smooth_are_far_from_the_usual(memory: bool) -> None:
    detector = trained(200, memory=memory, epochs=4, batch_size=16)
    normal = detector.score(detector.prepare_batch(crops(20, seed=2)))
    proliv = detector.score(detector.prepare_batch(bleed_outs(20)))
    assert proliv.mse.min() > normal.mse.max()
    for name in ("low_psnr", "combined", "regions"):
        assert proliv.others[name].min() > normal.others[name].max()
    smooth = detector.score(detector.prepare_batch(crops(20, seed=3, roughness=0)))
    assert np.median(smooth.mse) < np.median(normal.mse)
    assert smooth.others["regions"].min() > normal.others["regions"].max()


@pytest.mark.parametrize("decide_on", ["mse", "combined", "regions"])
def test_the_setting_says_which_score_decides(decide_on: str) -> None:
    detector = trained(24, epochs=1, decide_on=decide_on)
    assert detector.score(detector.prepare_batch(crops(2))).decision == decide_on


@pytest.mark.parametrize("even_light", [True, False])
def test_mse_is_the_mean_squared_error_of_the_reconstruction(even_light: bool) -> None:
    detector = trained(blur_sigma=0, even_light=even_light)
    batch = detector.prepare_batch(crops(5, seed=3))
    errors = (batch.astype(np.float32) / 255 - detector.reconstruct(batch)) ** 2
    np.testing.assert_allclose(detector.score(batch).mse, errors.mean(axis=(1, 2, 3)), rtol=1e-4)


def test_the_ends_of_the_published_scores_are_those_of_the_held_out_crops() -> None:
    detector = trained(alpha=0.6)
    held_out = detector.score(detector.prepare_batch(crops(16, seed=1)))
    ends = held_out.others["low_psnr"].min(), held_out.others["low_psnr"].max()
    # But for the rounding, which is another in scoring than in the training.
    assert ends == pytest.approx((0, 1), abs=1e-5)
    scores = detector.score(detector.prepare_batch(bleed_outs(5)))
    low, high = detector.details()["feature_distance_range"]
    assert low == pytest.approx(held_out.others["feature_distance"].min(), rel=1e-6)
    expected = 0.6 * scores.others["low_psnr"] + 0.4 * (scores.others["feature_distance"] - low) / (high - low)
    np.testing.assert_allclose(scores.others["combined"], expected, rtol=1e-4)
    # Nothing is clamped: a bleed-out is worse than the worst held-out crop.
    assert scores.others["low_psnr"].min() > 1


def test_the_psnr_is_that_of_the_reconstruction_in_even_light() -> None:
    detector = trained(blur_sigma=0, even_light=False)
    scores = detector.score(detector.prepare_batch(bleed_outs(5)))
    low, high = detector.details()["psnr_range"]
    psnr = low + (1 - scores.others["low_psnr"]) * (high - low)
    np.testing.assert_allclose(psnr, -10 * np.log10(scores.mse), rtol=1e-4)


def test_the_light_does_not_matter_where_it_is_made_even() -> None:
    batch = np.full((1, 32, 32, 3), 120, dtype=np.uint8)
    batch[0, 8:16] = 160
    darker = (batch // 2).astype(np.uint8)
    even, uneven = trained(), trained(even_light=False)
    for name in ("low_psnr", "feature_distance", "regions"):
        assert even.score(darker).others[name] == pytest.approx(even.score(batch).others[name], rel=1e-3)
    assert uneven.score(darker).deciding != pytest.approx(uneven.score(batch).deciding, rel=1e-3)


def test_the_regions_are_judged_by_their_error_and_their_texture() -> None:
    detector = trained(blur_sigma=0, even_light=False, cell=16)
    batch = detector.prepare_batch(crops(3, seed=5))
    assert detector._network is not None
    (seen,) = detector._seen(detector._as_trained(detector._network), batch)
    features = detector._features(seen)
    assert features.shape == (3, 4, 2)
    picture, cell = batch[1].astype(np.float64) / 255, (slice(0, 16), slice(16, 32))
    error = (picture - detector.reconstruct(batch)[1]) ** 2
    grey = np.pad(picture.mean(axis=2), 1, mode="edge")
    down, across = (grey[2:, 1:-1] - grey[:-2, 1:-1]) / 2, (grey[1:-1, 2:] - grey[1:-1, :-2]) / 2
    expected = [math.log(part[cell].mean() + 1e-6) for part in (error, down**2 + across**2)]
    assert features[1, 1].tolist() == pytest.approx(expected, rel=1e-3)


# The memory of a trained detector


def test_the_memory_learns_in_training_and_stands_still_when_scoring() -> None:
    detector = trained()
    untouched = new_memory_network(channels=2, items=10, seed=0).memory
    assert untouched is not None
    items = detector.prototypes()
    assert not np.allclose(items, untouched.items.numpy())
    np.testing.assert_allclose(np.linalg.norm(items, axis=1), 1, rtol=1e-5)
    detector.score(detector.prepare_batch(bleed_outs(8)))
    np.testing.assert_array_equal(detector.prototypes(), items)


def test_codes_are_the_mean_queries_in_the_space_of_the_items() -> None:
    detector = trained(items=4)
    assert detector.prototypes().shape == (4, 16)
    batch = detector.prepare_batch(crops(3, seed=2))
    assert detector.latent(batch).shape == (3, 16)
    assert (np.linalg.norm(detector.latent(batch), axis=1) <= 1 + 1e-6).all()


def test_the_health_of_the_memory_is_shown_and_kept(tmp_path: Path) -> None:
    detector = trained()
    details = json.loads(json.dumps(detector.details()))
    assert len(details["use"]) == 10
    assert sum(details["use"]) == pytest.approx(1, abs=1e-3)
    assert details["dead_items"] == details["use"].count(0)
    assert 0 < details["largest_cosine"] <= 1.0001
    detector.save(tmp_path)
    assert MemoryAutoencoder.load(tmp_path, detector.settings, "cpu").details() == detector.details()


def test_without_a_memory_the_decoder_gets_each_query_twice() -> None:
    detector = trained(memory=False)
    network = detector._network
    assert network is not None
    queries = normalize(torch.randn(2, 16, 4, 4), dim=1)
    assert torch.equal(network.answer(queries), queries)
    scores = detector.score(detector.prepare_batch(bleed_outs(2)))
    assert scores.others.keys() == {"low_psnr", "combined", "regions"}
    assert (scores.others["combined"] == scores.others["low_psnr"]).all()
    assert detector.prototypes().shape == (0, 16)
    assert detector.details().keys() == {"memory", "psnr_range"}


# Settings and training


@pytest.mark.parametrize(
    "settings",
    [
        {"height": 30},
        {"height": 8},
        {"cell": 5},
        {"items": 1},
        {"alpha": 1.5},
        {"decide_on": "low_psnr"},
        {"epochs": 0},
        {"blur_sigma": float("nan")},
        {"colour": "red"},
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MemoryAutoencoder.Settings.model_validate(settings)


def test_the_step_size_falls_along_a_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[float] = []
    step = torch.optim.Adam.step

    def noting(optimizer: torch.optim.Adam, *arguments: Any) -> Any:
        steps.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", noting)
    trained(24, epochs=4, batch_size=24, patience=0, learning_rate=1e-3)
    assert steps == pytest.approx([0.5e-3 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4)])
    assert all(later < earlier for earlier, later in pairwise(steps))


@pytest.mark.process
def test_another_seed_trains_another_detector() -> None:
    first, other = trained(seed=4), trained(seed=5)
    batch = first.prepare_batch(crops(4, seed=6))
    assert (first.score(batch).deciding != other.score(batch).deciding).any()


def test_an_untrained_detector_says_so(tmp_path: Path) -> None:
    detector = MemoryAutoencoder(MemoryAutoencoder.Settings())
    assert_it_says_that_it_is_untrained(detector, tmp_path)
    for ask in (detector.prototypes, detector.details):
        with pytest.raises(DataError, match="not been trained"):
            ask()


def test_foreign_or_damaged_weights_are_refused(tmp_path: Path) -> None:
    detector = trained(epochs=1)
    detector.save(tmp_path)
    weights = tmp_path / "weights.safetensors"
    for other in ({"channels": 3}, {"channels": 2, "items": 7}, {"channels": 2, "memory": False}):
        with pytest.raises(DataError, match=r"weights\.safetensors"):
            MemoryAutoencoder.load(tmp_path, MemoryAutoencoder.Settings.model_validate(other), "cpu")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(DataError, match=r"weights\.safetensors"):
        MemoryAutoencoder.load(tmp_path, detector.settings, "cpu")
