"""Avatars: every pixel's distribution is n/N, the probabilities are exact, the same seed gives the same pictures."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import chi2

from generators.avatars.models import (
    MODELS,
    AvatarModel,
    ChannelModel,
    CoherentModel,
    PixelModel,
    embedded_sources,
    generate,
    make_model,
)
from monitor.api import DataError
from tests.generators.avatars.conftest import blocks

if TYPE_CHECKING:
    from tests.generators.avatars.conftest import Pixels

DRAWN = 2000


def least_p_value(model: AvatarModel, seed: int = 1) -> float:
    """The least p-value of a chi-square test at each pixel (each channel of it for `channel`), times their number."""
    sources = model.sources
    generator = np.random.default_rng(seed)
    drawn = np.stack([model.sample(generator) for _ in range(DRAWN)])
    units = 1 if isinstance(model, ChannelModel) else sources.shape[3]
    # (images, places, values that belong together)
    weights = 256 ** np.arange(units)
    given, made = (images.reshape(len(images), -1, units) @ weights for images in (sources, drawn))
    least = 1.0
    for place in range(given.shape[1]):
        expected = Counter(given[:, place].tolist())
        observed = Counter(made[:, place].tolist())
        assert observed.keys() <= expected.keys()
        if len(expected) > 1:
            shares = {value: count / len(sources) * DRAWN for value, count in expected.items()}
            statistic = sum((observed[value] - share) ** 2 / share for value, share in shares.items())
            least = min(least, float(chi2.sf(statistic, len(expected) - 1)))
    return float(least * given.shape[1])


@pytest.mark.parametrize("model", ["channel", "pixel"])
def test_marginals_of_independent_models(model: str) -> None:
    assert least_p_value(make_model(model, blocks())) > 0.01


@pytest.mark.parametrize("coherence", [0.0, 0.3, 0.6, 0.8, 1.0])
def test_marginals_of_the_coherent_model(coherence: float) -> None:
    assert least_p_value(CoherentModel(blocks(), coherence=coherence)) > 0.01


def test_marginals_of_the_coherent_model_of_faces() -> None:
    assert least_p_value(CoherentModel(embedded_sources((24, 25)).pixels)) > 0.01


def test_marginals_are_held_to_more_than_every_colour_coming_up() -> None:
    """The test of the tests: a field that prefers one source fails them."""
    model = CoherentModel(blocks(), coherence=0.8)
    assert model.mosaic is not None
    edge = model.mosaic.edges[0]
    edge.kernel[:] = 0.8 * edge.kernel + 0.2 * np.eye(1, 5, 2)
    assert least_p_value(model) < 1e-6


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("smoothing", [0.0, 0.01])
def test_coherent_probabilities_are_sums_over_all_labels(seed: int, smoothing: float) -> None:
    sources = blocks(3, seed=seed)
    model = CoherentModel(sources, smoothing, coherence=0.65)
    assert model.mosaic is not None
    count = len(model.mosaic.edges) + 1
    assert 3 <= count <= 8
    picture = model.sample(np.random.default_rng(seed))
    kept = 3 / (3 + 256 * smoothing)
    total = 0.0
    for labels in itertools.product(range(3), repeat=count):
        chance = 1 / 3
        for edge in model.mosaic.edges:
            chance *= edge.kernel[labels[edge.parent], labels[edge.child]]
        shown = np.take_along_axis(sources, np.array(labels)[model.mosaic.parts][None, ..., None], 0)[0]
        like = (shown == picture).all(axis=-1).sum()
        noise = (1 - kept) / 256**3
        total += chance * (kept + noise) ** int(like) * noise ** int(64 - like)
    assert model.log_probability(picture) == pytest.approx(math.log(total), rel=1e-9)


@pytest.mark.parametrize("root", [0, 1])
@pytest.mark.parametrize("smoothing", [1e-20, 1e-12, 0.5])
def test_coherent_probabilities_of_copies_that_only_smoothing_can_draw(smoothing: float, root: int) -> None:
    """The likeliest source may not follow itself; what is left is less than the smallest double, and is no zero."""
    sources = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3), dtype=np.uint8)
    sources[1, :6] = sources[0, :6]
    sources[1, 0, :2] += 1
    model = CoherentModel(sources, smoothing, coherence=0.95)
    assert model.mosaic is not None
    assert model.mosaic.no_copies
    # Either part is the one that the other follows.
    model.mosaic = replace(model.mosaic, parts=np.abs(model.mosaic.parts - root))
    (edge,) = model.mosaic.edges
    np.testing.assert_array_equal(edge.kernel, [[0, 1], [1, 0]])
    kept = 2 / (2 + 256 * smoothing)
    noise = 256 * smoothing / (2 + 256 * smoothing) / 256**3
    logs = []
    for labels in ((0, 1), (1, 0)):
        shown = np.where((model.mosaic.parts == 0)[..., None], sources[labels[0]], sources[labels[1]])
        like = int((shown == sources[0]).all(axis=-1).sum())
        logs.append(like * math.log(kept + noise) + (144 - like) * math.log(noise) - math.log(2))
    assert model.log_probability(sources[0]) == pytest.approx(np.logaddexp.reduce(logs), rel=1e-12)


def test_coherent_probabilities_sum_to_one_over_all_pictures() -> None:
    sources = blocks(3, seed=1)
    model = CoherentModel(sources, coherence=0.65)
    assert model.mosaic is not None
    pictures = {
        np.take_along_axis(sources, np.array(labels)[model.mosaic.parts][None, ..., None], 0)[0].tobytes()
        for labels in itertools.product(range(3), repeat=len(model.mosaic.edges) + 1)
    }
    logs = [model.log_probability(np.frombuffer(one, np.uint8).reshape(8, 8, 3)) for one in pictures]
    assert math.fsum(math.exp(log) for log in logs) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_probabilities_of_independent_models_are_those_of_the_formula(smoothing: float) -> None:
    sources = blocks(channels=4)
    picture = ChannelModel(sources).sample(np.random.default_rng(4))
    by_channel = sum(
        math.log(((sources[:, y, x, c] == picture[y, x, c]).sum() + smoothing) / (5 + 256 * smoothing))
        for y, x, c in np.ndindex(8, 8, 4)
    )
    assert ChannelModel(sources, smoothing).log_probability(picture) == pytest.approx(by_channel)
    picture = PixelModel(sources).sample(np.random.default_rng(4))
    by_pixel = sum(
        math.log(((sources[:, y, x] == picture[y, x]).all(axis=-1).sum() + smoothing / 256**3) / (5 + 256 * smoothing))
        for y, x in np.ndindex(8, 8)
    )
    assert PixelModel(sources, smoothing).log_probability(picture) == pytest.approx(by_pixel)
    assert CoherentModel(sources, smoothing).independent_log_probability(picture) == pytest.approx(by_pixel)


def test_a_picture_that_cannot_be_drawn() -> None:
    picture = np.full((8, 8, 3), 7, dtype=np.uint8)
    for name in MODELS:
        assert make_model(name, blocks()).log_probability(picture) == -math.inf
        assert math.isfinite(make_model(name, blocks(), smoothing=0.1).log_probability(picture))


@pytest.mark.parametrize("model", MODELS)
def test_smoothing_brings_in_other_values_as_often_as_it_says(model: str) -> None:
    sources = embedded_sources((66, 70)).pixels
    smoothing = len(sources) / 256
    made = make_model(model, sources, smoothing=smoothing)
    picture = made.sample(np.random.default_rng(3))
    known = (picture == sources).any(axis=0) if model == "channel" else (picture == sources).all(axis=-1).any(axis=0)
    # Half of the values come from the smoothing, of which nearly none is a source's by chance.
    assert known.mean() == pytest.approx(0.5, abs=0.03)
    assert math.isfinite(made.log_probability(picture))


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_avatars_however_many(model: str) -> None:
    made = make_model(model, blocks())
    few, many, other = (list(generate(made, count, seed)) for count, seed in ((3, 7), (6, 7), (6, 8)))
    for first, second in zip(few, many, strict=False):
        np.testing.assert_array_equal(first.pixels, second.pixels)
        assert first.log_probability == second.log_probability
    assert [avatar.number for avatar in many] == [1, 2, 3, 4, 5, 6]
    assert {avatar.pixels.tobytes() for avatar in many} != {avatar.pixels.tobytes() for avatar in other}
    assert len({avatar.pixels.tobytes() for avatar in many}) > 3


@pytest.mark.parametrize("coherence", [0.5, 0.8, 0.97])
def test_no_avatar_is_a_copy(coherence: float) -> None:
    model = CoherentModel(embedded_sources((40, 42)).pixels, coherence=coherence)
    assert model.no_copies
    sources = {source.tobytes() for source in model.sources}
    generator = np.random.default_rng(0)
    assert not any(model.sample(generator).tobytes() in sources for _ in range(500))
    assert all(model.log_probability(source) == -math.inf for source in model.sources)


def test_no_avatar_is_a_copy_though_images_share_what_they_show() -> None:
    """Of upper halves a, b, c and lower halves x, y some pairs are images; the others may be drawn, and only they."""
    halves = np.array([30, 90, 150, 210], dtype=np.uint8)
    sources = np.zeros((4, 8, 8, 3), dtype=np.uint8)
    for number, (upper, lower) in enumerate([(0, 0), (0, 1), (1, 0), (2, 3)]):
        sources[number, :4], sources[number, 4:] = halves[upper], halves[3 - lower]
    model = CoherentModel(sources, coherence=0.85)
    drawn = [model.sample(np.random.default_rng(seed)).tobytes() for seed in range(300)]
    copied = any(source.tobytes() in drawn for source in sources)
    assert model.no_copies is not copied


def test_coherence_one_gives_whole_images_with_equal_chances() -> None:
    sources = blocks()
    model = CoherentModel(sources, coherence=1)
    assert {model.sample(np.random.default_rng(seed)).tobytes() for seed in range(100)} == {
        source.tobytes() for source in sources
    }
    assert model.log_probability(sources[0]) == pytest.approx(-math.log(5))
    assert not model.no_copies


def test_coherence_zero_is_the_pixel_model() -> None:
    coherent, pixel = (list(generate(make_model(name, blocks(), coherence=0), 3, 1)) for name in ("coherent", "pixel"))
    for first, second in zip(coherent, pixel, strict=True):
        np.testing.assert_array_equal(first.pixels, second.pixels)
        assert first.log_probability == second.log_probability == first.independent_log_probability


def test_more_coherence_leaves_fewer_seams() -> None:
    sources = embedded_sources((66, 70)).pixels
    bits = [
        np.mean([avatar.bits_per_pixel for avatar in generate(CoherentModel(sources, coherence=coherence), 5, 1)])
        for coherence in (0.0, 0.4, 0.7, 0.95)
    ]
    assert bits == sorted(bits, reverse=True)
    assert bits[0] > 100 * bits[2]


def test_avatars_by_the_dozen_differ_from_each_other() -> None:
    model = CoherentModel(embedded_sources((66, 70)).pixels)
    assert len({avatar.pixels.tobytes() for avatar in generate(model, 100, 0)}) > 80


def test_sources_that_are_equal_or_tiny() -> None:
    same = np.full((3, 4, 4, 3), 9, dtype=np.uint8)
    tiny = np.arange(6, dtype=np.uint8).reshape(2, 1, 1, 3)
    wide = np.arange(2 * 1 * 2 * 4, dtype=np.uint8).reshape(2, 1, 2, 4)
    for sources in (same, tiny, wide):
        for name in MODELS:
            (avatar,) = generate(make_model(name, sources), 1, 0)
            assert avatar.pixels.shape == sources.shape[1:]
            assert avatar.log_probability <= 0
    assert not CoherentModel(same).no_copies
    assert make_model("channel", same).log_probability(same[0]) == 0
    (avatar,) = generate(make_model("channel", same), 1, 0)
    assert str(avatar.bits_per_pixel) == "0.0"


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("coherence", [0.8, 0.99])
def test_a_few_pixels_have_two_parts_all_the_same(coherence: float, channels: int) -> None:
    for seed in range(30):
        generator = np.random.default_rng(seed)
        shape = (3, *generator.integers(1, 5, 2), channels)
        model = CoherentModel(generator.integers(0, 256, shape, dtype=np.uint8), coherence=coherence)
        assert model.mosaic is not None
        assert model.mosaic.edges or shape[1:3] == (1, 1)
        assert model.no_copies or shape[1:3] == (1, 1)


def test_bits_per_pixel() -> None:
    """Two images that differ in every pixel: one bit a pixel, where pixels are independent."""
    sources = np.stack([np.zeros((6, 7, 3), np.uint8), np.full((6, 7, 3), 255, np.uint8)])
    (avatar,) = generate(PixelModel(sources), 1, 0)
    assert avatar.bits_per_pixel == pytest.approx(1)
    assert avatar.independent_bits_per_pixel is None
    (avatar,) = generate(ChannelModel(sources), 1, 0)
    assert avatar.bits_per_pixel == pytest.approx(3)


def test_many_images_and_low_coherence() -> None:
    """More than 256 images, whose numbers fill more than a byte, and more parts than are refined."""
    model = CoherentModel(blocks(300, 16), coherence=0.4)
    (avatar,) = generate(model, 1, 5)
    assert math.isfinite(avatar.log_probability)
    assert len(generate_labels(model)) > 5


def generate_labels(model: CoherentModel) -> set[int]:
    return set(model.labels(np.random.default_rng(0)).ravel().tolist())


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (np.zeros((1, 4, 4, 3), np.uint8), "two images or more"),
        (np.zeros((0, 4, 4, 3), np.uint8), "not empty"),
        (np.zeros((3, 4, 4), np.uint8), r"\(N, H, W, 3 or 4\)"),
        (np.zeros((3, 4, 4, 3)), "float64"),
    ],
)
def test_wrong_sources_are_refused(sources: Pixels, said: str) -> None:
    with pytest.raises(DataError, match=said):
        PixelModel(sources)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(DataError, match="smoothing"):
        ChannelModel(blocks(), -1)
    with pytest.raises(DataError, match="smoothing"):
        ChannelModel(blocks(), math.nan)
    with pytest.raises(DataError, match="not so large that sums overflow"):
        CoherentModel(blocks(), 1e308)
    with pytest.raises(DataError, match="coherence"):
        CoherentModel(blocks(), coherence=1.5)
    with pytest.raises(DataError, match="2001 images are too many"):
        CoherentModel(np.zeros((2001, 1, 2, 3), np.uint8))
    with pytest.raises(DataError, match="channel, pixel, coherent"):
        make_model("potts", blocks())
    with pytest.raises(DataError, match=r"\(8, 8, 3\)"):
        PixelModel(blocks()).log_probability(np.zeros((8, 8, 4), np.uint8))
