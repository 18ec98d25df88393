"""What the tables themselves refuse, whatever a program does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from monitor.errors import StoreError, StoreRefusedError
from monitor.store.database.schema import crops, models, runs
from monitor.store.decisions import record
from monitor.store.models import active_models
from tests.support.stored_crops import NOW, crop, decision, failed, make_active

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


def test_the_database_itself_keeps_one_active_model_for_each_detector(database: Database) -> None:
    with database.write() as connection:
        make_active(connection, "1")
        make_active(connection, "2")
        make_active(connection, "3", "other")
        active = [row.name for row in active_models(connection)]
        assert active == ["other-333333333333", "ae-222222222222"]
    with pytest.raises(StoreError, match=r"(?i)unique"), database.write() as connection:
        connection.execute(update(models).values(active=True))
    with pytest.raises(StoreError, match=r"(?i)unique"), database.write() as connection:
        connection.execute(
            text(
                "insert into calibrations (model_id, rule, settings, threshold, evidence, state, created_at) "
                "select model_id, rule, settings, threshold, evidence, state, created_at from calibrations"
            )
        )


def test_decisions_need_their_model_and_slots_are_unique(database: Database) -> None:
    with pytest.raises(StoreError, match=r"(?i)foreign key"), database.write() as connection:
        record(connection, [crop("1.jpg", scores=(decision(77, 77),))])
    slot = {"job": "calibrate", "slot": NOW, "started_at": NOW}
    with pytest.raises(StoreError, match=r"(?i)unique"), database.write() as connection:
        connection.execute(runs.insert(), [slot, slot])


def test_a_failed_crop_has_a_reason(database: Database) -> None:
    with pytest.raises(StoreRefusedError, match="ck_crops_reason"), database.write() as connection:
        record(connection, [failed(crop("1.jpg"))._replace(reason=None)])
    with database.write() as connection:
        record(connection, [failed(crop("1.jpg"))])
    with pytest.raises(StoreRefusedError, match="ck_crops_reason"), database.write() as connection:
        connection.execute(update(crops).values(reason=None))
