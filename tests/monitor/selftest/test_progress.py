"""How far a self-test has come, and which leg is blamed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitor.selftest.choice import Chosen
from monitor.selftest.progress import Leg, is_over, legs, problem
from monitor.store.selftests import SelftestCrop, SelftestDelivery
from monitor.words import Label
from tests.support.stored_crops import NOW

SENT = {
    label: Chosen(label, b"", "a crop", score, 1.0) for label, score in ((Label.PROLIV, 3.0), (Label.NE_PROLIV, 0.5))
}
SINKS = ("siren", "plc")


def after(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)


def crop(label: str, **changes: Any) -> SelftestCrop:
    """One that has come all the way."""
    proliv = label == "proliv"
    whole = SelftestCrop(
        *(1, label, "/inbox/1.png", "a" * 64, NOW, after(1), after(3), label, 3.0 if proliv else 0.5, 1.0, after(3.5)),
        after(4) if proliv else None,
    )
    return whole._replace(**changes)


def delivery(sink: str, **changes: Any) -> SelftestDelivery:
    return SelftestDelivery(1, sink, {}, 1, None, after(5), None)._replace(**changes)


def found(proliv: dict[str, Any], normal: dict[str, Any] | None = None, **sinks: dict[str, Any] | None) -> list[Leg]:
    crops = {"proliv": crop("proliv", **proliv), "ne_proliv": crop("ne_proliv", **(normal or {}))}
    deliveries = {name: delivery(name, **changes) for name in SINKS if (changes := sinks.get(name, {})) is not None}
    return legs(SENT, crops, deliveries, SINKS)


UNDECIDED: dict[str, Any] = {
    "decided_at": None, "verdict": None, "score": None, "threshold": None, "stored_at": None, "alarm_at": None,
}  # fmt: skip


def test_every_leg_has_its_time() -> None:
    every = found({}, plc={"attempts": 3})
    assert [(leg.leg, leg.what, leg.seconds) for leg in every] == [
        ("folder", "proliv", 1), ("detector", "proliv", 2), ("store", "proliv", 0.5), ("alarm", "proliv", 0.5),
        ("folder", "ne_proliv", 1), ("detector", "ne_proliv", 2), ("store", "ne_proliv", 0.5),
        ("sink", "siren", 1), ("sink", "plc", 1),
    ]  # fmt: skip
    assert every[-1].outcome == "taken at attempt 3"
    assert is_over(every)
    assert problem(every, 60, late=False) is None


def test_clocks_that_disagree_make_no_negative_time() -> None:
    assert found({"seen_at": after(-1)})[0].seconds == 0


@pytest.mark.parametrize(
    ("proliv", "normal", "sinks", "leg", "words", "over"),
    [
        ({**UNDECIDED, "seen_at": None}, {}, {}, ("folder", "proliv"), "not found by the daemon", False),
        (UNDECIDED, {}, {}, ("detector", "proliv"), "no decision", False),
        ({**UNDECIDED, "problem": "it is truncated"}, {}, {}, ("detector", "proliv"), "refused: it is", True),
        ({"verdict": "ne_proliv", "alarm_at": None}, {}, {}, ("detector", "proliv"), "WRONG: ne_proliv", True),
        ({}, {"verdict": "proliv"}, {}, ("detector", "ne_proliv"), "WRONG: proliv, score 0.5", True),
        ({"stored_at": None, "alarm_at": None, "problem": "full"}, {}, {}, ("store", "proliv"), "refused: full", True),
        ({"alarm_at": None, "problem": "no table"}, {}, {}, ("alarm", "proliv"), "not opened: no table", True),
        ({}, {}, {"plc": None}, ("sink", "plc"), "nothing was sent", False),
        ({}, {}, {"plc": {"delivered_at": None, "attempts": 0}}, ("sink", "plc"), "no answer yet", False),
        (
            *({}, {}, {"plc": {"delivered_at": None, "error": "refused"}}),
            *(("sink", "plc"), "not taken: refused", False),
        ),
        (
            *({}, {}, {"plc": {"delivered_at": None, "attempts": 0, "error": "unknown"}}),
            *(("sink", "plc"), "not taken: unknown", True),
        ),
    ],
)
def test_the_leg_that_failed_is_blamed(
    proliv: dict[str, Any], normal: dict[str, Any], sinks: dict[str, Any], leg: Any, words: str, over: bool
) -> None:
    every = found(proliv, normal, **sinks)
    blamed = problem(every, 60, late=not over)
    assert blamed is not None
    assert (blamed.leg, blamed.what) == leg
    assert words in blamed.outcome
    assert is_over(every) is over
    assert blamed.outcome.endswith("(after 60 s)") is not over


def test_what_is_wrong_is_blamed_before_what_is_late() -> None:
    every = found({"verdict": "ne_proliv", "alarm_at": None}, {**UNDECIDED, "seen_at": None}, siren=None, plc=None)
    blamed = problem(every, 60, late=False)
    assert blamed is not None
    assert (blamed.leg, blamed.what) == ("detector", "proliv")
