"""``monitor show``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

import click

from monitor.cli.options import format_option, output_option
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table, print_pairs
from monitor.cli.wording import number
from monitor.files.folders import make_folder
from monitor.files.text import from_text, printable
from monitor.times import on_clock
from monitor.words import UNKNOWN, Label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    import numpy as np
    from numpy.typing import NDArray

    from monitor.scoring.ensemble import ActiveModel
    from monitor.upkeep.crop_details import CropDetails


# How many times larger than it is a crop is drawn on a terminal: a crop is some fifty pixels wide.
ENLARGED: Final = 6


@click.command("show")
@click.argument("target", metavar="ID|FILE")
@output_option("DIR", "a folder for the picture, and each active model's reconstruction and heat map")
@format_option()
@pass_program
def command(program: Program, target: str, output: Path | None, output_format: str) -> None:
    """Show what is known of a crop: its decisions, thresholds, labels and places.

    A crop is named by its id, as `monitor score`, the log and alarms show it, or by its file. A model's margin is its
    score minus the threshold: at 0 or above the verdict is proliv. A crop is unusual if it was decided ne_proliv
    although a model called it proliv; its line says which. On a terminal that can show pictures, the crop is
    shown as well if the extra is installed: pip install 'proliv-monitor[terminal]'.

    \b
    Examples:
      monitor show 4711
      monitor show inbox/10_CAM_C_01-03-2023_05-39-27-929.jpg --output pictures/
    """
    from monitor.crops.loader import CropReader
    from monitor.errors import InputMissingError
    from monitor.labels.find import find_crop
    from monitor.upkeep.crop_details import crop_details

    limits = program.configuration.settings.crops
    database = program.database(create=False)
    with database.read() as connection:
        crop_id = find_crop(connection, CropReader(max_bytes=limits.max_bytes, max_pixels=limits.max_pixels), target).id
    details = crop_details(database, crop_id)
    if details is None:
        raise InputMissingError(f"crop {crop_id} was deleted a moment ago; see what is stored: monitor status")
    if output_format == "json":
        click.echo(json.dumps(details.as_dict(), ensure_ascii=False))
    else:
        _print(details, program.configuration.time_zone)
    terminal = output_format == "text" and sys.stdout.isatty()
    if output is not None or terminal:
        _pictures(program, details, output, terminal=terminal)


def _print(details: CropDetails, zone: ZoneInfo) -> None:
    print_pairs(_facts(details, zone), 12)
    if details.decisions:
        click.echo()
        table = Table(
            ("model", "verdict", "score", "threshold", "margin", "mse", "threshold chosen"),
            right=("score", "threshold", "margin", "mse"),
        )
        table.write(
            (
                f"{one.model} (in the shadow)" if one.in_shadow else one.model,
                *(one.verdict, number(one.score), number(one.threshold)),
                *(f"{one.score - one.threshold:+.6g}", number(one.mse)),
                f"#{one.calibration} by {one.rule} ({one.origin}), {on_clock(one.calibrated_at, zone)}",
            )
            for one in details.decisions
        )
    if details.labels:
        click.echo()
        table = Table(("label", "by", "at", "note"))
        table.write(
            (one.label, one.author or f"the {one.source}", on_clock(one.at, zone), one.note or "")
            for one in details.labels
        )


def _facts(details: CropDetails, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    crop = details.crop
    yield "crop", str(crop.id)
    for place in details.places:
        yield "file", place.path if place.state == "there" else f"{place.path} ({place.state})"
    yield "hole", UNKNOWN if crop.hole is None else str(crop.hole)
    yield "camera", crop.camera or UNKNOWN
    yield "captured", on_clock(crop.captured_at, zone) if crop.captured_at else UNKNOWN
    yield "seen", f"{on_clock(crop.seen_at, zone)}, {'by hand' if crop.source == 'folder' else f'in the {crop.source}'}"
    if crop.width is not None:
        yield "size", f"{crop.width}x{crop.height} pixels, {crop.size_bytes} bytes"
    yield "sha256", crop.sha256 or UNKNOWN
    if crop.verdict is None:
        yield "failed", f"{crop.reason}: {crop.error}"
    else:
        numbers = f"score {number(crop.decision_score)}, threshold {number(crop.decision_threshold)}"
        yield "decision", f"{crop.verdict}: {numbers} ({crop.decided_by})"
    if crop.unusual:
        yield "unusual", _called_proliv(details)
    label = details.label
    yield "label", label.label if label else "none"


def _called_proliv(details: CropDetails) -> str:
    """Who called an unusual crop proliv; its scores may have been deleted by hand."""
    models = [
        f"{one.model} calls it proliv: {number(one.score)} >= {number(one.threshold)}"
        for one in details.decisions
        if one.verdict == Label.PROLIV.value
    ]
    return "; ".join(models) or "a model called it proliv, whose score is no longer stored"


def _pictures(program: Program, details: CropDetails, output: Path | None, *, terminal: bool) -> None:
    """Write the crop's pictures into a folder and draw them on the terminal, as far as its file is still there."""
    from monitor.files.replacing import require_replaceable, write_whole
    from monitor.models.pictures import as_png, pictures_of
    from monitor.report.output import is_picture

    pixels = _pixels(program, details)
    if pixels is None:
        click.echo("no file with the crop's content is left, so there are no pictures", err=True)
        return
    pictures = {"crop": pixels}
    if output is not None:
        for model in _active_models(program):
            seen = pictures_of(model.detector, pixels, details.crop.hole)
            pictures.update({f"{model.name}-{name}": picture for name, picture in seen.items()})
        make_folder(output)
        paths = {name: output / f"{name}.png" for name in pictures}
        for path in paths.values():
            require_replaceable(path, is_picture, "a picture that monitor made")
        for name, picture in pictures.items():
            write_whole(paths[name], as_png(picture))
            click.echo(printable(paths[name]), err=True)
    if terminal:
        _draw(pictures)


def _active_models(program: Program) -> Sequence[ActiveModel]:
    """The models that decide; none, with a sentence, if none is active."""
    from monitor.errors import NoModelError
    from monitor.scoring.ensemble import load_active

    try:
        return load_active(program.database(create=False), program.registry, program.configuration).models
    except NoModelError as error:
        click.echo(f"{error}; only the crop itself is written", err=True)
        return ()


def _pixels(program: Program, details: CropDetails) -> NDArray[np.uint8] | None:
    """The crop's pixels, uint8 (h, w, 3), from the first place that still has its content; None if there is none."""
    from monitor.crops.reader import Reader

    reader = Reader(program.configuration)
    for place in details.places:
        read = reader.read([from_text(place.path)])
        if read.files.digests[0] == details.crop.sha256:
            return read.pixels[0]
    return None


def _draw(pictures: Mapping[str, NDArray[np.uint8]]) -> None:
    """Draw pictures on the terminal, larger than they are, if the package that can is installed."""
    from importlib.util import find_spec

    if find_spec("textual_image") is None:
        return
    from PIL import Image
    from rich.console import Console
    from textual_image.renderable import Image as Drawn

    console = Console()
    for name, picture in pictures.items():
        height, width = picture.shape[:2]
        enlarged = Image.fromarray(picture).resize((width * ENLARGED, height * ENLARGED), Image.Resampling.NEAREST)
        console.print(f"\n{name}", markup=False, highlight=False)
        console.print(Drawn(enlarged))
