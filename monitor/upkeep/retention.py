"""Deletes decisions that nobody needs any more, with their archived files; what stays is told in `store.retention`.

Crops go a few hundred at a time, each in a short transaction of its own with a pause after it, so that a daemon's
decisions are not held up, and an interruption at any moment leaves nothing half done: an archived file goes first, and
then the row that names it, so that what cannot be deleted today is tried again the next time.

How old a crop is, is told from the newest crop or the clock, whichever is earlier: a line that stands keeps what it
has. A clock that has jumped ahead is not believed before the daemon's second run (`believed`).
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from monitor.errors import ConfigurationError, StoreError
from monitor.files import moving
from monitor.files.looks import is_unchanged, look
from monitor.files.moving import Place, opened_folder
from monitor.files.text import from_text, printable
from monitor.files.walking import unreadable_folder
from monitor.store import models as store_models
from monitor.store import retention, runs
from monitor.store.database.lock import only_daemon

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database
    from monitor.store.retention import OldCrop, SummaryKey

log = logging.getLogger(__name__)

BATCH: Final = 200
"""Crops that are deleted in one transaction, so that it takes less than 0.1 s in a large store on a slow disk."""
LONGEST_STEP: Final = timedelta(days=2)
"""By so much at most the time goes on from one scheduled run to the next; after a standstill the second catches up."""
PAUSE_SECONDS: Final = 0.05
"""In which the daemon's decisions, which wait for the same lock, go first."""


@dataclass(slots=True)
class Pruned:
    """What was deleted, or would be.

    ``crops``: with their scores. ``alarms``: of those the scores, the row stays. ``files``: archived ones.
    ``in_inbox``: crops that are old enough but whose file still lies in the inbox. ``undeleted``: crops whose archived
    file cannot be deleted. ``summaries``: hours of single holes.
    """

    crops: int = 0
    alarms: int = 0
    files: int = 0
    in_inbox: int = 0
    undeleted: int = 0
    summaries: int = 0

    @property
    def sentence(self) -> str:
        """The outcome in a few words."""
        words = (
            f"{self.crops} crops, the scores of {self.alarms} alarms, {self.files} archived files and {self.summaries} "
            "hourly summaries deleted"
        )
        if self.in_inbox:
            words += f"; {self.in_inbox} old crops stay, for their files lie in the inbox"
        if self.undeleted:
            words += f"; {self.undeleted} stay, for their archived files cannot be deleted"
        return words


def prune(
    database: Database,
    configuration: Configuration,
    keep_days: float,
    now: datetime,
    *,
    dry_run: bool = False,
    count: Callable[[int], None] = lambda _crops: None,
) -> Pruned:
    """Delete what is older than ``keep_days``; ``count`` is told of crops as they go.

    Raises `ConfigurationError` where something that is configured looks back further, and `InputMissingError` where
    the inbox cannot be read: nobody could say then which files the daemon would decide on once more.
    """
    refuse_shorter(configuration, keep_days, "--keep-days")
    try:
        os.scandir(configuration.inbox).close()
    except OSError as error:
        raise unreadable_folder(configuration.inbox, error) from error
    done = Pruned()
    with database.read() as connection:
        newest = retention.newest_seen(connection)
        models = store_models.all_models(connection)
    if newest is None:
        return done
    before = min(now, newest) - timedelta(days=keep_days)
    _prune_crops(database, configuration, before, done, dry_run=dry_run, count=count)
    for model in models:
        _prune_summaries(database, configuration, model.id, before, done, dry_run=dry_run)
    return done


def believed(database: Database, run_id: int, now: datetime) -> datetime:
    """What a scheduled run takes for the time: no more than two days after the run before it.

    A clock that has jumped ahead makes the newest crops look as late; it has a day to be mended before all looks old.
    """
    with database.read() as connection:
        last = runs.started_before(connection, run_id)
    return min(now, last + LONGEST_STEP) if last else now


def refuse_shorter(configuration: Configuration, keep_days: float, source: str) -> None:
    """Raise `ConfigurationError` where decisions would go that something looks back at."""
    problem = configuration.settings.keeps_too_short(keep_days)
    if problem is not None:
        raise ConfigurationError(f"{source}: {problem}")


