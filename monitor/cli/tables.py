"""Tables for people: laid out by rich on a terminal, plain lines everywhere else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

# Characters between two columns.
GAP: Final = 2
# Columns are not made narrower than this; on a very narrow terminal, lines are longer than the terminal instead.
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
        plain line, whose blanks at the end are left out; by default columns are as wide as the first rows need.
        ``plain_headings``: whether plain lines begin with the headings.
        """
        self._headings = headings
        self._right = right
        self._plain = plain
        self._plain_headings = plain_headings
        self._widths: list[int] = []
        self._longest_words: list[int] = []
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
        # All at once, because a progress bar on the same terminal is drawn again after every output; not by click.echo,
        # which writes past the bar.
        sys.stdout.write(text)
        sys.stdout.flush()

    def _lines(self, rows: Sequence[Sequence[str]]) -> str:
        if not rows:
            return ""
        plain = self._plain
        if plain is None:
            self._widths = self._widths or _widths(rows, len)
            sides = (">" if heading in self._right else "<" for heading in self._headings)
            plain = (" " * GAP).join(f"{{:{side}{width}}}" for side, width in zip(sides, self._widths, strict=True))
        return "".join(f"{plain.format(*cells).rstrip()}\n" for cells in rows)

    def _laid_out(self, rows: Sequence[Sequence[str]], *, with_headings: bool) -> str:
        """The rows in columns as wide as the first piece needs, so that all pieces align, if the terminal allows."""
        from rich.cells import cell_len
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        if not self._widths:
            self._widths = _widths([self._headings, *rows], cell_len)
            self._longest_words = _widths(
                [self._headings, *rows], lambda cell: max(map(cell_len, cell.split()), default=0)
            )
        console = Console(color_system=None if os.environ.get("NO_COLOR") else "auto")
        gaps = GAP * (len(self._widths) - 1)
        widths = _shrunk(self._widths, self._longest_words, console.width - gaps)
        console.width = max(console.width, sum(widths) + gaps)
        table = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=with_headings)
        for heading, width in zip(self._headings, widths, strict=True):
            justify: Literal["left", "right"] = "right" if heading in self._right else "left"
            table.add_column(Text(heading), justify=justify, overflow="fold", width=width)
        for cells in rows:
            # As text of its own, so that brackets in a path are not taken for markup.
            table.add_row(*map(Text, cells))
        with console.capture() as capture:
            console.print(table)
        return capture.get()


def print_pairs(pairs: Iterable[tuple[str, str]], width: int) -> None:
    """Write names and values, a line each; the names take ``width`` characters in plain lines."""
    Table(("", ""), plain=f"{{:<{width}}} {{}}").write(pairs)


def _widths(rows: Sequence[Sequence[str]], length: Callable[[str], int]) -> list[int]:
    return [max(map(length, column)) for column in zip(*rows, strict=True)]


def _shrunk(widths: Sequence[int], longest_words: Sequence[int], available: int) -> list[int]:
    """The widths with the widest reduced until all fit: between words if that is enough, else to `NARROWEST`."""
    shrunk = list(widths)
    least = longest_words if sum(longest_words) <= available else [NARROWEST] * len(shrunk)
    while sum(shrunk) > available:
        wide = [column for column, width in enumerate(shrunk) if width > least[column]]
        if not wide:
            break
        shrunk[max(wide, key=shrunk.__getitem__)] -= 1
    return shrunk
