"""The commands ``monitor gen ...``: thin wrappers that load their makers only when they run."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def gen() -> None:
    """Make synthetic pictures."""


@gen.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--train", type=click.IntRange(min=0), default=1500, show_default=True, help="Crops without a proliv to train on."
)
@click.option(
    "--proliv", type=click.IntRange(min=0), default=60, show_default=True, help="Proliv crops to set a threshold by."
)
@click.option(
    "--test", type=click.IntRange(min=0), default=400, show_default=True, help="Test crops, a quarter of them proliv."
)
@click.option(
    "--empty",
    type=click.FloatRange(0, 1),
    default=0.25,
    show_default=True,
    help="Share of the test's proliv crops that show an empty hole.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed gives the same files."
)
def crops(out: Path, *, train: int, proliv: int, test: int, empty: float, seed: int) -> None:
    """Make labelled crops of casting-table holes in the new folder OUT.

    OUT gets the folders train, proliv, test/proliv and test/ne_proliv.
    """
    from rich.console import Console
    from rich.progress import Progress

    from generators.crops import write_dataset

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Making crops", total=train + proliv + test)
        summary = write_dataset(
            out,
            train=train,
            proliv=proliv,
            test=test,
            empty_share=empty,
            seed=seed,
            progress=lambda count: bar.advance(task, count),
        )
    click.echo(
        f"Wrote {summary.total} crops into {out}: {summary.train} to train on, {summary.proliv} proliv for the "
        f"threshold, and a test of {summary.test_normal} without proliv and {summary.test_proliv} proliv, "
        f"{summary.test_empty} of them empty holes."
    )
