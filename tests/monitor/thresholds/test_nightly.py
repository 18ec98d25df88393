from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from monitor.thresholds.change import Change
from monitor.thresholds.nightly import log_change, summary

if TYPE_CHECKING:
    import pytest

    from monitor.store.models import ModelRow
    from tests.support.made_up import MadeUp


def refused(model: ModelRow) -> Change:
    return Change(model, "refused", 2.0, 9.0, "stump", refusal="large_jump", reason="too far", notes=("look",))


def test_a_refusal_and_what_was_set_aside_are_warnings(store: MadeUp, caplog: pytest.LogCaptureFixture) -> None:
    log_change(refused(store.model))
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "made-up-1: look"),
        (logging.WARNING, "made-up-1: the new threshold is refused (large_jump): too far"),
    ]


def test_a_new_threshold_and_its_rule_are_logged(store: MadeUp, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "monitor.thresholds.nightly"):
        log_change(Change(store.model, "activated", 2.0, 2.5, "normal-quantile", fallback=True))
        log_change(Change(store.model, "unchanged", 2.0, 2.0, "stump"))
    (record,) = caplog.records
    assert record.getMessage() == (
        "made-up-1: the threshold is now 2.5 by normal-quantile, the fallback for too little proliv, before 2.0"
    )


def test_the_summary_counts_what_became_of_the_models(store: MadeUp) -> None:
    model = store.model
    changes = [refused(model), Change(model, "unchanged", 2.0, 2.0, "stump"), refused(model)]
    assert summary(changes) == "2 refused (large_jump), 1 unchanged"
    assert summary([]) == "no active model"
