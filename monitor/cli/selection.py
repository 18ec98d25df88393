"""Shows which crops a command is about to label, and asks a person before it goes on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from monitor.cli.wording import counted
from monitor.times import on_clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from monitor.store.labels import FoundCrop

# More holes than this are counted, not named.
NAMED_HOLES: Final = 12


def show_selection(crops: Sequence[FoundCrop], zone: ZoneInfo) -> None:
    """Write to standard error how many crops there are, of which holes and times, and the first and the last one."""
    if not crops:
        return
    in_order = sorted(crops, key=lambda crop: (_time(crop), crop.id))
    first, last = in_order[0], in_order[-1]
    times = f"from {on_clock(_time(first), zone)} to {on_clock(_time(last), zone)}"
    click.echo(f"{counted(len(crops), 'crop')} {times}; {_holes(crops)}", err=True)
    for word, crop in (("first", first), ("last", last))[: len(crops)]:
        click.echo(f"  {word + ':':<6} {crop.id}  {crop.path}", err=True)


def confirm(what: str, *, yes: bool, refused: str | None = None) -> None:
    """Ask at a terminal whether to go on with what the sentence says; anywhere else ``yes`` has to be given.

    ``refused`` is what happens, in the words of a refusal; by default the same sentence.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{refused or what}; add --yes to confirm")
    click.confirm(f"{what}. Go on?", abort=True, err=True)


def _time(crop: FoundCrop) -> datetime:
    """As `monitor.labels.find` selects by: the time in the crop's name, or else when it was first seen."""
    return crop.captured_at or crop.seen_at


def _holes(crops: Sequence[FoundCrop]) -> str:
    holes = sorted({crop.hole for crop in crops if crop.hole is not None})
    unknown = sum(crop.hole is None for crop in crops)
    words = []
    if len(holes) > NAMED_HOLES:
        words.append(f"{len(holes)} holes from {holes[0]} to {holes[-1]}")
    elif holes:
        words.append(f"hole{'s' if len(holes) > 1 else ''} {', '.join(map(str, holes))}")
    if unknown:
        words.append(f"{unknown} without a hole" if holes else "no hole in their names")
    return ", ".join(words)
