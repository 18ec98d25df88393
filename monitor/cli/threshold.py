"""``monitor threshold``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.options import (
    Threshold,
    accept_option,
    author_of,
    bounded,
    earlier_limit_option,
    format_option,
    limit_option,
    model_option,
    models_option,
)
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table, print_pairs
from monitor.cli.wording import counted, number
from monitor.times import on_clock
from monitor.words import LONGEST_NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from sqlalchemy.engine import Connection

    from monitor.store.calibrations import CalibrationRow
    from monitor.store.models import ModelRow
    from monitor.thresholds.overview import Difference, Overview, Trial

# How many calibrations are listed without --limit.
LISTED: Final = 50
of_primary = model_option("by default the primary")


@click.group("threshold")
def command() -> None:
    """Show, set, roll back and compare thresholds.

    A running daemon takes over a changed threshold within a minute, or at once when it is told to reload (SIGHUP).

    \b
    Example:
      monitor threshold show
    """


@command.command()
@format_option()
@pass_program
def show(program: Program, output_format: str) -> None:
    """Show the threshold of every active model, where it comes from, and what is in trial or was refused.

    \b
    Example:
      monitor threshold show --format json
    """
    from monitor.thresholds.overview import overviews

    with program.database(create=False).read() as connection:
        found = overviews(connection)
    if output_format == "json":
        click.echo(json.dumps([one.as_dict() for one in found]))
        return
    for one in found:
        _print(one, program.configuration.time_zone)
    if not found:
        click.echo("no model is active; see: monitor models list", err=True)


@command.command("list")
@models_option("by default all models")
@limit_option(f"the newest; by default {LISTED}")
@earlier_limit_option("--most")
@format_option()
@pass_program
def list_calibrations(
    program: Program, names: tuple[str, ...], limit: int | None, earlier_limit: int | None, output_format: str
) -> None:
    """List every calibration ever made, including refused ones, the newest first.

    \b
    Example:
      monitor threshold list --limit 10
    """
    from monitor.store.calibrations import history
    from monitor.store.models import all_models, find_model
    from monitor.thresholds.overview import as_dict

    with program.database(create=False).read() as connection:
        name_of = {row.id: row.name for row in all_models(connection)}
        chosen = [find_model(connection, name).id for name in names]
        rows = history(connection, *chosen, most=limit or earlier_limit or LISTED)
    if output_format == "json":
        for row in rows:
            click.echo(json.dumps({"model": name_of[row.model_id], **as_dict(row)}))
    elif rows:
        zone = program.configuration.time_zone
        table = Table(
            ("", "made", "model", "state", "threshold", "by", "rule, reason"),
            right=("", "threshold"),
            plain="{:>6}  {:<25}  {:<28} {:<11} {:>12}  {:<10}  {}",
        )
        table.write(_cells(row, name_of[row.model_id], zone) for row in rows)


def _cells(row: CalibrationRow, model: str, zone: ZoneInfo) -> tuple[str, ...]:
    rule = f"{row.rule}{' (fallback)' if row.fallback else ''} ({row.origin})"
    why = f"  {row.reason}" if row.reason else ""
    made = on_clock(row.created_at, zone)
    return f"#{row.id}", made, model, row.state, number(row.threshold), row.author or "-", f"{rule}{why}"


@command.command("set")
@click.argument("value", type=Threshold())
@click.option("--why", metavar="TEXT", required=True, help="The reason, kept with the threshold.")
@of_primary
@accept_option()
@pass_program
def set_value(program: Program, value: float, why: str, name: str | None, accept: bool) -> None:
    """Set a model's threshold by hand.

    The guard checks it like any other: a large jump, or a threshold that does worse on the newest labelled crops or
    costs too many of all of them, is refused unless it is accepted. The next nightly run may choose another threshold;
    calibration.rule = "fixed" keeps it.

    \b
    Example:
      monitor threshold set 0.0027 --why "trial on line 2"
    """
    configuration = program.configuration
    reason = bounded(why, LONGEST_NOTE, "--why")
    if reason is None:
        raise click.BadParameter("is empty; give the reason", param_hint="--why")
    from datetime import UTC, datetime

    from monitor.cli.changes import print_change, raise_refused
    from monitor.thresholds.calibration import set_threshold
    from monitor.thresholds.change import ChangeRequest

    database = program.database(create=False)
    with database.read() as connection:
        model = _model(program, connection, name)
    rule = program.registry.new_rule("fixed", configuration, {"threshold": value})
    by = ChangeRequest(datetime.now(UTC), "set", accept=accept, author=author_of(None), reason=reason)
    change = set_threshold(database, model, rule, configuration.settings.calibration, by)
    print_change(change)
    raise_refused([change])


@command.command()
@of_primary
@pass_program
def rollback(program: Program, name: str | None) -> None:
    """Restore the previous threshold.

    A second rollback restores the one before that. The nightly run does not choose the threshold that was rolled back
    again until something new is labelled.

    \b
    Example:
      monitor threshold rollback
    """
    from datetime import UTC, datetime

    from monitor.errors import NoModelError
    from monitor.store.calibrations import roll_back

    with program.database(create=False).write() as connection:
        model = _model(program, connection, name)
        done = roll_back(connection, model.id, datetime.now(UTC))
    if done is None:
        raise NoModelError(f"{model.name} had no threshold before the present one; see: monitor threshold list")
    left, now = done
    click.echo(f"{model.name}: {number(now.threshold)} ({now.rule}) is active again, not {number(left.threshold)}")


@command.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@of_primary
@format_option()
@pass_program
def diff(program: Program, first: str, second: str, name: str | None, output_format: str) -> None:
    """Show which stored crops would change their verdict from one threshold to another.

    A and B are numbers, or "active", "shadow" (in trial), or calibrations such as '#12' (quoted for the shell). Prints
    how many stored crops have a score between the two, and the ten of them that are nearest B.

    \b
    Examples:
      monitor threshold diff active 0.0027
      monitor threshold diff '#12' active
    """
    from monitor.thresholds.overview import difference

    with program.database(create=False).read() as connection:
        model = _model(program, connection, name)
        found = difference(connection, model, *(_threshold(connection, model, text) for text in (first, second)))
    if output_format == "json":
        click.echo(json.dumps(found.as_dict()))
    else:
        _print_difference(found)


def _print_difference(found: Difference) -> None:
    click.echo(
        f"{found.model}: from {found.a:.6g} to {found.b:.6g}, {found.changed} stored crops become {found.becomes.value}"
    )
    if found.nearest:
        table = Table(("score", "hole", "path", "id"), plain="  {:<12} hole {:<6} {} ({})", plain_headings=False)
        table.write(
            (f"{crop.score:.6g}", "-" if crop.hole is None else str(crop.hole), crop.path, str(crop.id))
            for crop in found.nearest
        )


def _model(program: Program, connection: Connection, name: str | None) -> ModelRow:
    from monitor.thresholds.subject import calibrated_model

    return calibrated_model(connection, program.configuration.settings.decision.detectors, name)


def _threshold(connection: Connection, model: ModelRow, text: str) -> float:
    from monitor.thresholds.subject import stored_threshold

    stored = stored_threshold(connection, model, text)
    if stored is not None:
        return stored
    value = Threshold().convert(text, None, None)
    assert isinstance(value, float)
    return value


def _print(found: Overview, zone: ZoneInfo) -> None:
    active = found.active
    if active is None:
        click.echo(f"{found.model}: no threshold")
        return
    click.echo(f"{found.model}: threshold {number(active.threshold)}")
    print_pairs([(f"  {name}", value) for name, value in _lines(active, found, zone) if value], width=14)


def _lines(active: CalibrationRow, found: Overview, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    evidence = active.evidence
    by = f" by {active.author}" if active.author else ""
    yield "rule", active.rule + (" (fallback: too little proliv)" if active.fallback else "")
    yield "made", f"#{active.id}, {active.origin}{by}, {on_clock(active.created_at, zone)}"
    yield "why", active.reason or ""
    yield "chosen from", _chosen_from(evidence)
    for note in (*evidence.get("set_aside", ()), *evidence.get("notes", ())):
        yield "note", note
    if found.trial:
        yield "in trial", _trial(found.trial, zone)
    if found.refused:
        yield "refused", f"#{found.refused.id}, {on_clock(found.refused.created_at, zone)}: {found.refused.reason}"


def _trial(trial: Trial, zone: ZoneInfo) -> str:
    row, seen = trial.calibration, trial.seen
    return (
        f"#{row.id}, {number(row.threshold)} by {row.rule} since {on_clock(row.created_at, zone)}: "
        f"of {seen.crops} crops {seen.to_proliv} would become proliv, {seen.to_ne_proliv} ne_proliv"
    )


def _chosen_from(evidence: Mapping[str, Any]) -> str:
    if "normal_crops" not in evidence:
        return ""
    return (
        f"{evidence['normal_crops']} ne_proliv and {evidence['proliv_crops']} proliv crops of "
        f"{counted(evidence['proliv_events'], 'incident')}; "
        f"{evidence['labelled']} of them labelled since the calibration by hand"
    )
