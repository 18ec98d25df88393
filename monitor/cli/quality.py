"""``monitor quality``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

import click

from monitor.cli.options import (
    cast_option,
    echo_range,
    format_option,
    models_option,
    moment,
    since_option,
    until_option,
)
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table, print_pairs
from monitor.cli.wording import counted
from monitor.times import on_clock
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from monitor.formulas.rates import WeightedRate
    from monitor.quality.operation import Quality, Rates, Window
    from monitor.store.database.engine import Database

NAME_WIDTH: Final = 28


@click.command("quality")
@click.option(
    "--window",
    "days",
    metavar="DAYS",
    type=click.FloatRange(min=0, max=3660, min_open=True),
    multiple=True,
    help="The last DAYS days; may be repeated. By default quality.window_days of the configuration.",
)
@since_option("instead of --window")
@until_option("by default until now; only with --since")
@cast_option("instead of --window and --since; the crops from its beginning to its end")
@click.option("--by", type=click.Choice(["hole", "camera"]), help="Show each hole or camera as well.")
@models_option("by default all active models; the final decision is always shown")
@format_option()
@pass_program
def command(
    program: Program,
    days: tuple[float, ...],
    since: str | None,
    until: str | None,
    cast: str | None,
    by: Literal["hole", "camera"] | None,
    names: tuple[str, ...],
    output_format: str,
) -> None:
    """Show TPR and TNR in operation, from the labelled crops.

    TPR is the share of proliv that was caught, TNR the share of ne_proliv that was passed, both by the decisions of the
    time. Crops without an alarm are represented by those that were drawn at random and labelled; without such crops,
    TPR is too good. Times without a zone are on the plant's clock.

    \b
    Examples:
      monitor quality
      monitor quality --since 2024-05-01 --by hole
      monitor quality --cast 4711
    """
    database = program.database(create=False)
    from datetime import UTC, datetime

    from monitor.quality.operation import last_days, quality_in_operation
    from monitor.store.models import named_or_active

    settings = program.configuration.settings
    now, zone = datetime.now(UTC), program.configuration.time_zone
    if cast is not None:
        if days or since is not None or until is not None:
            raise click.UsageError("--cast chooses the crops itself; leave out --window, --since and --until")
        windows = [_of_cast(database, cast, now)]
        echo_range(windows[0].since, windows[0].until, zone)
    elif since is not None or until is not None:
        windows = [_span(since, until, days, now, zone)]
        echo_range(windows[0].since, windows[0].until, zone)
    else:
        windows = [last_days(one, now) for one in days or settings.quality.window_days]
    gap = settings.calibration.event_gap_seconds
    with database.read() as connection:
        models = named_or_active(connection, names)
        found = quality_in_operation(connection, windows, models, event_gap_seconds=gap, by=by)
    if output_format == "json":
        click.echo(json.dumps({"windows": [one.as_dict() for one in found]}))
        return
    for one in found:
        _print(one, zone)


def _span(since: str | None, until: str | None, days: tuple[float, ...], now: datetime, zone: ZoneInfo) -> Window:
    from monitor.quality.operation import Window

    if since is None:
        raise click.UsageError("--until needs --since; for the last days use --window DAYS")
    if days:
        raise click.UsageError("--window and --since both choose the crops; give only one of them")
    begin, end = moment(since, zone, "--since"), moment(until, zone, "--until") or now
    assert begin is not None
    if begin >= end:
        raise click.UsageError(f"--since {since} is not before {f'--until {until}' if until else 'now'}")
    return Window("span", begin, end)


def _of_cast(database: Database, number: str, now: datetime) -> Window:
    from monitor.alarms.casting import require
    from monitor.quality.operation import Window

    row = require(database, number)
    return Window(f"cast {row.number}", row.started_at, row.ended_at or now)


def _print(quality: Quality, zone: ZoneInfo) -> None:
    window, coverage = quality.window, quality.coverage
    share = "" if coverage is None else f" ({coverage:.0%})"
    print_pairs(
        [
            ("window", f"{window.name}, {on_clock(window.since, zone)} to {on_clock(window.until, zone)}"),
            (
                "labelled",
                f"{quality.proliv} proliv of {counted(quality.incidents, 'incident')}, {quality.ne_proliv} ne_proliv; "
                f"{quality.contradictory} with contradictory labels left out",
            ),
            ("alarms", f"{quality.labelled_alarms} of {quality.alarms} labelled{share}"),
            ("audit", _audit(quality)),
        ],
        width=NAME_WIDTH,
    )
    cells = [(_name(one), f"TPR {_rate(one.tpr)}", f"TNR {_rate(one.tnr)}") for one in quality.rates]
    name_width = max([NAME_WIDTH, *(len(name) for name, _, _ in cells)])
    rate_width = max([0, *(len(tpr) for _, tpr, _ in cells)])
    Table(("", "", ""), plain=f"{{:<{name_width}}} {{:<{rate_width}}}  {{}}").write(cells)
    if quality.caution and any(one.tpr for one in quality.rates):
        click.echo(quality.caution)


def _audit(quality: Quality) -> str:
    unusual = f"{quality.audited_unusual} of {quality.drawn_unusual} unusual"
    more = f" ({unusual})" if quality.drawn_unusual else ""
    return f"{quality.audited} of {quality.drawn} drawn crops labelled{more}, {quality.audited_proliv} of them proliv"


def _name(rates: Rates) -> str:
    name = rates.model or rates.detector
    if rates.group == "all":
        return name
    camera = f"{name}, camera {rates.camera or UNKNOWN}"
    if rates.group == "camera":
        return camera
    return f"{camera} hole {UNKNOWN if rates.hole is None else rates.hole}"


def _rate(rate: WeightedRate | None) -> str:
    if rate is None:
        return "unknown: no such crop is labelled"
    return f"{rate.rate:.4f} ({rate.low:.4f} to {rate.high:.4f}), {rate.crops} crops"
