"""The rate by incident, and what so few proliv can show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from monitor.crops.dataset import LabelledPath
from monitor.crops.in_memory import ReadCrops
from monitor.evaluation.certainty import IncidentsCaught, incidents_caught, outlook, outlook_sentence
from monitor.evaluation.comparison import Judge
from monitor.evaluation.labelled_folder import CropsWithTruth
from monitor.formulas.rates import interval
from monitor.words import Identity, Label

START = datetime(2023, 3, 1, 5, 39, tzinfo=UTC)
# Camera, seconds after the start or None, whether it is proliv, and the score.
Crop = tuple[str, float | None, bool, float]


def caught(*crops: Crop) -> IncidentsCaught:
    identities = [
        Identity(1, camera, None if seconds is None else START + timedelta(seconds=seconds))
        for camera, seconds, _, _ in crops
    ]
    labelled = tuple(LabelledPath(Path("a"), Label.PROLIV if proliv else Label.NE_PROLIV) for _, _, proliv, _ in crops)
    judge = Judge("ae", "ae-1", np.array([score for *_, score in crops], dtype=np.float64), 0.5)
    return incidents_caught(judge, CropsWithTruth(ReadCrops(identities=identities), labelled), 600)


def test_one_caught_crop_is_enough_for_its_incident() -> None:
    first, second = (("C", 0.0, True, 0.1), ("C", 30.0, True, 0.5)), (("C", 900.0, True, 0.4),)
    assert caught(*first, *second) == IncidentsCaught(incidents=2, caught=1, without_time=0)
    assert caught(*first, *second, ("D", 0.0, True, 0.9)) == IncidentsCaught(3, 2, 0)


def test_alarms_on_normal_crops_are_no_incident() -> None:
    assert caught(("C", 0.0, False, 0.9), ("C", 30.0, True, 0.1), ("D", 0.0, False, 0.9)) == IncidentsCaught(1, 0, 0)


def test_proliv_without_a_time_belongs_to_no_known_incident() -> None:
    assert caught(("C", None, True, 0.9), ("C", 0.0, True, 0.9), ("D", None, False, 0.9)) == IncidentsCaught(1, 1, 1)


def test_what_was_refused_is_not_counted() -> None:
    assert caught(("C", 0.0, True, np.nan), ("D", None, True, np.nan)) == IncidentsCaught(0, 0, 0)


def test_a_single_incident_says_next_to_nothing() -> None:
    report = caught(*[("C", float(second), True, 0.9) for second in range(45)]).as_dict()
    assert (report["proliv_events"], report["proliv_events_caught"], report["event_tpr"]) == (1, 1, 1.0)
    assert (report["event_tpr_low"], report["event_tpr_high"]) == interval(1, 1)
    assert report["event_tpr_low"] == pytest.approx(0.025)


def test_without_events_there_is_no_rate() -> None:
    report = caught(("C", None, True, 0.9)).as_dict()
    assert [report[key] for key in ("event_tpr", "event_tpr_low", "event_tpr_high")] == [None] * 3
    assert report["proliv_without_time"] == 1


def test_how_many_proliv_a_bound_takes() -> None:
    assert outlook(64) == {
        "tpr_low_at_best": pytest.approx(0.9440, abs=5e-5),
        "tpr_low_wanted": 0.98,
        "proliv_needed": 183,
    }
    assert outlook_sentence(64) == (
        "A lower bound of 0.98 for TPR (95 % interval) takes 183 proliv without a miss; with 64, as here, it is 0.9440 "
        "at best."
    )
    assert outlook_sentence(200).endswith("with 200, as here, it is 0.9817 at best.")
    assert outlook(0)["tpr_low_at_best"] is None
    assert outlook_sentence(0).endswith("takes 183 proliv without a miss; there are none.")
