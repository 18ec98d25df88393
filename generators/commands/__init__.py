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


@click.group(cls=LazyGroup, providers=COMMANDS)
def gen() -> None:
    """Draw styles, avatars and crops at random."""
