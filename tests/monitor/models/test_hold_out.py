import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.errors import DataError
from monitor.models import hold_out as module
from monitor.models.hold_out import (
    MOST_REPRESENTATIVES,
    groups_of_proliv,
    hold_out,
    joined,
    near_duplicates,
    renumbered,
    twins,
)


def hole(number: int) -> NDArray[np.float64]:
    """Coarse blocks that tell one hole from another: float (30, 50, 3)."""
    blocks = np.random.default_rng(1000 + number).uniform(60, 190, size=(5, 5, 3))
    return blocks.repeat(6, axis=0).repeat(10, axis=1)


def frames(holes: int, each: int) -> list[NDArray[np.uint8]]:
    """``each`` frames of every hole that differ by the camera's noise: uint8 (30, 50, 3)."""
    noise = np.random.default_rng(7)
    return [
        (hole(number) + noise.normal(0, 3, size=(30, 50, 3))).round().clip(0, 255).astype(np.uint8)
        for number in range(holes)
        for _ in range(each)
    ]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_frames_of_one_hole_stay_together(seed: int) -> None:
    held_out = hold_out(frames(holes=20, each=10), share=0.2, seed=seed).held_out.reshape(20, 10)
    assert (held_out.all(axis=1) == held_out.any(axis=1)).all()
    assert held_out.all(axis=1).sum() == 4


def test_the_same_seed_holds_out_the_same_crops_and_another_seed_others() -> None:
    crops = frames(holes=20, each=3)
    chosen = hold_out(crops, share=0.2, seed=5).held_out
    assert chosen.dtype == np.bool_
    assert (chosen == hold_out(crops, share=0.2, seed=5).held_out).all()
    assert any((chosen != hold_out(crops, share=0.2, seed=seed).held_out).any() for seed in range(6, 10))


def test_crops_are_not_modified() -> None:
    crops = frames(holes=4, each=2)
    before = [crop.copy() for crop in crops]
    hold_out(crops, share=0.3, seed=0)
    assert all((crop == old).all() for crop, old in zip(crops, before, strict=True))


def test_exact_copies_never_part() -> None:
    crops = [crop for crop in frames(holes=30, each=1) for _ in range(2)]
    held_out = hold_out(crops, share=0.2, seed=0).held_out
    assert (held_out[::2] == held_out[1::2]).all()


@pytest.mark.parametrize("count", [2, 3, 10, 101])
def test_one_picture_many_times_is_still_parted(count: int) -> None:
    held_out = hold_out(frames(holes=1, each=1) * count, share=0.2, seed=0).held_out
    assert held_out.sum() == max(round(0.2 * count), 1)


def test_a_chain_of_lookalikes_does_not_become_one_giant_group() -> None:
    chain = np.linspace(0, 1, 500, dtype=np.float32)[:, None]
    groups = near_duplicates(chain, largest=50)
    assert np.bincount(groups).max() <= 50
    assert len(np.bincount(groups)) < 50


def test_more_kinds_than_representatives_are_parted_too() -> None:
    points = np.random.default_rng(0).uniform(0, 1, size=(MOST_REPRESENTATIVES + 500, 8)).astype(np.float32)
    groups = near_duplicates(points, largest=100)
    assert np.bincount(groups).max() <= 100


@settings(deadline=None)
@given(count=st.integers(2, 40), holes=st.integers(1, 40), share=st.floats(0.01, 0.99), seed=st.integers(0, 2**32 - 1))
def test_both_parts_always_have_a_crop(count: int, holes: int, share: float, seed: int) -> None:
    crops = [hole(index % holes).astype(np.uint8) for index in range(count)]
    held_out = hold_out(crops, share=share, seed=seed).held_out
    assert 1 <= held_out.sum() <= max(round(share * count), 1)
    assert not held_out.all()


def test_crops_of_any_size_are_compared() -> None:
    sizes = [(8, 8), (24, 46), (31, 53), (300, 8), (8, 300)]
    crops = [np.full((*size, 3), 100, dtype=np.uint8) for size in sizes]
    assert hold_out(crops, share=0.2, seed=0).held_out.sum() == 1


def test_proliv_of_one_hole_and_near_duplicates_of_different_holes_share_a_group() -> None:
    crops = [*frames(holes=6, each=1), frames(holes=6, each=1)[2]]
    groups = groups_of_proliv(crops, [1, 1, 2, 3, None, None, 3])
    assert groups[0] == groups[1]
    assert groups[2] == groups[3] == groups[6]
    assert sorted(np.bincount(groups)) == [1, 1, 2, 3]
    assert len(groups_of_proliv([], [])) == 0


def test_groups_are_numbered_without_gaps() -> None:
    assert renumbered(np.array([7, 3, 7, 9])).tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_crops_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=f"{count} crops"):
        hold_out(frames(holes=1, each=count), share=0.2, seed=0)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_leaves_a_part_empty_is_refused(share: float) -> None:
    with pytest.raises(DataError, match="share"):
        hold_out(frames(holes=2, each=2), share=share, seed=0)


def test_near_duplicates_among_others_are_found_and_nothing_else() -> None:
    crops, others = frames(holes=4, each=1), frames(holes=6, each=2)[4:]
    assert twins(crops, others).tolist()[:2] == [-1, -1]
    assert [place // 2 for place in twins(crops, others).tolist()[2:]] == [0, 1]
    assert twins(crops, []).tolist() == [-1] * 4
    assert twins([], others).tolist() == []


def test_others_join_the_groups_of_their_near_duplicates() -> None:
    crops, others = frames(holes=3, each=2), frames(holes=5, each=3)[6:]
    together = joined(crops, np.array([0, 0, 1, 1, 2, 2]), others)
    # Those of the third hole with the last two crops, and two holes that are new.
    assert together.tolist()[:9] == [0, 0, 1, 1, 2, 2, 2, 2, 2]
    assert together.tolist()[9:] in ([3, 3, 3, 4, 4, 4], [4, 4, 4, 3, 3, 3])
    assert joined(crops, np.array([0, 0, 4, 4, 7, 7]), []).tolist() == [0, 0, 1, 1, 2, 2]


def test_a_group_of_others_joins_groups_that_were_apart() -> None:
    crops, others = frames(holes=2, each=2), frames(holes=1, each=1)
    assert joined(crops, np.array([0, 1, 2, 2]), others).tolist() == [0, 0, 1, 1, 0]


def test_labels_of_years_are_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    crops = list(generator.integers(0, 255, (40, 10, 16, 3), dtype=np.uint8))
    others = [*crops[7:30:2], *generator.integers(0, 255, (9, 10, 16, 3), dtype=np.uint8)]
    expected = [(row - 7) // 2 if 7 <= row < 30 and row % 2 else -1 for row in range(40)]
    sizes, distances = [], module._distances

    def measured(points: NDArray[np.float32], more: NDArray[np.float32]) -> NDArray[np.float32]:
        sizes.append(len(points) * len(more))
        return distances(points, more)

    monkeypatch.setattr(module, "_distances", measured)
    whole = joined(crops, np.arange(40), others).tolist()
    monkeypatch.setattr(module, "MOST_DISTANCES", 100)
    sizes.clear()
    assert twins(crops, others).tolist() == expected
    assert joined(crops, np.arange(40), others).tolist() == whole
    assert max(sizes) <= 100
