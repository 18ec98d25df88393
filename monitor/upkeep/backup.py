"""Saves the database while a daemon writes to it, and all else that is needed to go on elsewhere.

SQLite copies the pages of one moment: the copy is made within one reading transaction, beside which the daemon writes
on into its log, so that it is never begun again, however busy the daemon is. What is saved is opened and checked
before it gets its name; until then it lies in a folder of its own, which a failure takes away again.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from monitor.errors import ModelDamagedError, OutputError, StoreDamagedError, StoreError
from monitor.files.folders import flush, make_folder, unfinished_folder
from monitor.files.moving import Place, opened_folder, rename
from monitor.files.text import printable
from monitor.models import folders
from monitor.store import models as store_models
from monitor.store.database.schema import SCHEMA_REVISION, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Connection

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow

PAGES: Final = 4096
"""So many pages, 16 MiB, are copied between two looks at whether somebody wants it to end."""
DATABASE_NAME: Final = "monitor.db"
CONFIGURATION_NAME: Final = "config.toml"


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved, where, with how many rows; ``problems``: models that are not whole, a sentence each."""

    path: Path
    size_bytes: int
    crops: int
    models: int
    problems: list[str] = field(default_factory=list)


def backup(
    database: Database,
    configuration: Configuration,
    output: Path,
    now: datetime,
    *,
    with_models: bool,
    progress: Callable[[int, int], None] = lambda _remaining, _total: None,
) -> Saved:
    """Save the database to a file, or with its models and the configuration to a folder that is ready to be a state.

    ``output``: a folder, in which the name is made from the time, or the new name itself. Raises `OutputError` where
    it cannot be written; nothing is left behind then. ``progress`` is told of the pages that remain, and of all.
    """
    if database.file is None:
        raise StoreError(_for_a_server(database, configuration))
    output = output.absolute()
    name = f"monitor-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}{'' if with_models else '.db'}"
    # Neither raises; what may not be entered is told of when the folder is made.
    target = output / name if os.path.isdir(output) else output  # noqa: PTH112
    if os.path.lexists(target):
        raise OutputError(f"{printable(target)}: is there already; a backup overwrites nothing, give another --output")
    if with_models and os.path.isfile(output / DATABASE_NAME):  # noqa: PTH113 - as above
        raise OutputError(f"{printable(output)}: is a backup or a state folder itself; give the folder for backups")
    make_folder(target.parent)
    with _unfinished(target) as folder:
        rows = _copy_database(database, folder / DATABASE_NAME, progress)
        problems = []
        if with_models:
            problems = _copy_models(configuration, rows.models, folder / "models")
            if configuration.file is not None:
                shutil.copyfile(configuration.file, folder / CONFIGURATION_NAME)
        size = sum(_flushed(path) for path in folder.rglob("*"))
        _name(folder if with_models else folder / DATABASE_NAME, target)
    return Saved(target, size, rows.counts["crops"], len(rows.models), problems)


@dataclass(frozen=True, slots=True)
class _Rows:
    counts: dict[str, int]
    models: list[ModelRow]


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """An unfinished folder beside the target; what the system refuses becomes an `OutputError`."""
    try:
        with unfinished_folder(target.parent) as folder:
            yield folder
    except OSError as error:
        raise OutputError(f"{printable(target)}: cannot be written: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    # Copying a folder gives one error with all that happened in it, as text alone.
    if error.errno == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error):
        return "the disk is full; free some space or write elsewhere; nothing was saved"
    return f"{error.strerror or error}; nothing was saved, give another --output"


def _copy_database(database: Database, target: Path, progress: Callable[[int, int], None]) -> _Rows:
    with database.read() as connection:
        # Counting begins the view of one moment, which the copy is then made of: a copy outside of a transaction
        # is begun anew whenever the daemon writes.
        rows = _Rows(_count(connection), store_models.all_models(connection))
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                # It is flushed whole at the end; until then it may be lost.
                copy.execute("pragma synchronous = off")
                source.backup(copy, pages=PAGES, progress=lambda _status, remaining, total: progress(remaining, total))
                # One file alone, without a log beside it.
                copy.execute("pragma journal_mode = delete")
        except sqlite3.Error as error:
            raise _copy_error(error) from error
    _verify(database, target, rows)
    return rows


def _copy_error(error: sqlite3.Error) -> OSError | StoreError:
    """The source could be read just before, so that what fails is the copy, unless the source is damaged."""
    if "malformed" in str(error):
        return StoreDamagedError(f"the database is damaged ({error}); see: monitor db check")
    full = "full" in str(error)
    return OSError(errno.ENOSPC if full else errno.EIO, os.strerror(errno.ENOSPC) if full else str(error))


def _verify(database: Database, copy: Path, rows: _Rows) -> None:
    """Open the copy and hold it against what was counted; raises `StoreDamagedError`."""
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            found = [str(row[0]) for row in connection.execute("pragma integrity_check(3)")]
            (revision,) = connection.execute("select version_num from alembic_version").fetchone()
            counts = {
                name: connection.execute(f"select count(*) from {name}").fetchone()[0]  # noqa: S608 - our own tables
                for name in rows.counts
            }
        except sqlite3.Error as error:
            found, revision, counts = [str(error)], SCHEMA_REVISION, rows.counts
    if found != ["ok"]:
        raise StoreDamagedError(
            f"{database.description}: the copy is damaged ({'; '.join(found)}) and was removed; see whether the "
            "database itself is: monitor db check --full"
        )
    if revision != SCHEMA_REVISION or counts != rows.counts:
        raise StoreDamagedError(
            f"{database.description}: the copy does not hold what the database does and was removed; try again"
        )


def _count(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


def _copy_models(configuration: Configuration, rows: list[ModelRow], target: Path) -> list[str]:
    """Copy the folders of these models; return a sentence for each that is not whole."""
    target.mkdir()
    problems = []
    for row in rows:
        name = Path(row.folder).name
        source = configuration.models / name
        if not source.exists():
            problems.append(f"{row.name}: {printable(source)} is missing, so the backup lacks it as well")
            continue
        shutil.copytree(source, target / name)
        try:
            folders.verify(target / name, row.fingerprint)
        except ModelDamagedError:
            problems.append(f"{row.name}: {printable(source)} is not what was trained; it is saved as it is")
    return problems


def _flushed(path: Path) -> int:
    """Wait until it is on the disk; its size."""
    flush(path)
    return path.stat().st_size if path.is_file() else 0


def _name(finished: Path, target: Path) -> None:
    """Give what is finished its name, unless something got it meanwhile."""
    if finished.is_dir():
        # Which replaces an empty folder at most, and no file.
        finished.rename(target)
        flush(target.parent)
        return
    with opened_folder(finished.parent) as before, opened_folder(target.parent) as after:
        rename(Place(before, finished.name), Place(after, target.name))
        os.fsync(after)


def _for_a_server(database: Database, configuration: Configuration) -> str:
    url = database.engine.url
    place = f"--host={url.host or 'localhost'} --port={url.port or 5432} --username={url.username or 'USER'}"
    return (
        f"{database.description}: is on a server, whose own program saves it: pg_dump --format=custom "
        f"--file=monitor.dump {place} {url.database}; save {printable(configuration.models)} and the configuration too"
    )
