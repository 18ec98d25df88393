"""``monitor status``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from monitor.cli.options import (
    cast_option,
    earlier_limit_option,
    echo_range,
    format_option,
    limit_option,
    moment,
    since_option,
    until_option,
)
from monitor.cli.program import Program, pass_program
from monitor.cli.tables import Table, print_pairs
from monitor.cli.wording import counted, number
from monitor.times import on_clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from monitor.formulas.casts import Context
    from monitor.quality.completeness import HoleCompleteness, WindowCompleteness
    from monitor.store.alarm_evidence import EvidenceCounts
    from monitor.store.alarms import RunningCounts
    from monitor.store.casts import Said
    from monitor.store.counts import CropCounts
    from monitor.store.pauses import PauseRow
    from monitor.store.runs import RunRow
    from monitor.store.selftests import SelftestRow
    from monitor.upkeep.status import LastDay, Status

LISTED: Final = 20
LONGEST_SPAN: Final = timedelta(days=31)
EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
HEADINGS: Final = ("camera", "hole", "expected", "came", "late", "missing", "undecided", "last crop", "id")
NOTHING_EXPECTED: Final = (
    "nothing is expected, because completeness.interval_seconds is 0; set it to at least twice the time between two "
    "crops of a hole in seconds, such as interval_seconds = 10"
)
NO_HOLE_EXPECTED: Final = (
    "no hole is expected: none has come often enough yet to be learned; wait, or name the holes of each camera in "
    "[completeness.cameras]"
)
NO_CROP_WITH_A_TIME: Final = "no camera gave a crop with a time in these intervals"


@click.command("status")
@click.option("--missing", is_flag=True, help="Show which holes were expected and came, came late or are missing.")
@since_option("only with --missing")
@until_option("by default until now; only with --missing")
@cast_option("in place of --since and --until; only with --missing")
@limit_option(f"with --missing holes, the worst first, else daemons and models' decisions; by default {LISTED}")
@earlier_limit_option("--rows")
@format_option()
@pass_program
def command(
    program: Program,
    *,
    missing: bool,
    since: str | None,
    until: str | None,
    cast: str | None,
    limit: int | None,
    earlier_limit: int | None,
    output_format: str,
) -> None:
    """Show the active models and what has been decided.

    With --missing, show instead which of the crops that [completeness] of the configuration expects have come, over
    completeness.window_hours or the given span. Times without a zone are on the plant's clock.

    \b
    Examples:
      monitor status
      monitor status --missing --since 2024-05-01
      monitor status --missing --cast 4711
    """
    if not missing and (since is not None or until is not None or cast is not None):
        raise click.UsageError("--since, --until and --cast choose the time for --missing; add --missing")
    if cast is not None and (since is not None or until is not None):
        raise click.UsageError("--cast chooses the time itself; leave out --since and --until")
    from monitor.upkeep.status import read_status

    found = _completeness(program, since, until, cast) if missing else None
    most = limit or earlier_limit or LISTED
    if output_format == "json":
        report = read_status(program.configuration, program.database(create=False)).as_dict()
        if missing:
            report["completeness"] = found.as_dict() if found else None
        click.echo(json.dumps(report))
    elif not missing:
        status = read_status(program.configuration, program.database(create=False))
        print_pairs(_lines(status, program.configuration.time_zone, most), width=14)
    elif found is None:
        click.echo(NOTHING_EXPECTED)
    else:
        _print_missing(found, most, program.configuration.time_zone)


def _completeness(
    program: Program, since: str | None, until: str | None, cast: str | None
) -> WindowCompleteness | None:
    """What came of the expected crops; None where nothing is expected."""
    if cast is not None:
        from monitor.alarms.casting import require

        row = require(program.database(create=False), cast)
        since, until = row.started_at.isoformat(), None if row.ended_at is None else row.ended_at.isoformat()
    from monitor.quality.completeness import completeness_of_window, with_last_crops

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
        raise click.UsageError(f"--since and --until are more than {LONGEST_SPAN.days} days apart; give a shorter span")
    if since is not None or until is not None:
        echo_range(begin, end, zone)
    with program.database(create=False).read() as connection:
        found = completeness_of_window(connection, settings, now, since=begin, until=end)
        return found and with_last_crops(connection, found, settings, now)


def _print_missing(found: WindowCompleteness, most: int, zone: ZoneInfo) -> None:
    grid = found.grid
    click.echo(
        f"{on_clock(grid.since, zone)} to {on_clock(grid.until, zone)}: "
        f"{counted(grid.end - grid.first, 'interval')} of {grid.seconds} s; a crop is late {grid.late_seconds} s after "
        "the end of its interval"
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
    click.echo(counts if found.counts["expected"] else f"{counts}: {NO_CROP_WITH_A_TIME}")
    click.echo()
    Table(HEADINGS, right=(*HEADINGS[1:-2], HEADINGS[-1])).write(_cells(one, zone) for one in found.holes[:most])
    rest = found.holes[most:]
    if rest:
        click.echo(f"and {counted(len(rest), 'more hole')}, {sum(one.missing > 0 for one in rest)} of them with gaps")


def _cells(one: HoleCompleteness, zone: ZoneInfo) -> tuple[str, ...]:
    numbers = (one.hole, one.expected, one.came, one.late, one.missing, one.undecided)
    last = on_clock(one.last, zone) if one.last else "none"
    return (one.camera, *map(str, numbers), last, "" if one.last_id is None else str(one.last_id))


def _lines(status: Status, zone: ZoneInfo, most: int) -> Iterator[tuple[str, str]]:
    from monitor.scoring.vote import describe

    counts = status.counts
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(counts.failed_by_reason.items()))
    yield "configuration", status.configuration
    yield "inbox", str(status.inbox)
    yield "database", status.database
    yield from _some("daemon", list(_daemons(status, zone)), most)
    for model in status.models:
        marked = " (fallback: too little proliv)" if model.fallback else ""
        yield "active model", f"{model.name}, threshold {number(model.threshold)} by {model.rule}{marked}"
    if not status.models:
        yield "active model", "none; monitor train and monitor calibrate make one"
    for name in status.shadows:
        yield "in the shadow", f"{name}, which scores and decides nothing"
    yield "final decision", describe(status.decide, status.deciding) if status.deciding else "none is made"
    yield "crops", f"{counts.scored} scored, {counts.failed} failed{f' ({reasons})' if reasons else ''}"
    if counts.by_hand:
        yield "by hand", f"{counts.by_hand} crops of folders, which count nowhere else"
    yield "decided", ", ".join(f"{crops} {verdict}" for verdict, crops in status.decisions.items())
    if len(status.deciding) > 1 or status.last_day.unusual:
        yield "unusual", _unusual(status.last_day)
    yield "alarms", _alarms(status.alarms, zone)
    if status.said is not None:
        yield "cast", _cast(status.cast, status.said, zone)
    yield from _some("pause", [_pause(one, zone) for one in status.pauses], most)
    if status.selftest is not None:
        yield "self-test", _selftest(status.selftest, zone)
    for one in status.undelivered:
        why = f": {one.error}" if one.error else ""
        waits = f"{counted(one.messages, 'message')} since {on_clock(one.oldest_at, zone)}"
        yield "not delivered", f"{waits} to the sink {one.sink}{why}"
    if status.evidence.due or status.evidence.missing:
        yield "evidence", _evidence(status.evidence, zone)
    yield from _some("decisions", [f"{name}: {crops} {verdict}" for name, verdict, crops in status.verdicts], most)
    yield "nightly run", _night(status.nightly_run, zone)
    if status.training_run is not None:
        yield "last training", _night(status.training_run, zone)
    yield "last decision", _last_decision(counts, zone)


def _unusual(day: LastDay) -> str:
    share = f" ({day.share:.2%})" if day.share is not None else ""
    return f"{day.unusual} of {day.decided} crops of the last day{share}: ne_proliv, although a model says proliv"


def _last_decision(counts: CropCounts, zone: ZoneInfo) -> str:
    if counts.last_scored_at:
        return on_clock(counts.last_scored_at, zone)
    if counts.last_scored_before:
        return f"before {on_clock(counts.last_scored_before, zone)}; all later crops were scored or labelled by hand"
    return "none yet"


def _alarms(counts: RunningCounts, zone: ZoneInfo) -> str:
    words = f"{counts.open} open, {counts.acknowledged} acknowledged"
    if counts.withheld:
        words += f", {counts.withheld} withheld"
    if counts.oldest_open_at is None:
        return words
    return f"{words}; one has waited since {on_clock(counts.oldest_open_at, zone)}: monitor alarms list"


def _evidence(counts: EvidenceCounts, zone: ZoneInfo) -> str:
    words = []
    if counts.due_since is not None:
        words.append(f"{counted(counts.due, 'crop')} to be kept, since {on_clock(counts.due_since, zone)}")
    if counts.missing:
        crops = counted(counts.missing, "crop")
        words.append(f"{crops} of alarms that are not closed cannot be kept; why: monitor alarms show ALARM")
    return "; ".join(words)


def _cast(cast: Context, said: Said, zone: ZoneInfo) -> str:
    words = "none is known"
    if cast.cast_id is not None:
        alloy = f", alloy {said.alloy}" if said.alloy else ""
        words = f"{said.number}{alloy}, phase {cast.phase or 'unknown'}"
    elif cast.idle:
        words = "none, phase idle"
    if cast.idle:
        words += ": alarms are withheld"
    words += f"; said by {said.author or 'the cast file'} at {on_clock(said.at, zone)}"
    return words if cast.problem is None else f"{words}; in doubt: {cast.problem}"


def _selftest(last: SelftestRow, zone: ZoneInfo) -> str:
    words = f"{last.id} at {on_clock(last.began_at, zone)}: "
    if last.ended_by(datetime.now(UTC)) is None:
        return f"{words}goes on"
    if last.passed:
        return f"{words}everything arrived after {last.seconds or 0:.2f} s"
    return f"{words}FAILED: {last.problem or 'it was killed'}"


def _pause(row: PauseRow, zone: ZoneInfo) -> str:
    return f"{row.id}: {row.scope} until {on_clock(row.ends_at, zone)}, by {row.author}: {row.reason}"


def _some(name: str, values: Sequence[str], most: int) -> Iterator[tuple[str, str]]:
    """A line for each of the first ``most`` values, and one that counts the others."""
    for value in values[:most]:
        yield name, value
    if len(values) > most:
        yield name, f"and {len(values) - most} more: add --limit {len(values)}"


def _daemons(status: Status, zone: ZoneInfo) -> Iterator[str]:
    """A sentence for each daemon that runs or was killed, or the one that none runs."""
    if not any(one.runs for one in status.daemons):
        # One that starts takes the lock of a SQLite file before it enters itself.
        yield f"running, process {status.daemon_process}" if status.daemon_process else "not running"
    for one in status.daemons:
        seen = on_clock(one.seen_at, zone)
        if one.silent:
            life = f"but without a sign of life since {seen}: it hangs, or the database refuses"
        else:
            life = f"last sign of life {seen}"
        if one.runs:
            yield f"running on {one.host}, process {one.process}, since {on_clock(one.started_at, zone)}, {life}"
        else:
            yield f"process {one.process} on {one.host} was killed, or has lost the database; {life}"


def _night(run: RunRow | None, zone: ZoneInfo) -> str:
    from monitor.store.runs import BEFORE_THE_START

    # When the program starts for the first time, the slot that was due last is stored as done.
    if run is None or run.outcome == BEFORE_THE_START:
        return "none yet"
    return f"{on_clock(run.slot, zone)}: {run.outcome or 'not finished'}"
