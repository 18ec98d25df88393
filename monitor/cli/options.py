"""What several commands take as options: thresholds, moments, models."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from sqlalchemy.engine import Connection

    from monitor.cli.program import Program
    from monitor.store.queries import ModelRow


class Threshold(click.ParamType[float]):
    """A threshold on the command line."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse words, NaN, infinity and what is negative."""
        try:
            threshold = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number; a threshold is one such as 0.0027", param, ctx)
        if not math.isfinite(threshold) or threshold < 0:
            self.fail(f"{value} is no threshold; it must be a finite number that is not negative", param, ctx)
        return threshold


def moment(text: str | None, time_zone: ZoneInfo, option: str) -> datetime | None:
    """A moment in ISO 8601, in UTC; without a zone it is on the plant's clock. None stays none."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=time_zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no moment; write one such as 2026-03-01T05:39 or 2026-03-01", param_hint=option
        ) from None


def chosen_model(program: Program, connection: Connection, name: str | None) -> ModelRow:
    """The named model, or the primary; raises `NoModelError` where it has no threshold."""
    from monitor.decision import deciding
    from monitor.errors import NoModelError
    from monitor.store import queries

    if name is not None:
        row = queries.find_model(connection, name)
        if row.threshold is None:
            raise NoModelError(f"{row.name} has no threshold yet: monitor calibrate --model {row.name} --data DIR")
        return row
    detectors = program.configuration.settings.decision.detectors
    rows = deciding(queries.active_models(connection), detectors)
    if not rows:
        raise NoModelError("no model is active; see: monitor models list")
    return rows[0]
