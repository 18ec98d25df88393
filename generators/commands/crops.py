"""``monitor gen crops``."""

from __future__ import annotations

from datetime import datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generators.commands import Report, finite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

# How many crops of each kind one call makes at most.
_MOST = 10_000_000

# Crops a second: more than any camera takes and any disk writes.
_FASTEST = 100_000.0

# In minutes, about two years: far longer than any trial, and far less than a `timedelta` can hold.
_LONGEST = 1e6

_MOST_EVENTS = 10_000

# Of a stream that has to end: what its times may span, in seconds.
_LONGEST_STREAM = 366 * 86_400

_OF_DATASET = ("train", "proliv", "test", "empty")
_OF_STREAM = (
    "rate",
    "seconds",
    "crops",
    "cameras",
    "holes",
    "proliv_every",
    "events",
    "start",
    "labelled",
    "label_share",
    "time_zone",
)


def _letters(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value or not value.isascii() or not value.isalpha() or not value.isupper() or len(set(value)) < len(value):
        raise click.BadParameter(f"{value!r} is not one or several different letters from A to Z, such as C or ABC")
    return value


def _zone(_context: click.Context, _parameter: click.Parameter, value: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(f"{value!r} is no time zone such as Europe/Moscow or UTC") from None


def _start(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time; write it as 2026-03-01T06:00") from None
    if moment.tzinfo is not None:
        raise click.BadParameter(f"{value!r} has a time zone; leave it out, as the clock is that of --time-zone")
    if not 1970 <= moment.year < 2100:
        raise click.BadParameter(f"{value!r} is not a time from 1970 to 2099")
    return moment


@click.command("crops")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--train",
    type=click.IntRange(0, _MOST),
    default=1500,
    show_default=True,
    help="Crops without a proliv to train on.",
)
@click.option(
    "--proliv", type=click.IntRange(0, _MOST), default=60, show_default=True, help="Proliv crops to set a threshold by."
)
@click.option(
    "--test",
    type=click.IntRange(0, _MOST),
    default=400,
    show_default=True,
    help="Test crops, a quarter of them proliv.",
)
@click.option(
    "--empty",
    type=click.FloatRange(0, 1),
    callback=finite,
    default=0.25,
    show_default=True,
    help="Share of the test's proliv crops that show an empty hole.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The random seed; the same gives the same files.",
)
@click.option("--stream", is_flag=True, help="Write crops into the inbox OUT in real time, as a camera would.")
@click.option(
    "--rate",
    type=click.FloatRange(0, _FASTEST, min_open=True),
    callback=finite,
    default=10.0,
    show_default=True,
    help="Crops a second.",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0), callback=finite, help="Stop after this time; otherwise at Ctrl-C."
)
@click.option("--crops", type=click.IntRange(min=0), help="Stop after this many crops.")
@click.option(
    "--cameras", default="C", show_default=True, callback=_letters, help="The cameras' letters; each sees a table."
)
@click.option("--holes", type=click.IntRange(1, 99), default=40, show_default=True, help="Holes of each table.")
@click.option(
    "--proliv-every",
    type=click.FloatRange(0, _LONGEST),
    callback=finite,
    metavar="MINUTES",
    default=10.0,
    show_default=True,
    help="Mean time between two bleed-outs; 0: there are none.",
)
@click.option(
    "--events",
    type=click.IntRange(0, _MOST_EVENTS),
    metavar="N",
    help="How many bleed-outs, spread over --seconds or --crops, in place of --proliv-every.",
)
@click.option(
    "--start",
    metavar="TIME",
    callback=_start,
    help="Write as fast as possible, with times in the names from TIME on, such as 2026-03-01T06:00.",
)
@click.option(
    "--labelled",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Copy crops with their true labels into DIR/proliv and DIR/ne_proliv, some seconds later.",
)
@click.option(
    "--label-share",
    type=click.FloatRange(0, 1),
    callback=finite,
    default=1.0,
    show_default=True,
    help="Label this part of the crops.",
)
@click.option(
    "--time-zone", default="UTC", show_default=True, callback=_zone, help="The clock of the names: plant.time_zone."
)
@click.pass_context
def command(context: click.Context, /, out: Path, *, stream: bool, **options: Any) -> None:
    """Make labelled crops of casting-table holes in the new folder OUT.

    OUT gets the folders train, proliv, test/proliv and test/ne_proliv.

    With --stream OUT is an inbox, and crops come at an even rate, hole after hole, with the time of the clock in
    their names, until --seconds or --crops or Ctrl-C. Now and then metal breaks out of a hole, first some drops,
    then more; after that the hole is empty until it is repaired. The holes of camera C look like those of the
    labelled crops of the same seed. OUT/events.csv has a line for each bleed-out: its hole and camera, and the times of
    its first and last crop; monitor evaluate --alarms OUT compares alarms with it.

    \b
    Examples:
      monitor gen crops crops/
      monitor gen crops inbox/ --stream --rate 2 --seconds 60
      monitor gen crops hour/ --stream --rate 40 --seconds 3600 --events 5 --start 2026-03-01T06:00
    """
    _refuse_mixed(context, stream=stream)
    (_stream if stream else _dataset)(out, **options)


def _refuse_mixed(context: click.Context, *, stream: bool) -> None:
    """Refuse options that would do nothing."""
    for name in _OF_DATASET if stream else _OF_STREAM:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} does not go with --stream" if stream else f"{option} needs --stream")
    given = {name: context.params[name] for name in ("events", "start") if context.params[name] is not None}
    if "events" in given and context.get_parameter_source("proliv_every") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("give either --events or --proliv-every")
    if given and context.params["seconds"] is None and context.params["crops"] is None:
        raise click.UsageError(f"--{next(iter(given))} needs --seconds or --crops, so that the stream has an end")
    if given and _length(context.params) > _LONGEST_STREAM:
        raise click.UsageError(
            f"the stream would take more than {_LONGEST_STREAM // 86_400} days; ask for a shorter one"
        )


