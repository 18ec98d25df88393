"""``monitor quality``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from monitor.cli.options import counted
from monitor.cli.program import Program, pass_program

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from monitor.quality.operation import Window

NAME_WIDTH: Final = 28


@click.command("quality")
@click.option(
    "--window",
    "days",
    metavar="DAYS",
    type=click.FloatRange(min=0, max=3660, min_open=True),
    multiple=True,
    help="The last DAYS days; may be given several times. Without it, quality.window_days of the configuration.",
)
@click.option("--since", metavar="TIME", help="Instead, crops from TIME on: 2026-11-01, or 2026-11-01T06:00+05:00.")
@click.option("--until", metavar="TIME", help="With --since, crops before TIME; now where it is left out.")
@click.option("--by", type=click.Choice(["hole", "camera"]), help="Show each hole or camera as well.")
@click.option(
    "--model",
    "names",
    multiple=True,
    help="A model's name; without it, all active models. The final decision is always shown.",
)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def command(
    program: Program,
    days: tuple[float, ...],
    since: str | None,
    until: str | None,
    by: Literal["hole", "camera"] | None,
    names: tuple[str, ...],
    output_format: str,
) -> None:
    """Show TPR and TNR in operation, from the labelled crops.

    TPR is the caught share of proliv, TNR the passed share of ne_proliv, both by what was decided then. Crops without
    an alarm count through those that were drawn at random and labelled; without any, TPR is too good. A time without
    a zone is by the plant's clock.
    """
    database = program.database(create=False)
    from datetime import UTC, datetime

    from monitor.quality import operation
    from monitor.store import models as store_models

    settings = program.configuration.settings
    now = datetime.now(UTC)
    if since is not None or until is not None:
        windows = [_span(since, until, days, now, program.configuration.time_zone)]
    else:
        windows = [operation.last_days(one, now) for one in days or settings.quality.window_days]
    with database.read() as connection:
        models = (
            [store_models.find_model(connection, name) for name in names]
            if names
            else store_models.active_models(connection)
        )
        gap = settings.calibration.event_gap_seconds
        found = operation.measure(connection, windows, models, event_gap_seconds=gap, by=by)
    reports = [one.as_dict() for one in found]
    if output_format == "json":
        click.echo(json.dumps({"windows": reports}))
        return
    for report in reports:
        _print(report)


def _span(since: str | None, until: str | None, days: tuple[float, ...], now: datetime, zone: ZoneInfo) -> Window:
    from monitor.cli.options import moment
    from monitor.quality.operation import Window

    if since is None:
        raise click.UsageError("--until needs --since; for the last days give --window DAYS")
    if days:
        raise click.UsageError("--window and --since both say which crops count; give one of them")
    begin, end = moment(since, zone, "--since"), moment(until, zone, "--until") or now
    assert begin is not None
    if begin >= end:
        raise click.UsageError(f"--since {since} is not before {f'--until {until}' if until else 'now'}")
    return Window("span", begin, end)


def _print(report: dict[str, Any]) -> None:
    coverage = report["alarm_label_coverage"]
    share = "" if coverage is None else f" ({coverage:.0%})"
    rows = [
        ("window", f"{report['window']}, {report['since'][:16]} to {report['until'][:16]} UTC"),
        (
            "labelled",
            f"{report['proliv']} proliv of {counted(report['events'], 'event')}, {report['ne_proliv']} ne_proliv; "
            f"{report['contradictory']} with contradictory labels left out",
        ),
        ("alarms", f"{report['labelled_alarms']} of {report['alarms']} labelled{share}"),
        (
            "audit",
            f"{report['audited']} of {report['drawn']} drawn crops labelled, {report['audited_proliv']} of them proliv",
        ),
    ]
    for name, value in rows:
        click.echo(f"{name:<{NAME_WIDTH}} {value}")
    cells = [(_name(one), f"TPR {_rate(one['tpr'])}", f"TNR {_rate(one['tnr'])}") for one in report["rates"]]
    name_width = max([NAME_WIDTH, *(len(name) for name, _, _ in cells)])
    rate_width = max([0, *(len(tpr) for _, tpr, _ in cells)])
    for name, tpr, tnr in cells:
        click.echo(f"{name:<{name_width}} {tpr:<{rate_width}}  {tnr}")
    if report["caution"] and any(one["tpr"] for one in report["rates"]):
        click.echo(report["caution"])


def _name(rates: dict[str, Any]) -> str:
    name = rates["model"] or rates["detector"]
    if rates["group"] == "all":
        return f"{name}"
    camera = rates["camera"] or "unknown"
    if rates["group"] == "camera":
        return f"{name}, camera {camera}"
    return f"{name}, camera {camera} hole {'unknown' if rates['hole'] is None else rates['hole']}"


def _rate(rate: dict[str, Any] | None) -> str:
    if rate is None:
        return "unknown: no such crop is labelled"
    return f"{rate['rate']:.4f} ({rate['low']:.4f} to {rate['high']:.4f}), {rate['crops']} crops"
