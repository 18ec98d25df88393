"""``monitor status``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.program import Program, pass_program
from monitor.upkeep.status import status

if TYPE_CHECKING:
    from monitor.quality.completeness import Completeness, HoleCompleteness

DEFAULT_ROWS: Final = 20
LONGEST_SPAN: Final = timedelta(days=31)
EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
HEADINGS: Final = ("camera", "hole", "expected", "came", "late", "missing", "undecided", "last crop (UTC)")
NOTHING_EXPECTED: Final = (
    "nothing is expected, because completeness.interval_seconds is 0; set it to at least twice the seconds from one "
    "crop of a hole to the next, such as interval_seconds = 10"
)
NO_CAMERA_ACTIVE: Final = "no camera gave a crop with a time in these intervals"
NO_HOLE_EXPECTED: Final = (
    "no hole is expected: none came often enough yet to be learned; wait, or name the holes of each camera in "
    "[completeness.cameras]"
)


@click.command("status")
@click.option("--missing", is_flag=True, help="Show which holes were expected and came, came late or are missing.")
@click.option("--since", metavar="TIME", help="With --missing, from TIME on: 2026-11-01, or 2026-11-01T06:00+05:00.")
@click.option("--until", metavar="TIME", help="With --missing, before TIME; now where it is left out.")
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=DEFAULT_ROWS,
    show_default=True,
    help="With --missing, show so many holes in the table at most, those that miss most first.",
)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_program
def command(
    program: Program, *, missing: bool, since: str | None, until: str | None, rows: int, output_format: str
) -> None:
    """Show the active models and what was decided.

    With --missing, show instead what came of the crops that [completeness] of the configuration expects, over
    completeness.window_hours or the given span. A time without a zone is by the plant's clock.
    """
    if not missing:
        if since is not None or until is not None:
            raise click.UsageError("--since and --until say of which time --missing tells; add --missing")
        report = status(program)
        if output_format == "json":
            click.echo(json.dumps(report))
        else:
            _print(report)
        return
    found = _completeness(program, since, until)
    if output_format == "json":
        click.echo(json.dumps({**status(program), "completeness": found.as_dict() if found else None}))
    elif found is None:
        click.echo(NOTHING_EXPECTED)
    else:
        _print_missing(found, rows)


def _completeness(program: Program, since: str | None, until: str | None) -> Completeness | None:
    """What came of what was expected; none where nothing is."""
    from monitor.cli.options import moment
    from monitor.quality import completeness

    settings = program.configuration.settings.completeness
    zone = program.configuration.time_zone
    now = datetime.now(UTC)
    begin, end = moment(since, zone, "--since"), min(now, moment(until, zone, "--until") or now)
    for option, given in (("--since", begin), ("--until", end)):
        if given is not None and given < EARLIEST:
            raise click.UsageError(f"{option}: there were no crops before {EARLIEST:%Y}")
    begin = begin or end - timedelta(hours=settings.window_hours)
    if begin >= end:
        raise click.UsageError(f"--since {since} is not before {f'--until {until}' if end < now else 'now'}")
    if end - begin > LONGEST_SPAN:
        raise click.UsageError(f"--since and --until lie more than {LONGEST_SPAN.days} days apart; give a shorter span")
    with program.database(create=False).read() as connection:
        found = completeness.measure(connection, settings, now, since=begin, until=end)
        return found and completeness.with_last_crops(connection, found, settings, now)


def _print_missing(found: Completeness, rows: int) -> None:
    from monitor.cli.options import counted

    grid = found.grid
    intervals = grid.end - grid.first
    click.echo(
        f"{grid.since:%Y-%m-%d %H:%M:%S} to {grid.until:%Y-%m-%d %H:%M:%S} UTC: {counted(intervals, 'interval')} of "
        f"{grid.seconds} s; a crop is late {grid.late_seconds} s after the end of its interval"
    )
    for one in found.cameras:
        click.echo(
            f"camera {one.camera}: gave crops in {one.arrivals.active} intervals; "
            f"{counted(one.holes, 'hole')} expected ({one.origin})"
        )
        for note in one.notes:
            click.echo(f"camera {one.camera}: {note}", err=True)
    if not found.holes:
        click.echo(NO_HOLE_EXPECTED)
        return
    counts = ", ".join(f"{state} {count}" for state, count in found.counts.items())
    click.echo(
        counts if found.counts["expected"] else f"{counts}: no camera gave a crop with a time in these intervals"
    )
    shown = found.holes[:rows]
    table = [HEADINGS, *(_cells(one) for one in shown)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(HEADINGS))]
    click.echo()
    for cells in table:
        texts = (
            cell.ljust(width) if heading in ("camera", "last crop (UTC)") else cell.rjust(width)
            for cell, width, heading in zip(cells, widths, HEADINGS, strict=True)
        )
        click.echo("  ".join(texts).rstrip())
    rest = found.holes[rows:]
    if rest:
        click.echo(f"and {counted(len(rest), 'more hole')}, {sum(one.missing > 0 for one in rest)} of them with gaps")


def _cells(one: HoleCompleteness) -> tuple[str, ...]:
    numbers = (one.hole, one.expected, one.came, one.late, one.missing, one.undecided)
    last = f"{one.last:%Y-%m-%d %H:%M:%S}" if one.last else "none"
    return (one.camera, *(str(number) for number in numbers), last)


def _print(report: dict[str, Any]) -> None:
    from monitor.scoring.vote import describe

    daemon = report["daemon_process"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(report["failed_by_reason"].items()))
    rows = [
        ("configuration", report["configuration"]),
        ("inbox", report["inbox"]),
        ("database", report["database"]),
        ("daemon", f"running, process {daemon}" if daemon else "not running here"),
        *(
            (
                "active model",
                f"{model['model']}, threshold {model['threshold']:.6g} by {model['rule']}"
                f"{' (fallback: too little proliv)' if model['fallback'] else ''}",
            )
            for model in report["models"]
        ),
        ("final decision", describe(report["decide"], report["deciding"]) if report["deciding"] else "none is made"),
        ("crops", f"{report['scored']} scored, {report['failed']} failed{f' ({reasons})' if reasons else ''}"),
        ("decided", ", ".join(f"{crops} {verdict}" for verdict, crops in report["decisions"].items())),
        *(("decisions", f"{row['model']}: {row['crops']} {row['verdict']}") for row in report["verdicts"]),
        ("nightly run", _night(report["nightly_run"])),
        ("last decision", report["last_scored_at"] or "none yet"),
    ]
    if not report["models"]:
        rows.insert(4, ("active model", "none; monitor train and monitor calibrate make one"))
    for name, value in rows:
        click.echo(f"{name:<14} {value}")


def _night(night: dict[str, Any] | None) -> str:
    from monitor.store.runs import BEFORE_THE_START

    # The newest slot at the very first start is noted as done, for there was nothing to do.
    if night is None or night["outcome"] == BEFORE_THE_START:
        return "none yet"
    return f"{night['slot'][:16]} UTC: {night['outcome'] or 'not finished'}"
