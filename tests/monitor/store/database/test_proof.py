"""Nothing is deleted whose row would not be there after a crash: real files, cut off and removed while in use."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from monitor.errors import StoreDoubtError
from monitor.store.database.proof import Proof
from monitor.store.database.schema import crops
from monitor.store.decisions import record
from tests.support.stored_crops import opened, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from monitor.store.database.engine import Database


@pytest.fixture
def used(sqlite_file: Path) -> Iterator[Database]:
    """A database in use, whose log holds many frames."""
    with opened(f"sqlite:///{sqlite_file}") as database:
        for number in range(20):
            store(database, f"{number}.jpg")
        yield database


def store(database: Database, name: str) -> None:
    with database.write() as connection:
        record(connection, [unreadable(name)._replace(sha256=name.partition(".")[0] * 8)])


def contents(database: Database) -> dict[int, str]:
    with database.read() as connection:
        return {row.id: row.sha256 for row in connection.execute(select(crops.c.id, crops.c.sha256))}


def log_of(database: Database, suffix: str = "wal") -> Path:
    assert database.file is not None
    return database.file.with_name(f"{database.file.name}-{suffix}")


def test_what_was_stored_is_found_by_a_new_connection(database: Database) -> None:
    proof = Proof(database)
    for name in ("1.jpg", "2.jpg"):
        store(database, name)
        proof.require(contents(database))
    proof.require({})


@pytest.mark.parametrize("wrong", [{4711: "1" * 8}, {1: "2" * 8}])
def test_a_row_that_is_missing_or_is_another_is_not_relied_on(database: Database, wrong: dict[int, str]) -> None:
    store(database, "1.jpg")
    with pytest.raises(StoreDoubtError, match=r"does not find 1 stored crops, such as number \d+"):
        Proof(database).require({**contents(database), **wrong})
    Proof(database).require(contents(database))


@pytest.mark.parametrize("mode", ["passive", "full", "restart", "truncate"])
def test_a_checkpoint_is_no_reason_to_doubt(used: Database, mode: str) -> None:
    proof = Proof(used)
    proof.require(contents(used))
    with closing(sqlite3.connect(str(used.file), isolation_level=None)) as other:
        other.execute(f"pragma wal_checkpoint({mode})")
        proof.require(contents(used))
        for name in ("a.jpg", "b.jpg"):
            store(used, name)
            proof.require(contents(used))


def remove_log(database: Database) -> None:
    log_of(database).unlink()


def empty_log(database: Database) -> None:
    os.truncate(log_of(database), 0)


def cut_log(database: Database) -> None:
    os.truncate(log_of(database), log_of(database).stat().st_size - 5000)


def remove_index(database: Database) -> None:
    log_of(database, "shm").unlink()


def cut_file(database: Database) -> None:
    assert database.file is not None
    with closing(sqlite3.connect(database.file)) as other:
        other.execute("pragma wal_checkpoint(truncate)")
    os.truncate(database.file, database.file.stat().st_size - 8192)


@pytest.mark.parametrize("damage", [remove_log, empty_log, cut_log, remove_index, cut_file])
@pytest.mark.parametrize("looked_before", [False, True], ids=["at the first look", "later"])
def test_files_that_were_removed_or_cut_off_are_not_relied_on(
    used: Database, damage: Callable[[Database], None], looked_before: bool
) -> None:
    proof = Proof(used)
    wanted = contents(used)
    if looked_before:
        proof.require(wanted)
    damage(used)
    with pytest.raises(StoreDoubtError):
        proof.require(wanted)


@pytest.mark.parametrize("damage", [remove_log, empty_log, cut_log, remove_index])
@pytest.mark.parametrize("looked_before", [False, True], ids=["at the first look", "later"])
def test_nor_is_what_was_committed_after_that(
    used: Database, damage: Callable[[Database], None], looked_before: bool
) -> None:
    """The connections that are open do not notice, and a new one may even find the last commit."""
    proof = Proof(used)
    if looked_before:
        proof.require(contents(used))
    damage(used)
    store(used, "a.jpg")
    with used.read() as connection:
        last = connection.execute(text("select id, sha256 from crops order by id desc limit 1")).one()
    with pytest.raises(StoreDoubtError):
        proof.require({last.id: last.sha256})


def test_a_log_that_was_cut_and_written_again_stays_in_doubt(used: Database) -> None:
    """A checkpoint after it leaves no trace."""
    proof = Proof(used)
    proof.require(contents(used))
    cut_log(used)
    store(used, "a.jpg")
    for _ in range(2):
        with pytest.raises(StoreDoubtError, match=r"monitor\.db: monitor\.db-wal was removed or cut off .* restart"):
            proof.require(contents(used))
        with used.read() as connection:
            connection.execute(text("select 1"))


def test_a_file_that_was_replaced_is_not_relied_on(used: Database) -> None:
    proof = Proof(used)
    wanted = contents(used)
    proof.require(wanted)
    assert used.file is not None
    copy = used.file.with_name("copy.db")
    with closing(sqlite3.connect(used.file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.rename(used.file)
    with pytest.raises(StoreDoubtError):
        proof.require(wanted)


@pytest.mark.process
def test_looking_leaves_the_locks_of_open_transactions_alone(used: Database) -> None:
    """The system drops a process's locks on a file when the process closes any descriptor of it."""
    program = """if True:
        import sqlite3, sys
        connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError as error:
            print(error)
    """
    with used.write() as connection:
        Proof(used).require({})
        record(connection, [unreadable("a.jpg")])
        ended = subprocess.run([sys.executable, "-c", program, str(used.file)], capture_output=True, text=True)
    assert ended.stdout == "database is locked\n"