def _length(options: Mapping[str, Any]) -> float:
    """How many seconds of the cameras' time a stream with an end takes."""
    by_crops = inf if options["crops"] is None else options["crops"] / options["rate"]
    return min(by_crops, inf if options["seconds"] is None else options["seconds"])


def _dataset(out: Path, *, train: int, proliv: int, test: int, empty: float, seed: int, **_options: object) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from generators.crops.datasets import write_dataset

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Making crops", total=train + proliv + test)
        summary = write_dataset(
            out,
            train=train,
            proliv=proliv,
            test=test,
            empty_share=empty,
            seed=seed,
            progress=lambda count: bar.advance(task, count),
        )
    click.echo(
        f"Wrote {summary.total} crops into {out}: {summary.train} to train on, {summary.proliv} proliv for the "
        f"threshold, and a test of {summary.test_normal} without proliv and {summary.test_proliv} proliv, "
        f"{summary.test_empty} of them empty holes."
    )


def _stream(
    out: Path,
    *,
    rate: float,
    seconds: float | None,
    crops: int | None,
    cameras: str,
    holes: int,
    proliv_every: float,
    events: int | None,
    start: datetime | None,
    labelled: Path | None,
    label_share: float,
    time_zone: ZoneInfo,
    seed: int,
    **_options: object,
) -> None:
    from datetime import timedelta

    from generators.crops.datasets import CastingTable
    from generators.crops.feeding import Labels, feed, stop_on_signals
    from generators.crops.streaming import CropStream, spread

    report = Report()
    with stop_on_signals() as stop:
        tables = [CastingTable(seed, holes=holes, camera=letter) for letter in cameras]
        begin = start or datetime.now(time_zone).replace(tzinfo=None)
        length = _length({"crops": crops, "rate": rate, "seconds": seconds})
        how: dict[str, Any] = {"proliv_every": timedelta(minutes=proliv_every) or None}
        if events is not None:
            how = {"beginnings": spread(begin, timedelta(seconds=length), events, seed)}
        summary = feed(
            CropStream(tables, seed=seed, **how),
            out,
            rate=rate,
            zone=time_zone,
            crops=crops,
            seconds=seconds,
            start=start,
            truth=True,
            labels=None if labelled is None else Labels(labelled, label_share),
            stop=stop,
            tell=report,
        )
    pace = f", {summary.crops / summary.seconds:.1f} a second" if summary.seconds > 1 else ""
    left_out = f"; {summary.left_out} were left out" if summary.left_out else ""
    report(
        f"Wrote {summary.crops} crops into {out} in {summary.seconds:.0f} s{pace}: {summary.proliv} of them proliv, "
        f"{summary.labelled} labelled{left_out}."
    )
