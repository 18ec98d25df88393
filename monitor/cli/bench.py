"""``monitor bench``."""

from __future__ import annotations

import json
import signal
import sys

import click

from monitor.cli.program import Program, pass_program

FEWEST_CROPS = 500
MOST_CROPS = 1_000_000
LEAST_MANY = 20_000


@click.command("bench")
@click.option("--detector", "names", multiple=True, metavar="NAME", help="Measure this detector; may be repeated.")
@click.option(
    "--crops",
    default=20_000,
    show_default=True,
    type=click.IntRange(FEWEST_CROPS, MOST_CROPS),
    help="Make so many; slow detectors are given fewer of them.",
)
@click.option(
    "--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Measure so many times, by turns."
)
@click.option(
    "--many",
    type=click.IntRange(LEAST_MANY, 10_000_000),
    help="Also hold the memory of scoring so many files against that of 10,000, with the first detector.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 2), help="Of the made-up crops.")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def command(
    program: Program,
    names: tuple[str, ...],
    crops: int,
    rounds: int,
    many: int | None,
    seed: int,
    output_format: str,
) -> None:
    """Measure how fast this machine decides on crops, and how near that is to its limit.

    Makes crops up, trains detectors on them in one pass, and measures the stages of a crop's way alone, monitor score,
    monitor run, and the published way as a reference: one image at a time, a commit each. What is compared takes
    turns; medians are told. ae is the published network of 30 x 50 pixels, ae-conv the detector's default. Without
    --detector, all detectors are measured, and what plug-ins add, such as the generators.

    The section [pipeline] is taken from the configuration, everything else is its default. All that is written lies in
    a temporary folder, on the disk that TMPDIR names; nothing of yours is read or changed. The machine should have
    nothing else to do meanwhile.
    """
    # So that the folder goes and the programs that are measured end also where a supervisor ends this one.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    from monitor.bench import printing
    from monitor.harness.subjects import subjects

    configuration = program.configuration
    known = subjects(program.registry)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.BadParameter(
            f"{unknown[0]!r} cannot be measured; there are: {', '.join(known)}", param_hint="--detector"
        )
    from monitor.bench import course, machine

    others = () if names else tuple(program.registry.benchmarks)
    plan = course.Plan(list(dict.fromkeys(names)) or known, crops, rounds, seed, others, many or 0)
    figures = course.run(program.registry, configuration, plan, lambda text: click.echo(text, err=True))
    if machine.was_busy(figures["machine"]["yardstick"].values()):
        click.echo(
            "monitor: all threads together computed hardly faster than one: another program uses the machine, or its "
            "cores are threads of one core; figures end to end say little",
            err=True,
        )
    click.echo(json.dumps(figures, indent=2) if output_format == "json" else printing.tables(figures))
