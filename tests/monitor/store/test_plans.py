"""No statement of the program goes through all crops, by SQLite's own plans for a store of ten million crops.

The statements are recorded while they are executed: by the daemon, its nightly run and `monitor status` as real
processes, and by the queries that `tests.benchmarks.growth` measures. New queries are checked without being named here.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from sqlalchemy import event

from monitor.store.database.engine import Database
from tests.benchmarks.big_store import grow, moment
from tests.benchmarks.growth import Query, all_queries
from tests.support.daemon import Daemon
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A module that Python runs at its start, because it is called sitecustomize and lies in a folder of its path.
LISTEN: Final = """
import json, threading
from sqlalchemy import event
from sqlalchemy.engine import Engine

@event.listens_for(Engine, "before_cursor_execute")
def listen(connection, cursor, statement, *_):
    with open({file!r}, "a") as file:
        file.write(json.dumps([threading.current_thread().name, statement]) + "\\n")
"""

# Tables with a row for every crop, or for every hour and hole.
GROWING: Final = frozenset({"crops", "scores", "score_summaries"})
# Tables that grow with the labels; a statement in the background may go through them.
LABELS: Final = frozenset({"labels", "labelled_files", "audit_crops"})

# An index that is used only by these columns leads to a large part of all crops.
COARSE: Final = frozenset({"model_id", "verdict", "state", "source", "camera", "hole"})
# By one of these columns an index leads to a few rows.
SELECTIVE: Final = frozenset({"rowid", "id", "path", "sha256", "crop_id"})

# The daemon's thread for which no crop waits.
BACKGROUND: Final = "jobs"

# Beginnings of statements that seem to go through a table, and why they may.
BOUNDED: Final = {
    "SELECT max(crops.id) AS max_1 \nFROM crops": "the end of the table",
    "select (select max(id) from crops) > until from counted": "the end of the table",
    "update counted set until = (select max(id) from crops)": "the end of the table",
    "SELECT crops.seen_at \nFROM crops \nWHERE crops.source = ? ORDER BY crops.seen_at DESC": (
        "the end of an index, beyond what was scored by hand since"
    ),
    "SELECT crops.path, crops.size_bytes, crops.mtime_ns \nFROM crops \nWHERE crops.source = ? ORDER BY": (
        "the first and the last few crops of the inbox"
    ),
    "SELECT crops.verdict, count(*) AS crops \nFROM crops \nWHERE crops.verdict IS NOT NULL": (
        "the crops of a day, where a person waits for them"
    ),
    "SELECT count(*) AS count_1 \nFROM crops \nWHERE crops.unusual = 1": "an index that holds unusual crops alone",
    "SELECT crops.seen_at \nFROM crops \nWHERE crops.seen_at >= ? AND crops.seen_at < ? ORDER BY crops.seen_at DESC": (
        "as many rows of an index as a page may show of a time"
    ),
    "SELECT crops.id, crops.sha256, crops.captured_at, crops.seen_at, crops.state, crops.verdict, "
    "crops.decision_score, crops.decision_threshold, crops.unusual \nFROM crops \nWHERE crops.seen_at >": (
        "as many crops"
    ),
    "SELECT crops.id, crops.sha256, crops.hole, crops.camera, crops.captured_at, crops.seen_at, crops.verdict, "
    "crops.decision_score, crops.decision_threshold, crops.unusual, NULL AS anon_1 \nFROM crops \nWHERE "
    "crops.unusual = 1": "the unusual crops of a day",
    "SELECT score_summaries.crops \nFROM score_summaries": "one row",
    "SELECT score_summaries.hour, score_summaries.camera, score_summaries.hole, score_summaries.crops, "
    "score_summaries.proliv, score_summaries.quantiles \nFROM score_summaries \nWHERE score_summaries.model_id = ? AND "
    "score_summaries.camera = ? AND score_summaries.hole = ? AND score_summaries.hour >= ?": "a week's hours",
    "SELECT score_summaries.camera, score_summaries.hole \nFROM score_summaries": "one row, at a place of an index",
    "SELECT labelled_files.path, labelled_files.label, ": "what was deleted meanwhile, once at the start",
}

# What `ANALYZE` says of the tables and indexes of `tests.benchmarks.growth` at ten million crops.
STATISTICS: Final = (
    ("audit_crops", "sqlite_autoindex_audit_crops_1", "7500 15 1"),
    ("audit_crops", "sqlite_autoindex_audit_crops_2", "7500 1"),
    ("audits", None, "500"),
    ("calibrations", "sqlite_autoindex_calibrations_1", "1202 601 1"),
    ("calibrations", "uq_calibrations_active_model", "2 1"),
    ("counted", None, "1"),
    ("crop_tallies", "sqlite_autoindex_crop_tallies_1", "4 4 2 2 2 1"),
    ("crops", "ix_crops_alarms", "50000 1"),
    ("crops", "ix_crops_seen_at", "10000000 1"),
    ("crops", "ix_crops_sha256", "10000000 1"),
    ("crops", "ix_crops_unusual", "20000 1"),
    ("crops", "sqlite_autoindex_crops_1", "10000000 1 1"),
    ("labelled_files", "ix_labelled_files_crop_id", "2000 1"),
    ("labelled_files", "ix_labelled_files_sha256", "2000 1"),
    ("labelled_files", "sqlite_autoindex_labelled_files_1", "2000 1"),
    ("labels", "ix_labels_at", "22000 1"),
    ("labels", "ix_labels_crop_id_at", "22000 1 1"),
    ("models", "sqlite_autoindex_models_1", "2 1"),
    ("models", "sqlite_autoindex_models_2", "2 1"),
    ("models", "uq_models_active_detector", "2 1"),
    ("reference_scores", "sqlite_autoindex_reference_scores_1", "2000 1000 1"),
    ("runs", "sqlite_autoindex_runs_1", "1200 600 1"),
    ("score_summaries", "ix_score_summaries_model_id_camera_hole_hour_crops", "1166319 1166319 388773 14399 1 1"),
    ("score_summaries", "sqlite_autoindex_score_summaries_1", "1166319 1166319 81 27 1"),
    ("score_tallies", "sqlite_autoindex_score_tallies_1", "4 4 2 2 1"),
    ("scores", "ix_scores_model_id_scored_at", "10980000 5490000 1"),
    ("scores", "sqlite_autoindex_scores_1", "10980000 1 1"),
)


class Plan(NamedTuple):
    """A statement, who waits for it, and how SQLite runs it: a line for each table and sub-query."""

    statement: str
    foreground: bool
    lines: list[str]


class Executed:
    """Distinct statements, and whether a crop or a person waits for them."""

    def __init__(self) -> None:
        self.statements: dict[tuple[str, bool], None] = {}

    def add(self, statement: str, *, foreground: bool) -> None:
        """Remember one that has a plan."""
        if statement.split(maxsplit=1)[0].upper() in {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"}:
            self.statements[statement, foreground] = None

    def plans(self, connection: sqlite3.Connection) -> list[Plan]:
        """How a database would run them."""
        found = []
        for statement, foreground in self.statements:
            nothing = (None,) * statement.count("?")
            rows = connection.execute(f"explain query plan {statement}", nothing)
            found.append(Plan(statement, foreground, [row[3] for row in rows]))
        return found


def problems(plan: Plan) -> list[str]:
    """The lines of a plan that go through a growing table, or may do so in the foreground."""
    if plan.statement.startswith(tuple(BOUNDED)):
        return []
    names = dict(re.findall(r"\b(?:FROM|JOIN|,) *(\w+) AS (\w+)", plan.statement))
    tables = {alias: table for table, alias in names.items()}
    found = []
    for line in plan.lines:
        match = re.match(r"(SCAN|SEARCH) (\S+)", line)
        if match is None:
            continue
        table = tables.get(match[2], match[2])
        constraint = re.search(r"\((.*)\)(?: LEFT-JOIN)?$", line)
        columns = set(re.findall(r"(\w+)[<>=]", constraint[1])) if match[1] == "SEARCH" and constraint else set()
        long = columns <= COARSE or (plan.foreground and not columns & SELECTIVE)
        if (table in GROWING and long) or (table in LABELS and plan.foreground and not columns):
            found.append(line)
    return found


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, sqlite3.Connection]]:
    """Stores without a row, one as it is, and one that SQLite takes for the store of ten million crops."""
    folder = tmp_path_factory.mktemp("stores")
    found = {}
    for name in ("without statistics", "with statistics"):
        database = Database(f"sqlite:///{folder / name}.db", busy_seconds=5)
        upgrade(database)
        database.close()
        found[name] = sqlite3.connect(folder / f"{name}.db")
    found["with statistics"].execute("analyze")
    found["with statistics"].execute("delete from sqlite_stat1")
    found["with statistics"].executemany("insert into sqlite_stat1 values (?, ?, ?)", STATISTICS)
    found["with statistics"].commit()
    # Statistics are read when a connection is opened.
    found["with statistics"].close()
    found["with statistics"] = sqlite3.connect(folder / "with statistics.db")
    yield found
    for connection in found.values():
        connection.close()


@pytest.fixture(params=["without statistics", "with statistics"])
def store(request: pytest.FixtureRequest, stores: dict[str, sqlite3.Connection]) -> sqlite3.Connection:
    return stores[request.param]


@pytest.fixture(scope="module")
def executed(trained_state: Path, small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Executed:
    """What a daemon executes that does all that it can do, and what `monitor status` executes."""
    home = tmp_path_factory.mktemp("plans")
    shutil.copytree(trained_state, home / "state")
    daemon = Daemon(home)
    file = home / "statements"
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(LISTEN.format(file=str(file)))
    daemon.environment |= {
        "PYTHONPATH": str(home / "site"),
        "MONITOR__INBOX__AFTER": "archive",
        "MONITOR__PATHS__ARCHIVE": str(home / "archive"),
        "MONITOR__COMPLETENESS__INTERVAL_SECONDS": "600",
        "MONITOR__STORE__KEEP_DAYS": "60",
    }
    _make_overdue(daemon)
    for label in ("proliv", "ne_proliv"):
        shutil.copytree(small_dataset / "test" / label, daemon.labelled / label)
    try:
        daemon.start()
        for number, path in enumerate(sorted((small_dataset / "train").glob("*.jpg"))[:5]):
            shutil.copyfile(path, daemon.inbox / f"{number}_CAM_C_01-03-2026_05-39-27-92{number}.jpg")
        daemon.inbox.joinpath("broken.jpg").write_bytes(b"nothing that could be decoded")
        daemon.until(lambda: daemon.count("path like '%/inbox/%' and state = 'scored'") == 5)
        daemon.until(lambda: daemon.count("state = 'failed'") == 1)
        daemon.until(lambda: len(daemon.query("select 1 from runs where finished_at > slot and outcome <> 'old'")) >= 2)
        daemon.until(lambda: len(list((home / "archive").rglob("*.jpg"))) == 5)
        _run(daemon, "status", "--format", "json")
        assert daemon.stop() == 0
    finally:
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
    found = Executed()
    for line in file.read_text().splitlines():
        thread, statement = json.loads(line)
        found.add(statement, foreground=thread != BACKGROUND)
    return found


def _make_overdue(daemon: Daemon) -> None:
    """The night and retention ran a day ago, and there is a crop that is too old."""
    now = datetime.now(UTC)
    yesterday, old = (f"{now - timedelta(days=days):%Y-%m-%d %H:%M:%S}.000000" for days in (1, 300))
    with closing(sqlite3.connect(daemon.database)) as connection, connection:
        for job in ("recalibrate", "retention"):
            values = (job, yesterday, yesterday, yesterday)
            connection.execute(
                "insert into runs (job, slot, started_at, finished_at, outcome) values (?, ?, ?, ?, 'old')", values
            )
        # The age of a crop is its distance from the newest one.
        for name, seen_at in (("old", old), ("new", f"{now:%Y-%m-%d %H:%M:%S}.000000")):
            connection.execute(
                "insert into crops (path, sha256, size_bytes, mtime_ns, seen_at, state, verdict, source) "
                "values (?, ?, 1, 1, ?, 'scored', 'ne_proliv', 'inbox')",
                (f"/gone/{name}.jpg", name, seen_at),
            )


def _run(daemon: Daemon, *arguments: str) -> None:
    command = [sys.executable, "-m", "monitor", *arguments]
    subprocess.run(command, cwd=daemon.home, env=daemon.environment, check=True, capture_output=True)


def test_no_statement_goes_through_all_crops(executed: Executed, store: sqlite3.Connection) -> None:
    plans = executed.plans(store)
    found = {plan.statement: lines for plan in plans if (lines := problems(plan))}
    assert not found, "\n\n".join(f"{statement}\n  {lines}" for statement, lines in found.items())


def test_the_daemon_did_all_of_its_work_before_it_was_judged(executed: Executed) -> None:
    text = {by: " ".join(one for one, other in executed.statements if by is other) for by in (True, False)}
    for part in ("INSERT INTO crops", "INSERT INTO scores", "INSERT INTO labels", "labelled_files", "crop_tallies"):
        assert part in text[True], part
    for part in ("score_summaries", "DELETE FROM crops", "audit_crops", "reference_scores", "WITH taken"):
        assert part in text[False], part
    assert "UPDATE crops SET archived_path" in text[True] + text[False]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Executed]:
    """What each query executes that `tests.benchmarks.growth` measures, on a small store, by its name."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('measured') / 'monitor.db'}", busy_seconds=5)
    upgrade(database)
    grow(database, 2000)
    found: dict[str, Executed] = {}
    with database.write() as connection:
        queries = all_queries(connection, moment(2000) + timedelta(seconds=1))
        for query in queries:
            one = found[query.name] = Executed()

            def listen(*occasion: Any, one: Executed = one, query: Query = query) -> None:
                one.add(occasion[2], foreground=query.ground == "foreground")

            event.listen(database.engine, "before_cursor_execute", listen)
            query.run(connection)
            event.remove(database.engine, "before_cursor_execute", listen)
    database.close()
    return {query.name: found[query.name] for query in queries if query.ground != "by hand"}


