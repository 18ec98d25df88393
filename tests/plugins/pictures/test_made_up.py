"""Made-up pictures: within 0-1, of the right shape, the same for the same seed, and what they are said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from plugins.pictures.made_up import chaos, drawing, empty_holes, light, objects, photometry, placing, remixes
from plugins.pictures.made_up.drawing import Draw
from plugins.pictures.made_up.kinds import kinds, of_kind
from plugins.pictures.made_up.mixture import (
    BATCH,
    CHAOS,
    CLASSES,
    EMPTY,
    NORMAL,
    Labelled,
    Material,
    chaos_out_of_nothing,
    mixture,
)
from plugins.pictures.resizing import resized
from tests.plugins.conftest import bleed_outs, crops

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SIZE = (32, 48)
NORMAL_CROPS = resized(crops(60), size=SIZE)
PROLIV = resized(bleed_outs(12), size=SIZE)
WEIGHTS = np.ones(len(NORMAL_CROPS), dtype=np.float32)
MATERIAL = Material(NORMAL_CROPS, WEIGHTS, PROLIV)


def tensor(count: int = 24) -> Tensor:
    return torch.tensor(NORMAL_CROPS[:count]).permute(0, 3, 1, 2).float() / 255


def proliv() -> Tensor:
    return torch.tensor(np.concatenate([PROLIV, PROLIV])).permute(0, 3, 1, 2).float() / 255


def transplanted(draw: Draw, pictures: Tensor) -> Tensor:
    return chaos.transplanted(draw, pictures, proliv()[: len(pictures)])


KINDS: list[Callable[[Draw, Tensor], Tensor]] = [
    chaos.lumpy,
    transplanted,
    empty_holes.emptied,
    light.lit,
    objects.with_objects,
    objects.partly_hidden,
    photometry.photographed,
    placing.placed,
    remixes.remixed,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_every_kind_is_of_the_same_shape_within_the_range_and_by_the_seed(
    kind: Callable[[Draw, Tensor], Tensor],
) -> None:
    before = tensor()
    made, again, other = kind(Draw(1), tensor()), kind(Draw(1), tensor()), kind(Draw(2), tensor())
    assert made.shape == before.shape
    assert made.dtype == torch.float32
    assert torch.isfinite(made).all()
    # Bilinear interpolation may leave the range by the last bit.
    assert made.min() >= 0
    assert made.max() <= 1 + 1e-6
    assert torch.equal(made, again)
    assert not torch.equal(made, other)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
@pytest.mark.parametrize("count", [1, 2])
def test_few_pictures_and_black_ones_are_taken_as_well(kind: Callable[[Draw, Tensor], Tensor], count: int) -> None:
    assert torch.isfinite(kind(Draw(0), torch.zeros(count, 3, *SIZE))).all()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_what_they_are_made_of_stays_as_it_is(kind: Callable[[Draw, Tensor], Tensor]) -> None:
    before = tensor()
    kind(Draw(3), before)
    assert torch.equal(before, tensor())


def test_an_empty_hole_is_smoother_and_bluer_inside_and_the_same_outside() -> None:
    before = tensor()
    after = empty_holes.emptied(Draw(0), before)
    inside = (slice(None), slice(None), slice(13, 21), slice(20, 28))

    def roughness(pictures: Tensor) -> Tensor:
        return pictures[inside].std(dim=(2, 3)).mean()

    assert roughness(after) < 0.6 * roughness(before)
    blueness = [pictures[:, 2].mean() / pictures[:, 0].mean() for pictures in (after[inside], before[inside])]
    assert blueness[0] > blueness[1]
    assert torch.allclose(after[:, :, 0], before[:, :, 0], atol=0.02)


def test_chaos_is_rougher_in_the_middle() -> None:
    before = tensor()
    after = chaos.lumpy(Draw(0), before)
    middle = (slice(None), slice(None), slice(12, 22), slice(18, 30))
    assert after[middle].std(dim=(2, 3)).mean() > 1.5 * before[middle].std(dim=(2, 3)).mean()


def test_a_transplant_shows_the_proliv_that_it_is_made_of() -> None:
    # With bleed-outs of two colours, the pasted part has the colours of the one that was given.
    blue, red = (torch.zeros(10, 3, *SIZE) + 0.2 for _ in range(2))
    blue[:, 2] += 0.5
    red[:, 0] += 0.5
    grey = torch.full((10, 3, *SIZE), 0.5)
    pasted = slice(4, 8)
    bluish, reddish = (chaos.transplanted(Draw(0), grey, colour)[pasted, :, 16, 24].mean(0) for colour in (blue, red))
    assert bluish[2] > bluish[0]
    assert reddish[0] > reddish[2]


def test_objects_never_hide_most_of_the_middle_of_a_proliv() -> None:
    before = proliv().repeat(10, 1, 1, 1)
    change = (objects.partly_hidden(Draw(5), before) - before).abs().sum(dim=1) > objects.HIDDEN
    share = change[:, 6:27, 12:36].float().mean(dim=(1, 2))
    assert 0 < share.max() < objects.MOST_HIDDEN
    freely = (objects.with_objects(Draw(5), before) - before).abs().sum(dim=1) > objects.HIDDEN
    assert freely[:, 6:27, 12:36].float().mean(dim=(1, 2)).max() > objects.MOST_HIDDEN


def test_a_shift_is_at_most_so_many_pixels() -> None:
    point = torch.zeros(200, 3, 33, 49)
    point[:, :, 16, 24] = 1
    weights = placing.placed(Draw(0), point, scale=0.0).sum(dim=1)
    place = torch.stack(
        [
            (weights.sum(dim=2) * torch.arange(33)).sum(1) / weights.sum((1, 2)) - 16,
            (weights.sum(dim=1) * torch.arange(49)).sum(1) / weights.sum((1, 2)) - 24,
        ]
    ).abs()
    assert 2 < place.max() <= placing.SHIFT + 0.5


def test_parts_are_in_proportion_and_leave_nothing_out() -> None:
    assert [(part.start, part.stop) for part in drawing.parts(10, (1, 1, 2))] == [(0, 2), (2, 5), (5, 10)]
    assert drawing.parts(0, (1, 1)) == [slice(0, 0), slice(0, 0)]


def made(seed: int = 0, material: Material = MATERIAL) -> Labelled:
    (first, second) = mixture(material, BATCH + 1, seed)
    assert first.pictures.shape == second.pictures.shape == (BATCH, *SIZE, 3)
    assert not (first.pictures == second.pictures).all()
    return first


def test_a_mixture_is_half_normal_and_its_classes_are_what_is_shown() -> None:
    pictures, classes = made()
    assert pictures.dtype == np.uint8
    assert np.bincount(classes).tolist() == [128, 64, 64]
    assert CLASSES == ("normal", "chaos", "empty")
    middles = pictures[:, 12:20, 18:30].astype(np.float64)
    # As a share of its brightness, so that neither lamps nor exposure count.
    roughness = middles.mean(axis=3).std(axis=(1, 2)) / middles.mean(axis=(1, 2, 3))
    normal, chaotic, empty = (np.median(roughness[classes == one]) for one in (NORMAL, CHAOS, EMPTY))
    assert empty < normal < chaotic


def test_a_mixture_is_that_of_its_seed() -> None:
    assert (made(1).pictures == made(1).pictures).all()
    assert not (made(1).pictures == made(2).pictures).all()


def test_a_mixture_needs_no_proliv() -> None:
    _, classes = made(material=Material(NORMAL_CROPS, WEIGHTS, PROLIV[:0]))
    assert np.bincount(classes).tolist() == [128, 64, 64]
    assert chaos_out_of_nothing(MATERIAL, 5, seed=0).shape == (5, *SIZE, 3)


def test_crops_of_weight_0_are_never_drawn() -> None:
    normal = np.stack([np.full((*SIZE, 3), value, dtype=np.uint8) for value in (0, 255)])
    only_white = Material(normal, np.array([0, 1], dtype=np.float32), PROLIV)
    assert made(material=only_white).pictures[:40].min() > 100


def test_material_is_not_modified() -> None:
    before = NORMAL_CROPS.copy(), PROLIV.copy()
    made()
    assert (before[0] == NORMAL_CROPS).all()
    assert (before[1] == PROLIV).all()


@pytest.mark.parametrize("known", [True, False])
def test_each_kind_of_the_mixture_can_be_looked_at_by_itself(known: bool) -> None:
    proliv_given = PROLIV if known else PROLIV[:0]
    sheets = {kind.name: of_kind(kind, NORMAL_CROPS[:24], proliv_given, 1) for kind in kinds(proliv=known)}
    assert {kind.taught_as for kind in kinds(proliv=known)} == {NORMAL, CHAOS, EMPTY}
    assert ("chaos out of nothing" in sheets) != ("known proliv" in sheets) == known
    for kind in kinds(proliv=known):
        sheet = sheets[kind.name]
        assert sheet.shape == (24, *SIZE, 3)
        assert sheet.dtype == np.uint8
        assert (sheet == of_kind(kind, NORMAL_CROPS[:24], proliv_given, 1)).all()
        assert not (sheet == of_kind(kind, NORMAL_CROPS[:24], proliv_given, 2)).all()
    # Each from the same crops by the same numbers, so that what differs is the kind.
    assert len({sheet.tobytes() for sheet in sheets.values()}) == len(sheets)


def test_a_kind_shows_what_its_name_says() -> None:
    of = {kind.name: of_kind(kind, NORMAL_CROPS[:24], PROLIV, 0) for kind in kinds(proliv=True)}
    middles = {name: sheet[:, 12:20, 18:30].astype(np.float64) for name, sheet in of.items()}
    rough = {
        name: float(np.median(middle.mean(axis=3).std(axis=(1, 2)) / middle.mean(axis=(1, 2, 3))))
        for name, middle in middles.items()
    }
    assert rough["empty holes"] < rough["crops as they are"] < rough["chaos in other holes"]
    assert rough["crops as they are"] < rough["known proliv"]
