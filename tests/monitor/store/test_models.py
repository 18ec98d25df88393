"""Models are added, found, made active and rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.errors import NoModelError
from monitor.store.models import activate_model, active_models, all_models, find_model, newest_models, rollback_model
from tests.support.stored_crops import add_model, calibrate, make_active

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


def test_rolling_back_goes_through_the_models_that_were_active_before(database: Database) -> None:
    with database.write() as connection:
        for letter in "abc":
            make_active(connection, letter)
        make_active(connection, "d", "other")
        calibrate(connection, add_model(connection, "e"))  # never active, so that nothing leads back to it

        def step() -> tuple[str, str]:
            left, now = rollback_model(connection, "ae")
            assert [row.name for row in active_models(connection) if row.detector == "ae"] == [now.name]
            return left.name[-1], now.name[-1]

        assert step() == ("c", "b")
        assert step() == ("b", "a")
        with pytest.raises(NoModelError, match="no model of the detector 'ae' was active before ae-aaaaaaaaaaaa"):
            step()
        activate_model(connection, find_model(connection, "ae-c"))
        assert step() == ("c", "a")
        with pytest.raises(NoModelError, match="'nothing' has no active model"):
            rollback_model(connection, "nothing")
        assert [row.detector for row in active_models(connection)].count("other") == 1


def test_a_model_without_a_threshold_cannot_become_active(database: Database) -> None:
    with database.write() as connection:
        model = add_model(connection, "1")
        with pytest.raises(NoModelError, match=r"has no threshold yet.* monitor calibrate --model ae-1+ --data DIR"):
            activate_model(connection, model)
        assert active_models(connection) == []


def test_models_are_found_by_what_they_begin_with(database: Database) -> None:
    with database.write() as connection:
        add_model(connection, "1")
        add_model(connection, "2")
        assert find_model(connection, "ae-1").fingerprint == "1" * 64
        assert find_model(connection, "22").name == "ae-222222222222"
        with pytest.raises(NoModelError, match=r"names several models: ae-2.*, ae-1.*; give one whole name"):
            find_model(connection, "ae-")
        for name in ("", "%", "ae-3"):
            with pytest.raises(NoModelError, match=r"there is no model .*; see: monitor models list"):
                find_model(connection, name)


def test_training_the_same_model_again_makes_it_the_newest(database: Database) -> None:
    with database.write() as connection:
        add_model(connection, "1")
        add_model(connection, "2")
        assert [row.name[-1] for row in newest_models(connection)] == ["2"]
        add_model(connection, "1")
        assert [row.name[-1] for row in newest_models(connection)] == ["1"]
        assert len(all_models(connection)) == 2
