"""``monitor cast``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from monitor.cli.options import author_of, author_option, format_option, limit_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table
from monitor.times import iso, on_clock
from monitor.words import PHASES

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.store.casts import CastRow, Said
    from monitor.store.database.engine import Database
    from monitor.words import Phase

PHASE = click.Choice(PHASES)


@click.group("cast")
def command() -> None:
    """Say which cast is running and in which phase, and list casts.

    Alarms have the cast and the phase in which they opened; k, n and within_seconds can differ from phase to phase
    ([alarms.phases]). In the phase idle alarms are recorded without notifying anyone. If alarms.cast.file names a file,
    the daemon reads from it which cast is running, and only list works here.

    \b
    Examples:
      monitor cast start 4711 --alloy 6063
      monitor cast phase steady
      monitor cast end
    """


def _by_hand(program: Program) -> Database:
    from monitor.alarms.casting import refuse_by_hand

    refuse_by_hand(program.configuration)
    return program.database(create=False)


@command.command("start")
@click.argument("number")
@click.option("--alloy", metavar="NAME", help="The alloy of the cast.")
@click.option("--phase", type=PHASE, default="start", show_default=True, help="The phase in which it begins.")
@author_option()
@pass_program
def start_cast(program: Program, number: str, alloy: str | None, phase: Phase, author: str | None) -> None:
    """Begin a cast; one that is still running is ended.

    \b
    Example:
      monitor cast start 4711 --alloy 6063
    """
    from monitor.alarms.casting import start

    number, alloy = _name(number, "NUMBER"), None if alloy is None else _name(alloy, "--alloy")
    before = start(_by_hand(program), number, alloy, phase, by=author_of(author), at=datetime.now(UTC))
    if before is not None:
        click.echo(f"cast {before.number} is ended")
    click.echo(f"cast {number} runs, phase {phase}")


def _name(text: str, where: str) -> str:
    from monitor.alarms.cast_words import checked_name

    try:
        return checked_name(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=where) from None


@command.command("phase")
@click.argument("phase", type=PHASE)
@author_option()
@pass_program
def change(program: Program, phase: Phase, author: str | None) -> None:
    """Set the phase of the cast.

    idle can also be set without a cast. Nothing is being cast then, so alarms are recorded without notifying anyone
    until another phase, a new cast or the end is set, and for alarms.cast.maximum_age_seconds at most.

    \b
    Examples:
      monitor cast phase steady
      monitor cast phase idle
    """
    from monitor.alarms.casting import change_phase

    row = change_phase(_by_hand(program), phase, by=author_of(author), at=datetime.now(UTC))
    click.echo(f"cast {row.number}: phase {phase}" if row else f"no cast runs: phase {phase}")


@command.command("end")
@author_option()
@pass_program
def end_cast(program: Program, author: str | None) -> None:
    """End the cast. Sinks are told of alarms from then on, because nothing is known about what is being cast.

    \b
    Example:
      monitor cast end
    """
    from monitor.alarms.casting import end

    row = end(_by_hand(program), by=author_of(author), at=datetime.now(UTC))
    click.echo(f"cast {row.number} is ended" if row else "the phase idle is ended; no cast runs")


@command.command("list")
@limit_option("the newest; by default all")
@format_option()
@pass_program
def list_casts(program: Program, limit: int | None, output_format: str) -> None:
    """List casts, the newest first, with their phases.

    \b
    Examples:
      monitor cast list
      monitor cast list --limit 10 --format json
    """
    from monitor.store import casts

    zone = program.configuration.time_zone
    with program.database(create=False).read() as connection:
        rows = [(row, casts.phases_of(connection, row.id)) for row in casts.listed(connection, limit)]
    if output_format == "json":
        for row, said in rows:
            click.echo(json.dumps(_as_dict(row, said), ensure_ascii=False))
        return
    if not rows:
        click.echo("there are no casts; begin one: monitor cast start NUMBER", err=True)
        return
    Table(("cast", "alloy", "started at", "ended at", "phases")).write(
        (
            *(row.number, row.alloy or "-", on_clock(row.started_at, zone)),
            *("runs" if row.ended_at is None else on_clock(row.ended_at, zone), _phases(said, zone)),
        )
        for row, said in rows
    )


def _phases(said: list[Said], zone: ZoneInfo) -> str:
    return ", ".join(
        f"{one.phase} {on_clock(one.at, zone)[11:19]}" + (" (in doubt)" if one.problem else "") for one in said
    )


def _as_dict(row: CastRow, said: list[Said]) -> dict[str, object]:
    names = ("phase", "source", "author", "problem")
    phases = [{**{name: getattr(one, name) for name in names}, "at": iso(one.at)} for one in said]
    return {**row._asdict(), "started_at": iso(row.started_at), "ended_at": iso(row.ended_at), "phases": phases}
