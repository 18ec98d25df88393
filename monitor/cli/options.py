"""What several commands take and tell alike: thresholds, moments, models, authors, words and counts."""

from __future__ import annotations

import getpass
import math
import os
from typing import TYPE_CHECKING, Any

import click

from monitor.files.text import printable
from monitor.times import parse_time
from monitor.words import LONGEST_AUTHOR

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from sqlalchemy.engine import Connection

    from monitor.cli.program import Program
    from monitor.store.models import ModelRow


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
        return parse_time(text, time_zone)
    except ValueError:
        raise click.BadParameter(
            f"{printable(text)!r} is not a time; write it as 2024-05-01T14:30", param_hint=option
        ) from None


def author_of(given: str | None) -> str:
    """Who labels: as given, or else the login name."""
    if given is None:
        try:
            given = getpass.getuser()
        except (KeyError, OSError, ImportError):  # no name in the environment, and none for this user's number
            given = f"user {os.getuid()}"
    if not given.strip():
        raise click.BadParameter("is empty; give a name", param_hint="--author")
    author = bounded(given, LONGEST_AUTHOR, "--author")
    assert author is not None
    return author


def bounded(text: str | None, longest: int, option: str) -> str | None:
    """A person's words in printable form; raises `click.BadParameter` when they are too long."""
    if text is None or not text.strip():
        return None
    shown = printable(text.strip())
    if len(shown) > longest:
        raise click.BadParameter(f"has {len(shown)} characters, at most {longest} are kept", param_hint=option)
    return shown


def counted(count: int, noun: str) -> str:
    """A number with its noun, such as "1 crop" or "2 crops"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def chosen_model(program: Program, connection: Connection, name: str | None) -> ModelRow:
    """The named model, or the primary; raises `NoModelError` where it has no threshold."""
    from monitor.errors import NoModelError
    from monitor.scoring.vote import deciding
    from monitor.store import models

    if name is not None:
        row = models.find_model(connection, name)
        if row.threshold is None:
            raise NoModelError(f"{row.name} has no threshold yet: monitor calibrate --model {row.name} --data DIR")
        return row
    detectors = program.configuration.settings.decision.detectors
    rows = deciding(models.active_models(connection), detectors)
    if not rows:
        raise NoModelError("no model is active; see: monitor models list")
    return rows[0]
