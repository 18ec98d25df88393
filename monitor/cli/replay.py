"""``monitor replay``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from monitor.cli.options import (
    Threshold,
    echo_range,
    format_option,
    hole_option,
    model_option,
    moment,
    rule_option,
    set_option,
    since_option,
    until_option,
)
from monitor.cli.program import Program, parse_assignments, pass_program

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from monitor.formulas.rates import Evaluation
    from monitor.store.models import ModelRow
    from monitor.store.replay import Replayed


@click.command("replay")
@click.option("--threshold", type=Threshold(), help="The threshold to decide with.")
@rule_option("chooses from everything labelled")
@set_option("of the rule")
@model_option("by default the primary")
@since_option("by when they were decided")
@until_option("by when they were decided")
@hole_option()
@format_option()
@pass_program
def command(
    program: Program,
    threshold: float | None,
    rule_name: str | None,
    assignments: tuple[str, ...],
    name: str | None,
    since: str | None,
    until: str | None,
    hole: int | None,
    output_format: str,
) -> None:
    """Decide again on stored scores with another threshold.

    No image is read and nothing is stored. Give either --threshold or --rule; without both, the active threshold
    decides, which changes nothing on crops decided since it became active. Prints how many verdicts would change, and
    TPR and TNR on the labelled crops among them.

    \b
    Examples:
      monitor replay --threshold 0.0027
      monitor replay --rule normal-quantile --since 2024-05-01
    """
    if threshold is not None and rule_name is not None:
        raise click.UsageError("give either --threshold or --rule")
    if assignments and rule_name is None:
        raise click.UsageError("--set is for the settings of --rule")
    from monitor.store.replay import Span
    from monitor.thresholds.replay import replay_and_evaluate
    from monitor.thresholds.subject import calibrated_model

    configuration = program.configuration
    zone = configuration.time_zone
    span = Span(moment(since, zone, "--since"), moment(until, zone, "--until"), hole)
    echo_range(span.since, span.until, zone)
    with program.database(create=False).read() as connection:
        model = calibrated_model(connection, configuration.settings.decision.detectors, name)
        if rule_name is not None:
            threshold = _chosen(program, connection, model, rule_name, assignments)
        value = model.threshold if threshold is None else threshold
        assert value is not None  # as calibrated_model has made sure
        done, evaluation = replay_and_evaluate(connection, model.id, value, span)
    if output_format == "json":
        report = {"model": model.name, "threshold": value, **done._asdict(), "labelled": evaluation.as_dict()}
        click.echo(json.dumps(report))
    else:
        _print(model.name, value, done, evaluation)


def _chosen(
    program: Program, connection: Connection, model: ModelRow, rule_name: str, assignments: tuple[str, ...]
) -> float:
    """The threshold that a rule chooses for a model from everything labelled."""
    from datetime import UTC, datetime

    from monitor.thresholds.choice import threshold_by
    from monitor.thresholds.gather import gather_evidence
    from monitor.thresholds.rules import Rules

    configuration = program.configuration
    rules = Rules.of(program.registry, configuration, rule_name, parse_assignments(assignments))
    settings, zone = configuration.settings.calibration, configuration.time_zone
    seen = rules.trained_on(model)
    evidence = gather_evidence(connection, model.id, settings, now=datetime.now(UTC), trained_on=seen, zone=zone)
    return threshold_by(rules.rule, evidence.scores)


def _print(name: str, threshold: float, done: Replayed, evaluation: Evaluation) -> None:
    if not done.crops:
        click.echo("no decision of this model is stored for that span; see: monitor status", err=True)
    click.echo(f"{name}: threshold {threshold:.6g} on {done.crops} stored decisions")
    click.echo(f"  proliv        {done.proliv}")
    click.echo(f"  changed       {done.to_proliv} to proliv, {done.to_ne_proliv} to ne_proliv")
    click.echo(
        f"  labelled      {evaluation.n}: TPR {_rate(evaluation.tpr, evaluation.tpr_low, evaluation.tpr_high)}, "
        f"TNR {_rate(evaluation.tnr, evaluation.tnr_low, evaluation.tnr_high)}"
    )


def _rate(value: float | None, low: float | None, high: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f} (95 % interval {low:.4f} to {high:.4f})"
