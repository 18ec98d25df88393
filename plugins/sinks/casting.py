"""Which cast an alarm opened in, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def cast_of(alarm: Mapping[str, Any]) -> str | None:
    """Such as "4711, alloy 6063, phase steady", as far as it was known; None where nothing was."""
    if alarm["cast"] is None:
        return None if alarm["phase"] is None else f"none, phase {alarm['phase']}"
    named = [("alloy", alarm["alloy"]), ("phase", alarm["phase"])]
    return ", ".join([alarm["cast"], *(f"{name} {value}" for name, value in named if value is not None)])
