"""``monitor labels``."""

from __future__ import annotations

import io
import json
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from monitor.cli.options import (
    author_of,
    author_option,
    bounded,
    dry_run_option,
    format_option,
    limit_option,
    note_option,
    output_option,
    yes_option,
)
from monitor.cli.program import Program, pass_program
from monitor.cli.selection import confirm, show_selection
from monitor.cli.tables import Table
from monitor.cli.wording import counted
from monitor.files.chunks import chunks
from monitor.files.text import printable
from monitor.times import on_clock
from monitor.words import LONGEST_NOTE

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.store.database.engine import Database
    from monitor.store.labels import GivenLabelRow

# Lines that are laid out together on a terminal.
PIECE: Final = 1000


@click.group("labels")
def command() -> None:
    """List, export, import and take back labels.

    \b
    Examples:
      monitor labels list
      monitor labels undo --dry-run
    """


@command.command("list")
@click.option("--contradictions", is_flag=True, help="List only the crops whose labels contradict each other.")
@limit_option("the newest; by default all")
@format_option()
@pass_program
def list_labels(program: Program, limit: int | None, output_format: str, *, contradictions: bool) -> None:
    """List every label ever given, the oldest first.

    The newest label of a crop counts; one that was taken back does not.

    \b
    Examples:
      monitor labels list --limit 20
      monitor labels list --contradictions
    """
    as_json = output_format == "json"
    database = program.database(create=False)
    if contradictions:
        _list_contradictions(database, limit, as_json=as_json)
    else:
        _list(database, limit, program.configuration.time_zone, as_json=as_json)


def _list(database: Database, limit: int | None, zone: ZoneInfo, *, as_json: bool) -> None:
    from monitor.labels.exchange import as_dict
    from monitor.store.labels import given_labels

    # Fetched before anything is printed: a reader that waits, such as less, must not hold the transaction open.
    with database.read() as connection:
        given = deque(given_labels(connection), limit)
    headings = ("given at", "label", "source", "author", "crop", "path", "note")
    table = Table(headings, right=("crop",), plain="{}  {:<9}  {:<7}  {:<12}  {:>8}  {}  {}", plain_headings=False)
    for rows in chunks(given, PIECE):
        if as_json:
            click.echo("\n".join(json.dumps(as_dict(row), ensure_ascii=False) for row in rows))
        else:
            table.write(_cells(row, zone) for row in rows)
    if not given:
        click.echo("nothing is labelled yet; see: monitor label --help", err=True)


def _list_contradictions(database: Database, limit: int | None, *, as_json: bool) -> None:
    from monitor.labels.labels import read

    with database.read() as connection:
        found = read(connection).contradictions[:limit]
    if not found:
        click.echo("no labels contradict each other", err=True)
    for one in found:
        record = {"sha256": one.sha256, "path": one.path, "sentence": one.sentence}
        click.echo(json.dumps(record, ensure_ascii=False) if as_json else one.sentence)


def _cells(row: GivenLabelRow, zone: ZoneInfo) -> tuple[str, ...]:
    marks = ("settles" if row.settles else "", "taken back" if row.taken_back else "")
    takes_back = "" if row.undoes is None else f"takes back label {row.undoes}"
    notes = ", ".join(one for one in (*marks, takes_back, row.note or "") if one)
    given = on_clock(row.at, zone), row.label, row.source, row.author or "-", str(row.crop_id)
    return (*given, row.path, f"({notes})" if notes else "")


@command.command("undo")
@author_option()
@note_option("why they are taken back")
@yes_option()
@dry_run_option()
@pass_program
def undo_labels(program: Program, author: str | None, note: str | None, *, yes: bool, dry_run: bool) -> None:
    """Take back the labels that an author gave last, by one command or import.

    What counted before counts again, as if these labels had never been given; they are kept, and listed as taken back.
    Repeat it to take back the labels before them as well.

    \b
    Examples:
      monitor labels undo
      monitor labels undo --author anna --note "wrong hole" --yes
    """
    from monitor.labels.undo import undo
    from monitor.store.labels import find_crops, newest_action

    author = author_of(author)
    note = bounded(note, LONGEST_NOTE, "--note")
    database, zone = program.database(create=False), program.configuration.time_zone
    with database.read() as connection:
        action = newest_action(connection, author)
        crops = find_crops(connection, ids={row.crop_id for row in action})
    if not action:
        click.echo(f"{author} has given no label that could be taken back; see: monitor labels list", err=True)
        return
    kinds = ", ".join(sorted({row.label for row in action}))
    what = f"{counted(len(action), 'label')} ({kinds}) of {author}, given {on_clock(action[0].recorded_at, zone)}"
    show_selection(crops, zone)
    if dry_run:
        click.echo(f"nothing is changed; without --dry-run, {what}, would be taken back", err=True)
        return
    confirm(f"{what}, will be taken back", yes=yes, refused=f"{what}, would be taken back")
    with database.write() as connection:
        undo(connection, action, author=author, note=note)
    click.echo(f"{counted(len(action), 'label')} taken back")


