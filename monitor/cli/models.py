"""``monitor models``."""

from __future__ import annotations

import json

import click

from monitor.cli.program import Program, pass_program


@click.group("models")
def command() -> None:
    """List, activate and roll back models."""


@command.command("list")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def list_models(program: Program, output_format: str) -> None:
    """List every model, the newest first."""
    from monitor.store import queries

    with program.database(create=False).read() as connection:
        rows = queries.all_models(connection)
    if output_format == "json":
        for row in rows:
            report = {**row._asdict(), "trained_at": row.trained_at.isoformat()}
            report["activated_at"] = row.activated_at.isoformat() if row.activated_at else None
            click.echo(json.dumps(report))
        return
    if not rows:
        click.echo("no model is trained yet; train one: monitor train ae --data DIR", err=True)
    for row in rows:
        state = "active" if row.active else "calibrated" if row.threshold is not None else "no threshold"
        threshold = "-" if row.threshold is None else f"{row.threshold:.6g} by {row.rule}"
        click.echo(f"{row.name:<28} {state:<13} trained {row.trained_at:%Y-%m-%d %H:%M} UTC  threshold {threshold}")


@command.command()
@click.argument("model")
@pass_program
def activate(program: Program, model: str) -> None:
    """Make a calibrated model its detector's active one.

    A running daemon takes it over when it is told to reload (SIGHUP).
    """
    from monitor import models
    from monitor.store import queries

    with program.database(create=False).write() as connection:
        row = queries.find_model(connection, model)
        models.verify(program.configuration.models / row.folder, row.fingerprint)
        queries.activate_model(connection, row)
    click.echo(f"{row.name} is active")


@command.command()
@click.argument("detector", default="")
@pass_program
def rollback(program: Program, detector: str) -> None:
    """Give a detector back the model that was active before.

    DETECTOR may be left out where only one detector has an active model.
    """
    from monitor.store import queries

    with program.database(create=False).write() as connection:
        active = [row.detector for row in queries.active_models(connection)]
        if not detector and len(active) != 1:
            raise click.UsageError(f"name the detector: active are {', '.join(sorted(active)) or 'none'}")
        left, now = queries.rollback_model(connection, detector or active[0])
    click.echo(f"{now.name} is active again in place of {left.name}")
