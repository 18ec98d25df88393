"""``monitor drift``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from monitor.cli.options import format_option, models_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table

if TYPE_CHECKING:
    from monitor.quality.drift.groups import GroupDrift, ModelDrift

HEADINGS = ("", "state", "shift", "PSI", "t", "p", "crops", "")


@click.command("drift")
@models_option("by default all active models")
@format_option()
@pass_program
def command(program: Program, names: tuple[str, ...], output_format: str) -> None:
    """Show whether scores have moved since the calibration.

    For each hole, and for all holes together, the scores of the last finished hours are compared with those of the
    first hours after the model was calibrated by hand. Missing hourly summaries are made first, so this works without
    the daemon.

    \b
    Examples:
      monitor drift
      monitor drift --format json
    """
    database = program.database(create=False)
    from datetime import UTC, datetime

    from monitor.errors import NoModelError
    from monitor.quality.drift.drift import drift_of_models
    from monitor.store.models import named_or_active

    with database.read() as connection:
        models = named_or_active(connection, names)
    if not models:
        raise NoModelError("no model is active, so there are no scores; monitor train and monitor calibrate make one")
    found = drift_of_models(database, models, program.configuration.settings.drift, datetime.now(UTC))
    if output_format == "json":
        click.echo(json.dumps({"models": [one.as_dict() for one in found]}))
        return
    for one in found:
        _print(one)


def _print(drift: ModelDrift) -> None:
    click.echo(f"{drift.model}: {drift.sentence}")
    several_cameras = len({group.camera for group in drift.groups if not group.everything}) > 1
    table = Table(HEADINGS, right=HEADINGS[2:-1], plain="{:<22} {:<9} {:>8} {:>7} {:>8} {:>9} {:>7}  {}")
    table.write(_cells(group, several_cameras) for group in drift.groups)
    if drift.level is not None:
        click.echo(f"a group drifts where p < {drift.level:.2g}; shift in robust sigmas of the first hours' crops")
    click.echo()


def _cells(group: GroupDrift, several_cameras: bool) -> tuple[str, ...]:
    from monitor.quality.drift.groups import DriftState
    from monitor.quality.drift.sentences import group_name

    figures, needs = ("-",) * 4, ""
    if group.shift is not None and group.stability is not None and group.t is not None and group.p is not None:
        figures = f"{group.shift:+.2f}", f"{group.stability:.3f}", f"{group.t:+.2f}", f"{group.p:.2g}"
    elif group.state is DriftState.LEARNING:
        needs = f"{group.missing_hours} more hours needed"
    return (group_name(group.key, several_cameras), group.state.value, *figures, str(group.crops), needs)
