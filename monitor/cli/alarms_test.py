"""``monitor alarms test``."""

from __future__ import annotations

import json

import click

from monitor.cli.options import format_option
from monitor.cli.program import Program, pass_program
from monitor.files.text import printable


@click.command("test")
@click.argument("name", metavar="SINK")
@format_option()
@pass_program
def command(program: Program, name: str, output_format: str) -> None:
    """Send one test message to a sink of [alarms.sinks], and say how long it took.

    Its kind is "test", and its alarm has the number 0 and is closed. It is sent once, immediately, ahead of all waiting
    messages, and is not stored; the daemon need not be running. The exit code is 0 if the receiver has taken it, and 69
    if not.

    \b
    Example:
      monitor alarms test siren
    """
    from monitor.alarms.sinks import new_sink
    from monitor.alarms.trial import try_sink

    configured = program.configuration.settings.alarms.sinks
    if name not in configured:
        names = ", ".join(sorted(configured))
        there = f"configured are: {names}" if configured else "no sink is configured; see [alarms.sinks]"
        raise click.BadParameter(f"there is no sink {printable(name)!r}; {there}", param_hint="SINK")
    seconds = try_sink(name, new_sink(program.registry, name, program.configuration))
    if output_format == "json":
        click.echo(json.dumps({"sink": name, "kind": configured[name]["kind"], "seconds": seconds}))
    else:
        click.echo(f"sink {name}: has taken the test after {seconds:.2f} s")
