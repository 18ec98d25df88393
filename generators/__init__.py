"""Generators of styles, avatars and crops, registered as plug-in commands."""

from monitor.api import Provider, hookimpl


@hookimpl
def monitor_register_commands() -> list[Provider]:
    """Name the command group ``monitor gen``."""
    return [Provider("gen", "Draw styles, avatars and crops at random.", "generators.commands:gen")]
