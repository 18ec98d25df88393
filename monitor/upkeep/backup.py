"""Saves the database while a daemon writes to it, and everything else that is needed to go on elsewhere.

The backup is opened and checked before it gets its name; until then it lies in a folder of its own, which is removed
after a failure.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.errors import ModelDamagedError, OutputError, StoreError
from monitor.files.folders import flush, flush_folder, make_folder, unfinished_folder
from monitor.files.moving import Place, opened_folder, rename
from monitor.files.text import printable
from monitor.models import folders
from monitor.store.database import copying
from monitor.store.models import all_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow

# The names in a state folder, as which a backup with models can be used.
DATABASE_NAME: Final = "monitor.db"
CONFIGURATION_NAME: Final = "config.toml"


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved: where, its size, how many crops and models it holds.

    ``problems``: a sentence for each model that is not whole.
    """

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
    """Save the database to a file, or with its models and the configuration to a folder that can serve as a state.

    ``output``: a folder, in which the backup is named by the time ``now``, or the new name itself. ``progress`` is
    called with the number of pages that remain to be copied, and that of all. Raises `OutputError` where the backup
    cannot be written, `StoreDamagedError` where the database is damaged, and `StoreError` for a server's database;
    nothing is left behind then.
    """
    if database.file is None:
        raise StoreError(_for_a_server(database, configuration))
    output = output.absolute()
    name = f"monitor-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}{'' if with_models else '.db'}"
    # os.path and not pathlib, as it does not raise; where the folder may not be entered, making it says so below.
    target = output / name if os.path.isdir(output) else output  # noqa: PTH112
    if os.path.lexists(target):
        raise OutputError(f"{printable(target)}: is there already; a backup overwrites nothing, give another --output")
    if with_models and os.path.isfile(output / DATABASE_NAME):  # noqa: PTH113
        raise OutputError(f"{printable(output)}: is a backup or a state folder itself; give the folder for backups")
    make_folder(target.parent)
    with _unfinished(target) as folder:
        with database.read() as connection:
            models = all_models(connection)
            content = copying.copy_database(connection, folder / DATABASE_NAME, progress)
        copying.verify(folder / DATABASE_NAME, content, database.description)
        problems = []
        if with_models:
            problems = _copy_models(configuration, models, folder / "models")
            if configuration.file is not None:
                shutil.copyfile(configuration.file, folder / CONFIGURATION_NAME)
        size = sum(_flushed(path) for path in folder.rglob("*"))
        _name(folder if with_models else folder / DATABASE_NAME, target)
    return Saved(target, size, content.rows["crops"], len(models), problems)


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


def _copy_models(configuration: Configuration, rows: list[ModelRow], target: Path) -> list[str]:
    """Copy the folders of these models; returns a sentence for each that is not whole."""
    target.mkdir()
    problems = []
    for row in rows:
        name = Path(row.folder).name
        source = configuration.models / name
        if not source.exists():
            problems.append(f"{row.name}: {printable(source)} is missing, so it is not in the backup either")
            continue
        shutil.copytree(source, target / name)
        try:
            folders.verify(target / name, row.fingerprint)
        except ModelDamagedError:
            problems.append(f"{row.name}: {printable(source)} is not what was trained; it is saved as it is")
    return problems


def _flushed(path: Path) -> int:
    """Wait until a file or folder is on the disk; the bytes of a file."""
    flush(path)
    return path.stat().st_size if path.is_file() else 0


def _name(finished: Path, target: Path) -> None:
    """Give the finished backup its name, unless something else has taken the name meanwhile."""
    if finished.is_dir():
        # This replaces at most an empty folder, and never a file.
        finished.rename(target)
        flush(target.parent)
        return
    with opened_folder(finished.parent) as before, opened_folder(target.parent) as after:
        rename(Place(before, finished.name), Place(after, target.name))
        flush_folder(after)


def _for_a_server(database: Database, configuration: Configuration) -> str:
    url = database.engine.url
    place = f"--host={url.host or 'localhost'} --port={url.port or 5432} --username={url.username or 'USER'}"
    return (
        f"{database.description}: is on a server, whose own program saves it: pg_dump --format=custom "
        f"--file=monitor.dump {place} {url.database}; save {printable(configuration.models)} and the configuration too"
    )
