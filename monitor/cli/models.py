"""``monitor models``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.program import Program, pass_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.store.calibrations import CalibrationRow


@click.group("models")
def command() -> None:
    """List, show, activate and roll back models."""


@command.command("list")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def list_models(program: Program, output_format: str) -> None:
    """List every model, the newest first."""
    from monitor.store import models

    with program.database(create=False).read() as connection:
        rows = models.all_models(connection)
    if output_format == "json":
        for row in rows:
            report = {**row._asdict(), "trained_at": row.trained_at.isoformat()}
            del report["evidence"]  # long, and shown by: monitor models show
            report["activated_at"] = row.activated_at.isoformat() if row.activated_at else None
            click.echo(json.dumps(report))
        return
    if not rows:
        click.echo("no model is trained yet; train one: monitor train patchstats --data DIR", err=True)
    for row in rows:
        state = "active" if row.active else "calibrated" if row.threshold is not None else "no threshold"
        threshold = "-" if row.threshold is None else f"{row.threshold:.6g} by {row.rule}"
        click.echo(f"{row.name:<28} {state:<13} trained {row.trained_at:%Y-%m-%d %H:%M} UTC  threshold {threshold}")


@command.command()
@click.argument("model")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def show(program: Program, model: str, output_format: str) -> None:
    """Show what a model is: settings, threshold and where it comes from, training, and what its detector tells."""
    from monitor.models.folders import TRAINING_REPORT
    from monitor.models.loader import ModelLoader
    from monitor.store import calibrations, models

    configuration = program.configuration
    with program.database(create=False).read() as connection:
        row = models.find_model(connection, model)
        calibration = calibrations.active(connection, row.id)
    detector, computed_by = ModelLoader(program.registry, configuration).load_with_runtime(row)
    folder = configuration.models / Path(row.folder).name
    training = json.loads((folder / TRAINING_REPORT).read_bytes())
    report = {
        "model": row.name,
        "detector": row.detector,
        "fingerprint": row.fingerprint,
        "folder": str(folder),
        "trained_at": row.trained_at.isoformat(),
        "active": row.active,
        "activated_at": row.activated_at.isoformat() if row.activated_at else None,
        "computed_by": computed_by,
        "threshold": row.threshold,
        "calibration": _calibration(calibration) if calibration else None,
        "training": _training(training),
        "settings": row.settings,
        "details": dict(detector.details()),
    }
    if output_format == "json":
        click.echo(json.dumps(report))
        return
    for line in _lines(report):
        click.echo(line)


def _calibration(row: CalibrationRow) -> dict[str, Any]:
    """Where a threshold comes from; rates are those on the crops that it was chosen from."""
    evidence = row.evidence
    kept = ("normal_crops", "proliv_crops", "proliv_events", "tpr", "tpr_low", "tpr_high", "tnr", "tnr_low", "tnr_high")
    return {
        "rule": row.rule,
        "rule_settings": row.settings,
        "fallback": row.fallback,
        "origin": row.origin,
        "created_at": row.created_at.isoformat(),
        "data": evidence.get("data"),
        **{key: evidence.get(key) for key in (*kept, "roc_auc")},
    }


def _training(report: dict[str, Any]) -> dict[str, Any]:
    """How long a model was trained, and its losses in the epoch that was kept; 0 epochs: not epoch by epoch."""
    kept: dict[str, Any] = next((one for one in report["epochs"] if one["epoch"] == report["best_epoch"]), {})
    return {
        "epochs": len(report["epochs"]),
        "best_epoch": report["best_epoch"],
        "train_loss": kept.get("train_loss"),
        "validation_loss": kept.get("validation_loss"),
    }


def _lines(values: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Whatever JSON holds as lines of name and value, what is nested further in."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{name}"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{name:<{width}}  {_text(value)}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return "none" if value is None or value == {} else str(value)


@command.command()
@click.argument("model")
@pass_program
def activate(program: Program, model: str) -> None:
    """Make a calibrated model its detector's active one.

    A running daemon takes it over within a minute, or at once when it is told to reload (SIGHUP).
    """
    from monitor.models import folders
    from monitor.store import models

    with program.database(create=False).write() as connection:
        row = models.find_model(connection, model)
        folders.verify(program.configuration.models / row.folder, row.fingerprint)
        models.activate_model(connection, row)
    click.echo(f"{row.name} is active")


@command.command()
@click.argument("detector", default="")
@pass_program
def rollback(program: Program, detector: str) -> None:
    """Give a detector back the model that was active before.

    DETECTOR may be left out where only one detector has an active model.
    """
    from monitor.store import models

    with program.database(create=False).write() as connection:
        active = [row.detector for row in models.active_models(connection)]
        if not detector and len(active) != 1:
            raise click.UsageError(f"name the detector: active are {', '.join(sorted(active)) or 'none'}")
        left, now = models.rollback_model(connection, detector or active[0])
    click.echo(f"{now.name} is active again in place of {left.name}")
