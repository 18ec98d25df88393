"""``monitor threshold``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.options import Threshold, author_of, bounded, chosen_model, counted
from monitor.cli.program import Program, pass_program
from monitor.words import LONGEST_NOTE

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from monitor.store.calibrations import CalibrationRow
    from monitor.store.models import ModelRow

model_option = click.option("--model", "name", help="A model's name; without it, the primary.")
format_option = click.option(
    "--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True
)
NEAREST = 10
"""So many crops are shown whose verdict would change."""


@click.group("threshold")
def command() -> None:
    """Show, set, roll back and compare thresholds.

    A running daemon takes a changed threshold over within a minute, or at once when it is told to reload (SIGHUP).
    """


@command.command()
@format_option
@pass_program
def show(program: Program, output_format: str) -> None:
    """Show every active model's threshold, where it comes from, and what is being tried or was refused."""
    from monitor.store import calibrations, models, replay

    reports = []
    with program.database(create=False).read() as connection:
        for model in models.active_models(connection):
            active = calibrations.active(connection, model.id)
            trial = calibrations.shadow(connection, model.id)
            refused = calibrations.newest(connection, model.id, "refused")
            if refused and active and refused.created_at < active.created_at:
                refused = None
            report = {"model": model.name, "active": _as_dict(active), "shadow": None, "refused": _as_dict(refused)}
            if trial is not None and trial.threshold is not None:
                span = replay.Span(since=trial.created_at)
                seen = replay.replay(connection, model.id, trial.threshold, span)
                report["shadow"] = {**(_as_dict(trial) or {}), "seen": seen._asdict()}
            reports.append(report)
    if output_format == "json":
        click.echo(json.dumps(reports))
        return
    for report in reports:
        _print(report)
    if not reports:
        click.echo("no model is active; see: monitor models list", err=True)


