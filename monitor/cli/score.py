"""``monitor score``."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import click

from monitor.cli.program import FOLDER, Program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.scoring import Result

COLUMNS: Final = ("file", "hole", "mse", "score", "threshold", "verdict", "detector", "model", "reason", "error")


@click.command("score")
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.option(
    "--format", "output_format", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
@click.option("--exit-zero", is_flag=True, help="End with 0 also when a proliv was found (else with 3).")
@click.option("--no-store", is_flag=True, help="Score everything anew and store nothing.")
@click.pass_context
def command(context: click.Context, directory: Path, output_format: str, exit_zero: bool, no_store: bool) -> None:
    """Score every crop below a folder with the active models.

    Results go to standard output as a table, as JSON (one object a line) or as CSV, in UTF-8; line breaks, invisible
    characters and bytes that are no UTF-8 are escaped in file names. Decisions are stored, and a crop that was
    decided before is not scored again. Ends with 3 when at least one crop is a proliv, with 0 when none is.
    """
    from monitor import pipeline, scoring
    from monitor.cli.progress import bar
    from monitor.crops import crop_paths
    from monitor.errors import ExitCode, InputMissingError

    program = context.ensure_object(Program)
    configuration = program.configuration
    settings = configuration.settings.pipeline
    root = directory.resolve()
    total = sum(1 for _ in crop_paths(root, _warn_unreadable))
    if total == 0:
        raise InputMissingError(
            f"{directory}: holds no crops (files named .jpg, .jpeg, .png, .bmp, .tif, .tiff, .webp)"
        )
    database = program.database(create=not no_store)
    active = pipeline.load_active(database, program.registry, configuration.models, settings.device)
    writer = WRITERS[output_format](root)
    summary = Summary()
    with bar("scoring", total) as advance:
        batches = scoring.score_paths(
            crop_paths(root, lambda _folder, _error: None),  # warned of while counting
            pipeline.Reader(configuration),
            active,
            database,
            batch_size=settings.batch_size,
            keep=not no_store,
        )
        for results in batches:
            writer.write(results)
            summary.add(results)
            advance(len({result.path for result in results}))
    sys.stdout.flush()
    click.echo(summary.sentence(), err=True)
    if summary.verdicts["proliv"] and not exit_zero:
        context.exit(int(ExitCode.PROLIV_FOUND))
    if not summary.decided:
        context.exit(int(ExitCode.DATA_ERROR))


class Writer(Protocol):
    """Writes results to standard output as they come."""

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""


class TableWriter:
    """Lines of fixed width: nothing waits for the last crop to know how wide a column is."""

    def __init__(self, root: Path) -> None:
        self._root = root
        sys.stdout.write(self._line("file", "hole", "mse", "threshold", "verdict"))

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        # In one piece: on a terminal the progress bar is drawn anew after every piece.
        sys.stdout.write("".join(map(self._result_line, results)))

    def _result_line(self, result: Result) -> str:
        file = as_dict(result, self._root)["file"]
        verdict = f"failed: {result.reason}: {result.error}" if result.verdict is None else result.verdict.value
        return self._line(file, _text(result.hole), _number(result.mse), _number(result.threshold), verdict)

    @staticmethod
    def _line(file: str, hole: str, mse: str, threshold: str, verdict: str) -> str:
        return f"{file:<48} {hole:>5} {mse:>11} {threshold:>11}  {verdict}\n"


class JsonWriter:
    """One JSON object a line."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        lines = (json.dumps(as_dict(result, self._root), ensure_ascii=False) + "\n" for result in results)
        sys.stdout.write("".join(lines))


class CsvWriter:
    """RFC 4180 with a header."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        self._writer.writeheader()

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        self._writer.writerows(as_dict(result, self._root) for result in results)


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
        self._paths = 0
        self._started = time.monotonic()

    @property
    def decided(self) -> int:
        """How many decisions were made or known."""
        return self.verdicts.total()

    def add(self, results: Sequence[Result]) -> None:
        """Count one batch."""
        self._paths += len({result.path for result in results})
        for result in results:
            self.known += result.known
            self.outdated += result.known and result.model is not None and result.threshold != result.model.threshold
            if result.verdict is None:
                self.failures[str(result.reason)] += 1
            else:
                self.verdicts[result.verdict.value] += 1

    def sentence(self) -> str:
        """What a person wants to know at the end."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        outdated = f" ({self.outdated} by an earlier threshold; --no-store decides anew)" if self.outdated else ""
        failures = ", ".join(f"{reason} {count}" for reason, count in sorted(self.failures.items()))
        return (
            f"{self._paths} crops: {self.verdicts['proliv']} proliv, {self.verdicts['ne_proliv']} ne_proliv, "
            f"{self.failures.total()} failed{f' ({failures})' if failures else ''}; "
            f"{self.decided - self.known} decisions made now, {self.known} known from before{outdated}; "
            f"{self._paths / seconds:.0f} crops/s"
        )


def as_dict(result: Result, root: Path) -> dict[str, Any]:
    """A result as JSON and CSV show it; the file is relative to the scored folder."""
    from monitor.crops import printable

    return {
        "file": printable(result.path.relative_to(root)),
        "hole": result.hole,
        "mse": result.mse,
        "score": result.score,
        "threshold": result.threshold,
        "verdict": result.verdict.value if result.verdict else None,
        "detector": result.model.detector.name if result.model else None,
        "model": result.model.name if result.model else None,
        "reason": result.reason,
        "error": result.error,
    }


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _warn_unreadable(folder: Path, error: OSError) -> None:
    from monitor.crops import printable

    click.echo(f"monitor: {printable(folder)}: the folder cannot be read: {error.strerror}; it is left out", err=True)
