"""``monitor score``."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import click

from monitor.cli.program import FOLDER, Program
from monitor.files.text import printable
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.scoring.ensemble import ActiveModel
    from monitor.scoring.folder import Result


class Row(NamedTuple):
    """A result as CSV shows it, and JSON with more behind it; the file is relative to the scored folder."""

    file: str
    hole: int | None
    mse: float | None = None
    score: float | None = None
    threshold: float | None = None
    verdict: str | None = None
    detector: str | None = None
    model: str | None = None
    reason: str | None = None
    error: str | None = None


@click.command("score")
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
@click.option("--exit-zero", is_flag=True, help="End with 0 also when a proliv was found (else with 3).")
@click.option("--no-store", is_flag=True, help="Score everything anew and store nothing.")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    help="Score in so many processes; 0: one for each core.  [default: pipeline.workers of the configuration]",
)
@click.pass_context
def command(
    context: click.Context, directory: Path, output_format: str, exit_zero: bool, no_store: bool, workers: int | None
) -> None:
    """Score every crop below a folder with the active models.

    Results, one for each crop, go to standard output as a table, as JSON (one object a line) or as CSV, in UTF-8; line
    breaks, invisible characters and bytes that are no UTF-8 are escaped in file names. Decisions are stored, and a crop
    that was decided before is not scored again. Ends with 3 when at least one crop is a proliv, with 0 when none is.

    Of several models, verdict, score and threshold are the final decision's (decision.decide of the configuration):
    with "primary" those of the model that is named; else detector is "decision", model joins the models' names by +,
    and mse is the first one's. JSON has every model's own decision in detectors, the table in a column each.
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
    """Score a folder and write the results as they come."""
    from monitor.cli.progress import bar
    from monitor.errors import InputMissingError
    from monitor.files.walking import crop_files
    from monitor.scoring.ensemble import load_active
    from monitor.scoring.folder import score_paths
    from monitor.scoring.pools.pool import open_pool

    settings = program.configuration.settings.pipeline
    root = directory.resolve()
    # Counted for the progress bar alone; a folder that grows meanwhile is scored as far as it is found.
    total = sum(1 for _ in crop_files(root, _ignore_unreadable)) if sys.stderr.isatty() else None
    paths = crop_files(root, _warn_unreadable)
    first = list(islice(paths, settings.batch_size))
    if not first:
        raise InputMissingError(
            f"{directory}: holds no crops (files named .jpg, .jpeg, .png, .bmp, .tif, .tiff, .webp)"
        )
    database = program.database(create=keep)
    ensemble = load_active(database, program.registry, program.configuration)
    writer = WRITERS[output_format](root, ensemble.models)
    database.close()  # a connection must not be there when processes are forked
    wished = settings.workers if workers is None else workers
    few = len(first) < settings.batch_size  # processes would take longer to make than they save
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


class Writer(Protocol):
    """Writes results to standard output as they come."""

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""


class TableWriter:
    """Lines of fixed width: nothing waits for the last crop to know how wide a column is."""

    def __init__(self, root: Path, models: Sequence[ActiveModel]) -> None:
        self._start = _start(root)
        # One model alone is the final decision, which needs no second column.
        self._models = models if len(models) > 1 else ()
        heads = ("file", "hole", "mse", "score", "threshold", "verdict")
        sys.stdout.write(self._line(*heads, *(model.detector.name for model in self._models)))

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        # In one piece: on a terminal the progress bar is drawn anew after every piece.
        sys.stdout.write("".join(map(self._result_line, results)))

    def _result_line(self, result: Result) -> str:
        row = as_row(result, self._start)
        cells = [row.file, _text(row.hole), _number(row.mse), _number(row.score), _number(row.threshold)]
        if row.verdict is None:
            return self._line(*cells, f"failed: {row.reason}: {row.error}")
        own = {one.model.id: f"{_number(one.score)} {one.verdict.value}" for one in result.decisions}
        return self._line(*cells, row.verdict, *(own.get(model.id, "refused") for model in self._models))

    @staticmethod
    def _line(*cells: str) -> str:
        file, hole, mse, score, threshold, verdict, *own = cells
        line = f"{file:<48} {hole:>5} {mse:>11} {score:>11} {threshold:>11}  {verdict:<9}"
        return "".join([line, *(f"  {cell:<21}" for cell in own)]).rstrip() + "\n"


class JsonWriter:
    """One JSON object a line."""

    def __init__(self, root: Path, _models: Sequence[ActiveModel]) -> None:
        self._start = _start(root)

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        rows = ({**as_row(result, self._start)._asdict(), "detectors": own_decisions(result)} for result in results)
        sys.stdout.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


class CsvWriter:
    """RFC 4180 with a header."""

    def __init__(self, root: Path, _models: Sequence[ActiveModel]) -> None:
        self._start = _start(root)
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(Row._fields)

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        self._writer.writerows(as_row(result, self._start) for result in results)


WRITERS: Final[dict[str, type[TableWriter | JsonWriter | CsvWriter]]] = {
    "table": TableWriter,
    "json": JsonWriter,
    "csv": CsvWriter,
}


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
        """What a person wants to know at the end."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        outdated = f" ({self.outdated} by an earlier threshold; --no-store decides anew)" if self.outdated else ""
        failures = ", ".join(f"{reason} {count}" for reason, count in sorted(self.failures.items()))
        return (
            f"{self._crops} crops: {self.verdicts['proliv']} proliv, {self.verdicts['ne_proliv']} ne_proliv, "
            f"{self.failures.total()} failed{f' ({failures})' if failures else ''}; "
            f"{self.decided - self.known} decisions made now, {self.known} known from before{outdated}; "
            f"{self._crops / seconds:.0f} crops/s"
        )


def as_row(result: Result, start: int) -> Row:
    """A result as a line shows it; ``start``: where the file's path below the scored folder begins."""
    file = printable(result.path[start:])
    final = result.final
    if final is None:
        return Row(file, result.hole, reason=result.reason, error=result.error)
    first = result.decisions[0]
    if final.decided_by == "primary":
        detector, model = first.model.detector.name, first.model.name
    else:
        detector, model = DECISION, "+".join(one.model.name for one in result.decisions)
    return Row(
        *(file, result.hole, first.mse, final.score, final.threshold, final.verdict.value),
        detector=detector,
        model=model,
    )


def own_decisions(result: Result) -> list[dict[str, Any]]:
    """Every model's own decision, as JSON shows it."""
    return [
        {
            "detector": one.model.detector.name,
            "model": one.model.name,
            "mse": one.mse,
            "score": one.score,
            "threshold": one.threshold,
            "verdict": one.verdict.value,
        }
        for one in result.decisions
    ]


def _start(root: Path) -> int:
    return len(os.path.join(root, ""))  # noqa: PTH118 - a Path has no separator at its end


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _ignore_unreadable(_folder: Path, _error: OSError) -> None:
    """What cannot be read is warned of when it is scored."""


def _warn_unreadable(folder: Path, error: OSError) -> None:
    click.echo(f"monitor: {printable(folder)}: the folder cannot be read: {error.strerror}; it is left out", err=True)