def _prune_crops(
    database: Database,
    configuration: Configuration,
    before: datetime,
    done: Pruned,
    *,
    dry_run: bool,
    count: Callable[[int], None],
) -> None:
    with database.read() as connection:
        last = retention.last_old_id(connection, before)
    after = 0
    while True:
        with database.read() as connection:
            batch = retention.old_crops(connection, before, after=after, until=last, most=BATCH)
        if not batch:
            return
        after = batch[-1].id
        going = [crop for crop in batch if not _lies_in(configuration.inbox, crop)]
        done.in_inbox += len(batch) - len(going)
        if dry_run:
            done.crops += sum(not crop.alarm for crop in going)
            done.alarms += sum(crop.alarm for crop in going)
            done.files += sum(crop.archived_path is not None for crop in going)
            continue
        deleted = [crop for crop in going if _delete_file(configuration, crop, done)]
        if not deleted:
            continue
        with database.write() as connection:
            crops, alarms = retention.forget(connection, before, [crop.id for crop in deleted])
        done.crops += crops
        done.alarms += alarms
        count(crops)
        time.sleep(PAUSE_SECONDS)


def _lies_in(inbox: Path, crop: OldCrop) -> bool:
    """Whether the crop's file lies in the inbox as it was, so that the daemon would decide on it once more."""
    path = from_text(crop.path)
    return path.is_relative_to(inbox) and is_unchanged(look(path), crop)


def _delete_file(configuration: Configuration, crop: OldCrop, done: Pruned) -> bool:
    """Delete a crop's archived file; whether there is none any more."""
    if crop.archived_path is None:
        return True
    path = from_text(crop.archived_path)
    archive = configuration.archive
    root, below = (
        (archive, path.relative_to(archive).parts)
        if archive and path.is_relative_to(archive)
        else (path.parent, (path.name,))
    )
    try:
        with opened_folder(root, below[:-1]) as folder:
            place = Place(folder, below[-1])
            status = moving.status_of(place)
            if status is None:
                return True
            # Whatever else lies there now is none of ours: another crop's, where ours was gone before it was moved.
            if status.st_size == crop.size_bytes and moving.digest(place) == crop.sha256:
                os.unlink(place.name, dir_fd=folder)
                done.files += 1
    except FileNotFoundError:
        return True
    except OSError as error:
        if not done.undeleted:
            log.error(  # noqa: TRY400
                "%s: cannot be deleted: %s; its decision is kept as well, and that of others like it",
                printable(path), error.strerror,
            )  # fmt: skip
        done.undeleted += 1
        return False
    return True


def _prune_summaries(
    database: Database, configuration: Configuration, model_id: int, before: datetime, done: Pruned, *, dry_run: bool
) -> None:
    settings = configuration.settings.drift
    with database.read() as connection:
        baseline = retention.baseline_keys(
            connection, model_id, before, least_crops=settings.least_crops, baseline_hours=settings.baseline_hours
        )
    after: SummaryKey | None = None
    while True:
        with database.read() as connection:
            batch = retention.old_summaries(connection, model_id, before, after=after, most=BATCH)
        if not batch:
            return
        after = batch[-1]
        going = [key for key in batch if key not in baseline]
        done.summaries += len(going)
        if going and not dry_run:
            with database.write() as connection:
                retention.forget_summaries(connection, model_id, going)
            time.sleep(PAUSE_SECONDS)


def refuse_vacuum(database: Database) -> None:
    """Raise `StoreError` for a server's database, which makes itself smaller, and where a daemon runs."""
    if database.file is None:
        raise StoreError(
            f"{database.description}: is on a server, which gives space back by itself; leave out --vacuum"
        )
    with only_daemon(database):
        return


def vacuum(database: Database) -> tuple[int, int]:
    """Make a SQLite file as small as can be; return its bytes before and after.

    It is written anew, which needs as much space again for a while, and no daemon may run. Without, the space of what
    was deleted is used again.
    """
    assert database.file is not None
    before = database.file.stat().st_size
    with only_daemon(database):
        database.vacuum()
    return before, database.file.stat().st_size
