"""Deletes old decisions with their archived files; `monitor.store.retention` says which are kept whatever their age.

Crops are deleted 200 at a time, in short transactions with pauses in between, so that a daemon's decisions are not held
up. An interruption at any moment leaves nothing half done: the archived file is deleted before the row that names it,
so that a file that cannot be deleted is tried again the next time.

The age of a crop is counted from the newest crop of the inbox or from the clock, whichever is earlier, so that a line
that stands still keeps what it has. A clock that has jumped ahead is not believed until the daemon's second run
(`believed`).
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
from monitor.files.looks import look, may_be_unchanged
from monitor.files.moving import Place, opened_folder
from monitor.files.text import from_text, printable
from monitor.files.walking import unreadable_folder
from monitor.store import outbox, retention, runs
from monitor.store.database.lock import only_daemon
from monitor.store.database.proof import Proof
from monitor.store.models import all_models
from monitor.upkeep import inbox_identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database
    from monitor.store.retention import OldCrop, SummaryKey

log = logging.getLogger(__name__)

# Crops that are deleted in one transaction, which takes less than 0.1 s then in a large store on a slow disk.
BATCH: Final = 200
# A scheduled run takes the time to be at most this long after the run before it. After the daemon has stood still for
# longer, the second run catches up.
LONGEST_STEP: Final = timedelta(days=2)
# Between two transactions, for the daemon's decisions, which wait for the same lock.
PAUSE_SECONDS: Final = 0.05


@dataclass(slots=True)
class Pruned:
    """How many were deleted, or would be.

    ``crops``: with their scores. ``alarms``: only their scores, the rows are kept. ``files``: archived ones.
    ``in_inbox``: crops that are old enough, but are kept as their file still lies in the inbox. ``undeleted``: crops
    that are kept as their archived file cannot be deleted. ``summaries``: hours of single holes. ``messages``: those
    about alarms that are closed, which every sink has.
    """

    crops: int = 0
    alarms: int = 0
    files: int = 0
    in_inbox: int = 0
    undeleted: int = 0
    summaries: int = 0
    messages: int = 0

    @property
    def sentence(self) -> str:
        """The outcome in a few words."""
        words = (
            f"{self.crops} crops, the scores of {self.alarms} alarms, {self.files} archived files and {self.summaries} "
            "hourly summaries deleted"
        )
        if self.messages:
            words += f"; so are {self.messages} delivered messages about alarms"
        if self.in_inbox:
            words += f"; {self.in_inbox} old crops are kept because their files lie in the inbox"
        if self.undeleted:
            words += f"; {self.undeleted} are kept because their archived files cannot be deleted"
        return words


def prune(
    database: Database,
    configuration: Configuration,
    keep_days: float,
    now: datetime,
    *,
    dry_run: bool = False,
    accept_inbox: bool = False,
    count: Callable[[int], None] = lambda _crops: None,
) -> Pruned:
    """Delete what is older than ``keep_days``; ``count`` is called with the crops of each transaction.

    ``accept_inbox``: a person has said that the inbox is the folder that is there now.
    Raises `ConfigurationError` where something that is configured looks back further, `InputMissingError` where the
    inbox cannot be read or may be another folder, because it is unknown then which files the daemon would decide again,
    and `StoreDoubtError` where the database may not hold what it seems to.
    """
    refuse_shorter(configuration, keep_days, "--keep-days")
    try:
        os.scandir(configuration.inbox).close()
    except OSError as error:
        raise unreadable_folder(configuration.inbox, error) from error
    done = Pruned()
    with database.read() as connection:
        newest = retention.newest_seen(connection)
        models = all_models(connection)
    if newest is None:
        return done
    before = min(now, newest) - timedelta(days=keep_days)
    if accept_inbox and not dry_run:
        inbox_identity.confirm(database, configuration, now)
    elif not accept_inbox:
        inbox_identity.require_inbox(database, configuration, before=before, now=now)
    _prune_crops(database, configuration, before, done, dry_run=dry_run, count=count)
    for model in models:
        _prune_summaries(database, configuration, model.id, before, done, dry_run=dry_run)
    _prune_messages(database, configuration, before, done, dry_run=dry_run)
    return done


def believed(database: Database, run_id: int, now: datetime) -> datetime:
    """What a scheduled run takes the time to be: at most two days after the run before it.

    When a clock has jumped ahead, the newest crops have its time as well. This leaves a day to correct the clock before
    everything looks old.
    """
    with database.read() as connection:
        last = runs.started_before(connection, run_id)
    return min(now, last + LONGEST_STEP) if last else now


def refuse_shorter(configuration: Configuration, keep_days: float, source: str) -> None:
    """Raise `ConfigurationError` where decisions would be deleted that a configured feature looks back at.

    ``source`` names the option or key that the number of days comes from.
    """
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
    proof = Proof(database)
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
        # A row whose deletion is lost would come back without its file.
        proof.require({crop.id: crop.sha256 for crop in going})
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
    """Whether the crop's file may lie unchanged in the inbox, so that the daemon would decide it again."""
    path = from_text(crop.path)
    return path.is_relative_to(inbox) and may_be_unchanged(look(path), crop)


def _delete_file(configuration: Configuration, crop: OldCrop, done: Pruned) -> bool:
    """Delete a crop's archived file; whether it is gone now."""
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
            # Another content is not this crop's: its own file may have gone before it was moved, and left the place to
            # another crop.
            if status.st_size == crop.size_bytes and moving.digest(place) == crop.sha256:
                os.unlink(place.name, dir_fd=folder)
                done.files += 1
    except FileNotFoundError:
        return True
    except OSError as error:
        if not done.undeleted:
            log.error(  # noqa: TRY400
                "%s: cannot be deleted: %s; its decision is kept too, and so are others that have the same trouble",
                printable(path), error.strerror,
            )  # fmt: skip
        done.undeleted += 1
        return False
    return True


def _prune_messages(
    database: Database, configuration: Configuration, before: datetime, done: Pruned, *, dry_run: bool
) -> None:
    after = 0
    sinks = configuration.settings.alarms.sinks
    while True:
        with database.read() as connection:
            batch = outbox.old(connection, before, sinks, after=after, most=BATCH)
        if not batch:
            return
        after = batch[-1]
        done.messages += len(batch)
        if not dry_run:
            with database.write() as connection:
                outbox.forget(connection, batch)
            time.sleep(PAUSE_SECONDS)


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
    """Raise `StoreError` where `vacuum` cannot work: for a server's database, and while a daemon runs."""
    if database.file is None:
        raise StoreError(
            f"{database.description}: is on a server, which frees disk space by itself; leave out --vacuum"
        )
    with only_daemon(database):
        return


def vacuum(database: Database) -> tuple[int, int]:
    """Make a SQLite file as small as possible; return its bytes before and after.

    The file is rewritten, which needs as much space again for a while, and no daemon may run. Without this, the file
    keeps its size and its free space is used again.
    """
    assert database.file is not None
    before = database.file.stat().st_size
    with only_daemon(database):
        database.vacuum()
    return before, database.file.stat().st_size
