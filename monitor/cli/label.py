"""``monitor label``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.options import (
    author_of,
    author_option,
    bounded,
    dry_run_option,
    echo_range,
    format_option,
    hole_option,
    limit_option,
    moment,
    note_option,
    seed_option,
    since_option,
    until_option,
    yes_option,
)
from monitor.cli.program import Program, pass_program
from monitor.cli.selection import confirm, show_selection
from monitor.cli.tables import Table
from monitor.cli.wording import counted
from monitor.times import iso, on_clock
from monitor.words import LONGEST_NOTE, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.labels.audits import Part
    from monitor.labels.find import Found, Selection
    from monitor.store.audits import DrawnCrop

# A pattern, or a span of time, that means more crops than this has to be confirmed.
MANY: Final = 10
# A bare number may be a hole's instead of a crop's id. Ids of crops that came within this time are in everyday use, as
# alarms and tables show them; an older one is more likely a mistake, and is asked about.
EVERYDAY: Final = timedelta(weeks=4)


@click.command("label")
@click.argument("targets", metavar="[FILE|ID|PATTERN]...", nargs=-1)
@click.option("--as", "given", type=click.Choice([label.value for label in Label]), help="What the crops show.")
@note_option()
@author_option()
@click.option("--settle", is_flag=True, help="Settle a disagreement: older labels of these crops become void.")
@hole_option("instead of targets")
@click.option("--camera", metavar="NAME", help="Only crops of this camera; instead of targets.")
@since_option("instead of targets")
@until_option("instead of targets")
@yes_option(f"neither about more than {MANY} crops nor an old id")
@dry_run_option()
@click.option("--audit", type=click.IntRange(1), metavar="N", help="Draw N crops at random for labelling.")
@seed_option("makes the draw of --audit repeatable", kind=click.INT)
@click.option("--audit-open", is_flag=True, help="List the drawn crops that are not labelled yet.")
@limit_option("by default all; only with --audit-open")
@format_option(more="only with --audit and --audit-open")
@pass_program
def command(program: Program, /, targets: tuple[str, ...], given: str | None, **options: Any) -> None:
    """Label crops as proliv or ne_proliv.

    The newest label of a crop counts; labels are never deleted.

    A target is a crop's id, a file (found by its content, or by its path when it is gone), or a pattern such as
    '*_CAM_C_*' that is matched against stored paths and file names; quote patterns so that the shell does not expand
    them. Instead of targets, --hole, --camera, --since and --until choose crops; the time of a crop is the one in its
    name, or else when it was first seen. Times are ISO 8601 (2024-05-01T14:30), on the plant's clock unless they name a
    zone. If one target is wrong, nothing is labelled. monitor labels undo takes back what was
    labelled last.

    --audit draws crops at random from those without an alarm that were stored since the last draw, and --audit-open
    lists the drawn crops that are still to be labelled. If only crops with an alarm are labelled, a missed proliv is
    never found, and the share of caught proliv (TPR) looks better than it is. Each labelled crop of a draw stands for
    all crops that it was drawn from. Unusual crops, which a model calls proliv although the decision is ne_proliv, come
    first: up to half of a draw are such, drawn apart from the others. Label both kinds.

    \b
    Examples:
      monitor label 4711 --as proliv
      monitor label --hole 10 --since 2024-05-01T05:00 --until 2024-05-01T06:00 --as proliv
      monitor label --audit 50
    """
    chooses = any(options[name] is not None for name in ("hole", "camera", "since", "until"))
    labels_crops = bool(targets or given or chooses or options["note"] is not None)
    labels_crops = labels_crops or options["settle"] or options["dry_run"]
    if options["audit"] is not None or options["audit_open"]:
        if labels_crops or (options["audit"] is not None and options["audit_open"]):
            raise click.UsageError("--audit and --audit-open only list crops; label them with a separate command")
        if options["limit"] is not None and not options["audit_open"]:
            raise click.UsageError("--audit N draws N crops; --limit goes with --audit-open")
        _audit(program, options)
        return
    if options["limit"] is not None:
        raise click.UsageError("--limit goes with --audit-open")
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
    author = author_of(options["author"])
    note = bounded(options["note"], LONGEST_NOTE, "--note")
    selection = _selection(program, targets, options)
    from monitor.crops.loader import CropReader
    from monitor.keeping.keeper import keep_now
    from monitor.labels.find import find_selected
    from monitor.labels.give import give

    limits = program.configuration.settings.crops
    reader = CropReader(max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
    database = program.database(create=False)
    with database.read() as connection:
        found = find_selected(connection, reader, selection)
    if not _looks_right(program, found, label, options):
        return
    with database.write() as connection:
        done = give(connection, found.crops, label, author=author, note=note, settles=options["settle"])
    keep_now(database, program.configuration)
    already = f"; {done.known} already had this label from {author}" if done.known else ""
    click.echo(f"{counted(done.new, 'crop')} labelled {label.value}{already}")


def _selection(program: Program, targets: Sequence[str], options: dict[str, Any]) -> Selection:
    from monitor.labels.find import Selection

    zone = program.configuration.time_zone
    since, until = (moment(options[name], zone, f"--{name}") for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise click.BadParameter("is not after --since, so no crop can be between them", param_hint="--until")
    echo_range(since, until, zone)
    return Selection(targets, options["hole"], options["camera"], since, until)


def _looks_right(program: Program, found: Found, label: Label, options: dict[str, Any]) -> bool:
    """Show what was selected, and ask if it is much or doubtful; False if the labels are not to be given."""
    zone = program.configuration.time_zone
    if found.unnamed or options["dry_run"]:
        show_selection(found.crops, zone)
    if options["dry_run"]:
        click.echo(f"nothing is labelled; without --dry-run, {_would(len(found.crops), label)}", err=True)
        return False
    for crop in found.numbered:
        if datetime.now(UTC) - crop.seen_at > EVERYDAY:
            doubt = f"{crop.id} is the id of an old crop, {crop.path}, seen {on_clock(crop.seen_at, zone)}"
            confirm(f"{doubt}; if the hole is meant, use --hole {crop.id}", yes=options["yes"])
    if found.unnamed > MANY:
        will = f"{found.unnamed} crops will be labelled {label.value}"
        confirm(will, yes=options["yes"], refused=_would(found.unnamed, label))
    return True


def _would(count: int, label: Label) -> str:
    return f"{counted(count, 'crop')} would be labelled {label.value}"


def _audit(program: Program, options: dict[str, Any]) -> None:
    from monitor.keeping.keeper import keep_now
    from monitor.labels.audits import draw_audit
    from monitor.store.audits import drawn_crops

    database = program.database(create=False)
    as_json = options["output_format"] == "json"
    if options["audit_open"]:
        with database.read() as connection:
            crops = drawn_crops(connection)
        _list(crops[: options["limit"]], as_json=as_json)
        unusual = sum(crop.unusual for crop in crops)
        first = f", the first {unusual} of them unusual" if unusual else ""
        click.echo(f"{counted(len(crops), 'drawn crop')} not labelled yet{first}", err=True)
        return
    count = options["audit"]
    draw = draw_audit(database, count, author=author_of(options["author"]), seed=options["seed"])
    if draw is None:
        click.echo(
            "nothing is drawn: no crop without an alarm and without a label was stored since the last draw", err=True
        )
        return
    keep_now(database, program.configuration)
    _list(draw.crops, as_json=as_json)
    fewer = f", which is all there are ({count} were asked for)" if len(draw.crops) < count else ""
    of_unusual = any(part.unusual for part in draw.parts)
    drawn = ", ".join(
        f"draw {part.audit}: {part.drawn} of {_eligible(part, 'other ' if of_unusual else '')}" for part in draw.parts
    )
    click.echo(
        f"{drawn} without an alarm{fewer}; look at each and label it: monitor label ID --as proliv or --as ne_proliv; "
        "the rest is listed by: monitor label --audit-open",
        err=True,
    )


def _eligible(part: Part, other: str) -> str:
    return counted(part.eligible, f"{'unusual ' if part.unusual else other}crop")


def _list(crops: Sequence[DrawnCrop], *, as_json: bool) -> None:
    if as_json:
        for crop in crops:
            click.echo(json.dumps({**crop._asdict(), "captured_at": iso(crop.captured_at)}, ensure_ascii=False))
    elif crops:
        table = Table(("id", "path"), right=("id",), plain="{:>8}  {}", plain_headings=False)
        table.write((str(crop.id), crop.path) for crop in crops)
