"""``monitor pause``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from monitor.cli.options import Duration, author_of, author_option, bounded, format_option, hole_option, limit_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table
from monitor.times import on_clock
from monitor.words import LONGEST_NOTE

# A longer one would be forgotten.
LONGEST_PAUSE: Final = timedelta(days=7)
LONGEST_CAMERA: Final = 200
LARGEST: Final = 2**63 - 1


@click.group("pause", invoke_without_command=True)
@hole_option("of every camera, or of --camera")
@click.option("--camera", metavar="NAME", help="Only crops of this camera; with --hole, of that hole alone.")
@click.option("--all", "everything", is_flag=True, help="All cameras and holes, and files whose names tell no hole.")
@click.option(
    "--for",
    "duration",
    metavar="TIME",
    type=Duration(LONGEST_PAUSE),
    help="How long, such as 45m, 2h or 1h30m; at most 7 days.",
)
@click.option("--reason", metavar="TEXT", help="Why; stored, and shown in lists.")
@author_option()
@click.pass_context
@pass_program
def command(
    program: Program,
    context: click.Context,
    hole: int | None,
    camera: str | None,
    everything: bool,
    duration: timedelta | None,
    reason: str | None,
    author: str | None,
) -> None:
    """Record alarms without notifying anyone while people work on the line.

    Crops are still decided on, and alarms are still stored and listed, but no sink is told that one opened. The pause
    ends by itself. Sinks are then told of alarms whose event is still going on.

    \b
    Examples:
      monitor pause --hole 12 --for 2h --reason "new nozzle"
      monitor pause --all --for 45m --reason "lamps are cleaned"
      monitor pause list
    """
    given = everything or any(value is not None for value in (hole, camera, duration, reason, author))
    if context.invoked_subcommand is not None:
        if given:
            word = context.invoked_subcommand
            raise click.UsageError(f"the options of a new pause do not go with monitor pause {word}; leave them out")
        return
    if not everything and hole is None and camera is None:
        raise click.UsageError("say what to pause: --hole N, --camera NAME or --all; see what runs: monitor pause list")
    if everything and (hole is not None or camera is not None):
        raise click.UsageError("--all is everything; leave out --hole and --camera")
    if duration is None:
        raise click.UsageError("say for how long: --for 2h")
    why = bounded(reason, LONGEST_NOTE, "--reason")
    if why is None:
        raise click.UsageError('say why, for anyone who asks later: --reason "new nozzle"')
    if camera is not None and not (camera.isprintable() and 0 < len(camera) <= LONGEST_CAMERA):
        raise click.BadParameter(
            f"a camera's name has 1 to {LONGEST_CAMERA} characters that can be printed", param_hint="--camera"
        )
    _begin(program, camera, hole, duration, why, author_of(author))


def _begin(
    program: Program, camera: str | None, hole: int | None, duration: timedelta, reason: str, author: str
) -> None:
    from monitor.store import pauses

    now = datetime.now(UTC)
    with program.database(create=False).write() as connection:
        row = pauses.add(
            connection, camera=camera, hole=hole, begins_at=now, ends_at=now + duration, reason=reason, author=author
        )
    until = on_clock(row.ends_at, program.configuration.time_zone)
    click.echo(f"pause {row.id}: alarms of {row.scope} are recorded without notifying anyone until {until}")


@command.command("list")
@click.option("--over", is_flag=True, help="List finished pauses as well.")
@limit_option("the newest; by default all")
@format_option()
@pass_program
def list_pauses(program: Program, limit: int | None, output_format: str, *, over: bool) -> None:
    """List the pauses in effect, the newest first.

    \b
    Examples:
      monitor pause list
      monitor pause list --over --limit 20
    """
    from monitor.alarms.pauses import as_dict
    from monitor.store import pauses

    zone, now = program.configuration.time_zone, datetime.now(UTC)
    with program.database(create=False).read() as connection:
        if over:
            rows = pauses.newest(connection, limit)
        else:
            rows = sorted(pauses.running(connection, now), key=lambda row: row.id, reverse=True)[:limit]
    if output_format == "json":
        for row in rows:
            click.echo(json.dumps(as_dict(row), ensure_ascii=False))
        return
    if not rows:
        click.echo(
            "there are no pauses" if over else "no pause runs; earlier ones: monitor pause list --over", err=True
        )
        return
    Table(("pause", "of", "begins", "ends", "author", "reason"), right=("pause",)).write(
        (
            *(str(row.id), row.scope, on_clock(row.begins_at, zone)),
            on_clock(row.ends_at, zone) + (f" (by {row.ended_by})" if row.ended_by else ""),
            *(row.author, row.reason),
        )
        for row in rows
    )


@command.command("end")
@click.argument("pause", type=click.IntRange(1, LARGEST))
@author_option()
@pass_program
def end_pause(program: Program, pause: int, author: str | None) -> None:
    """End a pause early: sinks are told within seconds of alarms whose event is still going on.

    \b
    Example:
      monitor pause end 3
    """
    from monitor.alarms.pauses import end

    zone = program.configuration.time_zone
    row = end(program.database(create=False), pause, by=author_of(author), at=datetime.now(UTC), zone=zone)
    click.echo(f"pause {row.id} is over: alarms of {row.scope} are no longer withheld")
