"""What several commands read from the command line: the options that they share, thresholds, times, authors and notes.

The help of a shared option begins with the same words in every command; what it means for the one command follows a
semicolon (``more``).
"""

from __future__ import annotations

import getpass
import math
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

from monitor.cli.program import FOLDER
from monitor.configuration.numbers import fraction
from monitor.files.text import printable
from monitor.labels.remarks import remark
from monitor.times import on_clock, parse_time
from monitor.words import LONGEST_AUTHOR

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

Decorated = TypeVar("Decorated", bound="Callable[..., Any] | click.Command")
# A database keeps the number of a hole in four bytes.
LARGEST_HOLE: Final = 2**31 - 1
_DURATION: Final = re.compile(
    r"(?:(?P<days>\d{1,6})d)?(?:(?P<hours>\d{1,6})h)?(?:(?P<minutes>\d{1,6})m)?(?:(?P<seconds>\d{1,6})s)?", re.ASCII
)
# numpy takes no larger one.
SEED: Final = click.IntRange(0, 2**32 - 1)


class OutputForm(click.Choice[str]):
    """The forms of what a command prints; ``table``, the name of ``text`` in earlier versions, is still taken."""

    name = "form"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse other forms, naming those that there are."""
        return super().convert("text" if value == "table" else value, param, ctx)


class EarlierArgument(click.Argument):
    """A positional argument of earlier versions that is an option now: it is still taken, and shown nowhere."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Leave it out of the line of usage."""
        return []


def _help(common: str, more: str) -> str:
    return f"{common}; {more}." if more else f"{common}."


def data_option(more: str, *, required: bool = False) -> Callable[[Decorated], Decorated]:
    """``--data DIR``: the labelled folder."""
    return click.option(
        "--data", metavar="DIR", type=FOLDER, required=required, help=_help("The labelled folder", more)
    )


def earlier_data_argument() -> Callable[[Decorated], Decorated]:
    """The labelled folder as a positional argument, as earlier versions had it; `given_data` reads both."""
    return click.argument("earlier_data", cls=EarlierArgument, type=FOLDER, required=False)


def given_data(data: Path | None, earlier_data: Path | None) -> Path:
    """The labelled folder, which is given once: with ``--data``, or as in earlier versions without."""
    if data is not None and earlier_data is not None:
        raise click.UsageError(f"the labelled folder is given twice, {data} and {earlier_data}; give --data alone")
    folder = data or earlier_data
    if folder is None:
        raise click.UsageError("name the labelled folder: --data DIR")
    return folder


def output_option(
    metavar: Literal["DIR", "FILE", "PATH"], more: str, *, default: Path | None = None, required: bool = False
) -> Callable[[Decorated], Decorated]:
    """``-o``, ``--output``: where to write, which is a folder, a file, or either."""
    # Told a default, even that there is none, click would not ask for one that is required.
    told: dict[str, Any] = {} if default is None else {"default": default, "show_default": True}
    return click.option(
        *("-o", "--output"), metavar=metavar, type=FOLDER, required=required, help=_help("Where to write", more), **told
    )


def format_option(*forms: Literal["text", "json", "csv"], more: str = "") -> Callable[[Decorated], Decorated]:
    """``--format``: text for people, by default, or another form; without ``forms`` text or JSON."""
    return click.option(
        *("--format", "output_format"),
        type=OutputForm(forms or ("text", "json")),
        default="text",
        show_default=True,
        help=_help("The form of what is printed", more),
    )


def model_option(more: str) -> Callable[[Decorated], Decorated]:
    """``--model NAME``, of a command that works on one model."""
    return click.option("--model", "name", metavar="NAME", help=_help("A model's name", more))


def models_option(more: str) -> Callable[[Decorated], Decorated]:
    """``--model NAME``, of a command that works on several models."""
    return click.option(
        "--model", "names", metavar="NAME", multiple=True, help=_help("A model's name", f"may be repeated; {more}")
    )


def detectors_option(more: str) -> Callable[[Decorated], Decorated]:
    """``--detector NAME``, which may be repeated."""
    return click.option(
        "--detector",
        "detectors",
        metavar="NAME",
        multiple=True,
        help=_help("A detector's name", f"may be repeated; {more}"),
    )


