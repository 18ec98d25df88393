"""``monitor replay``."""

from __future__ import annotations

import json

import click

from monitor.cli.options import Threshold, chosen_model, moment
from monitor.cli.program import Program, parse_assignments, pass_program


@click.command("replay")
@click.option("--threshold", type=Threshold(), help="The threshold to decide by.")
@click.option("--rule", "rule_name", help="The rule that chooses it, from all that is labelled.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Override a setting of the rule.")
@click.option("--model", "name", help="A model's name; without it, the primary.")
@click.option("--since", metavar="TIME", help="Crops decided from then on (ISO 8601, the plant's clock).")
@click.option("--until", metavar="TIME", help="Crops decided before then.")
@click.option("--hole", type=click.IntRange(min=0), help="Crops of this hole alone.")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
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
    """Decide again on stored scores by another threshold, without a look at any picture.

    Give either --threshold or --rule; without both, the active threshold decides, which changes nothing since it
    became active. Prints how many verdicts would change, and TPR and TNR on those crops that are labelled. Nothing is
    stored.
    """
    if threshold is not None and rule_name is not None:
        raise click.UsageError("give either --threshold or --rule")
    if assignments and rule_name is None:
        raise click.UsageError("--set is for the settings of --rule")
    configuration = program.configuration
    from datetime import UTC, datetime

    from monitor.store.replay import Span
    from monitor.thresholds.choice import threshold_by
    from monitor.thresholds.gather import gather_evidence
    from monitor.thresholds.replay import replay_and_evaluate
    from monitor.thresholds.rules import Rules

    zone = configuration.time_zone
    span = Span(moment(since, zone, "--since"), moment(until, zone, "--until"), hole)
    with program.database(create=False).read() as connection:
        model = chosen_model(program, connection, name)
        assert model.threshold is not None  # as chosen_model has made sure
        if rule_name is not None:
            rules = Rules.of(program.registry, configuration, rule_name, parse_assignments(assignments))
            gathered = gather_evidence(connection, model.id, configuration.settings.calibration, now=datetime.now(UTC))
            threshold = threshold_by(rules.rule, gathered.scores)
        value = model.threshold if threshold is None else threshold
        done, evaluation = replay_and_evaluate(connection, model.id, value, span)
    if output_format == "json":
        report = {"model": model.name, "threshold": value, **done._asdict(), "labelled": evaluation.as_dict()}
        click.echo(json.dumps(report))
        return
    if not done.crops:
        click.echo("no decision of this model is stored for that span; see: monitor status", err=True)
    click.echo(f"{model.name}: threshold {value:.6g} on {done.crops} stored decisions")
    click.echo(f"  proliv        {done.proliv}")
    click.echo(f"  changed       {done.to_proliv} to proliv, {done.to_ne_proliv} to ne_proliv")
    click.echo(
        f"  labelled      {evaluation.n}: TPR {_rate(evaluation.tpr, evaluation.tpr_low, evaluation.tpr_high)}, "
        f"TNR {_rate(evaluation.tnr, evaluation.tnr_low, evaluation.tnr_high)}"
    )


def _rate(value: float | None, low: float | None, high: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f} (95 % interval {low:.4f} to {high:.4f})"
