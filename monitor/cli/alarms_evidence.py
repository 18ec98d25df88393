"""``monitor alarms export`` and ``verify``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from monitor.cli.options import format_option, output_option
from monitor.cli.program import FOLDER, Program, pass_program
from monitor.cli.tables import print_pairs
from monitor.cli.wording import counted
from monitor.files.text import printable
from monitor.times import iso, on_clock

if TYPE_CHECKING:
    from pathlib import Path


@click.command("export")
@click.argument("alarm", type=click.IntRange(1, 2**63 - 1))
@output_option("FILE", "a ZIP file", required=True)
@click.option("--pictures/--no-pictures", default=True, help="Draw the crops and what the models see in them.")
@click.option("--force", is_flag=True, help="Overwrite files that already exist; only an earlier export.")
@pass_program
def export(program: Program, alarm: int, output: Path, *, pictures: bool, force: bool) -> None:
    """Write the evidence of an alarm, and everything known about it, to a ZIP file.

    It contains the crops byte for byte, enlarged pictures, what the deciding models see in them, scores, thresholds and
    the calibrations they come from, the models' fingerprints, labels, the alarm's history and who was told, both as a
    page to read (index.html) and as JSON. A manifest has the checksum of each part; monitor alarms verify checks it.
    Prints the file's own checksum: note it elsewhere, to prove later that the file has not been replaced.

    \b
    Example:
      monitor alarms export 12 --output alarm-12.zip
    """
    from monitor.alarms.bundle import is_bundle
    from monitor.alarms.verification import verify as verified
    from monitor.cli.progress import bar
    from monitor.errors import OutputError
    from monitor.files.replacing import write_whole
    from monitor.keeping.keeper import keep_now
    from monitor.report.alarm_export import evidence_of
    from monitor.report.alarm_facts import gather_alarm
    from monitor.report.alarm_pictures import Drawer
    from monitor.report.output import require_writable

    if output.is_file() and not force:
        raise OutputError(
            f"{printable(output)}: exists already and is not overwritten; give another name with --output, or --force "
            "if it is an earlier export"
        )
    require_writable(output, is_bundle, "the evidence of an alarm")
    database = program.database(create=False)
    keep_now(database, program.configuration)
    facts = gather_alarm(database, alarm)
    drawer = Drawer(program.registry, program.configuration, facts.models) if pictures else None
    with bar("drawing", len(facts.evidence)) as advance:
        content = evidence_of(
            *(facts, drawer), now=datetime.now(UTC), zone=program.configuration.time_zone, on_drawn=lambda: advance(1)
        )
    write_whole(output, content)
    kept = sum(crop.content is not None for crop in facts.evidence)
    missing = len(facts.evidence) - kept
    said = f"{counted(kept, 'crop')}{f', {missing} more are not kept' if missing else ''}, {len(content):,} bytes"
    click.echo(f"{printable(output)}: {said}")
    if output.is_file():
        click.echo(f"sha256 {verified(output).sha256}")


@click.command("verify")
@click.argument("file", type=FOLDER)
@format_option()
@pass_program
def verify(program: Program, file: Path, output_format: str) -> None:
    """Check that a ZIP file of monitor alarms export is complete, and that every part matches its manifest.

    Nothing is unpacked to the disk, so the check is safe whoever made the file. The exit code is 65 if something is
    wrong. A file that passes may still not be the one that was exported: compare its checksum with the one that the
    export printed.

    \b
    Example:
      monitor alarms verify alarm-12.zip
    """
    from monitor.alarms.verification import verify as verified

    found = verified(file)
    manifest = found.manifest
    if output_format == "json":
        values = {"alarm": manifest.alarm, "about": manifest.about, "made_at": iso(manifest.made_at)}
        more = {"made_by": manifest.made_by, "members": len(manifest.members), "bytes": found.bytes}
        click.echo(json.dumps({**values, **more, "sha256": found.sha256}, ensure_ascii=False))
        return
    made_at = on_clock(manifest.made_at, program.configuration.time_zone)
    print_pairs(
        [
            ("evidence", f"of alarm {manifest.alarm}: {printable(manifest.about)}"),
            ("made", f"at {made_at} by {printable(manifest.made_by)}"),
            (
                "whole",
                f"{counted(len(manifest.members), 'part')} with {found.bytes:,} bytes, each as the manifest says",
            ),
            ("sha256", found.sha256),
        ],
        10,
    )