def test_no_query_that_is_measured_goes_through_all_crops(
    measured: dict[str, Executed], store: sqlite3.Connection
) -> None:
    found = {name: lines for name, one in measured.items() for plan in one.plans(store) if (lines := problems(plan))}
    assert not found


def test_no_exception_is_out_of_date(executed: Executed, measured: dict[str, Executed]) -> None:
    statements = [one for found in (executed, *measured.values()) for one, _ in found.statements]
    assert [one for one in BOUNDED if not any(statement.startswith(one) for statement in statements)] == []


INDEXES: Final = {
    "known crops of 256 paths": "sqlite_autoindex_crops_1 (path=?)",
    "their stored scores": "sqlite_autoindex_scores_1 (crop_id=?",
    "crops of 256 contents": "ix_crops_sha256 (sha256=?)",
    "status: counts": "sqlite_autoindex_scores_1 (crop_id=?)",
    "status: crops of the last day": "ix_crops_seen_at (seen_at>?)",
    "status: unusual ones of the last day": "ix_crops_unusual (seen_at>?)",
    "page: crops of a hole before one": "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "page: crops of a hole after one": "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "page: last crop of every hole": "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "page: a hole's week": "ix_crops_seen_at (seen_at>? AND seen_at<?)",
    "page: a hole's hours": "ix_score_summaries_model_id_camera_hole_hour_crops (model_id=? AND camera=? AND hole",
    "page: whether a hole was seen": "ix_score_summaries_model_id_camera_hole_hour_crops (model_id=? AND camera=? AND",
    "page: alarm of a crop": "INTEGER PRIMARY KEY (rowid=?)",
    "page: crops of alarms to label": "ix_alarm_crops_alarm_id_crop_id (alarm_id=?",
    "page: unusual crops to label": "ix_crops_unusual (seen_at>?)",
    "page: drawn crops to label": "INTEGER PRIMARY KEY (rowid=?)",
    "page: crops near the threshold": "INTEGER PRIMARY KEY (rowid>?",
    "last crop of each hole, 7 days": "ix_crops_seen_at (seen_at>?)",
    "quality in all windows": "ix_crops_alarms (seen_at>? AND seen_at<?)",
    "drift": "ix_score_summaries_model_id_camera_hole_hour_crops (model_id=? AND camera=? AND hole=? AND hour",
    "completeness": "ix_crops_seen_at (seen_at>? AND seen_at<?)",
    "evidence": "sqlite_autoindex_scores_1 (crop_id=? AND model_id=?)",
    "verdicts of 30 days": "ix_crops_seen_at (seen_at>?)",
    "unusual crops of 30 days": "ix_crops_unusual (seen_at>?)",
    "unusual crops ever": "ix_crops_unusual",
    "trial of 7 days": "ix_scores_model_id_scored_at (model_id=? AND scored_at>?)",
    "retention: last old number": "ix_crops_seen_at (seen_at<?)",
    "retention: first old crops": "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
}


@pytest.mark.parametrize("name", INDEXES)
def test_a_query_uses_its_index(name: str, measured: dict[str, Executed], store: sqlite3.Connection) -> None:
    lines = [line for plan in measured[name].plans(store) for line in plan.lines]
    assert any(INDEXES[name] in line for line in lines), lines


@pytest.mark.parametrize(
    ("statement", "foreground"),
    [
        ("SELECT count(*) FROM crops", False),
        ("SELECT c.path FROM crops AS c WHERE c.hole = ?", False),
        ("SELECT path FROM crops WHERE state = ? ORDER BY seen_at LIMIT 5", False),
        ("SELECT max(scored_at) FROM scores", False),
        ("SELECT score FROM scores WHERE model_id = ?", False),
        ("SELECT path FROM crops WHERE seen_at > ?", True),
        ("SELECT label FROM labels", True),
        ("DELETE FROM crops WHERE width = ?", False),
    ],
)
def test_what_goes_through_all_is_noticed(statement: str, foreground: bool, store: sqlite3.Connection) -> None:
    one = Executed()
    one.add(statement, foreground=foreground)
    (plan,) = one.plans(store)
    assert problems(plan), plan.lines
