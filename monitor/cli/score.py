"""``monitor score``."""

from __future__ import annotations

import sys
import time
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING

import click

from monitor.cli.program import FOLDER, Program
from monitor.cli.results import WRITERS
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.scoring.folder import Result


@click.command("score")
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if a proliv was found, instead of with 3.")
@click.option("--no-store", is_flag=True, help="Score every crop again and store nothing.")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    metavar="N",
    help="Score in N processes; 0: one for each core.  [default: pipeline.workers of the configuration]",
)
@click.pass_context
def command(
    context: click.Context, directory: Path, output_format: str, exit_zero: bool, no_store: bool, workers: int | None
) -> None:
    """Score every crop below a folder with the active models.

    Prints a result for each crop as a table, as JSON (one object on each line) or as CSV, in UTF-8; in file names, line
    breaks, invisible characters and bytes that are not UTF-8 are escaped. Decisions are stored, and a crop that was
    decided before is not scored again. The exit code is 3 if at least one crop is a proliv, and 0 if none is.

    With several models, verdict, score and threshold are those of the final decision (decision.decide of the
    configuration). If that is "primary", detector and model name the model that decided; otherwise detector is
    "decision", model joins the names of all models with +, and mse is that of the first model. Each model's own
    decision is in a column of the table and in detectors of JSON.
    """
    from monitor.errors import ExitCode

    program = context.ensure_object(Program)
    summary = _score(program, directory, output_format, keep=not no_store, workers=workers)
    sys.stdout.flush()
    click.echo(summary.sentence(), err=True)
    if summary.verdicts["proliv"] and not exit_zero:
        context.exit(int(ExitCode.PROLIV_FOUND))
    if not summary.decided:
        context.exit(int(ExitCode.DATA_ERROR))


def _score(program: Program, directory: Path, output_format: str, *, keep: bool, workers: int | None) -> Summary:
    """Score a folder, and write the results as they come."""
    from monitor.cli.progress import bar
    from monitor.errors import InputMissingError
    from monitor.files.walking import crop_files
    from monitor.scoring.ensemble import load_active
    from monitor.scoring.folder import score_paths
    from monitor.scoring.pools.pool import open_pool

    settings = program.configuration.settings.pipeline
    root = directory.resolve()
    # Only for the progress bar; a folder that grows meanwhile is scored as far as its files are found.
    ignored = program.ignored
    total = sum(1 for _ in crop_files(root, _ignore_unreadable, ignored)) if sys.stderr.isatty() else None
    paths = crop_files(root, _warn_unreadable, ignored)
    first = list(islice(paths, settings.batch_size))
    if not first:
        raise InputMissingError(
            f"{directory}: holds no crops (files named .jpg, .jpeg, .png, .bmp, .tif, .tiff, .webp)"
        )
    database = program.database(create=keep)
    ensemble = load_active(database, program.registry, program.configuration)
    writer = WRITERS[output_format](root, ensemble.models)
    database.close()  # no connection may be open when processes are forked
    wished = settings.workers if workers is None else workers
    few = len(first) < settings.batch_size  # starting processes would take longer than they save
    with (
        open_pool(program.configuration, program.registry, ensemble, 1 if few else wished) as pool,
        bar("scoring", total) as advance,
    ):
        summary = Summary()
        everything = chain(first, paths)
        for results in score_paths(everything, pool, ensemble, database, batch_size=settings.batch_size, keep=keep):
            writer.write(results)
            summary.add(results)
            advance(len(results))
    return summary


class Summary:
    """Counts what was decided."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.known = 0
        self.outdated = 0
        self._crops = 0
        self._started = time.monotonic()

    @property
    def decided(self) -> int:
        """How many final decisions were made or known."""
        return self.verdicts.total()

    def add(self, results: Sequence[Result]) -> None:
        """Count one batch."""
        self._crops += len(results)
        for result in results:
            self.known += result.known
            self.outdated += result.known and result.outdated
            if result.final is None:
                self.failures[str(result.reason)] += 1
            else:
                self.verdicts[result.final.verdict.value] += 1

    def sentence(self) -> str:
        """The summary for a person at the end."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        outdated = f" ({self.outdated} by an earlier threshold; --no-store decides anew)" if self.outdated else ""
        failures = ", ".join(f"{reason} {count}" for reason, count in sorted(self.failures.items()))
        return (
            f"{self._crops} crops: {self.verdicts['proliv']} proliv, {self.verdicts['ne_proliv']} ne_proliv, "
            f"{self.failures.total()} failed{f' ({failures})' if failures else ''}; "
            f"{self.decided - self.known} decisions made now, {self.known} known from before{outdated}; "
            f"{self._crops / seconds:.0f} crops/s"
        )


def _ignore_unreadable(_folder: Path, _error: OSError) -> None:
    """Stay silent while files are counted: a warning follows when the folder is scored."""


def _warn_unreadable(folder: Path, error: OSError) -> None:
    click.echo(f"monitor: {printable(folder)}: the folder cannot be read: {error.strerror}; it is left out", err=True)
