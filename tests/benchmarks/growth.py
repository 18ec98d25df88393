"""Measures how long each query takes in a store of a given size: python -m tests.benchmarks.growth CROPS FOLDER.

The store is generated in FOLDER; one that an earlier call left there grows to the wanted size. For each query it prints
who waits for it, the time by the clock when the file is not in the system's cache, and the best of three when it is.

foreground: a crop, the daemon's start, or a person at `monitor status` waits; background: runs in the daemon's thread
for jobs, and holds the writer only if it is marked so; by hand: other commands.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from sqlalchemy import delete, func, select

from monitor.configuration.settings import Calibration, Completeness, Drift, Quality
from monitor.labels import labels
from monitor.quality.completeness import completeness_of_window
from monitor.quality.drift.drift import drift_of_model
from monitor.quality.operation import last_days, quality_in_operation
from monitor.store import (
    alarm_pages,
    audits,
    calibrations,
    decisions,
    labelled_files,
    models,
    neighbours,
    newest,
    replay,
    retention,
    review,
    runs,
    traffic,
    watched_folders,
)
from monitor.store.alarm_pages import Span
from monitor.store.counts import count_crops
from monitor.store.crops import archived_places, known_crops
from monitor.store.database.engine import Database
from monitor.store.database.schema import crops, scores
from monitor.store.database.upgrade import prepare
from monitor.store.decisions import CropRow, ScoreRow
from monitor.store.labels import scored_crops
from monitor.store.neighbours import Hole
from monitor.store.references import reference_ranges
from monitor.store.runs import NIGHTLY
from monitor.store.summaries import HOUR, summaries_of_group
from monitor.thresholds.gather import gather_evidence
from monitor.upkeep.inbox_identity import MOST_WITNESSES
from monitor.upkeep.retention import BATCH as PRUNED
from monitor.upkeep.status import DAY
from tests.benchmarks.big_store import BEGINNING, grow, moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

REPEATS = 3
# Crops in a transaction, the number of transactions, and how many of them run before the clock starts.
BATCH, BATCHES, WARMING = 256, 60, 20

Ground = Literal["foreground", "background", "by hand"]


class Query(NamedTuple):
    """A query of the program; ``writes``: it runs in a transaction that holds the writer."""

    name: str
    ground: Ground
    run: Callable[[Connection], object]
    writes: bool = False


def all_queries(connection: Connection, now: datetime) -> list[Query]:
    """Every query of the program that might get slower as the store grows."""
    last = newest.newest_id(connection)
    around = range(last // 2, last // 2 + BATCH)
    rows = connection.execute(select(crops.c.path, crops.c.sha256).where(crops.c.id.in_(around))).all()
    paths, contents = [row.path for row in rows], [row.sha256 for row in rows]
    ids = list(around)
    active = models.active_models(connection)
    old = moment(last // 10)
    expected = Completeness(interval_seconds=600)
    hole = Hole("T1-C1", 1)
    windows = [last_days(days, now) for days in Quality().window_days]
    foreground: list[tuple[str, Callable[[Connection], object]]] = [
        ("known crops of 256 paths", lambda one: known_crops(one, paths)),
        ("their stored scores", lambda one: decisions.stored_scores(one, ids, [1, 2])),
        ("crops of 256 contents", lambda one: labelled_files.crops_of_contents(one, contents)),
        ("archived places of 256 contents", lambda one: archived_places(one, contents)),
        ("known labelled files", lambda one: labelled_files.known_files(one, paths)),
        ("all labelled files", labelled_files.all_files),
        ("active models", models.active_models),
        ("ranges of the references", lambda one: reference_ranges(one, 1)),
        ("status: counts", count_crops),
        ("status: crops of the last day", lambda one: traffic.verdicts_since(one, now - DAY)),
        ("status: unusual ones of the last day", lambda one: traffic.unusual_since(one, now - DAY)),
        ("status: newest night", lambda one: runs.newest_runs(one, NIGHTLY, 1)),
        ("status: active calibration", lambda one: calibrations.active(one, 1)),
        ("page: alarms that are not closed", lambda one: alarm_pages.not_closed(one, 200)),
        ("page: closed alarms of a cast", lambda one: alarm_pages.closed(one, 50, before=last, cast="4711")),
        ("page: crops around an alarm", lambda one: alarm_pages.around(one, "C", 10, Span(ids[0], ids[-1]), 600)),
        ("page: crops of an alarm", lambda one: alarm_pages.newest_members(one, 1, 600)),
        ("page: from where to where an alarm reaches", lambda one: alarm_pages.span(one, 1)),
        ("page: crops that an alarm was decided on", lambda one: alarm_pages.seen(one, ids[:100])),
        ("page: what people said of an alarm", lambda one: alarm_pages.said(one, 1)),
        ("page: newest crops of each hole", lambda one: newest.newest_of_holes(one, last - 10_000, last, 3)),
        ("page: when a crop was seen", lambda one: newest.seen_before(one, last - 10_000)),
        ("page: newest latencies", lambda one: newest.newest_latencies(one, last - 1000)),
        ("page: crops of a hole before one", lambda one: neighbours.before(one, hole, last // 2, 5)),
        ("page: crops of a hole after one", lambda one: neighbours.after(one, hole, last // 2, 5)),
        ("page: newest crops of no hole", lambda one: neighbours.newest_of(one, Hole("none", 1), 5)),
        ("page: last crop of every hole", neighbours.last_of_holes),
        ("page: a hole's week", lambda one: neighbours.of_time(one, hole, now - timedelta(days=7), now)),
        ("page: a hole's hours", lambda one: summaries_of_group(one, 1, ("T1-C1", 1), old, now)),
        ("page: whether a hole was seen", lambda one: neighbours.was_seen(one, hole)),
        ("page: alarm of a crop", lambda one: neighbours.alarm_of(one, last // 2)),
        ("page: crops of alarms to label", review.of_alarms),
        ("page: crops of an alarm to label", lambda one: review.of_alarms(one, 1)),
        ("page: unusual crops to label", lambda one: review.unusual(one, now)),
        ("page: drawn crops to label", review.drawn),
        ("page: crops near the threshold", lambda one: review.nearest(one, now)),
        ("page: a crop to label", lambda one: review.crop(one, last // 2)),
    ]
    background: list[tuple[str, Callable[[Connection], object]]] = [
        ("last crop of each hole, 7 days", lambda one: traffic.last_crops(one, now - timedelta(days=7))),
        ("page: decisions by minute", lambda one: newest.decided_by_minute(one, now, 60)),
        ("last successes of runs", lambda one: runs.last_successes(one, now)),
        ("quality in all windows", lambda one: quality_in_operation(one, windows, active, event_gap_seconds=600)),
        ("drift", lambda one: drift_of_model(one, active[0], Drift(), now)),
        ("completeness", lambda one: completeness_of_window(one, expected, now)),
        ("labels", labels.read),
        ("evidence", lambda one: gather_evidence(one, 1, Calibration(), now=now)),
        ("verdicts of 30 days", lambda one: traffic.verdicts_since(one, now - timedelta(days=30))),
        ("verdicts ever", lambda one: traffic.verdicts_since(one, None)),
        ("unusual crops of 30 days", lambda one: traffic.unusual_since(one, now - timedelta(days=30))),
        ("unusual crops ever", lambda one: traffic.unusual_since(one, None)),
        ("trial of 7 days", lambda one: replay.replay(one, 1, 0.01, replay.Span(since=now - timedelta(days=7)))),
        ("retention: newest crop", retention.newest_seen),
        ("retention: last old number", lambda one: retention.last_old_id(one, old)),
        ("retention: first old crops", lambda one: retention.old_crops(one, old, after=0, until=last, most=PRUNED)),
        ("retention: witnesses of the inbox", lambda one: watched_folders.witnesses(one, MOST_WITNESSES, before=old)),
        ("retention: old summaries",
         lambda one: retention.old_summaries(one, 1, old, after=None, most=PRUNED)),
    ]  # fmt: skip
    by_hand: list[tuple[str, Callable[[Connection], object]]] = [
        ("report: newest 10,000 scores", lambda one: decisions.newest_scores(one, 1, 10_000)),
        ("replay of everything", lambda one: replay.replay(one, 1, 0.01, replay.Span())),
        ("threshold diff: between", lambda one: replay.between(one, 1, 0.009, 0.01)),
        ("crops of an hour", lambda one: sum(1 for _ in scored_crops(one, since=now - HOUR))),
        ("crops to audit since the last draw", lambda one: audits.crops_to_audit(one, *audits.span_to_audit(one))),
    ]
    forget = partial(retention.forget, before=old, ids=range(1, PRUNED + 1))
    return [
        *(Query(name, "foreground", run) for name, run in foreground),
        *(Query(name, "background", run) for name, run in background),
        Query("retention: forget a batch", "background", forget, writes=True),
        *(Query(name, "by hand", run) for name, run in by_hand),
    ]


def time_query(database: Database, query: Query) -> tuple[float, float]:
    """(seconds when the file is not in the system's cache, the best of some runs when it is)."""
    forget_cache(database)
    found = []
    for _ in range(1 + REPEATS):
        with database.engine.connect() as connection:
            transaction = connection.execution_options(monitor_writes=query.writes).begin()
            begun = time.perf_counter()
            query.run(connection)
            found.append(time.perf_counter() - begun)
            transaction.rollback()
    return found[0], min(found[1:])


def forget_cache(database: Database) -> None:
    """Drop a SQLite file from the system's cache, so that it is read from the disk."""
    database.close()
    if database.file is not None:
        descriptor = os.open(database.file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def time_storing(database: Database, now: datetime) -> tuple[float, float]:
    """(µs by the clock, µs of processor time) for storing a crop with one score; the crops are deleted afterwards."""
    with database.read() as connection:
        before = connection.execute(select(func.max(crops.c.id))).scalar_one()
    batches = [
        [_row(index, now) for index in range(first, first + BATCH)] for first in range(0, BATCHES * BATCH, BATCH)
    ]
    begun, worked = time.perf_counter(), time.process_time()
    for number, rows in enumerate(batches):
        if number == WARMING:
            begun, worked = time.perf_counter(), time.process_time()
        with database.write() as connection:
            decisions.record(connection, rows)
    count = (BATCHES - WARMING) * BATCH
    seconds = (time.perf_counter() - begun) / count, (time.process_time() - worked) / count
    with database.write() as connection:
        connection.execute(delete(scores).where(scores.c.crop_id > before))
        connection.execute(delete(crops).where(crops.c.id > before))
    return seconds[0] * 1e6, seconds[1] * 1e6


def _row(index: int, now: datetime) -> CropRow:
    name = f"{index % 40}_CAM_T1-C1_{now:%d-%m-%Y_%H-%M-%S}-{index}.jpg"
    score = ScoreRow(1, 1, 0.001, 0.005, 0.01, "ne_proliv", now, 0.02)
    return CropRow(
        path=f"/srv/proliv/inbox/{name}", sha256=sha256(name.encode()).hexdigest(), size_bytes=1000, mtime_ns=index,
        width=30, height=50, hole=index % 40, camera="T1-C1", captured_at=now, seen_at=now, reason=None, error=None,
        verdict="ne_proliv", decision_score=0.005, decision_threshold=0.01, decided_by="primary", scores=(score,),
    )  # fmt: skip


def main() -> None:
    wanted, folder = int(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{folder / 'monitor.db'}", busy_seconds=30)
    prepare(database)
    grow(database, wanted)
    assert database.file is not None
    now = moment(wanted) + timedelta(seconds=1)
    print(f"{wanted} crops since {BEGINNING:%Y-%m-%d}: {database.file.stat().st_size / wanted:.0f} bytes a crop")
    print("storing a crop: {:.1f} us by the clock, {:.1f} us of the processor".format(*time_storing(database, now)))
    with database.read() as connection:
        found = all_queries(connection, now)
    for query in found:
        cold, warm = time_query(database, query)
        print(f"{query.ground:10}  {cold * 1e3:10.1f} ms cold  {warm * 1e3:10.1f} ms warm  {query.name}", flush=True)


if __name__ == "__main__":
    main()
