"""Numbers as the commands print them."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """A number with its noun, such as "1 crop" or "2 crops"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def number(value: float | None) -> str:
    """A score or a threshold; a dash where there is none."""
    return "-" if value is None else f"{value:.6g}"
