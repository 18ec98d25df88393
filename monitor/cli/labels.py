"""``monitor labels``."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from monitor.cli.options import counted
from monitor.cli.program import Program, pass_program
from monitor.files.text import printable
from monitor.labels.exchange import COLUMNS, cells, link, not_there_yet, parse, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store.labels import GivenLabelRow


@click.group("labels")
def command() -> None:
    """List, export and import labels."""


@command.command("list")
@click.option("--contradictions", is_flag=True, help="Only the crops whose labels contradict each other.")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def list_labels(program: Program, output_format: str, *, contradictions: bool) -> None:
    """List every label ever given, the oldest first; of one crop, the newest counts."""
    from monitor.labels import labels
    from monitor.store import labels as stored

    with program.database(create=False).read() as connection:
        if contradictions:
            found = labels.read(connection).contradictions
            if not found:
                click.echo("no labels contradict each other", err=True)
            for one in found:
                record = {"sha256": one.sha256, "path": one.path, "sentence": one.sentence}
                click.echo(json.dumps(record, ensure_ascii=False) if output_format == "json" else one.sentence)
            return
        count = 0
        for row in stored.given_labels(connection):
            click.echo(json.dumps(_json(row), ensure_ascii=False) if output_format == "json" else _line(row))
            count += 1
    if not count:
        click.echo("nothing is labelled yet; see: monitor label --help", err=True)


def _json(row: GivenLabelRow) -> dict[str, Any]:
    captured_at = None if row.captured_at is None else row.captured_at.isoformat()
    return {**row._asdict(), "captured_at": captured_at, "at": row.at.isoformat()}


def _line(row: GivenLabelRow) -> str:
    author = row.author or "-"
    notes = ", ".join(one for one in ("settles" if row.settles else "", row.note or "") if one)
    line = (
        f"{row.at:%Y-%m-%d %H:%M:%S} UTC  {row.label:<9}  {row.source:<7}  {author:<12}  {row.crop_id:>8}  {row.path}"
    )
    return f"{line}  ({notes})" if notes else line


@command.command("export")
@click.option("--output", type=click.Path(path_type=Path), help="Write here instead of to standard output.")
@pass_program
def export_labels(program: Program, output: Path | None) -> None:
    """Write every label as CSV, in UTF-8, the oldest first.

    Text that a spreadsheet would take for a formula gets an apostrophe in front, which the import takes away.
    """
    from monitor.store import labels as stored

    count = 0
    with program.database(create=False).read() as connection, _opened(output) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in stored.given_labels(connection):
            writer.writerow(cells(row))
            count += 1
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
            f"{printable(output)}: cannot be written: {error.strerror}; choose another place, and do not use what may "
            "lie there"
        ) from None


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--skip-bad", is_flag=True, help="Import the other rows where some are wrong.")
@pass_program
def import_labels(program: Program, file: Path, *, skip_bad: bool) -> None:
    """Read labels from a CSV FILE with a header, or from standard input (-).

    Needed are the columns label and sha256 or path; at (else now), author, note, settles and source are taken where
    they are there. A row goes to the crop of its sha256, and only a row without one to the crop of its path. A label
    that is there already (the same content, label, author and time) is skipped. When a row is wrong, nothing is
    imported, unless --skip-bad is given.
    """
    from monitor.errors import DataError
    from monitor.store import labels as stored

    rows, problems = parse(file, program.configuration.time_zone)
    with program.database(create=False).write() as connection:
        linked, unlinked = link(connection, rows)
        problems = sorted([*problems, *unlinked])
        sentences = [f"line {number}: {sentence}" for number, sentence in problems]
        if sentences and not skip_bad:
            head = f"{shown(file)}: {_rows(len(sentences))} wrong, so nothing is imported; mend them, or add --skip-bad"
            raise DataError("\n".join([head, *sentences]))
        new = not_there_yet(connection, linked)
        stored.add_labels(connection, new)
    for sentence in sentences:
        click.echo(f"{shown(file)}: {sentence}", err=True)
    left_out = f"; {_rows(len(sentences))} wrong and left out" if sentences else ""
    known = f"; {len(linked) - len(new)} were there already" if len(linked) > len(new) else ""
    click.echo(f"{counted(len(new), 'label')} imported{known}{left_out}")


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"
