"""``monitor alarms``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from monitor.cli import alarms_evidence, alarms_replay, alarms_test
from monitor.cli.options import (
    author_of,
    author_option,
    bounded,
    cast_option,
    format_option,
    limit_option,
    note_option,
)
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table, print_pairs
from monitor.cli.wording import counted, number
from monitor.times import on_clock
from monitor.words import LONGEST_NOTE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any
    from zoneinfo import ZoneInfo

    from monitor.store.alarm_evidence import EvidenceRow
    from monitor.store.alarm_members import ShownCrop
    from monitor.store.alarms import AlarmRow

# The newest crops of an alarm that `show` lists.
SHOWN: Final = 20
LARGEST: Final = 2**63 - 1


@click.group("alarms")
def command() -> None:
    """List, show, acknowledge and close alarms, see who was told of them, and what other rules would have opened.

    The evidence of an alarm can be exported as one file.

    \b
    Examples:
      monitor alarms list
      monitor alarms ack 12 --note "metal stopped"
      monitor alarms export 12 --output alarm-12.zip
    """


for one in (alarms_replay.command, alarms_test.command, alarms_evidence.export, alarms_evidence.verify):
    command.add_command(one)


def _alarm_argument() -> Callable[[Any], Any]:
    return click.argument("alarm", type=click.IntRange(1, LARGEST))


@command.command("list")
@click.option("--closed", is_flag=True, help="List closed alarms as well.")
@cast_option("closed alarms too")
@limit_option("the newest; by default all")
@format_option()
@pass_program
def list_alarms(program: Program, cast: str | None, limit: int | None, output_format: str, *, closed: bool) -> None:
    """List the alarms that are not closed, the newest first.

    An open alarm waits for a person. An acknowledged one closes by itself once its event is over, and so does one that
    was withheld because of a pause.

    \b
    Examples:
      monitor alarms list
      monitor alarms list --closed --limit 50 --format json
      monitor alarms list --cast 4711
    """
    from monitor.alarms.wording import about_row, as_dict, state
    from monitor.store.alarms import listed

    zone = program.configuration.time_zone
    database = program.database(create=False)
    if cast is not None:
        from monitor.alarms.casting import require as require_cast

        cast = require_cast(database, cast).number
    closed = closed or cast is not None
    with database.read() as connection:
        rows = listed(connection, closed=closed, most=limit, cast=cast)
    if output_format == "json":
        for row in rows:
            click.echo(json.dumps(as_dict(row), ensure_ascii=False))
        return
    if not rows:
        none = "there are no alarms" if cast is None else "the cast has no alarms"
        click.echo(none if closed else "no alarm is open; older ones: monitor alarms list --closed", err=True)
        return
    Table(("alarm", "state", "opened at", "last crop", "crops", "about"), right=("alarm", "crops")).write(
        (
            *(str(row.id), state(row), on_clock(row.opened_at, zone), on_clock(row.last_at, zone), str(row.crops)),
            about_row(row),
        )
        for row in rows
    )


@command.command("show")
@_alarm_argument()
@format_option()
@pass_program
def show_alarm(program: Program, alarm: int, output_format: str) -> None:
    """Show an alarm with its newest crops, and whether its evidence is kept.

    \b
    Example:
      monitor alarms show 12
    """
    from monitor.alarms.acknowledgement import require
    from monitor.alarms.wording import as_dict
    from monitor.store.alarm_evidence import of_alarm
    from monitor.store.alarm_members import crops_of
    from monitor.times import iso

    database, zone = program.database(create=False), program.configuration.time_zone
    row = require(database, alarm)
    with database.read() as connection:
        crops = crops_of(connection, alarm, SHOWN)
        evidence = of_alarm(connection, alarm)
    if output_format == "json":
        listed = [{**crop._asdict(), "at": iso(crop.at)} for crop in crops]
        kept = [one._asdict() for one in evidence]
        click.echo(json.dumps({**as_dict(row), "newest_crops": listed, "evidence": kept}, ensure_ascii=False))
        return
    print_pairs([*_lines(row, zone), ("evidence", _evidence(evidence))], width=14)
    _print_crops(crops, zone)


def _lines(row: AlarmRow, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    from monitor.alarms.wording import about_row, state

    yield "alarm", f"{row.id}: {about_row(row)}"
    yield "state", state(row)
    yield "opened at", on_clock(row.opened_at, zone)
    if row.cast is not None or row.phase is not None:
        alloy = f", alloy {row.alloy}" if row.alloy is not None else ""
        yield "cast", f"{row.cast or 'none'}{alloy}, phase {row.phase or UNKNOWN}"
    if row.told_at is not None:
        yield "told at", on_clock(row.told_at, zone)
    yield "crops", f"{row.crops}, from {on_clock(row.first_at, zone)} to {on_clock(row.last_at, zone)}"
    yield "highest score", f"{number(row.score)}, threshold {number(row.threshold)}, crop {row.highest_crop_id}"
    if row.acknowledged_at is not None:
        note = f": {row.acknowledged_note}" if row.acknowledged_note else ""
        yield "acknowledged", f"by {row.acknowledged_by} at {on_clock(row.acknowledged_at, zone)}{note}"
    if row.closed_at is not None:
        how = f"by {row.closed_by}" if row.closed_by else f"by itself ({row.ended_by})"
        if row.part_of is not None:
            how = f"as part of alarm {row.part_of}"
        note = f": {row.closed_note}" if row.closed_note else ""
        yield "closed", f"{how} at {on_clock(row.closed_at, zone)}{note}"


def _evidence(rows: list[EvidenceRow]) -> str:
    """How much of what an alarm was decided on is kept, and why the rest is not."""
    if not rows:
        return "nothing is kept: it opened before schema 0014, or retention has deleted it"
    kept = sum(row.state == "kept" for row in rows)
    missing = "".join(
        f"; crop {row.crop_id}: {row.problem or 'its file has yet to be read'}" for row in rows if row.state != "kept"
    )
    return f"{kept} of {counted(len(rows), 'crop')} kept{missing}"


def _print_crops(crops: list[ShownCrop], zone: ZoneInfo) -> None:
    if not crops:
        return
    click.echo()
    Table(("id", "time", "score", "threshold", "path"), right=("id", "score", "threshold")).write(
        (str(crop.id), on_clock(crop.at, zone), number(crop.score), number(crop.threshold), crop.path) for crop in crops
    )


@command.command("ack")
@_alarm_argument()
@author_option()
@note_option()
@pass_program
def acknowledge(program: Program, alarm: int, author: str | None, note: str | None) -> None:
    """Acknowledge an alarm: a person has seen it and deals with it.

    Further proliv of the same event still join it. It is closed by itself once no proliv has come for
    alarms.pause_seconds.

    \b
    Example:
      monitor alarms ack 12 --note "metal stopped"
    """
    from monitor.alarms.acknowledgement import acknowledge

    configuration = program.configuration
    row = acknowledge(
        *(program.database(create=False), configuration.settings.alarms, alarm),
        by=author_of(author),
        note=bounded(note, LONGEST_NOTE, "--note"),
        at=datetime.now(UTC),
        zone=configuration.time_zone,
    )
    then = "and closed" if row.state == "closed" else "it is closed once the event is over"
    click.echo(f"alarm {row.id} is acknowledged, {then}: {_summary(row)}")


@command.command("close")
@_alarm_argument()
@author_option()
@note_option()
@pass_program
def close_alarm(program: Program, alarm: int, author: str | None, note: str | None) -> None:
    """Close an alarm, whether it is acknowledged or not, and whether its event goes on or not.

    The next proliv opens another alarm, even if it is of the same event.

    \b
    Example:
      monitor alarms close 12 --author anna --note "a shadow"
    """
    from monitor.alarms.acknowledgement import close

    row = close(
        *(program.database(create=False), program.configuration.settings.alarms, alarm),
        by=author_of(author),
        note=bounded(note, LONGEST_NOTE, "--note"),
        at=datetime.now(UTC),
        zone=program.configuration.time_zone,
    )
    click.echo(f"alarm {row.id} is closed: {_summary(row)}")


def _summary(row: AlarmRow) -> str:
    from monitor.alarms.wording import about_row

    return f"{about_row(row)}, {counted(row.crops, 'crop')}"


@command.command("deliveries")
@click.option("--delivered", is_flag=True, help="List also what sinks have got.")
@limit_option("the newest; by default all")
@format_option()
@pass_program
def list_deliveries(program: Program, limit: int | None, output_format: str, *, delivered: bool) -> None:
    """List the messages about alarms that a sink has yet to get, and why it has not taken them.

    \b
    Examples:
      monitor alarms deliveries
      monitor alarms deliveries --delivered --limit 50
    """
    from monitor.store.outbox import deliveries
    from monitor.times import iso

    configuration = program.configuration
    zone, configured = configuration.time_zone, configuration.settings.alarms.sinks
    with program.database(create=False).read() as connection:
        rows = deliveries(connection, delivered=delivered, most=limit)
    if output_format == "json":
        for row in rows:
            times = {name: iso(getattr(row, name)) for name in ("at", "next_try_at", "delivered_at")}
            values = {name: value for name, value in row._asdict().items() if name != "alarm"}
            click.echo(json.dumps({**values, **times}, ensure_ascii=False))
        return
    if not rows:
        click.echo("every message is delivered", err=True)
        return
    headings = ("message", "alarm", "kind", "written at", "sink", "attempts", "next try", "why")
    Table(headings, right=("message", "alarm", "attempts")).write(
        (
            *(str(row.id), str(row.alarm_id), row.kind, on_clock(row.at, zone), row.sink, str(row.attempts)),
            "delivered" if row.delivered_at else on_clock(row.next_try_at, zone) if row.sink in configured else "never",
            (row.error or "") if row.sink in configured or row.delivered_at else "no such sink is configured",
        )
        for row in rows
    )


@command.command("sinks")
@format_option()
@pass_program
def list_sinks(program: Program, output_format: str) -> None:
    """List the sinks of [alarms.sinks], whether each could work, and how many messages wait for it.

    Nothing is sent. The exit code is 69 if one could not work.

    \b
    Example:
      monitor alarms sinks
    """
    from monitor.alarms.delivery import complaint
    from monitor.alarms.sinks import new_sink
    from monitor.errors import DeliveryError
    from monitor.store.outbox import backlogs

    configuration = program.configuration
    with program.database(create=False).read() as connection:
        waiting = {one.sink: one.messages for one in backlogs(connection)}
    rows = [
        (name, values["kind"], complaint(new_sink(program.registry, name, configuration)), waiting.get(name, 0))
        for name, values in configuration.settings.alarms.sinks.items()
    ]
    if output_format == "json":
        for row in rows:
            click.echo(json.dumps(dict(zip(("sink", "kind", "problem", "due"), row, strict=True))))
    elif rows:
        cells = ((name, kind, problem or "could work", str(due)) for name, kind, problem, due in rows)
        Table(("sink", "kind", "state", "due"), right=("due",)).write(cells)
    else:
        click.echo("no sink is configured; see [alarms.sinks] of config.toml and docs/alarms.md", err=True)
    wrong = [name for name, _, problem, _ in rows if problem]
    if wrong:
        raise DeliveryError(f"{', '.join(wrong)}: cannot work as things are; see above")
