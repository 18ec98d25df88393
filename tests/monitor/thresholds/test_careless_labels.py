"""Two careless commands, `label --hole 2 --as proliv` without times, took 59 crops that nobody had looked at."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from monitor.configuration.settings import Calibration
from monitor.store.references import references_of
from monitor.thresholds.calibration import calibrate, recalibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.overview import overviews
from monitor.words import Refusal
from tests.support.made_up import NOW, MadeUp, made_up, midpoint, store_crop, store_label
from tests.support.made_up_rules import DAY, night

if TYPE_CHECKING:
    from collections.abc import Iterator

MORNING = NOW + timedelta(hours=6)
# With these, nothing but what a test is about may refuse.
UNGUARDED: dict[str, Any] = {"most_proliv_lost": 1.0, "most_ne_proliv_lost": 1.0, "one_action_labels": 1000}


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[MadeUp]:
    """A threshold of 1.24 between 301 normal crops, 59 of them between 0.8 and 1.21, and 40 bleed-outs from 1.27 on."""
    with made_up(tmp_path) as store:
        normal = [*np.linspace(0.3, 0.7, 242), *np.linspace(0.8, 1.21, 59)]
        store.calibrate(midpoint(Calibration()), normal, np.linspace(1.27, 4, 40))
        assert store.active().threshold == pytest.approx(1.24, abs=0.01)
        yield store


def label_carelessly(
    store: MadeUp, counts: tuple[int, ...] = (40, 19), label: str = "proliv", score: float = 0.5
) -> list[int]:
    """A command for each count; its labels are stored at one moment, and the crops are of the whole day before."""
    active = store.active()
    assert active.threshold is not None
    first = store.next_id
    with store.database.write() as connection:
        for command, count in enumerate(counts):
            for index in range(count):
                at = NOW - timedelta(minutes=20 * index + command)
                store_crop(connection, active, store.next_id, score, active.threshold, at, hole=2)
                store_label(connection, store.next_id, label, "eve", MORNING + command * timedelta(minutes=1))
                store.next_id += 1
    return list(range(first, store.next_id))


def test_the_night_refuses_what_would_cost_a_fifth_of_the_normal_crops(plant: MadeUp) -> None:
    before = plant.active()
    label_carelessly(plant)
    refused = night(plant, midpoint(Calibration()))
    assert refused.refusal == Refusal.LOSES_NE_PROLIV
    assert refused.threshold == pytest.approx(0.78, abs=0.01)
    assert "of all 301 labelled ne_proliv crops the new threshold 0.77" in (refused.reason or "")
    assert "raises an alarm on 59 that the active 1.24" in (refused.reason or "")
    # 59 of 301, by Clopper and Pearson at least 15.3 %.
    assert "by their weights 19.6%, at least 15.3% of such crops, and calibration.most_ne_proliv_lost allows 5.0%" in (
        refused.reason or ""
    )
    assert plant.active() == before
    assert plant.rows()[-1].evidence["all"]["ne_proliv"] == {"lost": 59, "of": 301}


def test_a_dry_run_and_the_overview_say_the_same(plant: MadeUp) -> None:
    label_carelessly(plant)
    by = ChangeRequest(NOW + DAY, "recalibrate")
    (tried,) = recalibrate(plant.database, midpoint(Calibration()), by, dry_run=True)
    assert (tried.result, len(plant.rows())) == ("refused", 1)
    refused = night(plant, midpoint(Calibration()))
    assert refused.reason == tried.reason
    with plant.database.read() as connection:
        (overview,) = overviews(connection)
    assert overview.refused is not None
    assert overview.refused.reason == refused.reason


@pytest.mark.parametrize("counts", [(59,), (40, 19), (12,)])
def test_one_action_moves_no_threshold_although_the_bounds_allow_it(plant: MadeUp, counts: tuple[int, ...]) -> None:
    label_carelessly(plant, counts)
    # Others label as well, but few of what they label speaks for a lower threshold.
    label_carelessly(plant, (5,) * 3, "ne_proliv", 0.6)
    plant.label(plant.crop(3.0), "proliv", author="ann", at=MORNING)
    refused = night(plant, midpoint(Calibration(**{**UNGUARDED, "one_action_labels": 10})), days=2)
    assert refused.refusal == Refusal.ONE_ACTION
    total = sum(counts)
    assert f"{total} of the {total + 1} crops that were newly labelled proliv were given by eve" in (
        refused.reason or ""
    )
    assert "2026-03-02 09:00:00+00:00" in (refused.reason or "")
    assert "raises an alarm on 59 of all 316 labelled ne_proliv crops" in (refused.reason or "")


def test_without_the_bounds_it_would_be_taken_with_a_warning(plant: MadeUp) -> None:
    label_carelessly(plant)
    taken = night(plant, midpoint(Calibration(**UNGUARDED)))
    assert taken.result == "activated"
    assert any("of all 301 labelled ne_proliv crops it decides 59 wrongly" in note for note in taken.notes)


def test_corrected_labels_let_the_next_night_go_on(plant: MadeUp) -> None:
    rules = midpoint(Calibration())
    taken = label_carelessly(plant)
    assert night(plant, rules).result == "refused"
    with plant.database.write() as connection:
        for crop in taken:
            store_label(connection, crop, "ne_proliv", "eve", NOW + DAY)
    corrected = night(plant, rules, days=2)
    assert corrected.result in ("activated", "unchanged")
    assert corrected.threshold == pytest.approx(1.24, abs=0.02)


def test_a_person_may_accept_it(plant: MadeUp) -> None:
    label_carelessly(plant)
    by = ChangeRequest(NOW + DAY, "recalibrate", accept=True)
    (taken,) = recalibrate(plant.database, midpoint(Calibration()), by)
    assert (taken.result, plant.active().threshold) == ("activated", taken.threshold)


def test_bleed_outs_that_were_called_normal_are_not_given_up(plant: MadeUp) -> None:
    label_carelessly(plant, (59,), "ne_proliv", 2.6)
    refused = night(plant, midpoint(Calibration()))
    assert refused.refusal == Refusal.LOSES_PROLIV
    assert "of all 40 labelled proliv crops the new threshold" in (refused.reason or "")
    unbounded = night(plant, midpoint(Calibration(**{**UNGUARDED, "one_action_labels": 10})), days=2)
    assert unbounded.refusal == Refusal.ONE_ACTION
    assert "59 of the 59 crops that were newly labelled ne_proliv were given by eve" in (unbounded.reason or "")


def test_a_bleed_out_that_one_command_labels_is_learned(plant: MadeUp) -> None:
    label_carelessly(plant, (60,), "proliv", 2.2)
    learned = night(plant, midpoint(Calibration()))
    assert learned.result in ("activated", "unchanged")


def test_a_labelled_folder_by_hand_is_guarded_in_the_same_way(plant: MadeUp) -> None:
    label_carelessly(plant)
    with plant.database.read() as connection:
        given = references_of(connection, plant.model.id)
    by = ChangeRequest(NOW + DAY, "calibrate")
    refused = calibrate(plant.database, plant.model, midpoint(Calibration()), given, by, data=Path("crops"))
    assert refused.refusal == Refusal.LOSES_NE_PROLIV
