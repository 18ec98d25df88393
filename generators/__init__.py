"""Generators of styles, avatars and crops, registered as plug-in commands, and how long they take."""

from monitor.api import Provider, hookimpl


@hookimpl
def monitor_register_commands() -> list[Provider]:
    """Name the command group ``monitor gen``."""
    return [Provider("gen", "Draw styles, avatars and crops at random.", "generators.commands:gen")]


@hookimpl
def monitor_register_benchmarks() -> list[Provider]:
    """Name what `monitor bench` measures of them."""
    return [
        Provider("styles", "a million styles", "generators.benchmarks:styles"),
        Provider("avatars", "five avatars by each model, beside a plain loop", "generators.benchmarks:avatars"),
    ]
