from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from monitor.configuration.settings import Calibration
from monitor.thresholds.evidence import Item
from monitor.thresholds.weights import NormalShares, Recent, stratum_weights
from monitor.words import Label
from tests.support.made_up import NOW, MadeUp
from tests.support.made_up_rules import DAY, evidence


def test_every_incident_counts_the_same(store: MadeUp) -> None:
    for index in range(40):
        store.label(store.crop(6.0, at=NOW + index * timedelta(seconds=1)), "proliv", at=NOW + DAY)
    found = evidence(store)
    new = found.scores.proliv == 6.0
    assert found.incidents == 11
    assert found.scores.proliv_weights[new].sum() == pytest.approx(found.scores.proliv_weights[~new].sum() / 10)


def test_older_crops_count_half_for_each_half_life(store: MadeUp) -> None:
    store.label(store.crop(1.5, at=NOW + 30 * DAY), "ne_proliv", at=NOW + 30 * DAY)
    found = evidence(store, Calibration(half_life_days=30), days=45)
    new = found.scores.normal == 1.5
    assert found.scores.normal_weights[~new].tolist() == pytest.approx([found.scores.normal_weights[new][0] / 2] * 10)


def test_false_alarms_have_the_share_that_they_have_on_the_line(store: MadeUp) -> None:
    # Of 100 crops 4 alarm; of those two are labelled, both ne_proliv: 4 false alarms among 100 crops.
    for _ in range(96):
        store.crop(1.2)
    alarms = [store.crop(3.0) for _ in range(4)]
    for crop in alarms[:2]:
        store.label(crop, "ne_proliv")
    found = evidence(store)
    high = found.scores.normal == 3.0
    assert found.scores.normal_weights[high].sum() / found.scores.normal_weights.sum() == pytest.approx(0.04)


def test_crops_that_came_with_their_label_are_no_false_alarms_of_the_line(store: MadeUp) -> None:
    store.crop(1.0)
    store.label(store.crop(3.0, source="labelled"), "ne_proliv")
    found = evidence(store)
    assert found.scores.normal_weights.tolist() == [1.0] * 11
    assert found.items[0].crop is not None
    assert found.items[0].label is Label.NE_PROLIV


def test_strata_keep_their_shares_whatever_their_ages(store: MadeUp) -> None:
    late = NOW + 180 * DAY
    for _ in range(96):
        store.crop(1.0, at=late - DAY)
    for _ in range(4):
        store.label(store.crop(2.5, at=late - DAY), "ne_proliv", at=late - DAY)
    found = evidence(store, Calibration(half_life_days=30), days=180)
    high = found.scores.normal == 2.5
    assert found.scores.normal_weights[high].sum() / found.scores.normal_weights.sum() == pytest.approx(0.04)


def test_unusual_crops_have_the_share_that_they_have_on_the_line(store: MadeUp) -> None:
    # Of 100 crops 4 alarm and 10 are unusual; of these most were drawn, one of them is a missed proliv.
    for _ in range(86):
        store.crop(1.2)
    unusual = [store.crop(1.4, unusual=True) for _ in range(10)]
    alarms = [store.crop(3.0) for _ in range(4)]
    for crop in [*alarms[:2], *unusual[:4]]:
        store.label(crop, "ne_proliv")
    store.label(unusual[4], "proliv")
    found = evidence(store)
    total = found.scores.normal_weights.sum()
    shares = {score: found.scores.normal_weights[found.scores.normal == score].sum() / total for score in (1.4, 3.0)}
    # 10 unusual ones of which 4 of 5 are ne_proliv, 4 false alarms, and 86 others.
    assert shares == {1.4: pytest.approx(8 / 98), 3.0: pytest.approx(4 / 98)}


def test_unusual_crops_stand_for_all_that_passed_if_nothing_else_is_labelled() -> None:
    ages = np.ones(3)
    made = [labelled(alarmed=True), labelled(unusual=True), labelled(unusual=True)]
    recent = Recent({"proliv": 10, "ne_proliv": 90}, 20)
    assert stratum_weights(made, ages, recent, NormalShares(1.0, 1.0)).tolist() == [10.0, 45.0, 45.0]
    made.append(labelled())
    weights = stratum_weights(made, np.ones(4), recent, NormalShares(1.0, 1.0))
    assert weights.tolist() == [10.0, 10.0, 10.0, 70.0]
    # None was unusual lately: those from before are like all others.
    assert stratum_weights(made, np.ones(4), recent._replace(unusual=0), NormalShares(1.0, 1.0)).tolist() == [
        10.0, 30.0, 30.0, 30.0,
    ]  # fmt: skip


def test_an_old_false_alarm_does_not_let_drawn_unusual_crops_count_for_more_than_they_are() -> None:
    made = [labelled(alarmed=True), *[labelled(unusual=True)] * 2, *[labelled()] * 2]
    weights = stratum_weights(made, np.ones(5), Recent({"ne_proliv": 100}, 20), NormalShares(1.0, 1.0))
    assert weights.tolist() == [pytest.approx(80 / 3), 10.0, 10.0, pytest.approx(80 / 3), pytest.approx(80 / 3)]


def labelled(*, alarmed: bool = False, unusual: bool = False) -> Item:
    crop: Any = SimpleNamespace(alarmed=alarmed, unusual=unusual, in_operation=True)
    return Item("a", Label.NE_PROLIV, 1.0, None, None, NOW, crop)


def test_labels_that_are_set_aside_do_not_say_what_alarms_are_worth(store: MadeUp) -> None:
    settings = Calibration(half_life_days=0, flood_labels=5)
    store.label(store.crop(3.0), "ne_proliv", at=NOW + DAY)
    shares = []
    for label in ("proliv", "ne_proliv"):
        for index in range(6):
            store.label(store.crop(3.0, camera=f"K{index}"), label, author="eve", at=NOW + 2 * DAY)
        store.crop(1.0)
        found = evidence(store, settings, days=3)
        assert len(found.set_aside) == 1
        high = found.scores.normal == 3.0
        shares.append(found.scores.normal_weights[high].sum() / found.scores.normal_weights.sum())
    # All labelled alarms that count are false: so are all, as far as is known, which is 7 of 7 and 13 of 14.
    assert shares == pytest.approx([7 / 8, 13 / 15])
