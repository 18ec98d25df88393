"""``monitor label``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.options import author_of, bounded, counted, moment
from monitor.cli.program import Program, pass_program
from monitor.labels.find import Targets, of_span
from monitor.words import LONGEST_NOTE, Label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.store.audits import DrawnCrop

MANY: Final = 100
"""More crops than this are labelled by pattern or time only when a person has confirmed it."""
LARGEST_HOLE: Final = 2**31 - 1


@click.command("label")
@click.argument("targets", metavar="[FILE|ID|PATTERN]...", nargs=-1)
@click.option("--as", "given", type=click.Choice([label.value for label in Label]), help="What the crops show.")
@click.option("--note", help="Why, for whoever reads it later.")
@click.option("--author", help="Who says so; else the login name.")
@click.option("--settle", is_flag=True, help="End a disagreement: older labels of these crops are void.")
@click.option("--hole", type=click.IntRange(0, LARGEST_HOLE), help="Instead of targets: crops of this hole.")
@click.option("--camera", help="Instead of targets: crops of this camera.")
@click.option("--since", metavar="TIME", help="Instead of targets: crops from this time on.")
@click.option("--until", metavar="TIME", help="Instead of targets: crops before this time.")
@click.option("--yes", is_flag=True, help=f"Do not ask before more than {MANY} crops are labelled.")
@click.option("--audit", type=click.IntRange(1), metavar="N", help="Draw N crops at random, to be labelled.")
@click.option("--seed", type=int, help="With --audit: the same draw again from the same crops.")
@click.option("--audit-open", is_flag=True, help="List the drawn crops that have no label yet.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Of what --audit and --audit-open list.",
)
@pass_program
def command(program: Program, /, targets: tuple[str, ...], given: str | None, **options: Any) -> None:
    """Say of crops whether they are proliv; the newest label counts, and none is ever deleted.

    A target is a crop's id, a file (found by its path, or else by its content), or a pattern such as '*_CAM_C_*' that
    is matched with the stored path or the file's name; quote it, so that the shell leaves it alone. Without targets,
    --hole, --camera, --since and --until choose crops by the time in their names, or when they were first seen. Times
    are ISO 8601 (2024-05-01T14:30), of the plant's clock unless they name a zone. When one target is wrong, nothing is
    labelled.

    --audit draws crops at random from those without an alarm that were stored since the draw before; --audit-open lists
    what is still to be looked at. Somebody who labels only what the monitor alarmed about never finds what it missed,
    and the share of caught proliv (TPR) looks better than it is; each labelled crop of a draw stands for all those that
    it was drawn from.
    """
    chooses = any(options[name] is not None for name in ("hole", "camera", "since", "until"))
    labels_crops = bool(targets or given or chooses or options["note"] is not None or options["settle"])
    if options["audit"] is not None or options["audit_open"]:
        if labels_crops or (options["audit"] is not None and options["audit_open"]):
            raise click.UsageError("--audit and --audit-open only list crops; label them by a command of its own")
        _audit(program, options)
        return
    if given is None:
        raise click.UsageError(f"say what the crops show: --as {' or --as '.join(label.value for label in Label)}")
    if bool(targets) == chooses:
        raise click.UsageError(
            "name crops, or choose them by --hole, --camera, --since and --until, but not both"
            if targets
            else "name crops by file, id or pattern, or choose them by --hole, --camera, --since and --until"
        )
    _label(program, targets, Label(given), options)


def _label(program: Program, targets: Sequence[str], label: Label, options: dict[str, Any]) -> None:
    from monitor.labels import give

    author = author_of(options["author"])
    note = bounded(options["note"], LONGEST_NOTE, "--note")
    zone = program.configuration.time_zone
    since, until = (moment(options[name], zone, f"--{name}") for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise click.BadParameter("lies before --since, so that no crop can lie between them", param_hint="--until")
    database = program.database(create=False)
    with database.read() as connection:
        if targets:
            crops, many = Targets(connection, program).resolve(targets)
        else:
            crops = of_span(connection, options["hole"], options["camera"], since, until)
            many = len(crops)
    if many > MANY and not options["yes"]:
        _confirm(many, label)
    with database.write() as connection:
        outcome = give.give(connection, crops, label, author=author, note=note, settles=options["settle"])
    already = f"; {outcome.known} had that label already from {author}" if outcome.known else ""
    click.echo(f"{counted(outcome.new, 'crop')} labelled {label.value}{already}")


def _confirm(many: int, label: Label) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(f"{many} crops would be labelled {label.value}; if that is meant, add --yes")
    click.confirm(f"{many} crops will be labelled {label.value}. Is that meant?", abort=True, err=True)


def _audit(program: Program, options: dict[str, Any]) -> None:
    from monitor.labels import audits as labels_audits
    from monitor.store import audits

    database = program.database(create=False)
    as_json = options["output_format"] == "json"
    if options["audit_open"]:
        with database.read() as connection:
            crops = audits.drawn_crops(connection)
        _list(crops, as_json=as_json)
        click.echo(f"{counted(len(crops), 'crop')} of random draws without a label", err=True)
        return
    author = author_of(options["author"])
    with database.read() as connection:
        found = labels_audits.eligible(connection)
    with database.write() as connection:
        draw = labels_audits.draw(connection, options["audit"], author=author, seed=options["seed"], found=found)
    if draw is None:
        click.echo(
            "no crop without an alarm and without a label was stored since the last draw; nothing is drawn", err=True
        )
        return
    _list(draw.crops, as_json=as_json)
    fewer = f", all that there are (asked for: {options['audit']})" if len(draw.crops) < options["audit"] else ""
    click.echo(
        f"draw {draw.audit}: {len(draw.crops)} of {counted(draw.eligible, 'crop')} without an alarm{fewer}; "
        "look at each and label it: monitor label ID --as proliv or --as ne_proliv; what is left: monitor label "
        "--audit-open",
        err=True,
    )


def _list(crops: Sequence[DrawnCrop], *, as_json: bool) -> None:
    for line in _lines(crops, as_json=as_json):
        click.echo(line)


def _lines(crops: Sequence[DrawnCrop], *, as_json: bool) -> Iterator[str]:
    for crop in crops:
        if as_json:
            captured_at = None if crop.captured_at is None else crop.captured_at.isoformat()
            yield json.dumps({**crop._asdict(), "captured_at": captured_at}, ensure_ascii=False)
        else:
            yield f"{crop.id:>8}  {crop.path}"
