from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.errors import NoModelError
from monitor.store import calibrations, models, references
from monitor.thresholds.calibration import recalibrate, set_threshold
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.gather import gather_evidence
from monitor.thresholds.rules import Rules
from monitor.words import Refusal
from plugins.rules import FractionOfMax, MeanProliv
from tests.support.made_up import NOW, MadeUp, made_up, midpoint
from tests.support.made_up_rules import (
    DAY,
    LOW,
    SHADOW,
    NoSettings,
    Odd,
    claim_run,
    fixed,
    night,
    odd,
    odd_in_shadow,
    roll_back,
)

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.api import ScoreEvidence


def test_the_first_threshold_needs_no_guard_and_activates_the_model(tmp_path: Path) -> None:
    with made_up(tmp_path) as made:
        outcome = made.calibrate(midpoint(LOW), [1.0], [4.0, 4.0])
        assert (outcome.result, outcome.threshold, outcome.before, outcome.fallback) == ("activated", 2.0, None, False)
        assert made.model.active
        assert made.active().evidence["data"].endswith("labelled-crops")
        with made.database.read() as connection:
            assert len(references.references_of(connection, made.model.id)) == 3


def test_a_dry_run_changes_nothing(made: MadeUp) -> None:
    before = made.rows()
    (outcome,) = recalibrate(made.database, odd(2.2), ChangeRequest(NOW + DAY, "recalibrate"), dry_run=True)
    assert (outcome.result, outcome.threshold) == ("activated", 2.2)
    (outcome,) = recalibrate(made.database, odd(9.0), ChangeRequest(NOW + DAY, "recalibrate"), dry_run=True)
    assert outcome.result == "refused"
    assert made.rows() == before


def test_a_run_that_is_taken_up_again_does_no_model_twice(made: MadeUp) -> None:
    run = claim_run(made)
    assert night(made, odd(2.2), run_id=run).result == "activated"
    again = night(made, odd(2.4), run_id=run)
    assert (again.result, again.threshold) == ("activated", 2.2)
    assert [row.threshold for row in made.rows()] == [2.0, 2.2]


def test_a_threshold_by_hand_ends_a_trial_and_is_guarded_too(made: MadeUp) -> None:
    night(made, odd_in_shadow(2.2), 1)
    by = ChangeRequest(NOW + 2 * DAY, "set", author="ann", reason="new lamps")
    refused = set_threshold(made.database, made.model, fixed(7.0), SHADOW, by)
    assert (refused.result, refused.refusal) == ("refused", Refusal.LARGE_JUMP)
    done = set_threshold(made.database, made.model, fixed(2.5), SHADOW, by)
    assert done.result == "activated"
    active = made.active()
    assert (active.threshold, active.reason, active.author, active.origin) == (2.5, "new lamps", "ann", "set")
    with made.database.read() as connection:
        assert calibrations.shadow(connection, made.model.id) is None
    assert [row.state for row in made.rows()] == ["superseded", "refused", "refused", "active"]
    assert made.rows()[1].refusal == Refusal.WITHDRAWN
    # What was only tried never comes back.
    assert roll_back(made, 3) == (2.5, 2.0)


def test_a_rollback_passes_over_what_was_accepted_without_a_change(made: MadeUp) -> None:
    night(made, odd(2.2), 1)
    for days in (2, 3):
        recalibrate(made.database, odd(2.2), ChangeRequest(NOW + days * DAY, "recalibrate", accept=True))
    assert roll_back(made, 4) == (2.2, 2.0)


def test_to_accept_a_threshold_by_hand_is_not_to_accept_labels(made: MadeUp) -> None:
    settings = LOW.model_copy(update={"flood_labels": 5})
    for index in range(6):
        made.label(made.crop(1.7, camera=f"C{index}"), "proliv", at=NOW + timedelta(hours=1))
    by = ChangeRequest(NOW + DAY, "set", accept=True)
    set_threshold(made.database, made.model, fixed(2.02), settings, by)
    assert made.active().evidence["accepted_until"] is None
    rules = midpoint(settings)
    assert "6 labels of ann were given faster than 5 an hour" in night(made, rules, 2).notes[0]
    # Who accepts them by choosing anew has accepted them, even where the threshold stays.
    (accepted,) = recalibrate(
        made.database, midpoint(settings, odd(2.02).rule), ChangeRequest(NOW + 3 * DAY, "recalibrate", accept=True)
    )
    assert accepted.result == "activated"
    assert not [note for note in night(made, midpoint(settings, odd(2.02).rule), 4).notes if "faster" in note]


