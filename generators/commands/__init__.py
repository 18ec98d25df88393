"""The commands ``monitor gen ...``: a group that imports one only when it is used."""

from __future__ import annotations

import importlib
import math
from typing import Final

import click

COMMANDS: Final = {
    "style": "Draw styles of people: hair, glasses, clothes, each with its probability.",
    "avatar": "Make avatars: pictures by chance, each with its exact probability.",
    "crops": "Make crops of casting-table holes: labelled folders, or a stream into an inbox.",
}
"""Each command, in the module of its name as ``command``, with the line that ``--help`` shows."""


def finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """An option's callback that refuses infinity and what is no number; click's ranges take both."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no finite number", context, parameter)
    return value


class LazyGroup(click.Group):
    """Knows its commands by name and imports the module of one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - they are the same in every context
        """The commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"generators.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup)
def gen() -> None:
    """Draw styles, avatars and crops at random."""
