"""``monitor labels``."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table
from monitor.cli.wording import counted
from monitor.files.chunks import chunks
from monitor.files.text import printable
from monitor.times import to_second

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from monitor.store.labels import GivenLabelRow

# Lines that are laid out together on a terminal, and held in memory.
PIECE = 1000


@click.group("labels")
def command() -> None:
    """List, export and import labels."""


@command.command("list")
@click.option("--contradictions", is_flag=True, help="List only the crops whose labels contradict each other.")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def list_labels(program: Program, output_format: str, *, contradictions: bool) -> None:
    """List every label ever given, the oldest first.

    The newest label of a crop counts.
    """
    with program.database(create=False).read() as connection:
        if contradictions:
            _list_contradictions(connection, as_json=output_format == "json")
        else:
            _list(connection, as_json=output_format == "json")


def _list(connection: Connection, *, as_json: bool) -> None:
    from monitor.labels.exchange import as_dict
    from monitor.store.labels import given_labels

    headings = ("given at", "label", "source", "author", "crop", "path", "note")
    table = Table(headings, right=("crop",), plain="{}  {:<9}  {:<7}  {:<12}  {:>8}  {}  {}", plain_headings=False)
    count = 0
    for rows in chunks(given_labels(connection), PIECE):
        count += len(rows)
        if as_json:
            click.echo("\n".join(json.dumps(as_dict(row), ensure_ascii=False) for row in rows))
        else:
            table.write(map(_cells, rows))
    if not count:
        click.echo("nothing is labelled yet; see: monitor label --help", err=True)


def _list_contradictions(connection: Connection, *, as_json: bool) -> None:
    from monitor.labels.labels import read

    found = read(connection).contradictions
    if not found:
        click.echo("no labels contradict each other", err=True)
    for one in found:
        record = {"sha256": one.sha256, "path": one.path, "sentence": one.sentence}
        click.echo(json.dumps(record, ensure_ascii=False) if as_json else one.sentence)


def _cells(row: GivenLabelRow) -> tuple[str, ...]:
    notes = ", ".join(one for one in ("settles" if row.settles else "", row.note or "") if one)
    given = to_second(row.at), row.label, row.source, row.author or "-", str(row.crop_id)
    return (*given, row.path, f"({notes})" if notes else "")


@command.command("export")
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file instead of to standard output.")
@pass_program
def export(program: Program, output: Path | None) -> None:
    """Write every label as CSV in UTF-8, the oldest first.

    Text that a spreadsheet would take for a formula gets a leading apostrophe, which the import removes.
    """
    from monitor.labels.exchange import export_labels

    with program.database(create=False).read() as connection, _opened(output) as file:
        count = export_labels(connection, file)
    click.echo(f"{counted(count, 'label')} exported", err=True)


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    """Standard output, or the file, whose errors become sentences."""
    from monitor.errors import OutputError

    if output is None:
        yield sys.stdout
        return
    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise OutputError(
            f"{printable(output)}: cannot be written: {error.strerror}; choose another place, and do not use a file "
            "that is there: it is incomplete"
        ) from None


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--skip-bad", is_flag=True, help="Leave wrong rows out and import the others.")
@pass_program
def import_table(program: Program, file: Path, *, skip_bad: bool) -> None:
    """Import labels from a CSV FILE with a header, or from standard input (-).

    The table needs the columns label and sha256 or path; at (by default now), author, note, settles and source are read
    if they are there. A label goes to the crop with the row's sha256, or, in a row without one, to the crop with its
    path. A label that is stored already (same content, label, author and time) is skipped. If a row is wrong, nothing
    is imported, unless --skip-bad is given.
    """
    from monitor.errors import DataError
    from monitor.labels.exchange import import_labels
    from monitor.labels.table import parse

    name = "standard input" if str(file) == "-" else printable(file)
    table = parse(_read(file, name), name, program.configuration.time_zone)
    with program.database(create=False).write() as connection:
        done = import_labels(connection, table, skip_wrong=skip_bad)
    sentences = [f"line {line}: {sentence}" for line, sentence in done.problems]
    if sentences and not skip_bad:
        head = f"{name}: {_rows(len(sentences))} wrong, so nothing is imported; correct them, or add --skip-bad"
        raise DataError("\n".join([head, *sentences]))
    for sentence in sentences:
        click.echo(f"{name}: {sentence}", err=True)
    left_out = f"; {_rows(len(sentences))} wrong and left out" if sentences else ""
    known = f"; {done.known} were there already" if done.known else ""
    click.echo(f"{counted(done.new, 'label')} imported{known}{left_out}")


def _read(file: Path, name: str) -> bytes:
    from monitor.errors import InputMissingError

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InputMissingError(f"{name}: cannot be read: {error.strerror}; check the path") from None


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"