@command.command("list")
@click.option("--model", "name", help="A model's name; without it, all.")
@click.option("--most", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@format_option
@pass_program
def list_calibrations(program: Program, name: str | None, most: int, output_format: str) -> None:
    """List every calibration that was ever made, refused ones too, the newest first."""
    from monitor.store import calibrations, models

    with program.database(create=False).read() as connection:
        names = {row.id: row.name for row in models.all_models(connection)}
        chosen = models.find_model(connection, name).id if name else None
        rows = calibrations.history(connection, chosen, most=most)
    if output_format == "table" and rows:
        click.echo(f"{'':>6}  {'made':<20}  {'model':<28} {'state':<11} {'threshold':>12}  {'by':<10}  rule, reason")
    for row in rows:
        if output_format == "json":
            click.echo(json.dumps({"model": names[row.model_id], **(_as_dict(row) or {})}))
        else:
            click.echo(
                f"{f'#{row.id}':>6}  {row.created_at:%Y-%m-%d %H:%M} UTC  {names[row.model_id]:<28} {row.state:<11} "
                f"{_number(row.threshold):>12}  {row.author or '-':<10}  {_rule(row)}"
                f"{f'  {row.reason}' if row.reason else ''}"
            )


@command.command("set")
@click.argument("value", type=Threshold())
@click.option("--why", required=True, help="The reason, kept with the threshold.")
@model_option
@click.option("--accept", is_flag=True, help="Take a threshold that the guard of [calibration] would refuse.")
@pass_program
def set_value(program: Program, value: float, why: str, name: str | None, accept: bool) -> None:
    """Set a model's threshold by hand.

    It is guarded as every other: a large jump, or one that decides the newest labelled crops worse, is refused unless
    it is accepted. The next nightly run may choose another one; calibration.rule = "fixed" keeps it.
    """
    configuration = program.configuration
    from datetime import UTC, datetime

    from monitor.cli.changes import raise_refused, tell

    reason = bounded(why, LONGEST_NOTE, "--why")
    if reason is None:
        raise click.BadParameter("is empty; say why, for whoever reads it later", param_hint="--why")
    from monitor.thresholds.calibration import set_threshold
    from monitor.thresholds.change import ChangeRequest

    database = program.database(create=False)
    with database.read() as connection:
        model = chosen_model(program, connection, name)
    rule = program.registry.new_rule("fixed", configuration, {"threshold": value})
    by = ChangeRequest(datetime.now(UTC), "set", accept=accept, author=author_of(None), reason=reason)
    outcome = set_threshold(database, model, rule, configuration.settings.calibration, by)
    tell(outcome)
    raise_refused([outcome])


@command.command()
@model_option
@pass_program
def rollback(program: Program, name: str | None) -> None:
    """Give a model the threshold back that was active before; again, the one before that.

    The nightly run does not bring back what was rolled back before something new is labelled.
    """
    from datetime import UTC, datetime

    from monitor.errors import NoModelError
    from monitor.store import calibrations

    with program.database(create=False).write() as connection:
        model = chosen_model(program, connection, name)
        done = calibrations.roll_back(connection, model.id, datetime.now(UTC))
    if done is None:
        raise NoModelError(f"{model.name} had no threshold before the present one; see: monitor threshold list")
    left, now = done
    click.echo(f"{model.name}: {_number(now.threshold)} ({now.rule}) is active again, not {_number(left.threshold)}")


@command.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@model_option
@format_option
@pass_program
def diff(program: Program, first: str, second: str, name: str | None, output_format: str) -> None:
    """Show which stored crops would change their verdict between two thresholds.

    A and B: numbers, or "active", "shadow", or calibrations as '#12' (quoted, for the shell). Prints how many of the
    stored crops lie between the two, and the ten of them that are nearest B.
    """
    from monitor.store import replay

    with program.database(create=False).read() as connection:
        model = chosen_model(program, connection, name)
        one, other = (_threshold(connection, model, text) for text in (first, second))
        low, high = sorted((one, other))
        count = replay.between(connection, model.id, low, high)
        near = replay.nearest(connection, model.id, low, high, to=other, most=NEAREST)
    becomes = "proliv" if other < one else "ne_proliv"
    if output_format == "json":
        crops = [crop._asdict() for crop in near]
        click.echo(
            json.dumps(
                {"model": model.name, "a": one, "b": other, "changed": count, "becomes": becomes, "nearest": crops}
            )
        )
        return
    click.echo(f"{model.name}: from {one:.6g} to {other:.6g}, {count} stored crops become {becomes}")
    for crop in near:
        hole = "-" if crop.hole is None else str(crop.hole)
        click.echo(f"  {crop.score:<12.6g} hole {hole:<6} {crop.path} ({crop.id})")


def _threshold(connection: Connection, model: ModelRow, text: str) -> float:
    from monitor.errors import DataError
    from monitor.store import calibrations

    if text in ("active", "shadow"):
        row = (calibrations.active if text == "active" else calibrations.shadow)(connection, model.id)
        if row is None:
            raise DataError(f"{model.name} has no {text} threshold; see: monitor threshold list")
    elif text.startswith("#") and text[1:].isdecimal():
        row = calibrations.find(connection, int(text[1:]))
        if row.model_id != model.id:
            raise DataError(f"calibration {text} is not one of {model.name}; see: monitor threshold list")
    else:
        value = Threshold().convert(text, None, None)
        assert isinstance(value, float)
        return value
    if row.threshold is None:
        raise DataError(f"calibration #{row.id} chose no threshold: {row.reason}")
    return row.threshold


def _as_dict(row: CalibrationRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    report = row._asdict()
    for key in ("created_at", "ended_at"):
        report[key] = report[key].isoformat() if report[key] else None
    # Hundreds of numbers that no person reads.
    report["evidence"] = {key: value for key, value in row.evidence.items() if not key.endswith("_percentiles")}
    return report


def _print(report: dict[str, Any]) -> None:
    active = report["active"]
    if active is None:
        click.echo(f"{report['model']}: no threshold")
        return
    evidence = active["evidence"]
    made = f"{active['origin']}{' by ' + active['author'] if active['author'] else ''}, {active['created_at'][:16]} UTC"
    click.echo(f"{report['model']}: threshold {active['threshold']:.6g}")
    rows = [
        ("rule", active["rule"] + (" (fallback: too little proliv)" if active["fallback"] else "")),
        ("made", f"#{active['id']}, {made}"),
        ("why", active["reason"]),
        ("chosen from", _counts(evidence)),
        *(("note", note) for note in (*evidence.get("set_aside", ()), *evidence.get("notes", ()))),
    ]
    if report["shadow"]:
        trial, seen = report["shadow"], report["shadow"]["seen"]
        rows.append(
            (
                "in trial",
                f"#{trial['id']}, {trial['threshold']:.6g} by {trial['rule']} since {trial['created_at'][:16]} UTC: "
                f"of {seen['crops']} crops {seen['to_proliv']} would become proliv, {seen['to_ne_proliv']} ne_proliv",
            )
        )
    if report["refused"]:
        refused = report["refused"]
        rows.append(("refused", f"#{refused['id']}, {refused['created_at'][:16]} UTC: {refused['reason']}"))
    for name, value in rows:
        if value:
            click.echo(f"  {name:<12} {value}")


def _counts(evidence: dict[str, Any]) -> str:
    if "normal_crops" not in evidence:
        return ""
    return (
        f"{evidence['normal_crops']} ne_proliv and {evidence['proliv_crops']} proliv crops of "
        f"{counted(evidence['proliv_events'], 'event')}; "
        f"{evidence['labelled']} of them labelled since the calibration by hand"
    )


def _rule(row: CalibrationRow) -> str:
    return f"{row.rule}{' (fallback)' if row.fallback else ''} ({row.origin})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
