"""``monitor models shadow``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from monitor.cli.options import author_of, format_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table
from monitor.times import iso, on_clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from monitor.learning.by_hand import Trial


@click.command("shadow")
@click.argument("model", default="")
@click.option("--end", "ends", is_flag=True, help="Take the model out of the shadow.")
@format_option()
@pass_program
def command(program: Program, model: str, ends: bool, output_format: str) -> None:
    """Try a model in the shadow of the active ones: it scores every new crop and decides nothing.

    Any model with a threshold can be tried (monitor calibrate --no-activate chooses one), an imported one too; one of
    each detector at a time. A running daemon loads it within a minute, or at once on SIGHUP. Its scores are stored, so
    monitor replay and monitor show can use them. The trial lasts until the model is activated, or is ended with --end.

    Without MODEL, lists the models in the shadow, including those from monitor retrain, and how each would have decided
    on the crops since then.

    \b
    Examples:
      monitor models shadow padim-8596479d03a2
      monitor models shadow
      monitor models shadow padim-8596479d03a2 --end
    """
    from datetime import UTC, datetime

    from monitor.learning import by_hand

    database, now = program.database(create=False), datetime.now(UTC)
    if ends and not model:
        raise click.UsageError("name the model to take out of the shadow; see: monitor models shadow")
    if ends:
        trials = [by_hand.end(database, model, now=now, author=author_of(None))]
    elif model:
        author = author_of(None)
        trials = [by_hand.begin(database, program.registry, program.configuration, model, now=now, author=author)]
    else:
        with database.read() as connection:
            trials = by_hand.running(connection)
    if output_format == "json":
        for trial in trials:
            click.echo(json.dumps(_as_dict(trial)))
    elif ends:
        click.echo(f"{trials[0].model} is no longer in the shadow; {_so_far(trials[0])}")
    elif model:
        _say_begun(trials[0])
    elif trials:
        _list(trials, program.configuration.time_zone)
    else:
        click.echo("no model is in the shadow; try one: monitor models shadow MODEL", err=True)


def _list(trials: Sequence[Trial], zone: ZoneInfo) -> None:
    headings = ("model", "beside", "since", "by", "so far")
    Table(headings, plain="{:<28} {:<28} since {}  by {:<12}  {}", plain_headings=False).write(
        (
            *(trial.model, trial.beside, on_clock(trial.since, zone)),
            trial.author or "-" if trial.by_hand else "retraining",
            _so_far(trial),
        )
        for trial in trials
    )


def _say_begun(trial: Trial) -> None:
    click.echo(f"{trial.model} is in the shadow of {trial.beside}: it scores every crop and decides nothing")
    click.echo(
        f"how it would decide: monitor models shadow, or monitor replay --model {trial.model}; to end the trial: "
        f"monitor models activate {trial.model}, or monitor models shadow {trial.model} --end",
        err=True,
    )


def _so_far(trial: Trial) -> str:
    seen = trial.seen
    return f"of {seen.crops} crops it would call {seen.proliv} proliv; {seen.otherwise} would be decided differently"


def _as_dict(trial: Trial) -> dict[str, object]:
    return {**trial._asdict(), "since": iso(trial.since), "seen": trial.seen._asdict()}
