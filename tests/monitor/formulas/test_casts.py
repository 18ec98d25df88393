"""What is believed of the cast: the decisions alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.formulas.casts import NOT_FOLLOWED, Context, Doubt, believed, doubt
from monitor.store.casts import Said

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def said(phase: str, cast_id: int | None = 3, source: str = "file", problem: str | None = None) -> Said:
    return Said(cast_id, phase, NOW, source, None, problem, "4711", None)


def belief(one: Said | None, later: timedelta = timedelta(0), *, followed: bool = True) -> Context:
    return believed(one, NOW + later, maximum_age=DAY, followed=followed)


def test_where_nothing_was_ever_said_nothing_is_known_and_nothing_is_wrong() -> None:
    assert belief(None) == Context(None, None, None)


@pytest.mark.parametrize("phase", ["idle", "start", "steady", "end"])
def test_a_phase_is_believed(phase: str) -> None:
    assert belief(said(phase)) == Context(3, phase, None)
    assert belief(said(phase)).idle == (phase == "idle")


def test_no_cast_is_no_phase_but_idle_needs_no_cast() -> None:
    assert belief(said("none", cast_id=None)) == Context()
    assert belief(said("idle", cast_id=None)) == Context(None, "idle", None)


def test_a_file_is_believed_only_while_it_is_followed() -> None:
    assert belief(said("idle"), followed=False) == Context(problem=NOT_FOLLOWED)
    assert belief(said("steady"), followed=False) == Context(problem=NOT_FOLLOWED)
    assert belief(said("idle", source="person"), followed=False).idle


def test_what_a_person_said_holds_for_a_time() -> None:
    for phase in ("idle", "steady"):
        assert belief(said(phase, source="person"), DAY).phase == phase
        context = belief(said(phase, source="person"), DAY + timedelta(seconds=1))
        assert (context.cast_id, context.phase, context.idle) == (None, None, False)
        assert "so it counts as ended" in (context.problem or "")
    # How old a file may be, its follower knows.
    assert belief(said("idle"), 9 * DAY).idle


def test_in_doubt_the_last_phase_holds_but_for_idle() -> None:
    assert belief(said("steady", problem="is gone")) == Context(3, "steady", "is gone")
    assert belief(said("idle", problem="is gone")) == Context(3, None, "is gone")
    assert belief(said("none", cast_id=None, problem="is gone")) == Context(None, None, "is gone")


def test_a_file_that_cannot_be_used_is_believed_for_a_time() -> None:
    assert doubt("x", NOW, good_at=NOW - DAY, maximum_age=DAY) == Doubt(True, "x")
    assert doubt("x", NOW, good_at=NOW - DAY - timedelta(seconds=1), maximum_age=DAY) == Doubt(False, "x")
    assert doubt("x", NOW, good_at=None, maximum_age=DAY) == Doubt(False, "x")
