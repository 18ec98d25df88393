"""``monitor bench``."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import click

from monitor.cli.options import detectors_option, format_option, seed_option
from monitor.cli.program import Program, pass_program

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_CROPS = 500
MOST_CROPS = 1_000_000
LEAST_MANY = 20_000


@click.command("bench")
@detectors_option("by default all are measured, and what plug-ins add")
@click.option(
    "--crops",
    default=20_000,
    show_default=True,
    type=click.IntRange(FEWEST_CROPS, MOST_CROPS),
    help="How many crops to make; slow detectors are given fewer of them.",
)
@click.option(
    "--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="How many times to measure everything."
)
@click.option(
    "--many",
    type=click.IntRange(LEAST_MANY, 10_000_000),
    help="Also compare the memory for scoring this many files with that for 10,000, with the first detector.",
)
@seed_option("it decides which crops are made up", default=0, kind=click.IntRange(0, 2**32 - 2))
@format_option()
@pass_program
def command(
    program: Program,
    detectors: tuple[str, ...],
    crops: int,
    rounds: int,
    many: int | None,
    seed: int,
    output_format: str,
) -> None:
    """Measure how fast this machine decides on crops, and how close that is to its limit.

    Makes up crops, trains detectors on them in one pass, and measures each stage alone, monitor score, monitor run, and
    the published way as a reference: one image at a time, with a commit for each. Things that are compared are measured
    in turn, and medians are reported. ae is the published network of 30 x 50 pixels, ae-conv the detector's default.
    Without --detector, all detectors are measured, and what plug-ins add, such as the generators.

    The section [pipeline] is taken from the configuration; everything else has its default. All files are written to a
    temporary folder on the disk that TMPDIR names; nothing of yours is read or changed. The machine should not be doing
    anything else.

    \b
    Examples:
      monitor bench
      monitor bench --detector patchstats --crops 5000 --format json
    """
    # So that the folder is removed and the measured programs end even if a supervisor ends this one.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    from monitor.bench import printing

    names = _measurable(program, detectors)
    from monitor.bench import course, machine

    others = () if detectors else tuple(program.registry.benchmarks)
    plan = course.Plan(names, crops, rounds, seed, others, many or 0)
    figures = course.run(program.registry, program.configuration, plan, lambda text: click.echo(text, err=True))
    if machine.was_busy(figures["machine"]["yardstick"].values()):
        click.echo(
            "monitor: all threads together were hardly faster than one: another program is using the machine, or its "
            "cores are threads of one core; the end-to-end figures say little",
            err=True,
        )
    click.echo(json.dumps(figures, indent=2) if output_format == "json" else printing.tables(figures))


def _measurable(program: Program, detectors: Sequence[str]) -> list[str]:
    """The names without repetitions, or all that can be measured; a wrong one is said before anything is loaded."""
    from monitor.harness.subjects import measurable, subjects

    known = subjects(program.registry)
    unknown = [name for name in detectors if name not in known]
    if unknown:
        raise click.BadParameter(
            f"{unknown[0]!r} cannot be measured; there are: {', '.join(known)}", param_hint="--detector"
        )
    # Before this, nothing heavy is imported.
    known = measurable(program.registry)
    if imported := [name for name in detectors if name not in known]:
        raise click.BadParameter(
            f"{imported[0]!r} is not measured: its models are imported, and here they are trained",
            param_hint="--detector",
        )
    return list(dict.fromkeys(detectors)) or known
