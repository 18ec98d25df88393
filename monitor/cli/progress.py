"""Shows progress on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.api import EpochReport, Progress


@contextmanager
def bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar over ``total`` steps; yields a function that advances it. Without a terminal there is none."""
    if not sys.stderr.isatty():
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    # Results on the same terminal are printed above the bar. Results that go elsewhere must not be touched: rich would
    # redirect them to standard error, where the bar is.
    console = Console(stderr=True, soft_wrap=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task(description, total=total)
        yield lambda steps: progress.advance(task, steps)


@contextmanager
def epochs(name: str) -> Iterator[Progress]:
    """Progress of a training: a bar with the losses on a terminal, else a line for each epoch."""
    if not sys.stderr.isatty():

        def line(report: EpochReport) -> None:
            click.echo(f"{name}: {_losses(report)}", err=True)

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True)
    ) as bars:
        task = bars.add_task(name, total=None)

        def advance(report: EpochReport) -> None:
            bars.update(task, total=report.epochs, completed=report.epoch, description=f"{name}: {_losses(report)}")

        yield advance


def _losses(report: EpochReport) -> str:
    return (
        f"epoch {report.epoch}/{report.epochs}  train loss {report.train_loss:.6g}  "
        f"validation loss {report.validation_loss:.6g}"
    )
