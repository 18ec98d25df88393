from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import event, func, insert, inspect, select, text, update

import migrations
from monitor.configuration.file import load
from monitor.errors import (
    ConfigurationError,
    NoModelError,
    OutputError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreReadOnlyError,
    StoreRefusedError,
    StoreSchemaError,
)
from monitor.files.text import from_text, to_text
from monitor.store import calibrations as stored_calibrations
from monitor.store import crops as store_crops
from monitor.store import decisions as queries
from monitor.store import models as store_models
from monitor.store.counts import count_crops
from monitor.store.database.engine import Database
from monitor.store.database.schema import SCHEMA_REVISION, calibrations, crops, metadata, models, runs, scores
from monitor.store.database.upgrade import (
    _alembic_configuration,
    _revision,
    current_revision,
    damage,
    differences,
    prepare,
    require_current,
    upgrade,
)
from monitor.store.decisions import CropRow, ScoreRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Connection

    from tests.conftest import RunMonitor

NOW = datetime(2023, 3, 1, 5, 39, 27, 929000, tzinfo=UTC)
MIGRATIONS = Path(migrations.__path__[0])
FINAL = ("verdict", "decision_score", "decision_threshold", "decided_by")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'monitor.db'}"
    new_database: Callable[[], str] = request.getfixturevalue("new_postgresql_database")
    return new_database()


@contextmanager
def opened(url: str, busy_seconds: float = 30) -> Iterator[Database]:
    database = Database(url, busy_seconds=busy_seconds)
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    with opened(url) as database:
        yield database


@pytest.fixture
def database(empty: Database) -> Database:
    upgrade(empty)
    return empty


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """A database as the program makes it, closed."""
    file = tmp_path / "monitor.db"
    with opened(f"sqlite:///{file}") as database:
        upgrade(database)
    return file


def crop(name: str, digest: str = "a", **changes: Any) -> CropRow:
    row = CropRow(
        path=f"/inbox/{name}",
        sha256=digest * 64,
        size_bytes=1234,
        mtime_ns=1_677_649_167_929_000_000,
        width=50,
        height=30,
        hole=10,
        camera="C",
        captured_at=NOW,
        seen_at=NOW,
        reason=None,
        error=None,
        verdict=None,
        decision_score=None,
        decision_threshold=None,
        decided_by=None,
        scores=(),
    )
    return row._replace(**changes)


def decided(name: str, digest: str, *decisions: ScoreRow, by: str = "primary") -> CropRow:
    """A crop with its models' decisions, of which the first is the final one."""
    first = decisions[0]
    final = {"verdict": first.verdict, "decision_score": first.score, "decision_threshold": first.threshold}
    return crop(name, digest, **final, decided_by=by, scores=decisions)


def failed(row: CropRow, reason: str = "truncated") -> CropRow:
    return row._replace(reason=reason, error=f"it is {reason}", width=None, height=None, scores=())


def unreadable(name: str) -> CropRow:
    return failed(crop(name, ""), "unreadable")


def decision(model_id: int, calibration_id: int, *, mse: float = 0.001) -> ScoreRow:
    return ScoreRow(
        model_id=model_id,
        calibration_id=calibration_id,
        mse=mse,
        score=mse,
        threshold=0.002,
        verdict="proliv" if mse >= 0.002 else "ne_proliv",
        scored_at=NOW,
        latency_seconds=0.25,
    )


def add_model(connection: Connection, letter: str, detector: str = "ae") -> store_models.ModelRow:
    name = f"{detector}-{letter * 12}"
    store_models.add_model(
        connection, name=name, detector=detector, fingerprint=letter * 64, folder=name, settings={"код": [1, None]}
    )
    return store_models.find_model(connection, name)


def calibrate(connection: Connection, model: store_models.ModelRow, threshold: float = 0.002) -> store_models.ModelRow:
    stored_calibrations.add(
        connection, model_id=model.id, rule="balanced", settings={}, threshold=threshold, evidence={"n": 3}, now=NOW
    )
    return store_models.find_model(connection, model.name)


def make_active(connection: Connection, letter: str, detector: str = "ae") -> store_models.ModelRow:
    store_models.activate_model(connection, calibrate(connection, add_model(connection, letter, detector)))
    return store_models.find_model(connection, f"{detector}-{letter * 12}")


