"""A group of commands that imports each of them only when it is called; this module alone imports click."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from monitor.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.api.providers import Provider


class LazyGroup(click.Group):
    """Knows its commands by name and imports one only when it is called, so that ``--help`` stays quick.

    ``providers``: each command with its line of help, in the order in which they are listed::

        @click.group(cls=LazyGroup, providers=[Provider("draw", "Draw something.", "package.draw:command")])
    """

    def __init__(self, *arguments: Any, providers: Iterable[Provider] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._providers = {provider.name: provider for provider in providers}

    def providers(self, context: click.Context) -> Mapping[str, Provider]:  # noqa: ARG002 - for overrides
        """The commands by name; a subclass may add some that depend on the context."""
        return self._providers

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in their order."""
        return list(self.providers(ctx))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None where there is none of that name. Raises `PluginError` when it is no command."""
        provider = self.providers(ctx).get(cmd_name)
        if provider is None:
            return None
        command = provider.load()
        if not isinstance(command, click.Command):
            raise PluginError(f"the command {cmd_name!r}: {provider.target} is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a line; a name that is not there is refused with those that are like it."""
        known = self.list_commands(ctx)
        # click itself suggests only commands that are imported.
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(args[0], known)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, provider.summary) for name, provider in self.providers(ctx).items()])