def test_the_trouble_of_one_model_does_not_keep_the_others_from_their_thresholds(made: MadeUp) -> None:
    other = add_second_model(made)

    class Choosy(Odd):
        def choose(self, evidence: ScoreEvidence) -> float:
            return 2.2

    def gather(connection: object, model_id: int, *rest: object, **options: object) -> object:
        if model_id == other:
            raise ZeroDivisionError
        return real(connection, model_id, *rest, **options)  # type: ignore[arg-type]

    real = gather_evidence
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitor.thresholds.calibration.gather_evidence", gather)
        with pytest.raises(ZeroDivisionError):
            recalibrate(made.database, midpoint(LOW, Choosy(NoSettings())), ChangeRequest(NOW + DAY, "nightly"))
    with made.database.read() as connection:
        row = calibrations.active(connection, 1)
    assert row is not None
    assert row.threshold == 2.2


def test_a_line_without_proliv_that_names_its_rule_itself_can_recalibrate(tmp_path: Path) -> None:
    rules = midpoint(LOW)
    explicit = Rules(rules.fallback, rules.fallback, rules.settings, explicit=True)
    with made_up(tmp_path) as made:
        assert made.calibrate(explicit, np.linspace(0, 1, 101).tolist(), []).fallback
        assert night(made, midpoint(LOW)).result == "unchanged"


def test_calibrating_by_hand_again_is_guarded_and_a_refused_one_keeps_the_references(made: MadeUp) -> None:
    outcome = made.calibrate(midpoint(LOW, FractionOfMax(FractionOfMax.Settings())), [1.0], [400.0] * 2)
    assert (outcome.result, outcome.refusal) == ("refused", Refusal.LARGE_JUMP)
    with made.database.read() as connection:
        assert len(references.references_of(connection, made.model.id)) == 20
    accepted = made.calibrate(midpoint(LOW, MeanProliv(MeanProliv.Settings())), [1.0], [400.0] * 2, accept=True)
    assert accepted.result == "activated"
    with made.database.read() as connection:
        assert len(references.references_of(connection, made.model.id)) == 3


def test_a_threshold_that_is_changed_meanwhile_is_judged_again(made: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted: list[bool] = []

    class Slow(Odd):
        def choose(self, evidence: ScoreEvidence) -> float:
            if not interrupted:
                interrupted.append(True)
                night(made, odd(2.1))
            return 2.3

    outcome = night(made, midpoint(LOW, Slow(NoSettings())))
    assert outcome.before == 2.1
    assert [(row.threshold, row.state) for row in made.rows()] == [
        (2.0, "superseded"), (2.1, "superseded"), (2.3, "active"),
    ]  # fmt: skip


def test_a_rule_that_takes_its_time_keeps_no_log_from_being_emptied(store: MadeUp) -> None:
    class Slow(Odd):
        def choose(self, evidence: ScoreEvidence) -> float:
            store.crop(1.0, at=NOW)
            with closing(sqlite3.connect(str(store.database.file), isolation_level=None, timeout=0)) as connection:
                hindered.append(connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0])
            return 2.2

    hindered: list[int] = []
    night(store, midpoint(LOW, Slow(NoSettings())))
    assert (hindered, store.active().threshold) == ([0], 2.2)


def test_a_model_without_a_threshold_cannot_be_recalibrated(tmp_path: Path) -> None:
    with made_up(tmp_path) as made, pytest.raises(NoModelError, match="has no threshold yet: monitor calibrate"):
        recalibrate(made.database, midpoint(LOW), ChangeRequest(NOW, "recalibrate"), names=["made-up-1"])


def add_second_model(made: MadeUp) -> int:
    """Another detector's model with a threshold of 2, activated before the first."""
    with made.database.write() as connection:
        models.add_model(connection, name="other-1", detector="other", fingerprint="e" * 64, folder="o", settings={})
        row = models.find_model(connection, "other-1")
        calibrations.add(connection, model_id=row.id, rule="r", settings={}, threshold=2.0, evidence={}, now=NOW)
        models.activate_model(connection, models.find_model(connection, "other-1"))
    return row.id
