"""The table of the daemon's decisions that ``monitor demo`` shows while they are made."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.table import Table

# Of the newest decisions, on a terminal.
ROWS_SHOWN: Final = 14


class Seen(NamedTuple):
    """One final decision of the daemon beside the label that the crop has."""

    crop: int
    name: str
    hole: int | None
    score: float
    threshold: float
    verdict: str
    label: str


HEADINGS: Final = ("id", "crop", "hole", "score", "threshold", "verdict", "label")
# The columns of the lines where there is no terminal; the names of crops are about as long.
PLAIN: Final = "{:>6}  {:<42}  {:>4}  {:>10}  {:>10}  {:<9}  {}"


@contextmanager
def screen() -> Iterator[Callable[[Sequence[Seen]], None]]:
    """A live table on a terminal; elsewhere a line for each proliv decision or mistake."""
    if not sys.stdout.isatty():
        click.echo("(only crops that were decided proliv, or not as they are labelled)")
        click.echo(PLAIN.format(*HEADINGS))
        printed = 0

        def lines(seen: Sequence[Seen]) -> None:
            nonlocal printed
            for one in seen[printed:]:
                if one.verdict != one.label or one.verdict == "proliv":
                    click.echo(PLAIN.format(*_cells(one)))
            printed = len(seen)

        yield lines
        return
    from rich.live import Live

    with Live(_table([]), refresh_per_second=10) as live:
        yield lambda seen: live.update(_table(seen))


def _table(seen: Sequence[Seen]) -> Table:
    from rich.table import Table

    table = Table(*HEADINGS, title=f"{len(seen)} decisions")
    for one in seen[-ROWS_SHOWN:]:
        colour = "red" if one.verdict != one.label else "yellow" if one.verdict == "proliv" else None
        table.add_row(*_cells(one), style=colour)
    return table


def _cells(one: Seen) -> tuple[str, ...]:
    hole = "-" if one.hole is None else str(one.hole)
    return str(one.crop), printable(one.name), hole, f"{one.score:.6g}", f"{one.threshold:.6g}", one.verdict, one.label
