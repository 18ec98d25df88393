"""``monitor models``."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli import model_import, model_shadow
from monitor.cli.options import author_of, bounded, format_option, limit_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table
from monitor.times import iso, on_clock
from monitor.words import LONGEST_NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from monitor.store.models import ModelRow
    from monitor.store.retrainings import RetrainingRow

# How many trainings from labels are listed without --limit.
LISTED: Final = 20


@click.group("models")
def command() -> None:
    """List, show, import, try, activate and roll back models.

    \b
    Example:
      monitor models list
    """


command.add_command(model_import.command)
command.add_command(model_shadow.command)


@command.command("list")
@limit_option("the newest; by default all")
@format_option()
@pass_program
def list_models(program: Program, limit: int | None, output_format: str) -> None:
    """List all models, the newest first.

    \b
    Example:
      monitor models list --limit 10
    """
    from monitor.models.description import as_dict
    from monitor.store import retrainings
    from monitor.store.models import all_models

    with program.database(create=False).read() as connection:
        rows = all_models(connection)[:limit]
        on_trial = {row.model_id for row in retrainings.shadows(connection)}
    if output_format == "json":
        for row in rows:
            click.echo(json.dumps({**as_dict(row), "shadow": row.id in on_trial}))
    elif rows:
        zone = program.configuration.time_zone
        headings = ("model", "state", "trained", "threshold")
        Table(headings, plain="{:<28} {:<13} trained {}  threshold {}", plain_headings=False).write(
            _cells(row, row.id in on_trial, zone) for row in rows
        )
    else:
        click.echo("no model is trained yet; train one: monitor train contrast --data DIR", err=True)


def _cells(row: ModelRow, on_trial: bool, zone: ZoneInfo) -> tuple[str, ...]:
    calibrated = "no threshold" if row.threshold is None else "calibrated"
    state = "active" if row.active else "in the shadow" if on_trial else calibrated
    threshold = "-" if row.threshold is None else f"{row.threshold:.6g} by {row.rule}"
    return row.name, state, on_clock(row.trained_at, zone), threshold


@command.command()
@click.argument("model")
@format_option()
@pass_program
def show(program: Program, model: str, output_format: str) -> None:
    """Show a model's settings, threshold and training, and what its detector says about itself.

    \b
    Example:
      monitor models show ae-8596479d03a2
    """
    from monitor.models.description import describe
    from monitor.store.models import find_model

    with program.database(create=False).read() as connection:
        report = describe(connection, program.registry, program.configuration, find_model(connection, model))
    if output_format == "json":
        click.echo(json.dumps(report))
    else:
        Table(("", ""), plain="{}  {}").write(_lines(report, program.configuration.time_zone))


def _lines(values: dict[str, Any], zone: ZoneInfo, indent: str = "") -> Iterator[tuple[str, str]]:
    """Names and values, with the names of nested ones indented."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{name}", ""
            yield from _lines(value, zone, f"{indent}  ")
        else:
            is_time = name.endswith("_at") and isinstance(value, str)
            text = on_clock(datetime.fromisoformat(value), zone) if is_time else _text(value)
            yield f"{indent}{name:<{width}}", text


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
    """Make a calibrated model the active one of its detector.

    A running daemon takes it over within a minute, or at once when it is told to reload (SIGHUP).

    \b
    Example:
      monitor models activate ae-8596479d03a2
    """
    from monitor.models.folders import folder_of, verify
    from monitor.store.models import activate_model, find_model

    with program.database(create=False).write() as connection:
        row = find_model(connection, model)
        verify(folder_of(program.configuration.models, row), row.fingerprint)
        activate_model(connection, row)
    click.echo(f"{row.name} is active")


@command.command()
@click.argument("detector", default="")
@pass_program
def rollback(program: Program, detector: str) -> None:
    """Restore a detector's previous model.

    A model that came of monitor retrain is marked as rolled back; the next one is trained once enough has been labelled
    since. DETECTOR may be left out if only one detector has an active model.

    \b
    Example:
      monitor models rollback ae
    """
    from monitor.store import retrainings
    from monitor.store.models import active_models, rollback_model

    with program.database(create=False).write() as connection:
        active = [row.detector for row in active_models(connection)]
        if not detector and len(active) != 1:
            raise click.UsageError(f"name the detector; active are: {', '.join(sorted(active)) or 'none'}")
        left, now = rollback_model(connection, detector or active[0])
        retrainings.roll_back(connection, left.id)
    click.echo(f"{now.name} is active again in place of {left.name}")


@command.command()
@limit_option(f"the newest; by default {LISTED}")
@format_option()
@pass_program
def retrained(program: Program, limit: int | None, output_format: str) -> None:
    """List every training from labels, what became of its model, and why, the newest first.

    Includes models that a person tried (monitor models shadow).

    \b
    Example:
      monitor models retrained --limit 5
    """
    from monitor.store import retrainings
    from monitor.store.models import all_models

    with program.database(create=False).read() as connection:
        names = {row.id: row.name for row in all_models(connection)}
        rows = retrainings.history(connection, limit or LISTED)
    if output_format == "json":
        for row in rows:
            times = {name: iso(getattr(row, name)) for name in ("labels_until", "created_at", "ended_at")}
            models = {"model": names.get(row.model_id or 0), "replaces": names[row.replaces_id]}
            click.echo(json.dumps({**row._asdict(), **times, **models}))
    elif rows:
        zone = program.configuration.time_zone
        Table(("trained", "model", "in place of", "state", "reason"), plain="{:<25}  {:<28} {:<28} {:<11} {}").write(
            _retrained(row, names, zone) for row in rows
        )
    else:
        click.echo("no model was trained from labels yet: monitor retrain --data DIR", err=True)


def _retrained(row: RetrainingRow, names: dict[int, str], zone: ZoneInfo) -> tuple[str, ...]:
    name = names.get(row.model_id or 0, "-")
    why = f"{row.refusal}: {row.reason}" if row.refusal else row.reason or ("tried by hand" if row.by_hand else "")
    return on_clock(row.created_at, zone), name, names[row.replaces_id], row.state.replace("_", " "), why


@command.command()
@click.argument("model")
@click.option("--why", metavar="TEXT", required=True, help="The reason, kept with the model.")
@pass_program
def accept(program: Program, model: str, why: str) -> None:
    """Let a model that was refused or is on trial take the active one's place.

    It comes from monitor retrain, or was tried with monitor models shadow.

    A running daemon takes it over within a minute, or at once when it is told to reload (SIGHUP).

    \b
    Example:
      monitor models accept contrast-8596479d03a2 --why "the proliv that it misses were labelled by mistake"
    """
    reason = bounded(why, LONGEST_NOTE, "--why")
    if reason is None:
        raise click.BadParameter("is empty; give the reason", param_hint="--why")
    from datetime import UTC, datetime

    from monitor.learning.trial import accept as accept_model

    done = accept_model(
        *(program.database(create=False), program.configuration, model),
        now=datetime.now(UTC),
        author=author_of(None),
        why=reason,
    )
    beside = "beside the others" if done.replaces == "none" else f"in place of {done.replaces}"
    click.echo(f"{done.model} is active now {beside}")
