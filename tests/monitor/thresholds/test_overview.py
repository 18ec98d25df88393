"""How thresholds stand, in a real database."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.store import calibrations
from monitor.store.decisions import record
from monitor.thresholds.overview import NEAREST, as_dict, difference, overviews
from monitor.words import Label
from tests.monitor.thresholds.conftest import add_calibration
from tests.support.stored_crops import NOW, decided, decision, make_active

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from monitor.store.models import ModelRow


def scored(connection: Connection, model: ModelRow, *scores: float) -> None:
    assert model.calibration_id is not None
    record(
        connection,
        [
            decided(f"{number}.jpg", chr(ord("a") + number), decision(model.id, model.calibration_id, mse=score))
            for number, score in enumerate(scores)
        ],
    )


def test_a_model_has_an_active_threshold_and_perhaps_one_in_trial_or_refused(connection: Connection) -> None:
    assert overviews(connection) == []
    model = make_active(connection, "1")
    scored(connection, model, 0.001, 0.003, 0.005)
    (only,) = overviews(connection)
    assert (only.model, only.trial, only.refused) == (model.name, None, None)
    assert only.active is not None
    assert only.active.threshold == 0.002
    trial = add_calibration(connection, model, 0.004, "shadow", hours=-1)
    refused = add_calibration(connection, model, 9.0, "refused", hours=1)
    (both,) = overviews(connection)
    assert both.trial is not None
    assert both.refused is not None
    assert (both.trial.calibration.id, both.refused.id) == (trial, refused)
    assert (both.trial.seen.crops, both.trial.seen.to_ne_proliv, both.trial.seen.to_proliv) == (3, 1, 0)
    report = json.loads(json.dumps(both.as_dict()))
    assert (report["shadow"]["id"], report["shadow"]["seen"]["crops"], report["refused"]["reason"]) == (
        *(trial, 3, "a jump"),
    )


def test_what_was_refused_before_the_active_threshold_was_made_is_over(connection: Connection) -> None:
    model = make_active(connection, "1")
    add_calibration(connection, model, 9.0, "refused", hours=-1)
    (found,) = overviews(connection)
    assert found.refused is None


def test_a_calibration_is_told_without_its_percentiles(connection: Connection) -> None:
    model = make_active(connection, "1")
    row = calibrations.find(connection, add_calibration(connection, model, 0.1, "refused", hours=1))
    report = as_dict(row)
    assert (report["evidence"], report["created_at"], report["ended_at"]) == (
        {"n": 3},
        (NOW + timedelta(hours=1)).isoformat(),
        None,
    )
    assert list(report) == list(row._fields)


def test_the_difference_of_two_thresholds_is_the_crops_between_them(connection: Connection) -> None:
    model = make_active(connection, "1")
    scored(connection, model, *(number / 1000 for number in range(1, 21)))
    up = difference(connection, model, 0.002, 0.015)
    assert (up.changed, up.becomes, len(up.nearest)) == (13, Label.NE_PROLIV, NEAREST)
    assert [crop.score for crop in up.nearest[:2]] == [0.014, 0.013]
    down = difference(connection, model, 0.0155, 0.0025)
    assert (down.changed, down.becomes, down.nearest[0].score) == (13, Label.PROLIV, 0.003)
    report = json.loads(json.dumps(down.as_dict()))
    assert (report["a"], report["b"], report["becomes"], report["nearest"][0]["score"]) == (
        *(0.0155, 0.0025, "proliv", 0.003),
    )
    assert difference(connection, model, 0.002, 0.002).changed == 0
