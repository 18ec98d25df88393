"""Every command and sub-command of the program, those of plug-ins included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.cli import cli
from monitor.cli.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands() -> dict[str, click.Context]:
    """A context of each command, by the words that call it, beginning with ``monitor`` itself."""
    root = click.Context(cli, info_name="monitor", obj=Program(), **cli.context_settings)
    return {context.command_path: context for context in _below(root)}


def _below(context: click.Context) -> Iterator[click.Context]:
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            if not command.hidden:
                yield from _below(click.Context(command, info_name=name, parent=context))
