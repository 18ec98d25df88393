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
from monitor.labels.spreadsheets import guarded
from monitor.times import iso, on_clock
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from monitor.scoring.ensemble import ActiveModel
    from monitor.scoring.folder import Result

HEADINGS: Final = ("file", "hole", "mse", "score", "threshold", "verdict", "camera", "time", "id")
# Behind everything else, because programs know the columns by their places.
UNUSUAL: Final = "unusual"
# The file's column is as wide as the first crops need, within these bounds.
NARROWEST_FILE: Final = 24
WIDEST_FILE: Final = 96
# What CSV shows of each model's own decision, after the name of its detector.
OWN_COLUMNS: Final = ("score", "threshold", "verdict")


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
    id: int | None = None
    camera: str | None = None
    captured_at: str | None = None


class Writer(Protocol):
    """Writes results to standard output as they come."""

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""


class TableWriter:
    """A line for each crop; where there are several models, with the decision of each and a mark of unusual crops."""

    def __init__(self, root: Path, models: Sequence[ActiveModel], zone: ZoneInfo) -> None:
        self._start = _start(root)
        self._zone = zone
        # One model alone is the final decision, which needs no second column.
        self._models = models if len(models) > 1 else ()
        self._table: Table | None = None

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        rows = [self._cells(result) for result in results]
        if self._table is None:
            self._table = self._new_table(max((len(row[0]) for row in rows), default=0))
        self._table.write(rows)

    def _new_table(self, widest: int) -> Table:
        names = [model.detector.name for model in self._models]
        # Of widths that the first crops give, so that nothing waits for the last crop to know how wide a column is.
        file = min(max(widest, NARROWEST_FILE), WIDEST_FILE)
        plain = f"{{:<{file}}} {{:>5}} {{:>11}} {{:>11}} {{:>11}}  {{:<9}}  {{:<6}}  {{:<25}}  {{:>8}}"
        more = [*names, UNUSUAL] if names else []
        own = "".join("  {:<21}" for _ in more)
        return Table((*HEADINGS, *more), right=(*HEADINGS[1:5], "id"), plain=plain + own)

    def _cells(self, result: Result) -> tuple[str, ...]:
        row = as_row(result, self._start)
        hole, crop_id = ("-" if value is None else str(value) for value in (row.hole, row.id))
        time = on_clock(result.captured_at, self._zone) if result.captured_at else "-"
        verdict = row.verdict or f"failed: {row.reason}: {row.error}"
        cells = (row.file, hole, number(row.mse), number(row.score), number(row.threshold), verdict)
        own = {one.model.id: f"{number(one.score)} {one.verdict.value}" for one in result.decisions}
        refused = "" if row.verdict is None else "refused"
        more = [*(own.get(model.id, refused) for model in self._models), UNUSUAL if result.unusual else ""]
        return (*cells, row.camera or "-", time, crop_id, *(more if self._models else ()))


class JsonWriter:
    """One JSON object a line."""

    def __init__(self, root: Path, _models: Sequence[ActiveModel], _zone: ZoneInfo) -> None:
        self._start = _start(root)

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        rows = (
            {**as_row(result, self._start)._asdict(), "detectors": own_decisions(result), UNUSUAL: result.unusual}
            for result in results
        )
        sys.stdout.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


class CsvWriter:
    """RFC 4180 with a header; where there are several models, each one's own decision is in columns further behind.

    The last column is 1 for an unusual crop, else 0. Text that a spreadsheet would take for a formula gets an
    apostrophe in front.
    """

    def __init__(self, root: Path, models: Sequence[ActiveModel], _zone: ZoneInfo) -> None:
        self._start = _start(root)
        self._models = models if len(models) > 1 else ()
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        own = [f"{model.detector.name}_{column}" for model in self._models for column in OWN_COLUMNS]
        self._writer.writerow((*Row._fields, *own, UNUSUAL))

    def write(self, results: Sequence[Result]) -> None:
        """Write one batch."""
        self._writer.writerows(self._cells(result) for result in results)

    def _cells(self, result: Result) -> list[object]:
        cells: list[object] = [
            guarded(value) if isinstance(value, str) else value for value in as_row(result, self._start)
        ]
        if self._models:
            own = {one.model.id: (one.score, one.threshold, one.verdict.value) for one in result.decisions}
            for model in self._models:
                cells += own.get(model.id, (None,) * len(OWN_COLUMNS))
        cells.append(int(result.unusual))
        return cells


WRITERS: Final[dict[str, type[TableWriter | JsonWriter | CsvWriter]]] = {
    "text": TableWriter,
    "json": JsonWriter,
    "csv": CsvWriter,
}


def as_row(result: Result, start: int) -> Row:
    """A result as a line shows it; ``start``: where the file's path below the scored folder begins."""
    file, time = printable(result.path[start:]), iso(result.captured_at)
    final = result.final
    if final is None:
        failed = None, None, None, None, None, None, result.reason, result.error
        return Row(file, result.hole, *failed, result.id, result.camera, time)
    first = result.decisions[0]
    if final.decided_by == "primary":
        detector, model = first.model.detector.name, first.model.name
    else:
        detector, model = DECISION, "+".join(one.model.name for one in result.decisions)
    decided = first.mse, final.score, final.threshold, str(final.verdict), detector, model
    return Row(file, result.hole, *decided, None, None, result.id, result.camera, time)


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