@command.command("export")
@output_option("FILE", "by default to standard output")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["csv", "excel"]),
    default="csv",
    show_default=True,
    help="csv: with commas, times in UTC. excel: as Excel opens it in columns, with times on the plant's clock.",
)
@pass_program
def export(program: Program, output: Path | None, output_format: str) -> None:
    """Write every label as CSV in UTF-8, the oldest first.

    Text that a spreadsheet would take for a formula gets a leading apostrophe, which the import removes. A file that is
    there is replaced only if it is an export of labels itself.

    \b
    Examples:
      monitor labels export --output labels.csv
      monitor labels export --format excel --output labels.csv
    """
    from monitor.files.replacing import require_replaceable, write_whole
    from monitor.labels.exchange import export_labels
    from monitor.labels.spreadsheets import is_export
    from monitor.store.labels import given_labels

    excel = program.configuration.time_zone if output_format == "excel" else None
    # Fetched before anything is written, as in `_list`.
    with program.database(create=False).read() as connection:
        given = list(given_labels(connection))
    if output is None:
        count = export_labels(given, sys.stdout, excel=excel)
    else:
        text = io.StringIO(newline="")
        count = export_labels(given, text, excel=excel)
        require_replaceable(output, is_export, "an export of labels")
        write_whole(output, text.getvalue().encode())
    click.echo(f"{counted(count, 'label')} exported", err=True)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@author_option()
@click.option("--skip-bad", is_flag=True, help="Leave wrong rows out and import the others.")
@pass_program
def import_table(program: Program, file: Path, author: str | None, *, skip_bad: bool) -> None:
    """Import labels from a CSV FILE with a header, or from standard input (-).

    The file may be as a spreadsheet saves it: UTF-8, UTF-16 with a byte order mark or Windows-1251, with commas,
    semicolons or tabs. Times are ISO 8601 or 01.03.2023 05:39, on the plant's clock unless they name a zone.

    The table needs the columns label and sha256 or path; at (by default now), author, note, settles and source are read
    if they are there. A label goes to the crop with the row's sha256, or, in a row without one, to the crop with its
    path. If a row names no author, its label is credited to whoever imports it, who can take it back with monitor
    labels undo. A label that is already stored (same content, label, author and time) is skipped. If a row is wrong,
    nothing is imported, unless --skip-bad is given.

    \b
    Examples:
      monitor labels import labels.csv
      monitor labels import --skip-bad - < labels.csv
    """
    from monitor.errors import DataError
    from monitor.keeping.keeper import keep_now
    from monitor.labels.exchange import import_labels
    from monitor.labels.table import parse

    author = author_of(author)
    name = "standard input" if str(file) == "-" else printable(file)
    table = parse(_read(file, name), name, program.configuration.time_zone)
    database = program.database(create=False)
    with database.write() as connection:
        done = import_labels(connection, table, author=author, skip_wrong=skip_bad)
    keep_now(database, program.configuration)
    if table.encoding != "UTF-8":
        click.echo(f"{name}: read as {table.encoding}", err=True)
    sentences = [f"line {line}: {sentence}" for line, sentence in done.problems]
    if sentences and not skip_bad:
        head = f"{name}: {_rows(len(sentences))} wrong, so nothing is imported; correct them, or add --skip-bad"
        raise DataError("\n".join([head, *sentences]))
    for sentence in sentences:
        click.echo(f"{name}: {sentence}", err=True)
    left_out = f"; {_rows(len(sentences))} wrong and left out" if sentences else ""
    known = f"; {done.known} were there already" if done.known else ""
    back = f"; {done.taken_back} were taken back, so they are left out" if done.taken_back else ""
    click.echo(f"{counted(done.new, 'label')} imported{known}{back}{left_out}")


def _read(file: Path, name: str) -> bytes:
    from monitor.errors import InputMissingError

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InputMissingError(f"{name}: cannot be read: {error.strerror}; check the path") from None


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"
