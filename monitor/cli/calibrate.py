"""``monitor calibrate``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from monitor.cli.options import (
    accept_option,
    author_of,
    data_option,
    detectors_option,
    dry_run_option,
    models_option,
    rule_option,
    set_option,
)
from monitor.cli.program import Program, parse_assignments, pass_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.crops.dataset import Dataset
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow
    from monitor.store.references import ReferenceRow
    from monitor.thresholds.change import Change
    from monitor.thresholds.rules import Rules


@click.command("calibrate")
@models_option("by default the newest of each detector")
@detectors_option("the newest model of each gets a threshold")
@data_option("the held-out crops of its train/ and its proliv/ are used", required=True)
@rule_option("overrides calibration.rule")
@set_option("of the rule")
@click.option(
    "--activate/--no-activate",
    default=None,
    help="Make each model its detector's active one, and the last of them the primary, or leave the active models as "
    "they are. By default a model is activated only where its detector has no active model.",
)
@accept_option()
@dry_run_option()
@pass_program
def command(
    program: Program,
    names: tuple[str, ...],
    detectors: tuple[str, ...],
    data: Path,
    rule_name: str | None,
    assignments: tuple[str, ...],
    activate: bool | None,
    accept: bool,
    dry_run: bool,
) -> None:
    """Choose a threshold for trained models.

    Without --model and --detector, the newest model of each detector gets a threshold. The first model of a detector
    is also activated: it takes part in decisions from then on. Another model of a detector replaces the active one only
    with --activate; until then its threshold waits, and monitor models activate NAME exchanges the two.

    The threshold is chosen from the crops of train/ that were held out from training, from proliv/ and from the crops
    labelled in operation, never from test images. If there are fewer proliv crops than calibration.minimum_proliv, or
    no proliv/ at all, calibration.fallback_rule chooses, and the threshold is marked as a fallback everywhere. The
    scores are kept for the nightly choice of thresholds.

    If several models become active, the one whose detector is first in the list of monitor plugins becomes the
    primary; of models that are named, the last one does. A running daemon takes over a model within a minute, or at
    once when it is told to reload (SIGHUP).

    \b
    Examples:
      monitor calibrate --data crops/
      monitor calibrate --data crops/ --detector ae --activate
      monitor calibrate --data crops/ --model ae-0123456789ab --rule fixed --set threshold=12/4500 --dry-run
    """
    overrides = parse_assignments(assignments)
    from monitor.cli.changes import raise_refused
    from monitor.crops.dataset import open_dataset, require
    from monitor.thresholds import references
    from monitor.thresholds.rules import Rules

    rules = Rules.of(program.registry, program.configuration, rule_name, overrides)
    dataset = open_dataset(data, program.ignored)
    require(dataset, "train")
    database = program.database(create=not dry_run)
    models = references.models_to_calibrate(database, program.registry, names, detectors)
    choose = partial(_choose, program, database, dataset, rules, activate=activate, accept=accept, dry_run=dry_run)
    raise_refused([choose(model) for model in models])
    if not dry_run:
        _print_who_decides(program, database)


def _choose(
    program: Program,
    database: Database,
    dataset: Dataset,
    rules: Rules,
    model: ModelRow,
    *,
    activate: bool | None,
    accept: bool,
    dry_run: bool,
) -> Change:
    """Give one model a threshold, and say what became of it."""
    from datetime import UTC, datetime

    from monitor.cli.changes import print_change
    from monitor.cli.progress import bar
    from monitor.crops.reader import Reader
    from monitor.thresholds import references
    from monitor.thresholds.calibration import calibrate
    from monitor.thresholds.change import ChangeRequest

    configuration = program.configuration
    reader = Reader(configuration)
    with bar("reading", len(dataset.train) + len(dataset.proliv)) as advance:
        given = references.references_for(program.registry, configuration, model, dataset, reader, lambda: advance(1))
    by = ChangeRequest(
        datetime.now(UTC), "calibrate", accept=accept, author=author_of(None), zone=configuration.time_zone
    )
    change = calibrate(database, model, rules, given, by, data=dataset.root, activate=activate, dry_run=dry_run)
    print_change(change, dry_run=dry_run)
    _print_scores(given)
    if change.result == "activated":
        _print_activation(database, model, change.activates, dry_run=dry_run)
    return change


def _print_scores(given: Sequence[ReferenceRow]) -> None:
    """Say how far the scores of the labelled folder's two classes lie apart."""
    normal = [row.score for row in given if row.label == "ne_proliv"]
    proliv = [row.score for row in given if row.label == "proliv"]
    words = []
    if normal:
        words.append(f"mean {sum(normal) / len(normal):.6g} on the {len(normal)} held-out crops")
    if proliv:
        words.append(
            f"mean {sum(proliv) / len(proliv):.6g} and least {min(proliv):.6g} on the {len(proliv)} of proliv/"
        )
    click.echo(f"  scores: {'; '.join(words)}", err=True)


def _print_activation(database: Database, model: ModelRow, activates: bool, *, dry_run: bool) -> None:
    """Say what became of the model that has a new threshold: whether it decides now, and which one does if not."""
    from monitor.store.models import active_models

    with database.read() as connection:
        others = [row.name for row in active_models(connection) if row.detector == model.detector]
    verb = "would become" if dry_run else "is now"
    if activates:
        click.echo(f"  {model.name} {verb} the active model of the detector {model.detector}", err=True)
    elif not model.active:
        deciding = f"; {others[0]} stays the active model of {model.detector}" if others else ""
        click.echo(
            f"  {model.name} is not active{deciding}; to activate it: monitor models activate {model.name}, or add "
            "--activate",
            err=True,
        )


def _print_who_decides(program: Program, database: Database) -> None:
    """Say how the final decision is made now, as the calibrated model may have become the primary."""
    from monitor.scoring.vote import describe
    from monitor.upkeep.status import read_status

    status = read_status(program.configuration, database)
    if status.deciding:
        click.echo(f"the final decision is now {describe(status.decide, status.deciding)}", err=True)