def rule_option(more: str) -> Callable[[Decorated], Decorated]:
    """``--rule NAME``."""
    return click.option("--rule", "rule_name", metavar="NAME", help=_help("The threshold rule", more))


def set_option(more: str) -> Callable[[Decorated], Decorated]:
    """``--set KEY=VALUE``, which may be repeated; `monitor.cli.program.parse_assignments` reads it."""
    return click.option(
        "--set",
        "assignments",
        metavar="KEY=VALUE",
        multiple=True,
        help=_help("Override a setting", f"may be repeated; {more}"),
    )


def accept_option(more: str = "") -> Callable[[Decorated], Decorated]:
    """``--accept``."""
    common = "Accept a threshold that the guard of [calibration] would refuse"
    return click.option("--accept", is_flag=True, help=_help(common, more))


def since_option(more: str) -> Callable[[Decorated], Decorated]:
    """``--since TIME``; `moment` reads it."""
    common = "Only crops from TIME on, such as 2026-11-01 or 2026-11-01T06:00+05:00"
    return click.option("--since", metavar="TIME", help=_help(common, more))


def until_option(more: str) -> Callable[[Decorated], Decorated]:
    """``--until TIME``; `moment` reads it."""
    return click.option("--until", metavar="TIME", help=_help("Only crops before TIME", more))


def cast_option(more: str) -> Callable[[Decorated], Decorated]:
    """``--cast NUMBER``."""
    return click.option("--cast", metavar="NUMBER", help=_help("Only what belongs to this cast", more))


def hole_option(more: str = "") -> Callable[[Decorated], Decorated]:
    """``--hole N``."""
    return click.option(
        "--hole", metavar="N", type=click.IntRange(0, LARGEST_HOLE), help=_help("Only crops of this hole", more)
    )


def limit_option(more: str) -> Callable[[Decorated], Decorated]:
    """``--limit N``, of a command that lists."""
    return click.option("--limit", metavar="N", type=click.IntRange(min=1), help=_help("List at most N", more))


def earlier_limit_option(name: str) -> Callable[[Decorated], Decorated]:
    """What ``--limit`` was called in earlier versions."""
    return click.option(name, "earlier_limit", type=click.IntRange(min=1), hidden=True)


def seed_option(
    more: str, *, default: int | None = None, kind: click.ParamType[int] = SEED
) -> Callable[[Decorated], Decorated]:
    """``--seed N``."""
    told: dict[str, Any] = {} if default is None else {"default": default, "show_default": True}
    return click.option("--seed", metavar="N", type=kind, help=_help("The random seed", more), **told)


def dry_run_option() -> Callable[[Decorated], Decorated]:
    """``--dry-run``."""
    return click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")


def author_option() -> Callable[[Decorated], Decorated]:
    """``--author NAME``; `author_of` reads it."""
    return click.option("--author", metavar="NAME", help="The author; by default the login name.")


def note_option(more: str = "") -> Callable[[Decorated], Decorated]:
    """``--note TEXT``; `bounded` reads it."""
    return click.option("--note", metavar="TEXT", help=_help("A note that is kept", more))


def yes_option(more: str = "") -> Callable[[Decorated], Decorated]:
    """``--yes``; `monitor.cli.selection.confirm` asks without."""
    return click.option("--yes", is_flag=True, help=_help("Do not ask", more))


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


class Duration(click.ParamType[timedelta]):
    """A span of time on the command line, such as 90s, 45m, 2h, 1h30m or 1d, and not longer than ``most``."""

    name = "duration"

    def __init__(self, most: timedelta) -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Refuse what is no span of time, none at all, and more than the longest."""
        if isinstance(value, timedelta):
            return value
        match = _DURATION.fullmatch(str(value).strip().lower())
        given = {unit: int(number) for unit, number in match.groupdict().items() if number} if match else {}
        # Numbers of up to six digits: no sum of them is too large for a span of time.
        span = timedelta(**given)
        if not span:
            self.fail(f"{value!r} is not a span of time; write it as 45m, 2h, 1h30m or 1d", param, ctx)
        if span > self._most:
            self.fail(f"{value} is too long; at most {self._most.days} days can be given", param, ctx)
        return span


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
