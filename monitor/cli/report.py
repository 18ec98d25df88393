"""``monitor report``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.options import data_option, models_option, output_option
from monitor.cli.program import Program, pass_program

if TYPE_CHECKING:
    from monitor.report.build import Subjects
    from monitor.report.measuring import MeasuredFolder


@click.command("report")
@data_option("the models are measured on it")
@models_option("by default all active models")
@output_option("FILE", "an earlier page is overwritten, any other file is not", default=Path("report.html"))
@pass_program
def command(program: Program, data: Path | None, names: tuple[str, ...], output: Path) -> None:
    """Write an HTML page about the models: figures, and pictures with a sentence each.

    The page is one file that needs nothing else. Without --data it shows what the models' folders and the store know:
    losses, where the thresholds come from, the stored scores. With --data, the models also judge the folder's crops:
    those of train/ that were held out from training, proliv/ and test/. Nothing is stored. Prints the page's path.

    \b
    Examples:
      monitor report
      monitor report --data crops/ --output pages/march.html
    """
    database = program.database(create=False)
    from monitor.cli.progress import bar
    from monitor.files.replacing import write_whole
    from monitor.files.text import printable
    from monitor.report.output import is_page, require_matplotlib, require_writable

    require_matplotlib("report")
    from monitor.report.build import build_page, choose_subjects
    from monitor.report.page import render

    require_writable(output, is_page, "a page of monitor report")
    subjects = choose_subjects(database, program.registry, program.configuration, names)
    measured = None if data is None else _measure(program, subjects, data)
    with bar("drawing", len(subjects.models)) as advance:
        page = build_page(
            subjects,
            measured,
            source=program.configuration.source,
            now=datetime.now(program.configuration.time_zone),
            on_drawn=lambda: advance(1),
        )
    write_whole(output, render(page))
    click.echo(printable(output))


def _measure(program: Program, subjects: Subjects, data: Path) -> MeasuredFolder:
    from monitor.cli.progress import bar
    from monitor.crops.dataset import open_dataset
    from monitor.crops.reader import Reader
    from monitor.report.measuring import measure_folder, read_folder

    dataset = open_dataset(data, program.ignored)
    with bar("reading", len(dataset.train) + len(dataset.proliv) + len(dataset.test)) as advance:
        folder = read_folder(dataset, Reader(program.configuration), subjects.held_out, lambda: advance(1))
    with bar("scoring", len(folder.crops)) as advance:
        return measure_folder(folder, subjects.loaded, subjects.ensemble, subjects.held_out, advance)
