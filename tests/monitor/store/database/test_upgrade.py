"""The schema is made, upgraded from every earlier revision, compared and refused."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import func, insert, inspect, select, text, update

import migrations
from monitor.errors import StoreDamagedError, StoreError, StoreRefusedError, StoreSchemaError
from monitor.store.consistency import failed_without_reason
from monitor.store.database.schema import (
    SCHEMA_REVISION,
    audits,
    calibrations,
    crop_tallies,
    crops,
    labelled_files,
    metadata,
    models,
    scores,
)
from monitor.store.database.upgrade import (
    current_revision,
    damage,
    differences,
    prepare,
    require_current,
    upgrade,
)
from monitor.store.decisions import ScoreRow, record
from tests.support.revisions import EARLIER, migrate
from tests.support.stored_crops import FINAL, NOW, add_model, crop, decision, finals, opened, states, unreadable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database
    from tests.conftest import RunMonitor

MIGRATIONS = Path(migrations.__path__[0])
# The columns of crops that came after the first tables.
LATER = {*FINAL, "source", "archived_path", "ctime_ns", "inode", "unusual"}


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
        record(connection, [unreadable("1.jpg")])
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
        old = [column.name for column in crops.c if column.name not in LATER]
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


def put_crops(connection: Connection, names: dict[str, str | None]) -> None:
    """Failed crops as any revision takes them, with a reason each or without one."""
    wanted = ("path", "sha256", "size_bytes", "mtime_ns", "seen_at", "error")
    rows = [{**unreadable(name)._asdict(), "error": reason and f"it is {reason}"} for name, reason in names.items()]
    values = [{name: row[name] for name in wanted} for row in rows]
    connection.execute(
        insert(crops),
        [{**row, "state": "failed", "reason": reason} for row, reason in zip(values, names.values(), strict=True)],
    )


def put_labelled_files(connection: Connection, names: dict[str, str | None]) -> None:
    wanted = ("path", "sha256", "size_bytes", "mtime_ns", "seen_at")
    rows = {name: unreadable(name)._asdict() for name in names}
    connection.execute(
        insert(labelled_files),
        [
            {**{key: rows[name][key] for key in wanted}, "label": "proliv", "reason": reason}
            for name, reason in names.items()
        ],
    )


def tallies(connection: Connection) -> dict[tuple[str, str], int]:
    """Crops by state and reason, as they are kept count of."""
    query = select(crop_tallies.c.state, crop_tallies.c.reason, func.sum(crop_tallies.c.crops))
    found = connection.execute(query.group_by(crop_tallies.c.state, crop_tallies.c.reason))
    return {(state, reason): int(count) for state, reason, count in found if count}


@pytest.mark.parametrize("revision", [revision for revision in EARLIER if revision < "0006"])
def test_failed_crops_without_a_reason_get_one_and_no_more_come(empty: Database, revision: str) -> None:
    migrate(empty, revision)
    is_counted, has_labelled_files = revision >= "0005", revision >= "0003"
    with (empty.write if is_counted else empty.rebuild)() as connection:
        put_crops(connection, {"1.jpg": None, "2.jpg": "truncated", "3.jpg": None})
    with empty.rebuild() as connection:  # in SQLite this one is not in the tallies yet
        put_crops(connection, {"4.jpg": None})
        if has_labelled_files:
            put_labelled_files(connection, {"5.jpg": None, "6.jpg": "empty"})

    assert upgrade(empty) == SCHEMA_REVISION

    assert differences(empty) == []
    with empty.read() as connection:
        found = connection.execute(select(crops.c.reason, crops.c.error).order_by(crops.c.path)).all()
        assert [row.reason for row in found] == ["undecided", "truncated", "undecided", "undecided"]
        sentence = "no model decided on it, because the active models were exchanged at that moment"
        assert [row.error for row in found] == [sentence, "it is truncated", sentence, sentence]
        assert failed_without_reason(connection) == []
        reasons = connection.execute(select(labelled_files.c.reason).order_by(labelled_files.c.path)).scalars().all()
        assert reasons == (["undecided", "empty"] if has_labelled_files else [])
        names = [check["name"] for check in inspect(connection).get_check_constraints("crops")]
        assert sorted(map(str, names)) == ["ck_crops_reason", "ck_crops_state"]
    with empty.write():
        pass  # at its end SQLite counts what is new
    with empty.read() as connection:
        assert tallies(connection) == {("failed", "undecided"): 3, ("failed", "truncated"): 1}
    with pytest.raises(StoreRefusedError, match="ck_crops_reason"), empty.write() as connection:
        put_crops(connection, {"7.jpg": None})
    migrate(empty, "0005")
    with empty.write() as connection:
        put_crops(connection, {"7.jpg": None})
        assert failed_without_reason(connection) == ["/inbox/7.jpg"]
    migrate(empty, SCHEMA_REVISION)
    assert damage(empty, full=True) == []


@pytest.mark.parametrize("revision", EARLIER)
def test_rows_of_earlier_programs_keep_what_is_known_of_their_files(empty: Database, revision: str) -> None:
    migrate(empty, revision)
    with empty.rebuild() as connection:
        put_crops(connection, {"1.jpg": "truncated"})
        if revision >= "0003":
            put_labelled_files(connection, {"2.jpg": "empty"})

    assert upgrade(empty) == SCHEMA_REVISION

    stored = unreadable("1.jpg")
    with empty.read() as connection:
        for table in (crops, labelled_files) if revision >= "0003" else (crops,):
            looks = select(table.c.size_bytes, table.c.mtime_ns, table.c.ctime_ns, table.c.inode)
            assert connection.execute(looks).all() == [(stored.size_bytes, stored.mtime_ns, None, None)]
    migrate(empty, revision)
    migrate(empty, SCHEMA_REVISION)
    assert (differences(empty), damage(empty, full=True)) == ([], [])


@pytest.mark.parametrize("revision", EARLIER)
def test_no_crop_of_an_earlier_program_is_unusual_and_every_draw_was_of_all(empty: Database, revision: str) -> None:
    migrate(empty, revision)
    with empty.rebuild() as connection:
        put_crops(connection, {"1.jpg": "truncated"})
        if revision >= "0003":
            values = {"drawn_at": NOW, "first_crop_id": 1, "last_crop_id": 1, "eligible": 1}
            connection.execute(insert(audits), values)

    assert upgrade(empty) == SCHEMA_REVISION

    with empty.read() as connection:
        assert connection.execute(select(crops.c.unusual)).scalars().all() == [False]
        assert connection.execute(select(audits.c.unusual)).scalars().all() == ([None] if revision >= "0003" else [])
    migrate(empty, "0009")
    migrate(empty, SCHEMA_REVISION)
    assert (differences(empty), damage(empty, full=True)) == ([], [])


def test_a_table_that_was_changed_by_hand_is_not_edited(sqlite_file: Path) -> None:
    with opened(f"sqlite:///{sqlite_file}") as database:
        migrate(database, "0005")
        with sqlite3.connect(sqlite_file) as connection:
            connection.execute("pragma writable_schema = on")
            connection.execute("update sqlite_master set sql = replace(sql, 'ck_crops_state', 'mine')")
        connection.close()
        with pytest.raises(StoreDamagedError, match="the table crops was changed by hand; restore the last backup"):
            upgrade(database)
        assert current_revision(database) == "0005"
        assert damage(database) == []
        with pytest.raises(StoreError, match="may not be modified"), database.write() as connection_of_ours:
            connection_of_ours.execute(text("update sqlite_master set sql = sql"))


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
    monkeypatch.setattr("monitor.store.database.upgrade.folder_of", lambda _package: copy)

    with pytest.raises(StoreError, match="nonsense"):
        upgrade(empty)

    with empty.read() as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.undo()
    assert upgrade(empty) == SCHEMA_REVISION


@pytest.mark.process
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
