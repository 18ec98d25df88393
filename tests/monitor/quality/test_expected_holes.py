from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from monitor.configuration.settings import Calibration, Completeness
from monitor.quality.expected_holes import LEARN_CROPS, Presence, expected_holes, learn_presence, slices
from tests.support.made_up import made_up, midpoint
from tests.support.made_up_arrivals import NOW, came

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_hole_is_learned_from_two_intervals_and_a_tenth_of_the_active_ones() -> None:
    presence = Presence.of([came("C", 100, h1=(10, 0, 0), h2=(9, 0, 0), h3=(1, 2, 7)), came("D", 1, h1=(1, 0, 0))])
    assert expected_holes({}, [presence]) == {"C": {1, 3}}
    twice = Presence.of([came("C", 10, h1=(1, 0, 0), h2=(1, 0, 0)), came("C", 10, h1=(1, 0, 0))])
    assert expected_holes({}, [twice]) == {"C": {1}}
    recent = Presence.of([came("C", 10, h2=(1, 0, 0), h5=(2, 0, 0))])
    assert expected_holes({}, [presence, recent]) == {"C": {1, 3, 5}}
    assert expected_holes({"C": {7}, "E": {8}}, [presence]) == {"C": {7}, "E": {8}}


def test_of_too_many_learned_holes_the_busiest_are_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.quality.expected_holes.MOST_EXPECTED_HOLES", 2)
    presence = Presence.of([came("C", 10, h1=(3, 0, 0), h2=(9, 0, 0), h3=(5, 0, 0))])
    assert expected_holes({}, [presence]) == {"C": {2, 3}}


@given(first=st.integers(0, 10**9), length=st.integers(1, 700_000), crops=st.integers(0, 10**8))
def test_slices_lie_apart_and_hold_about_as_many_crops_as_are_looked_at(first: int, length: int, crops: int) -> None:
    end = first + length
    made = slices(first, end, crops)
    assert made == sorted(made)
    assert all(first <= begin < stop <= end for begin, stop in made)
    assert all(before[1] <= after[0] for before, after in pairwise(made))
    assert made[-1][1] == end
    total = sum(stop - begin for begin, stop in made)
    wanted = length if crops <= LEARN_CROPS else length * LEARN_CROPS / crops
    assert total <= max(wanted + 1, 10)
    assert total >= min(length, wanted) / 2 - 1


def test_learning_from_slices_finds_the_same_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Completeness(interval_seconds=10, learn_days=0.1)
    monkeypatch.setattr("monitor.quality.expected_holes.LEARN_CROPS", 100)
    with made_up(tmp_path) as store:
        store.calibrate(midpoint(Calibration()), [0.5] * 100, [2.0] * 20, NOW - timedelta(days=60))
        for number in range(400):
            store.crop(0.1, at=NOW - timedelta(seconds=20 * number), hole=1 + number % 4)
        with store.database.read() as connection:
            presence = learn_presence(connection, settings, NOW, {})
    assert presence.active["C"] < 300
    assert expected_holes({}, [presence]) == {"C": {1, 2, 3, 4}}
