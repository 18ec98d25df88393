"""``monitor selftest``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from monitor.cli.options import format_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table
from monitor.files.text import printable

if TYPE_CHECKING:
    from monitor.selftest.course import Outcome


@click.command("selftest")
@click.option(
    "--within",
    metavar="SECONDS",
    type=click.FloatRange(1, 3600),
    help="How long everything may take, from the files to the last receipt; by default alarms.selftest.within_seconds.",
)
@click.option(
    "--sink",
    "sinks",
    metavar="NAME",
    multiple=True,
    help="A sink that has to take it; may be repeated; by default all.",
)
@format_option()
@pass_program
def command(program: Program, *, within: float | None, sinks: tuple[str, ...], output_format: str) -> None:
    """Send a known proliv and a known normal crop all the way from the inbox to the sinks.

    The running daemon decides on them as on any other, and each sink gets a message of the kind "test". Nothing of it
    counts: not in quality, drift or completeness, nor as an alarm, and no lamp of a hole is switched. Run it before
    each cast; `monitor deploy systemd --selftest-at` runs it every day.

    The exit code is 0 only if everything arrived in time; 69 if the daemon does not run or something did not arrive, 65
    if a crop was decided wrongly, 4 if there is no model or no threshold, 66 or 73 if the inbox is missing or cannot be
    written, and 78 if no sink is configured.

    \b
    Examples:
      monitor selftest
      monitor selftest --within 20 --sink siren --format json
    """
    configuration = program.configuration
    settings = configuration.settings.alarms
    for name in sinks:
        if name not in settings.sinks:
            there = ", ".join(sorted(settings.sinks)) or "none"
            raise click.BadParameter(
                f"there is no sink {printable(name)!r}; configured are: {there}", param_hint="--sink"
            )
    from monitor.selftest.course import Course

    chosen = tuple(dict.fromkeys(sinks)) or tuple(settings.sinks)
    seconds = settings.selftest.within_seconds if within is None else within
    outcome = Course(configuration, program.database(create=False), program.registry, chosen, seconds).run()
    if output_format == "json":
        click.echo(json.dumps(outcome.as_dict()))
    else:
        _print(outcome)
    if outcome.error is not None:
        raise outcome.error


def _print(outcome: Outcome) -> None:
    for label, one in outcome.sent.items():
        click.echo(f"{label.value + ':':<10} {printable(one.said)}")
    if outcome.legs:
        rows = [
            (leg.leg, leg.what, "" if leg.seconds is None else f"{leg.seconds:.2f}", printable(leg.outcome))
            for leg in outcome.legs
        ]
        Table(("leg", "crop or sink", "seconds", "outcome"), right=("seconds",)).write(rows)
    if outcome.seconds is not None:
        click.echo(f"self-test {outcome.number}: everything arrived after {outcome.seconds:.2f} s")
    else:
        click.echo(f"self-test {outcome.number}: FAILED")
