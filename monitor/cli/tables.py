"""Tables for people: laid out by rich on a terminal, plain lines everywhere else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

# Characters between two columns.
GAP: Final = 2
# On a very narrow terminal, a column of more characters is folded down to this many and then runs over the edge.
NARROWEST: Final = 12


class Table:
    """A table on standard output, written at once or piece by piece as its rows come.

    A terminal gets aligned columns within its width; a cell that is too long is folded, never cut, so that ids and
    paths stay usable. A file or a pipe gets a plain line for each row.
    """

    def __init__(
        self,
        headings: Sequence[str],
        *,
        right: Collection[str] = (),
        plain: str | None = None,
        plain_headings: bool = True,
    ) -> None:
        """Begin a table with columns of these headings; without any text in them, it has no line of headings.

        ``right``: the headings of the columns that are aligned to the right. ``plain``: the `str.format` template of a
        plain line, by default columns as wide as the first rows need; without its last cell a line ends before it.
        ``plain_headings``: whether plain lines begin with the headings.
        """
        self._headings = headings
        self._right = right
        self._plain = plain
        self._plain_headings = plain_headings
        self._widths: list[int] = []
        self._begun = False

    def write(self, rows: Iterable[Sequence[str]]) -> None:
        """Write the next rows, below the headings if they are the first."""
        with_headings = not self._begun and any(self._headings)
        self._begun = True
        present = list(rows)
        if sys.stdout.isatty():
            text = self._laid_out(present, with_headings=with_headings)
        else:
            text = self._lines([self._headings, *present] if with_headings and self._plain_headings else present)
        # All at once, because a progress bar on the same terminal is drawn again after every output.
        click.echo(text, nl=False)

    def _lines(self, rows: Sequence[Sequence[str]]) -> str:
        if not rows:
            return ""
        if self._plain is not None:
            lines = [self._plain.format(*cells) for cells in rows]
        else:
            self._widths = self._widths or _widths(rows, len)
            sides = (">" if heading in self._right else "<" for heading in self._headings)
            plain = (" " * GAP).join(f"{{:{side}{width}}}" for side, width in zip(sides, self._widths, strict=True))
            lines = [plain.format(*cells).rstrip() for cells in rows]
        return "".join(f"{line if cells[-1] else line.rstrip()}\n" for line, cells in zip(lines, rows, strict=True))

    def _laid_out(self, rows: Sequence[Sequence[str]], *, with_headings: bool) -> str:
        """The rows as rich lays them out, in the widths of the first piece, so that all pieces align."""
        from rich.cells import cell_len
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        self._widths = self._widths or _widths([self._headings, *rows], cell_len)
        table = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=with_headings)
        for heading, width in zip(self._headings, self._widths, strict=True):
            justify: Literal["left", "right"] = "right" if heading in self._right else "left"
            table.add_column(Text(heading), justify=justify, overflow="fold", min_width=width, max_width=width)
        for cells in rows:
            # As text of its own, so that brackets in a path are not taken for markup.
            table.add_row(*map(Text, cells))
        least = sum(min(width, NARROWEST) + GAP for width in self._widths)
        console = Console(color_system=None if os.environ.get("NO_COLOR") else "auto")
        console.width = max(console.width, least)
        with console.capture() as capture:
            console.print(table)
        return capture.get()


def print_pairs(pairs: Iterable[tuple[str, str]], width: int) -> None:
    """Write names and values, a line each; the names take ``width`` characters in plain lines."""
    Table(("", ""), plain=f"{{:<{width}}} {{}}").write(pairs)


def _widths(rows: Sequence[Sequence[str]], length: Callable[[str], int]) -> list[int]:
    return [max(map(length, column)) for column in zip(*rows, strict=True)]
