"""Writes the results of `monitor score` as they come: as a table, as JSON or as CSV."""

from __future__ import annotations

import csv
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from monitor.cli.tables import Table
from monitor.cli.wording import number
from monitor.files.text import printable
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.scoring.ensemble import ActiveModel
    from monitor.scoring.folder import Result

HEADINGS: Final = ("file", "hole", "mse", "score", "threshold", "verdict")
PLAIN: Final = "{:<48} {:>5} {:>11} {:>11} {:>11}  {:<9}"


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


class Writer(Protocol):
    """Writes results to standard output as they come."""

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""


class TableWriter:
    """A line for each crop, with every model's own decision in a column each where there are several."""

    def __init__(self, root: Path, models: Sequence[ActiveModel]) -> None:
        self._start = _start(root)
        # One model alone is the final decision, which needs no second column.
        self._models = models if len(models) > 1 else ()
        names = [model.detector.name for model in self._models]
        # Of fixed widths, so that nothing waits for the last crop to know how wide a column is.
        own = "".join("  {:<21}" for _ in names)
        self._table = Table((*HEADINGS, *names), right=HEADINGS[1:5], plain=PLAIN + own)

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        self._table.write(map(self._cells, results))

    def _cells(self, result: Result) -> tuple[str, ...]:
        row = as_row(result, self._start)
        hole = "-" if row.hole is None else str(row.hole)
        cells = row.file, hole, number(row.mse), number(row.score), number(row.threshold)
        if row.verdict is None:
            return (*cells, f"failed: {row.reason}: {row.error}", *("" for _ in self._models))
        own = {one.model.id: f"{number(one.score)} {one.verdict.value}" for one in result.decisions}
        return (*cells, row.verdict, *(own.get(model.id, "refused") for model in self._models))


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
