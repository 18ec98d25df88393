"""Scores in the one unit of the page: 1.00 is the threshold."""

from __future__ import annotations


def share_of(score: float, threshold: float) -> float:
    """The score divided by the threshold; at 1.00 or above the decision is proliv.

    Where models vote, the score is a margin and the threshold 0: then, and below 0, it is 1 + the margin.
    """
    return score / threshold if threshold > 0 else 1 + score - threshold


def bar_of(share: float) -> float:
    """How long the bar of a score is, 0 to 100; that of the threshold ends at two thirds."""
    return round(max(0.0, min(share / 1.5 * 100, 100.0)), 1)
