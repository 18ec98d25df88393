"""What several commands read from the command line: thresholds, times, authors and notes."""

from __future__ import annotations

import getpass
import math
import os
from typing import TYPE_CHECKING, Any

import click

from monitor.configuration.numbers import fraction
from monitor.files.text import printable
from monitor.labels.remarks import remark
from monitor.times import on_clock, parse_time
from monitor.words import LONGEST_AUTHOR

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo


class Threshold(click.ParamType[float]):
    """A threshold on the command line."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse words, NaN, infinity and negative numbers."""
        try:
            threshold = fraction(value) if "/" in str(value) else float(value)
        except ValueError:
            threshold = None
        if threshold is None:
            self.fail(f"{value!r} is not a number; a threshold is one such as 0.0027 or 12/4500", param, ctx)
        if not math.isfinite(threshold) or threshold < 0:
            self.fail(f"{value} is not a threshold; it must be a finite number that is not negative", param, ctx)
        return threshold


def moment(text: str | None, time_zone: ZoneInfo, option: str) -> datetime | None:
    """A time in ISO 8601 -> UTC; without a zone it is on the plant's clock. None stays None."""
    if text is None:
        return None
    try:
        return parse_time(text, time_zone)
    except ValueError:
        raise click.BadParameter(
            f"{printable(text)!r} is not a time; write it as 2024-05-01T14:30", param_hint=option
        ) from None


def echo_range(since: datetime | None, until: datetime | None, zone: ZoneInfo) -> None:
    """Say on standard error, on the plant's clock, which span of time was understood; nothing if none was given."""
    words = [f"{word} {on_clock(end, zone)}" for word, end in (("from", since), ("to", until)) if end is not None]
    if words:
        click.echo(" ".join(words), err=True)


def author_of(given: str | None) -> str:
    """Who says so: the author as given, or else the login name."""
    if given is None:
        try:
            given = getpass.getuser()
        except (KeyError, OSError, ImportError):  # no name in the environment, and none for this user's number
            given = f"user {os.getuid()}"
    author = bounded(given, LONGEST_AUTHOR, "--author")
    if author is None:
        raise click.BadParameter("is empty; give a name", param_hint="--author")
    return author


def bounded(text: str | None, longest: int, option: str) -> str | None:
    """A person's words in printable form, None for none; raises `click.BadParameter` when they are too long."""
    if text is None:
        return None
    try:
        return remark(text.strip(), longest)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
