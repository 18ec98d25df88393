"""``monitor recalibrate``."""

from __future__ import annotations

import json

import click

from monitor.cli.options import (
    accept_option,
    author_of,
    dry_run_option,
    format_option,
    models_option,
    rule_option,
    set_option,
)
from monitor.cli.program import Program, parse_assignments, pass_program


@click.command("recalibrate")
@models_option("by default all active models")
@rule_option("overrides calibration.rule")
@set_option("of the rule")
@accept_option("floods of labels as well")
@dry_run_option()
@format_option()
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
