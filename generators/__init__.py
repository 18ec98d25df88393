"""Makers of synthetic pictures, registered as plug-in commands."""

from monitor.api import Provider, hookimpl


@hookimpl
def monitor_register_commands() -> list[Provider]:
    """Name the command group ``monitor gen``."""
    return [Provider("gen", "Make synthetic pictures.", "generators.commands:gen")]
