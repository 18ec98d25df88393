"""Which model, and which stored threshold, a person names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.errors import DataError, NoModelError
from monitor.thresholds.subject import calibrated_model, stored_threshold
from tests.monitor.thresholds.conftest import add_calibration
from tests.support.stored_crops import add_model, make_active

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def test_the_model_is_the_named_one_or_the_primary(connection: Connection) -> None:
    with pytest.raises(NoModelError, match="no model is active"):
        calibrated_model(connection, [], None)
    first, second = make_active(connection, "1"), make_active(connection, "2", "other")
    assert calibrated_model(connection, [], None).id == second.id
    assert calibrated_model(connection, ["ae", "other"], None).id == first.id
    assert calibrated_model(connection, ["ae"], second.name[:6]).id == second.id
    third = add_model(connection, "3", "third")
    with pytest.raises(NoModelError, match=f"{third.name} has no threshold yet: monitor calibrate --model"):
        calibrated_model(connection, [], third.name)


def test_stored_thresholds_have_names(connection: Connection) -> None:
    model, other = make_active(connection, "1"), make_active(connection, "2", "other")
    trial = add_calibration(connection, model, 0.5, "shadow", hours=1)
    without = add_calibration(connection, model, None, "refused", hours=2)
    assert stored_threshold(connection, model, "active") == 0.002
    assert stored_threshold(connection, model, "shadow") == stored_threshold(connection, model, f"#{trial}") == 0.5
    for number in ("0.5", "#", "#x", "Active"):
        assert stored_threshold(connection, model, number) is None
    with pytest.raises(DataError, match=f"{other.name} has no shadow threshold"):
        stored_threshold(connection, other, "shadow")
    with pytest.raises(DataError, match=f"calibration #{trial} is not one of {other.name}"):
        stored_threshold(connection, other, f"#{trial}")
    with pytest.raises(DataError, match="there is no calibration 99"):
        stored_threshold(connection, model, "#99")
    with pytest.raises(DataError, match=f"calibration #{without} chose no threshold: a jump"):
        stored_threshold(connection, model, f"#{without}")
