"""``monitor recalibrate``."""

from __future__ import annotations

import json

import click

from monitor.cli.options import author_of
from monitor.cli.program import Program, parse_assignments, pass_program


@click.command("recalibrate")
@click.option("--model", "names", multiple=True, help="A model's name; by default all active models.")
@click.option("--rule", "rule_name", help="The threshold rule; overrides calibration.rule.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Override a setting of the rule.")
@click.option(
    "--accept", is_flag=True, help="Accept what the guard of [calibration] would refuse, including floods of labels."
)
@click.option("--dry-run", is_flag=True, help="Print what would be done, and change no threshold.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@pass_program
def command(
    program: Program,
    names: tuple[str, ...],
    rule_name: str | None,
    assignments: tuple[str, ...],
    accept: bool,
    dry_run: bool,
    output_format: str,
) -> None:
    """Choose new thresholds from everything labelled, as the daemon does every night.

    Reads what is new in the labelled folder, scores the labelled crops that an active model has not scored, and lets
    the rule choose from all labelled crops and from those of the last monitor calibrate. The guard of [calibration]
    may refuse a change: then the reason is kept, the old threshold stays, and the exit code is 65.

    A running daemon takes over a new threshold within a minute, or at once when it is told to reload (SIGHUP).

    \b
    Example:
      monitor recalibrate --dry-run
    """
    configuration = program.configuration
    overrides = parse_assignments(assignments)
    from datetime import UTC, datetime

    from monitor.cli.changes import print_change, raise_refused
    from monitor.thresholds import nightly
    from monitor.thresholds.calibration import recalibrate
    from monitor.thresholds.change import ChangeRequest
    from monitor.thresholds.rules import Rules

    rules = Rules.of(program.registry, configuration, rule_name, overrides)
    database = program.database(create=False)
    nightly.read_labels(database, program.registry, configuration)
    by = ChangeRequest(
        datetime.now(UTC), "recalibrate", accept=accept, author=author_of(None), zone=configuration.time_zone
    )
    changes = recalibrate(database, rules, by, dry_run=dry_run, names=names)
    for change in changes:
        if output_format == "json":
            click.echo(json.dumps({**change.as_dict(), "dry_run": dry_run}))
        else:
            print_change(change, dry_run=dry_run)
    raise_refused(changes)
