"""``monitor score``."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from monitor.cli.options import format_option
from monitor.cli.program import FOLDER, Program
from monitor.cli.results import WRITERS
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from monitor.files.ignoring import IgnoredNames
    from monitor.scoring.folder import Result

# So many crops are held and sorted before the first is scored: listing them takes some 20 ms, and 2 MB of memory.
SORTED: Final = 10_000
# How results are sorted by what they say; those without come last.
ORDERS: Final[dict[str, Callable[[Result], tuple[object, ...]]]] = {
    "time": lambda one: (one.captured_at is None, one.captured_at and one.captured_at.timestamp(), one.path),
    "score": lambda one: (one.final is None, one.final and -one.final.score, one.path),
}


@click.command("score")
@click.argument("target", metavar="DIR|FILE", type=FOLDER)
@format_option("text", "json", "csv")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if a proliv was found, instead of with 3.")
@click.option("--no-store", is_flag=True, help="Score every crop again and store nothing.")
@click.option(
    "--as-inbox",
    is_flag=True,
    help="Count the decisions as made in operation: in quality, alarms, drift and audits.",
)
@click.option(
    "--sort",
    type=click.Choice(["name", "time", "score"]),
    help="Sort by name, time or falling score; all crops are then held in memory. By default, "
    f"up to {SORTED:,} crops are sorted by name, and more come as the file system lists them.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    metavar="N",
    help="Score in N processes; 0: one for each core.  [default: pipeline.workers of the configuration]",
)
@click.pass_context
def command(context: click.Context, /, target: Path, exit_zero: bool, **options: Any) -> None:
    """Score every crop below a folder, or one file, with the active models.

    Prints a result for each crop as a table, as JSON (one object on each line) or as CSV, in UTF-8; in file names, line
    breaks, invisible characters and bytes that are not UTF-8 are escaped. Decisions are stored, and a crop that was
    decided before is not scored again. What is scored by hand is kept apart from what the daemon decides, unless
    --as-inbox is given; a crop that is stored already stays what it is. The exit code is 3 if at least one crop is a
    proliv, and 0 if none is.

    With several models, verdict, score and threshold are those of the final decision (decision.decide of the
    configuration). If that is "primary", detector and model name the model that decided; otherwise detector is
    "decision", model joins the names of all models with +, and mse is that of the first model. Each model's own
    decision is in a column of the table, in detectors of JSON and in columns near the end of CSV. A crop is unusual if
    it is decided ne_proliv although a model calls it proliv; the last column of the table and of CSV (1 or 0) and
    unusual in JSON say so. monitor show and monitor label want a crop's id.

    \b
    Examples:
      monitor score crops/
      monitor score crops/ --format csv > scores.csv
      monitor score crops/10_CAM_C_01-03-2023_05-39-27-929.jpg
    """
    from monitor.errors import ExitCode

    if options["as_inbox"] and options["no_store"]:
        raise click.UsageError("--as-inbox says how decisions are stored, and --no-store stores none; give one of them")
    program = context.ensure_object(Program)
    summary = _score(program, target, options)
    sys.stdout.flush()
    click.echo(summary.sentence(), err=True)
    if summary.verdicts["proliv"] and not exit_zero:
        context.exit(int(ExitCode.PROLIV_FOUND))
    if not summary.decided:
        context.exit(int(ExitCode.DATA_ERROR))


def _score(program: Program, target: Path, options: dict[str, Any]) -> Summary:
    """Score a folder or a file, and write the results as they come, or at the end if sorted by what they say."""
    from monitor.alarms.raising import Raising
    from monitor.cli.progress import bar
    from monitor.scoring.ensemble import load_active
    from monitor.scoring.folder import score_paths
    from monitor.scoring.pools.pool import open_pool

    configuration = program.configuration
    settings = configuration.settings.pipeline
    keep = not options["no_store"]
    found = _find(target, program.ignored, everything=options["sort"] == "name")
    database = program.database(create=keep)
    ensemble = load_active(database, program.registry, configuration)
    writer = WRITERS[options["output_format"]](found.root, ensemble.models, configuration.time_zone)
    database.close()  # no connection may be open when processes are forked
    wished = settings.workers if options["workers"] is None else options["workers"]
    few = len(found.first) < settings.batch_size  # starting processes would take longer than they save
    workers = 1 if few else wished
    with (
        open_pool(configuration, program.registry, ensemble, workers, remember=keep, root=found.root) as pool,
        bar("scoring", found.total) as advance,
    ):
        summary = Summary()
        how: dict[str, Any] = {"batch_size": settings.batch_size, "keep": keep}
        how["source"] = "inbox" if options["as_inbox"] else "folder"
        how["raise_alarms"] = Raising(configuration.settings.alarms) if options["as_inbox"] else None
        held: list[Result] = []
        for results in score_paths(chain(found.first, found.others), pool, ensemble, database, **how):
            summary.add(results)
            advance(len(results))
            if options["sort"] in (None, "name"):
                writer.write(results)
            else:
                held += results
    if held:
        writer.write(sorted(held, key=ORDERS[options["sort"]]))
    return summary


class _Found(NamedTuple):
    """The crops to be scored: the ``first`` of them, and the ``others`` as the file system lists them.

    ``root``: the folder that file names are relative to. ``total``: how many crops there are; None if unknown.
    """

    root: Path
    first: list[str]
    others: Iterator[str]
    total: int | None


def _find(target: Path, ignored: IgnoredNames, *, everything: bool) -> _Found:
    """Find the crops of a folder, in the order of their names if they are not too many or ``everything`` is sorted."""
    from monitor.errors import InputMissingError
    from monitor.files.walking import crop_files, is_crop_name

    if is_crop_name(target.name) and os.path.lexists(target) and not target.is_dir():
        # Only the folder's links are followed: what the last name is, the reader itself looks at.
        root = target.parent.resolve()
        return _Found(root, [str(root / target.name)], iter(()), 1)
    root = target.resolve()
    paths = crop_files(root, _warn_unreadable, ignored)
    first = list(islice(paths, None if everything else SORTED + 1))
    if not first:
        raise InputMissingError(f"{target}: holds no crops (files named .jpg, .jpeg, .png, .bmp, .tif, .tiff, .webp)")
    if everything or len(first) <= SORTED:
        return _Found(root, sorted(first), iter(()), len(first))
    # Only for the progress bar; a folder that grows meanwhile is scored as far as its files are found.
    total = sum(1 for _ in crop_files(root, _ignore_unreadable, ignored)) if sys.stderr.isatty() else None
    return _Found(root, first, paths, total)


class Summary:
    """Counts what was decided."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.unusual = 0
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
            self.unusual += result.unusual
            self.known += result.known
            self.outdated += result.known and result.outdated
            if result.final is None:
                self.failures[str(result.reason)] += 1
            else:
                self.verdicts[str(result.final.verdict)] += 1

    def sentence(self) -> str:
        """The summary for a person at the end."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        outdated = f" ({self.outdated} by an earlier threshold; --no-store decides anew)" if self.outdated else ""
        unusual = f"{self.unusual} of the ne_proliv unusual; " if self.unusual else ""
        failures = ", ".join(f"{reason} {count}" for reason, count in sorted(self.failures.items()))
        return (
            f"{self._crops} crops: {self.verdicts['proliv']} proliv, {self.verdicts['ne_proliv']} ne_proliv, "
            f"{self.failures.total()} failed{f' ({failures})' if failures else ''}; {unusual}"
            f"{self.decided - self.known} decisions made now, {self.known} known from before{outdated}; "
            f"{self._crops / seconds:.0f} crops/s"
        )


def _ignore_unreadable(_folder: Path, _error: OSError) -> None:
    """Stay silent while files are counted: a warning follows when the folder is scored."""


def _warn_unreadable(folder: Path, error: OSError) -> None:
    click.echo(f"monitor: {printable(folder)}: the folder cannot be read: {error.strerror}; it is left out", err=True)
