"""``monitor plugins``."""

from __future__ import annotations

import json

import click

from monitor.cli.options import format_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table

HEADINGS = ("name", "kind", "from", "summary")


@click.command("plugins")
@format_option()
@pass_program
def command(program: Program, output_format: str) -> None:
    """List detectors, rules, commands and benchmarks, and which package each comes from.

    \b
    Example:
      monitor plugins
    """
    registry = program.registry
    rows = [(one.provider.name, one.kind.name, one.origin, one.provider.summary) for one in registry.all()]
    if output_format == "json":
        broken = [{"from": one.origin, "reason": one.reason} for one in registry.broken]
        click.echo(json.dumps({"plugins": [dict(zip(HEADINGS, row, strict=True)) for row in rows], "broken": broken}))
        return
    Table(HEADINGS, plain_headings=False).write(rows)
    for one in registry.broken:
        click.echo(f"left out: {one.origin}: {one.reason}", err=True)
