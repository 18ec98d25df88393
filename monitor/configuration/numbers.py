"""Numbers as people type them: also as a fraction, such as 12/4500."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel


def fraction(text: str) -> float | None:
    """The value of a fraction of two numbers, such as ``12/4500``; None where the text is none."""
    over, slash, under = text.partition("/")
    if not slash:
        return None
    try:
        value = float(over) / float(under)
    except (ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) else None


def with_fractions(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with those fractions worked out that are given as text for a field that holds a float."""
    return {key: _worked_out(model, key, value) for key, value in values.items()}


def _worked_out(model: type[BaseModel], key: str, value: Any) -> Any:
    if not isinstance(value, str) or key not in model.model_fields:
        return value
    if not _holds_float(model.model_fields[key].annotation):
        return value
    number = fraction(value)
    return value if number is None else number


def _holds_float(annotation: Any) -> bool:
    return annotation is float or any(_holds_float(part) for part in get_args(annotation))
