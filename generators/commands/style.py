"""``monitor gen style``."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from generators.commands import finite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from generators.styles.sampling import Style, StyleTable

# How many values of attributes the lines that are written together hold.
_WRITTEN_AT_ONCE: Final = 4_000


@click.command("style")
@click.option(
    *("-n", "--number"),
    metavar="N",
    type=click.IntRange(min=1),
    help="How many are wanted; by default 1, and with --enumerate all.",
)
@click.option("--seed", metavar="N", type=click.IntRange(min=0), help="The random seed; without it, new styles.")
@click.option(
    "--styles",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="Another table of styles; counts or observations in TOML, JSON or CSV, as in docs/generators.md.",
)
@click.option(
    "--smoothing",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    callback=finite,
    metavar="A",
    help="Added to each count; p = (n + A) / (N + A d), and 0 is plain maximum likelihood.",
)
@click.option(
    "--model",
    type=click.Choice(["independent", "tree"]),
    default="independent",
    show_default=True,
    help="Each attribute by itself, or Chow and Liu's tree of the observations in --styles.",
)
@click.option(
    "--given",
    multiple=True,
    metavar="ATTRIBUTE=VALUE",
    help="Only styles with this value; may be repeated; probabilities are then those under this condition.",
)
@click.option("--enumerate", "everything", is_flag=True, help="All possible styles, the likeliest first.")
@click.option(
    "--probability",
    "asked",
    multiple=True,
    metavar="STYLE",
    help="The probability of this style: its values in order, 'a, b, c', or 'attribute=value, …', or as JSON; may be "
    "repeated.",
)
@click.option(
    *("--format", "form"),
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="The form of what is printed.",
)
@click.pass_context
def command(
    context: click.Context,
    *,
    number: int | None,
    seed: int | None,
    file: Path | None,
    smoothing: float,
    model: str,
    given: tuple[str, ...],
    everything: bool,
    asked: tuple[str, ...],
    form: str,
) -> None:
    """Draw styles at random, each with the probability of every attribute and of the whole.

    With --enumerate or --probability nothing is drawn. JSON is one object a line.

    \b
    Examples:
      monitor gen style
      monitor gen style -n 1000 --seed 1 --format csv > styles.csv
      monitor gen style --enumerate --number 10
    """
    if asked and (everything or number is not None):
        raise click.UsageError("--probability asks for given styles; leave out -n and --enumerate", context)
    if seed is not None and (everything or asked):
        raise click.UsageError("--seed is for drawing styles; leave it out with --enumerate and --probability", context)

    from itertools import islice

    from generators.styles.sampling import StyleModel, default_table, read_table
    from generators.styles.texts import read_condition, read_style

    table = default_table() if file is None else read_table(file)
    styles_of = StyleModel.tree if model == "tree" else StyleModel.independent
    whole = styles_of(table, smoothing)
    with _told_of(context, "--given"):
        condition = read_condition(given, whole)
    conditioned = whole.given(condition)
    if asked:
        with _told_of(context, "--probability"):
            styles: Iterable[Style] = [conditioned.style(read_style(text, whole)) for text in asked]
    else:
        most = min(number or sys.maxsize, sys.maxsize)
        styles = islice(conditioned.most_likely(), most) if everything else conditioned.sample(number or 1, seed)
    if table.observations is not None:
        _tell_held_out(table, smoothing, tree=model == "tree")
    one = len(asked) == 1 or (not asked and not everything and number in {None, 1})
    _print(styles, [attribute.name for attribute in whole.attributes], form, one=one)


@contextmanager
def _told_of(context: click.Context, option: str) -> Iterator[None]:
    """Say which option a style or a condition that cannot be read was given with."""
    from monitor.api import DataError

    try:
        yield
    except DataError as error:
        raise click.BadParameter(str(error), context, param_hint=f"'{option}'") from error


def _tell_held_out(table: StyleTable, smoothing: float, *, tree: bool) -> None:
    """Say on standard error which model predicts observations better; standard output is for the styles."""
    from generators.styles.trees import compare, edges
    from monitor.api import DataError

    if tree:
        for edge in edges(table):
            click.echo(f"{edge.child} depends on {edge.parent}: {edge.information:.4f} nats", err=True)
    try:
        held_out = compare(table, smoothing)
    except DataError as error:
        click.echo(f"not compared: {error}", err=True)
        return
    click.echo(
        f"held-out log-likelihood of an observation, {held_out.folds} folds, in nats: "
        f"independent {held_out.independent:.4f}, tree {held_out.tree:.4f} "
        f"(standard error of the difference {held_out.error:.4f})",
        err=True,
    )


def _print(styles: Iterable[Style], names: list[str], form: str, *, one: bool) -> None:
    """Write each style as it comes; a single one as text takes a line for each attribute."""
    from functools import partial
    from itertools import islice

    from generators.styles import texts

    line: Callable[[Style], str] = texts.text_block if one else texts.text_line
    if form == "json":
        line = texts.json_line
    elif form == "csv":
        line = partial(texts.csv_line, names=names)
        click.echo(texts.csv_heading(names), nl=False)
    lines = texts.encoded_lines(styles, line, len(names))
    # Some hundred lines at once, of a wide table one: much quicker, and the first still come at once.
    while chunk := b"".join(islice(lines, max(_WRITTEN_AT_ONCE // len(names), 1))):
        click.echo(chunk, nl=False)