def states(connection: Connection) -> list[tuple[str, str, str]]:
    query = select(crops.c.path, crops.c.sha256, crops.c.state).order_by(crops.c.id)
    return [(path, sha256[:1], state) for path, sha256, state in connection.execute(query)]


# The schema


def test_an_empty_database_gets_the_schema_that_the_program_declares(empty: Database) -> None:
    with pytest.raises(StoreSchemaError, match="is empty; bring it up to date with: monitor db upgrade"):
        require_current(empty)
    assert current_revision(empty) is None

    assert upgrade(empty) == SCHEMA_REVISION

    assert current_revision(empty) == SCHEMA_REVISION
    assert differences(empty) == []
    assert damage(empty) == []
    require_current(empty)


def test_asking_an_absent_file_for_its_schema_does_not_make_it(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/monitor.db") as database, pytest.raises(StoreSchemaError):
        require_current(database)
    assert list(tmp_path.iterdir()) == []


def test_preparing_makes_an_empty_database_and_leaves_a_current_one(empty: Database) -> None:
    prepare(empty)
    with empty.write() as connection:
        queries.record(connection, [unreadable("1.jpg")])
    prepare(empty)
    upgrade(empty)
    with empty.read() as connection:
        assert len(states(connection)) == 1


def test_migrations_and_schema_agree_in_every_check_and_index(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # Alembic's own comparison looks at neither checks nor the conditions of indexes.
    if url.startswith("sqlite"):
        other = f"sqlite:///{tmp_path / 'other.db'}"
    else:
        other = request.getfixturevalue("new_postgresql_database")()
    with opened(url) as migrated, opened(other) as declared:
        upgrade(migrated)
        with declared.write() as connection:
            metadata.create_all(connection)
        with migrated.read() as left, declared.read() as right:
            assert shape(left) == shape(right)


def shape(connection: Connection) -> dict[str, Any]:
    """Everything that a database tells of the declared tables, in an order of its own."""
    inspector = inspect(connection)
    tables = {
        table: {
            "columns": [{**column, "type": str(column["type"])} for column in inspector.get_columns(table)],
            "key": inspector.get_pk_constraint(table),
            "foreign": sorted(map(str, inspector.get_foreign_keys(table))),
            "unique": sorted(map(str, inspector.get_unique_constraints(table))),
            "checks": sorted(map(str, inspector.get_check_constraints(table))),
        }
        for table in metadata.tables
    }
    if connection.dialect.name == "postgresql":
        indexes = text("select indexname, indexdef from pg_indexes where schemaname = 'public'")
    else:
        indexes = text("select name, sql from sqlite_master where type = 'index' and sql is not null")
    found = {name: definition for name, definition in connection.execute(indexes) if name != "alembic_version_pkc"}
    return {"tables": tables, "indexes": found}


def test_the_programs_revision_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == SCHEMA_REVISION


def migrate(database: Database, revision: str) -> None:
    database.make_folder()
    with database.rebuild() as connection:
        configuration = _alembic_configuration(connection)
        move = command.upgrade if revision > (_revision(connection) or "") else command.downgrade
        move(configuration, revision)


def test_crops_from_before_final_decisions_get_that_of_the_model_activated_last(empty: Database) -> None:
    migrate(empty, "0001")
    day = timedelta(days=1)
    activations = {1: NOW, 2: NOW + day, 3: None, 4: NOW + day}  # the third was rolled back
    with empty.rebuild() as connection:
        for number, activated_at in activations.items():
            add_model(connection, str(number), f"detector{number}")
            connection.execute(update(models).where(models.c.id == number).values(activated_at=activated_at))
            values = {"model_id": number, "rule": "r", "settings": {}, "threshold": 0.002, "evidence": {"n": 3}}
            connection.execute(insert(calibrations), {**values, "state": "active", "created_at": NOW})
        deciders = {"1": (1,), "2": (1, 2), "3": (2, 4), "4": (3,), "5": (3, 1), "6": ()}
        old = [column.name for column in crops.c if column.name not in {*FINAL, "source", "archived_path"}]
        for name, by in deciders.items():
            row = {key: getattr(crop(f"{name}.jpg", name), key) for key in old if key not in {"id", "state"}}
            state = "scored" if by else "failed"
            connection.execute(insert(crops), {**row, "id": int(name), "state": state})
            for model in by:
                one = decision(model, model, mse=model / 1000)
                values = {key: getattr(one, key) for key in ScoreRow._fields}
                connection.execute(insert(scores), {**values, "crop_id": int(name)})

    assert upgrade(empty) == SCHEMA_REVISION

    with empty.read() as connection:
        assert finals(connection) == [
            ("ne_proliv", 0.001, 0.002, "primary"),
            ("proliv", 0.002, 0.002, "primary"),
            ("proliv", 0.004, 0.002, "primary"),
            ("proliv", 0.003, 0.002, "primary"),
            ("ne_proliv", 0.001, 0.002, "primary"),
            (None, None, None, None),
        ]
        stored = connection.execute(select(scores).order_by(scores.c.crop_id)).all()
    assert differences(empty) == []
    migrate(empty, "0001")
    with empty.read() as connection:
        assert {column["name"] for column in inspect(connection).get_columns("crops")} == set(old)
        assert connection.execute(select(scores).order_by(scores.c.crop_id)).all() == stored
    migrate(empty, SCHEMA_REVISION)
    assert differences(empty) == []


@pytest.mark.parametrize(
    "statement",
    ["drop table score_summaries", "alter table crops add column colour text", "drop index uq_models_active_detector"],
)
def test_differences_name_what_was_changed_by_hand(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute(text(statement))
    found = differences(database)
    assert len(found) >= 1
    changed = re.findall(r"score_summaries|colour|uq_models_active_detector", statement)[0]
    assert changed in "".join(found)


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    for action in (require_current, prepare, upgrade):
        with pytest.raises(StoreSchemaError, match=r"has the schema 9999, which is newer than .* install the newer"):
            action(database)
    assert current_revision(database) == "9999"


def test_an_older_database_is_refused_with_the_remedy(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("update alembic_version set version_num = '0000'"))
    for action in (require_current, prepare):
        with pytest.raises(StoreSchemaError, match=r"has the older schema 0000; .* monitor db upgrade"):
            action(database)


def test_a_failed_migration_leaves_nothing_behind(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "changed" / "migrations"
    shutil.copytree(MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    first = copy / "versions" / "0001_first_tables.py"
    broken = first.read_text().replace("def downgrade", "    op.execute('select nonsense')\n\n\ndef downgrade")
    first.write_text(broken)
    monkeypatch.syspath_prepend(tmp_path / "changed")
    monkeypatch.delitem(sys.modules, "migrations")

    with pytest.raises(StoreError, match="nonsense"):
        upgrade(empty)

    with empty.read() as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.undo()
    assert upgrade(empty) == SCHEMA_REVISION


def test_programs_that_upgrade_at_once_do_not_get_in_each_others_way(
    url: str, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    program = (
        "import sys, alembic.command\n"
        "from monitor.store.database.engine import Database\n"
        "from monitor.store.database.upgrade import upgrade\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(upgrade(Database(sys.argv[1], busy_seconds=60)))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, url],
            env=clean_environment,
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outcomes = [process.communicate(timeout=100) for process in processes]
    assert [(process.returncode, *outcome) for process, outcome in zip(processes, outcomes, strict=True)] == [
        (0, f"{SCHEMA_REVISION}\n", "")
    ] * len(processes)


# Crops and decisions


def test_recording_twice_changes_nothing_and_tells_only_of_new_decisions(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
    assert first.calibration_id is not None
    assert second.calibration_id is not None
    one, two = decision(first.id, first.calibration_id), decision(second.id, second.calibration_id, mse=0.5)
    scored = crop("1.jpg", scores=(one,))
    broken = failed(crop("2.jpg", "b"))

    with database.write() as connection:
        assert queries.record(connection, [scored, broken]).decided == {(scored.path, scored.sha256): {first.id}}
    with database.write() as connection:
        before = connection.execute(select(scores)).all()
        later = one._replace(mse=0.9, score=0.9, verdict="proliv")
        assert queries.record(connection, [scored._replace(scores=(later,)), broken]).decided == {}
        assert connection.execute(select(scores)).all() == before
    with database.write() as connection:
        both = scored._replace(scores=(one, two))
        assert queries.record(connection, [both, both]).decided == {(scored.path, scored.sha256): {second.id}}
        assert states(connection) == [("/inbox/1.jpg", "a", "scored"), ("/inbox/2.jpg", "b", "failed")]
        assert queries.record(connection, []).decided == {}


def test_what_is_stored_comes_back_as_it_was(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        one = decision(model.id, model.calibration_id, mse=0.1234567890123456)
        queries.record(connection, [decided("1.jpg", "a", one), failed(crop("2.jpg", "b"))])
    with database.read() as connection:
        known = store_crops.known_crops(connection, ["/inbox/1.jpg", "/inbox/2.jpg", "/inbox/3.jpg"])
        assert known.keys() == {"/inbox/1.jpg", "/inbox/2.jpg"}
        (first,), (second,) = known["/inbox/1.jpg"], known["/inbox/2.jpg"]
        assert (first.size_bytes, first.mtime_ns, first.state, first.hole) == (1234, crop("").mtime_ns, "scored", 10)
        assert (second.state, second.reason, second.error) == ("failed", "truncated", "it is truncated")
        expected = [(first.id, model.id, one.mse, one.mse, 0.002, "proliv")]
        assert queries.stored_scores(connection, [first.id, second.id], [model.id]) == {first.id: expected}
        assert queries.stored_scores(connection, [first.id], []) == {}
        assert store_crops.decisions_after(connection, 0) == [(first.id, "/inbox/1.jpg", 10, one.mse, 0.002, "proliv")]
        assert store_crops.decisions_after(connection, first.id) == []
        assert model.settings == {"код": [1, None]}
        summary = count_crops(connection)
        assert (summary.scored, summary.failed, summary.failed_by_reason) == (1, 1, {"truncated": 1})
        assert (summary.final, summary.verdicts) == ({"proliv": 1}, {(model.name, "proliv"): 1})
        assert summary.last_scored_at == NOW


def finals(connection: Connection) -> list[tuple[Any, ...]]:
    columns = (crops.c.verdict, crops.c.decision_score, crops.c.decision_threshold, crops.c.decided_by)
    return [tuple(row) for row in connection.execute(select(*columns).order_by(crops.c.id))]


def test_the_final_decision_changes_only_with_a_new_decision_of_a_model(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        low = decision(first.id, first.calibration_id)
        high = decision(second.id, second.calibration_id, mse=0.5)
        queries.record(connection, [failed(crop("1.jpg")), decided("2.jpg", "b", low), decided("3.jpg", "c", high)])
        passed, caught = ("ne_proliv", 0.001, 0.002, "primary"), ("proliv", 0.5, 0.002, "primary")
        assert finals(connection) == [(None, None, None, None), passed, caught]

        # Nothing is new: the same again, other words of the same model, a failure.
        later = low._replace(score=0.9, verdict="proliv")
        queries.record(connection, [decided("2.jpg", "b", low), failed(crop("3.jpg", "c"))])
        queries.record(connection, [decided("2.jpg", "b", later, by="all"), failed(crop("1.jpg"))])
        assert finals(connection) == [(None, None, None, None), passed, caught]

        # Another model decides, and a failed crop is decided for the first time.
        queries.record(connection, [decided("2.jpg", "b", high, low, by="any"), decided("1.jpg", "a", low, by="any")])
        assert finals(connection) == [("ne_proliv", 0.001, 0.002, "any"), (*caught[:3], "any"), caught]
    with database.read() as connection:
        assert count_crops(connection).final == {"proliv": 2, "ne_proliv": 1}


def test_one_crop_twice_in_a_batch_has_one_final_decision(database: Database) -> None:
    with database.write() as connection:
        first, second = make_active(connection, "1"), make_active(connection, "2", "other")
        assert first.calibration_id is not None
        assert second.calibration_id is not None
        one, two = decision(first.id, first.calibration_id), decision(second.id, second.calibration_id, mse=0.5)
        queries.record(connection, [decided("1.jpg", "a", one), decided("1.jpg", "a", one, by="any")])
        assert finals(connection) == [("ne_proliv", 0.001, 0.002, "primary")]
        queries.record(connection, [decided("1.jpg", "a", two, one, by="any")] * 2)
        assert finals(connection) == [("proliv", 0.5, 0.002, "any")]


def test_a_batch_of_new_crops_takes_no_statement_for_replacing(database: Database) -> None:
    statements: list[str] = []
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        one = decision(model.id, model.calibration_id)
        event.listen(database.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
        queries.record(connection, [decided(f"{number}.jpg", "a", one) for number in range(3)])
        words = [statement.split()[0].lower() for statement in statements]
        assert [word for word in words if word not in {"begin", "commit"}] == [
            *("select", "insert", "select", "insert")
        ]


def test_changed_content_under_one_path_is_another_crop(database: Database) -> None:
    with database.write() as connection:
        queries.record(connection, [failed(crop("1.jpg", "a"))])
        queries.record(connection, [failed(crop("1.jpg", "b"))])
        assert states(connection) == [("/inbox/1.jpg", "a", "failed"), ("/inbox/1.jpg", "b", "failed")]


def test_a_file_that_becomes_readable_is_the_same_crop(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        queries.record(connection, [unreadable("1.jpg"), unreadable("2.jpg")])
        queries.record(connection, [unreadable("1.jpg")])
        queries.record(connection, [crop("1.jpg", scores=(decision(model.id, model.calibration_id),))])
        assert sorted(states(connection)) == [("/inbox/1.jpg", "a", "scored"), ("/inbox/2.jpg", "", "failed")]


def test_a_failure_never_overwrites_a_decision_but_a_decision_does_a_failure(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        scored = crop("1.jpg", scores=(decision(model.id, model.calibration_id),))
        queries.record(connection, [scored])
        queries.record(connection, [failed(scored, "too_large")])
        kept = connection.execute(select(crops.c.state, crops.c.reason, crops.c.error, crops.c.width)).all()
        assert kept == [("scored", None, None, 50)]

        queries.record(connection, [failed(crop("2.jpg", "b"), "too_large")])
        queries.record(connection, [scored._replace(path="/inbox/2.jpg", sha256="b" * 64)])
        assert states(connection)[1] == ("/inbox/2.jpg", "b", "scored")
        assert connection.execute(select(crops.c.reason).where(crops.c.state == "scored")).scalars().all() == [None] * 2


def test_the_largest_batch_fits_into_one_transaction(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        assert model.calibration_id is not None
        one = decision(model.id, model.calibration_id)
        rows = [crop(f"{number}.jpg", scores=(one,)) for number in range(4096)]
        assert len(queries.record(connection, rows).decided) == len(rows)
        known = store_crops.known_crops(connection, [row.path for row in rows])
        assert len(known) == len(rows)
        ids = [row.id for found in known.values() for row in found]
        assert len(queries.stored_scores(connection, ids, [model.id])) == len(rows)


def test_a_row_that_no_database_takes_is_told_from_one_that_is_in_the_way(database: Database) -> None:
    with pytest.raises(StoreRefusedError), database.write() as connection:
        queries.record(connection, [unreadable("1.jpg")._replace(mtime_ns=2**63)])


def test_an_error_takes_the_whole_transaction_back(database: Database) -> None:
    def fail_midway() -> None:
        with database.write() as connection:
            queries.record(connection, [unreadable("1.jpg")])
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    with database.read() as connection:
        assert states(connection) == []


def test_paths_of_any_bytes_come_back(database: Database) -> None:
    names = [bytes([byte]) + b".jpg" for byte in range(1, 256) if byte != ord("/")]
    names += ["литьё ё.jpg".encode(), "\u202egpj.exe.jpg".encode(), b"\\x41.jpg", b"%41?.jpg", b"\xf0\x9f\x94\xa5.jpg"]
    paths = [Path(os.fsdecode(b"/inbox/" + name)) for name in names]
    with database.write() as connection:
        queries.record(connection, [unreadable("")._replace(path=to_text(path)) for path in paths])
    with database.read() as connection:
        stored = connection.execute(select(crops.c.path).order_by(crops.c.id)).scalars().all()
    assert [from_text(path) for path in stored] == paths


def test_a_time_without_a_zone_is_refused_and_others_come_back_in_utc(database: Database) -> None:
    naive = NOW.replace(tzinfo=None)
    with (
        pytest.raises(StoreRefusedError, match="a time without a zone cannot be stored"),
        database.write() as connection,
    ):
        queries.record(connection, [unreadable("1.jpg")._replace(seen_at=naive)])
    moscow = NOW.astimezone(timezone(timedelta(hours=3)))
    with database.write() as connection:
        queries.record(connection, [unreadable("1.jpg")._replace(seen_at=moscow, captured_at=None)])
        seen, captured = connection.execute(select(crops.c.seen_at, crops.c.captured_at)).one()
    assert (seen, seen.tzinfo, captured) == (NOW, UTC, None)


# Models


def test_the_database_itself_keeps_one_active_model_for_each_detector(database: Database) -> None:
    with database.write() as connection:
        make_active(connection, "1")
        make_active(connection, "2")
        make_active(connection, "3", "other")
        active = [row.name for row in store_models.active_models(connection)]
        assert active == ["other-333333333333", "ae-222222222222"]
    with pytest.raises(StoreError, match=r"(?i)unique"), database.write() as connection:
        connection.execute(update(models).values(active=True))
    with pytest.raises(StoreError, match=r"(?i)unique"), database.write() as connection:
        connection.execute(
            text(
                "insert into calibrations (model_id, rule, settings, threshold, evidence, state, created_at) "
                "select model_id, rule, settings, threshold, evidence, state, created_at from calibrations"
            )
        )


def test_a_new_calibration_supersedes_the_one_before(database: Database) -> None:
    with database.write() as connection:
        model = calibrate(connection, add_model(connection, "1"), 0.1)
        assert model.threshold == 0.1
        again = calibrate(connection, model, 0.2)
        assert (again.threshold, again.rule) == (0.2, "balanced")
        states = connection.execute(text("select threshold, state from calibrations order by id")).all()
        assert states == [(0.1, "superseded"), (0.2, "active")]


def test_rolling_back_goes_through_the_models_that_were_active_before(database: Database) -> None:
    with database.write() as connection:
        for letter in "abc":
            make_active(connection, letter)
        make_active(connection, "d", "other")
        calibrate(connection, add_model(connection, "e"))  # never active, so that nothing leads back to it

        def step() -> tuple[str, str]:
            left, now = store_models.rollback_model(connection, "ae")
            assert [row.name for row in store_models.active_models(connection) if row.detector == "ae"] == [now.name]
            return left.name[-1], now.name[-1]

        assert step() == ("c", "b")
        assert step() == ("b", "a")
        with pytest.raises(NoModelError, match="no model of the detector 'ae' was active before ae-aaaaaaaaaaaa"):
            step()
        store_models.activate_model(connection, store_models.find_model(connection, "ae-c"))
        assert step() == ("c", "a")
        with pytest.raises(NoModelError, match="'nothing' has no active model"):
            store_models.rollback_model(connection, "nothing")
        assert [row.detector for row in store_models.active_models(connection)].count("other") == 1


def test_a_model_without_a_threshold_cannot_become_active(database: Database) -> None:
    with database.write() as connection:
        model = add_model(connection, "1")
        with pytest.raises(NoModelError, match=r"has no threshold yet.* monitor calibrate --model ae-1+ --data DIR"):
            store_models.activate_model(connection, model)
        assert store_models.active_models(connection) == []


def test_models_are_found_by_what_they_begin_with(database: Database) -> None:
    with database.write() as connection:
        add_model(connection, "1")
        add_model(connection, "2")
        assert store_models.find_model(connection, "ae-1").fingerprint == "1" * 64
        assert store_models.find_model(connection, "22").name == "ae-222222222222"
        with pytest.raises(NoModelError, match=r"names several models: ae-2.*, ae-1.*; give one whole name"):
            store_models.find_model(connection, "ae-")
        for name in ("", "%", "ae-3"):
            with pytest.raises(NoModelError, match=r"there is no model .*; see: monitor models list"):
                store_models.find_model(connection, name)


def test_training_the_same_model_again_makes_it_the_newest(database: Database) -> None:
    with database.write() as connection:
        add_model(connection, "1")
        add_model(connection, "2")
        assert [row.name[-1] for row in store_models.newest_models(connection)] == ["2"]
        add_model(connection, "1")
        assert [row.name[-1] for row in store_models.newest_models(connection)] == ["1"]
        assert len(store_models.all_models(connection)) == 2


def test_decisions_need_their_model_and_slots_are_unique(database: Database) -> None:
    with pytest.raises(StoreError, match=r"(?i)foreign key"), database.write() as connection:
        queries.record(connection, [crop("1.jpg", scores=(decision(77, 77),))])
    slot = {"job": "calibrate", "slot": NOW, "started_at": NOW}
    with pytest.raises(StoreError, match=r"(?i)unique"), database.write() as connection:
        connection.execute(runs.insert(), [slot, slot])


# What is in the way


def test_a_locked_database_is_waited_for_and_then_named(sqlite_file: Path) -> None:
    other = sqlite3.connect(sqlite_file, isolation_level=None)
    other.execute("begin immediate")
    with opened(f"sqlite:///{sqlite_file}", busy_seconds=0.05) as database:
        sentence = r"monitor\.db: locked by another program .*; try again when it has finished"
        with pytest.raises(StoreBusyError, match=sentence) as caught, database.write():
            pass
        assert caught.value.exit_code == 75
        with database.read() as connection:
            assert states(connection) == []
        other.execute("rollback")
        other.close()
        with database.write() as connection:
            queries.record(connection, [unreadable("1.jpg")])


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="monitor-store-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Without root's right to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o777, 0o444), (0o555, 0o444), (0o555, None)])
def test_a_read_only_database_is_named_with_the_remedy(
    open_folder: Path, folder_mode: int, file_mode: int | None
) -> None:
    file = open_folder / "monitor.db"
    if file_mode is not None:
        with opened(f"sqlite:///{file}") as database:
            upgrade(database)
        file.chmod(file_mode)
    open_folder.chmod(folder_mode)
    sentence = r"monitor\.db: (cannot be written; correct the permissions|cannot be opened; its folder must exist)"
    with as_an_ordinary_user(), opened(f"sqlite:///{file}") as database:
        with pytest.raises(StoreReadOnlyError, match=sentence) as caught, database.write() as connection:
            queries.record(connection, [unreadable("1.jpg")])
        assert caught.value.exit_code == 73


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with opened(f"sqlite:///{tmp_path}/file/monitor.db") as database:
        with pytest.raises(OutputError, match="file: the folder cannot be made: ") as caught:
            upgrade(database)
        assert caught.value.exit_code == 73


def test_a_file_that_is_no_database_is_named_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "monitor.db"
    file.write_bytes(bytes(range(256)) * 64)
    with opened(f"sqlite:///{file}") as database:
        sentence = r"monitor\.db: is damaged or not a database .* restore the last backup"
        with pytest.raises(StoreDamagedError, match=sentence) as caught:
            prepare(database)
        assert caught.value.exit_code == 65
    assert file.read_bytes() == bytes(range(256)) * 64


def test_a_damaged_database_is_named(sqlite_file: Path) -> None:
    content = bytearray(sqlite_file.read_bytes())
    content[100:4096] = b"\xa5" * 3996
    sqlite_file.write_bytes(content)
    with opened(f"sqlite:///{sqlite_file}") as database, pytest.raises(StoreDamagedError, match="is damaged"):
        require_current(database)


def test_damage_behind_the_first_page_is_found_by_the_check(sqlite_file: Path, run_monitor: RunMonitor) -> None:
    content = bytearray(sqlite_file.read_bytes())
    content[4096 * 2 : 4096 * 3] = b"\xa5" * 4096
    sqlite_file.write_bytes(content)
    with opened(f"sqlite:///{sqlite_file}") as database:
        require_current(database)
        assert damage(database)
    ended = run_monitor("db", "check", environment={"MONITOR__DATABASE__URL": f"sqlite:///{sqlite_file}"})
    assert (ended.returncode, ended.stderr) == (65, "")
    assert str(sqlite_file) in ended.stdout


def test_a_full_disk_is_named_and_leaves_what_was_there(sqlite_file: Path) -> None:
    with opened(f"sqlite:///{sqlite_file}") as database:
        with database.read() as connection:
            pages = connection.execute(text("pragma page_count")).scalar_one()
            # Holds for this connection, which the pool hands out again.
            connection.execute(text(f"pragma max_page_count = {pages + 1}"))
        rows = [unreadable(f"{number}.jpg") for number in range(4096)]
        with pytest.raises(StoreError, match="the disk is full; free some space"), database.write() as connection:
            queries.record(connection, rows)
        with database.read() as connection:
            assert connection.execute(select(func.count()).select_from(crops)).scalar_one() == 0


@pytest.mark.parametrize(
    "break_it",
    [
        lambda file: file.write_bytes(b"garbage" * 1000),
        lambda file: sqlite3.connect(file).executescript("update alembic_version set version_num = '9999'").close(),
    ],
    ids=["garbage", "newer"],
)
def test_the_command_ends_with_data_error_and_one_sentence(
    sqlite_file: Path, run_monitor: RunMonitor, break_it: Callable[[Path], None]
) -> None:
    break_it(sqlite_file)
    ended = run_monitor("status", environment={"MONITOR__DATABASE__URL": f"sqlite:///{sqlite_file}"})
    assert (ended.returncode, ended.stdout) == (65, "")
    assert re.fullmatch(r"monitor: sqlite:////.*/monitor\.db: .*\n", ended.stderr)


def test_the_command_ends_with_temporary_failure_on_a_locked_database(tmp_path: Path, run_monitor: RunMonitor) -> None:
    file = tmp_path / "state" / "monitor.db"
    file.parent.mkdir()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin exclusive")
    ended = run_monitor("db", "upgrade", environment={"MONITOR__DATABASE__BUSY_SECONDS": "0.1"})
    other.close()
    assert ended.returncode == 75, ended.stderr
    assert re.fullmatch(r"monitor: .*monitor\.db: locked by another program .*\n", ended.stderr)


@pytest.mark.parametrize("name", ["what?", "100%41", "a#b", "a b", "литьё", ":memory:"])
def test_the_database_lies_in_the_state_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.toml").write_text(f"paths.state = '{name}'", encoding="utf-8")
    configuration = load(tmp_path / "config.toml")
    with opened(configuration.database_url) as database:
        prepare(database)
        assert database.file == tmp_path / name / "monitor.db"
        assert database.description.endswith(f"/{name}/monitor.db")
    assert (tmp_path / name / "monitor.db").read_bytes().startswith(b"SQLite format 3")


# Passwords


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://monitor:geheim@localhost:port/monitor",
        "postgresql://monitor:geheim@127.0.0.1:1/monitor",
        "postgresql://127.0.0.1:1/monitor?user=monitor&password=geheim",
        "postgresql://monitor:geheim@127.0.0.1:1/monitor?nonsense=geheim",
        "postgresql://monitor:geheim@127.0.0.1:999999/monitor",
        "postgresql://monitor:1/geheim@127.0.0.1:1/monitor",
        "postgresql+psycopg://monitor:geheim@ho\u2100st/monitor",
        "postgresql://monitor:geheim@[::1/monitor",
    ],
)
def test_a_password_is_in_no_message(url: str) -> None:
    pytest.importorskip("psycopg")
    shown = []

    def connect() -> None:
        with opened(url) as database:
            shown.append(database.description)
            current_revision(database)

    with pytest.raises((StoreError, ConfigurationError)) as caught:
        connect()
    assert "geheim" not in "".join([*shown, str(caught.value)])


def test_a_server_that_refuses_the_password_does_not_print_it(
    new_postgresql_database: Callable[[], str], run_monitor: RunMonitor
) -> None:
    url = re.sub(r":[^:@/]+@", ":falsch-geheim@", new_postgresql_database())
    ended = run_monitor("db", "current", environment={"MONITOR__DATABASE__URL": url})
    assert (ended.returncode, ended.stdout) == (69, "")
    assert "password authentication failed" in ended.stderr
    assert "geheim" not in ended.stderr


def test_the_command_works_on_postgresql(new_postgresql_database: Callable[[], str], run_monitor: RunMonitor) -> None:
    environment = {"MONITOR__DATABASE__URL": new_postgresql_database()}
    upgraded = run_monitor("db", "upgrade", environment=environment)
    assert (upgraded.returncode, upgraded.stderr) == (0, "")
    checked = run_monitor("db", "check", environment=environment)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "geheim" not in upgraded.stdout + checked.stdout
    assert f"schema {SCHEMA_REVISION}, nothing is wrong" in checked.stdout
