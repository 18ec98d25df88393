"""``monitor drift``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from monitor.cli.program import Program, pass_program

if TYPE_CHECKING:
    from monitor.quality.drift.groups import Drift, GroupDrift


@click.command("drift")
@click.option("--model", "names", multiple=True, help="A model's name; without it, all active models.")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def command(program: Program, names: tuple[str, ...], output_format: str) -> None:
    """Show whether scores move away from where they were after the calibration.

    The last finished hours of each hole, and of all together, are held against the first ones after the model was
    calibrated by hand. What the hours still lack is summarised first, so it works without the daemon.
    """
    database = program.database(create=False)
    from datetime import UTC, datetime

    from monitor.errors import NoModelError
    from monitor.quality.drift import drift
    from monitor.store import models as store_models
    from monitor.store import summaries

    now = datetime.now(UTC)
    with database.read() as connection:
        models = (
            [store_models.find_model(connection, name) for name in names]
            if names
            else store_models.active_models(connection)
        )
    if not models:
        raise NoModelError("there is no active model, and so no score; monitor train and monitor calibrate make one")
    for model in models:
        summaries.summarise(database, model.id, now)
    with database.read() as connection:
        settings = program.configuration.settings.drift
        found = [drift.measure(connection, model, settings, now) for model in models]
    if output_format == "json":
        click.echo(json.dumps({"models": [one.as_dict() for one in found]}))
        return
    for one in found:
        _print(one)


def _print(drift: Drift) -> None:
    click.echo(f"{drift.model}: {drift.sentence}")
    several_cameras = len({group.camera for group in drift.groups if not group.everything}) > 1
    click.echo(f"{'':<22} {'state':<9} {'shift':>8} {'PSI':>7} {'t':>8} {'p':>9} {'crops':>7}")
    for group in drift.groups:
        click.echo(_line(group, several_cameras))
    if drift.level is not None:
        click.echo(f"a group drifts where p < {drift.level:.2g}; shift in robust sigmas of the first hours' crops")
    click.echo()


def _line(group: GroupDrift, several_cameras: bool) -> str:
    from monitor.quality.drift.groups import State
    from monitor.quality.drift.sentences import place

    name = f"{place(group.key, several_cameras):<22} {group.state:<9}"
    if group.shift is None or group.stability is None or group.t is None or group.p is None:
        needs = f"  {group.missing_hours} more hours needed" if group.state is State.LEARNING else ""
        return f"{name} {'-':>8} {'-':>7} {'-':>8} {'-':>9} {group.crops:>7}{needs}"
    return f"{name} {group.shift:>+8.2f} {group.stability:>7.3f} {group.t:>+8.2f} {group.p:>9.2g} {group.crops:>7}"
