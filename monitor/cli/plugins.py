"""``monitor plugins``."""

from __future__ import annotations

import json

import click

from monitor.cli.program import Program, pass_program


@click.command("plugins")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def command(program: Program, output_format: str) -> None:
    """List detectors, rules, commands and benchmarks, and where they come from."""
    registry = program.registry
    rows = [
        {
            "name": offer.provider.name,
            "kind": offer.kind.name,
            "from": offer.origin,
            "summary": offer.provider.summary,
        }
        for offer in registry.all()
    ]
    if output_format == "json":
        broken = [{"from": one.origin, "reason": one.reason} for one in registry.broken]
        click.echo(json.dumps({"plugins": rows, "broken": broken}))
        return
    widths = {key: max((len(row[key]) for row in rows), default=0) for key in ("name", "kind", "from")}
    for row in rows:
        click.echo("  ".join(f"{row[key]:<{width}}" for key, width in widths.items()) + f"  {row['summary']}")
    for one in registry.broken:
        click.echo(f"left out: {one.origin}: {one.reason}", err=True)
