"""Puts numbers, rates and scores into words for the page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.configuration.settings import Decide


def number(value: float | None) -> str:
    """Six significant digits, or ``unknown``."""
    return "unknown" if value is None else f"{value:.6g}"


def rate(figures: Mapping[str, Any], key: str) -> str:
    """A rate of an evaluation with its exact interval, such as ``0.9375 (0.8478 to 0.9827)``."""
    value, low, high = (figures.get(name) for name in (key, f"{key}_low", f"{key}_high"))
    if value is None or low is None or high is None:
        return "unknown: no such crop"
    return f"{value:.4f} ({low:.4f} to {high:.4f})"


def share(value: float | None) -> str:
    """A rate without an interval."""
    return "unknown" if value is None else f"{value:.4f}"


def score_name(decision: str) -> str:
    """A detector's deciding score with its unit, for the axes; ``decision`` is its name."""
    return "mse, squared intensity" if decision == "mse" else f"score {decision}, the detector's own unit"


def decision_score_name(decide: Decide, primary: str) -> str:
    """The final decision's score with its unit; ``primary`` is that of the first model."""
    if decide == "primary":
        return primary
    if decide == "rank-mean":
        return "mean rank among the calibrations' scores, 0-1"
    return "margin to the threshold, in units of the normal spread"


def plain(value: Any) -> str:
    """A setting or a detail for a person to read; ``value`` is anything that JSON can hold."""
    match value:
        case str():
            return value
        case float():
            return f"{value:.6g}"
        case list() | tuple():
            return ", ".join(map(plain, value)) or "none"
        case dict():
            return "; ".join(f"{str(key).replace('_', ' ')}: {plain(one)}" for key, one in value.items()) or "none"
    return json.dumps(value, default=str)
