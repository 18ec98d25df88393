"""``monitor calibrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.cli.options import author_of
from monitor.cli.program import FOLDER, Program, parse_assignments, pass_program

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store.database.engine import Database


@click.command("calibrate")
@click.option("--model", "names", multiple=True, help="A model's name; without it, the newest of each detector.")
@click.option(
    "--data",
    required=True,
    type=FOLDER,
    help="The labelled folder: the crops of train/ that were held out, and proliv/.",
)
@click.option("--rule", "rule_name", help="The threshold rule; overrides calibration.rule.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Override a setting of the rule.")
@click.option("--accept", is_flag=True, help="Take a threshold that the guard of [calibration] would refuse.")
@pass_program
def command(
    program: Program,
    names: tuple[str, ...],
    data: Path,
    rule_name: str | None,
    assignments: tuple[str, ...],
    accept: bool,
) -> None:
    """Choose a threshold for a trained model and activate it.

    The threshold is chosen on the crops of train/ that were held out from training and on proliv/, never on test
    images; crops that were labelled in operation count as well. Where there are fewer proliv crops than
    calibration.minimum_proliv, or no proliv/ at all, calibration.fallback_rule chooses, and the threshold is marked
    as a fallback everywhere. The scores are kept, for the thresholds that are chosen every night.

    Of several models that become active here, the one whose detector monitor plugins lists first becomes the primary.
    A running daemon takes it over within a minute, or at once when it is told to reload (SIGHUP).
    """
    configuration = program.configuration
    overrides = parse_assignments(assignments)
    from datetime import UTC, datetime

    from monitor.cli.changes import raise_refused, tell
    from monitor.cli.progress import bar
    from monitor.crops.dataset import open_dataset, require
    from monitor.crops.reader import Reader
    from monitor.thresholds import references
    from monitor.thresholds.calibration import calibrate
    from monitor.thresholds.change import ChangeRequest
    from monitor.thresholds.rules import Rules

    rules = Rules.of(program.registry, configuration, rule_name, overrides)
    dataset = open_dataset(data)
    require(dataset, "train")
    database = program.database(create=True)
    reader = Reader(configuration)
    outcomes = []
    for model in references.models_to_calibrate(database, program.registry, names):
        with bar("reading", len(dataset.train) + len(dataset.proliv)) as advance:
            given = references.references_for(
                program.registry, configuration, model, dataset, reader, lambda: advance(1)
            )
        by = ChangeRequest(datetime.now(UTC), "calibrate", accept=accept, author=author_of(None))
        outcomes.append(calibrate(database, model, rules, given, by, data=dataset.root))
        tell(outcomes[-1])
    raise_refused(outcomes)
    _tell_who_decides(program, database)


def _tell_who_decides(program: Program, database: Database) -> None:
    """A model that became active may have become the primary, which nobody should learn from its decisions."""
    from monitor.scoring.vote import deciding, describe, effective
    from monitor.store import models

    settings = program.configuration.settings.decision
    with database.read() as connection:
        rows = deciding(models.active_models(connection), settings.detectors)
    if rows:
        how = describe(effective(settings.decide, len(rows)), [row.name for row in rows])
        click.echo(f"the final decision is now {how}", err=True)
