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
@click.option("--model", "names", multiple=True, help="A model's name; by default the newest of each detector.")
@click.option(
    "--data",
    required=True,
    type=FOLDER,
    help="The labelled folder; the held-out crops of its train/ and its proliv/ are used.",
)
@click.option("--rule", "rule_name", help="The threshold rule; overrides calibration.rule.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Override a setting of the rule.")
@click.option("--accept", is_flag=True, help="Accept a threshold that the guard of [calibration] would refuse.")
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

    The threshold is chosen from the crops of train/ that were held out from training, from proliv/ and from the crops
    labelled in operation, never from test images. If there are fewer proliv crops than calibration.minimum_proliv, or
    no proliv/ at all, calibration.fallback_rule chooses, and the threshold is marked as a fallback everywhere. The
    scores are kept for the nightly choice of thresholds.

    If several models become active, the one whose detector is first in the list of monitor plugins becomes the
    primary. A running daemon takes over a model within a minute, or at once when it is told to reload (SIGHUP).
    """
    configuration = program.configuration
    overrides = parse_assignments(assignments)
    from datetime import UTC, datetime

    from monitor.cli.changes import print_change, raise_refused
    from monitor.cli.progress import bar
    from monitor.crops.dataset import open_dataset, require
    from monitor.crops.reader import Reader
    from monitor.thresholds import references
    from monitor.thresholds.calibration import calibrate
    from monitor.thresholds.change import ChangeRequest
    from monitor.thresholds.rules import Rules

    rules = Rules.of(program.registry, configuration, rule_name, overrides)
    dataset = open_dataset(data, program.ignored)
    require(dataset, "train")
    database = program.database(create=True)
    reader = Reader(configuration)
    changes = []
    for model in references.models_to_calibrate(database, program.registry, names):
        with bar("reading", len(dataset.train) + len(dataset.proliv)) as advance:
            given = references.references_for(
                program.registry, configuration, model, dataset, reader, lambda: advance(1)
            )
        by = ChangeRequest(datetime.now(UTC), "calibrate", accept=accept, author=author_of(None))
        changes.append(calibrate(database, model, rules, given, by, data=dataset.root))
        print_change(changes[-1])
    raise_refused(changes)
    _print_who_decides(program, database)


def _print_who_decides(program: Program, database: Database) -> None:
    """Say how the final decision is made now, as the calibrated model may have become the primary."""
    from monitor.scoring.vote import describe
    from monitor.upkeep.status import read_status

    status = read_status(program.configuration, database)
    if status.deciding:
        click.echo(f"the final decision is now {describe(status.decide, status.deciding)}", err=True)
