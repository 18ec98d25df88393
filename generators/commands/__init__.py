"""The commands ``monitor gen ...``: a group that imports one only when it is used."""

from __future__ import annotations

import math
from typing import Final

import click

from monitor.api import LazyGroup, Provider

COMMANDS: Final = (
    Provider(
        "style",
        "Draw styles of people: hair, glasses, clothes, each with its probability.",
        "generators.commands.style:command",
    ),
    Provider(
        "avatar",
        "Make avatars: random pictures, each with its exact probability.",
        "generators.commands.avatar:command",
    ),
    Provider(
        "crops",
        "Make crops of casting-table holes: labelled folders, or a stream into an inbox.",
        "generators.commands.crops:command",
    ),
)


def finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Refuse infinity and NaN as the value of an option, which click's ranges accept."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number", context, parameter)
    return value


class Report:
    """Prints what is written while it is written; the work goes on where the reader of the lines does not, as head."""

    def __init__(self) -> None:
        self._is_read = True

    def __call__(self, line: str) -> None:
        """Print a line on standard output, unless its reader has gone."""
        if self._is_read:
            try:
                click.echo(line)
            except BrokenPipeError:
                self._is_read = False


@click.group(cls=LazyGroup, providers=COMMANDS)
def gen() -> None:
    """Draw styles, avatars and crops at random.

    \b
    Example:
      monitor gen crops crops/
    """
