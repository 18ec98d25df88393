"""Whether the inbox is the folder that crops were decided in.

A crop whose file is not in the inbox any more may be forgotten; one whose file is would be decided once more. When the
share of the inbox is not mounted, another folder is in its place, which is empty: the one below it, or a new one that
the daemon has made. So the folder is known by its inode, another one is believed only for what lies in it, and where
files stay in the inbox, none is believed that is empty.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from monitor.errors import InboxDoubtError, MonitorError
from monitor.files.looks import Looks, look, may_be_unchanged
from monitor.files.text import from_text, printable, to_text
from monitor.files.walking import unreadable_folder
from monitor.store.watched_folders import WatchedFolder, known_inbox, note_inbox, witnesses

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.configuration.resolved import Configuration
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# How many of the first and of the last crops are looked for.
MOST_WITNESSES: Final = 1000


def note(database: Database, configuration: Configuration, now: datetime) -> None:
    """At the start of the daemon: know the inbox, if none is known and nothing speaks against the folder there is."""
    try:
        found = _folder(configuration)
        with database.read() as connection:
            known = known_inbox(connection)
        if (known is None or known.path != found.path) and _is_believed(database, configuration):
            with database.write() as connection:
                note_inbox(connection, found, now)
    except MonitorError as error:
        log.debug("which folder the inbox is was not noted: %s", error)


def require_inbox(database: Database, configuration: Configuration, *, before: datetime, now: datetime) -> None:
    """Raise `InboxDoubtError` unless the inbox is the folder that crops were decided in; it is known from then on.

    ``before``: crops that were seen before then are to be deleted. If another folder was known, this one is believed
    where the file of such a crop lies in it: it has been the inbox for longer than crops are kept. Raises
    `InputMissingError` where the inbox cannot be read.
    """
    found = _folder(configuration)
    with database.read() as connection:
        known = known_inbox(connection)
    if known is not None and known.path != found.path:
        known = None
    is_same = known is not None and known.inode == found.inode
    if known is not None and is_same and known.confirmed:
        return
    if not _is_believed(database, configuration, before=None if known is None or is_same else before):
        raise InboxDoubtError(
            f"{printable(configuration.inbox)}: this may not be the folder that crops were decided in, because none of "
            "their files is left here; is its share mounted? If it is the inbox and the files are gone, confirm that "
            "once: monitor db prune --accept-inbox"
        )
    if not is_same:
        with database.write() as connection:
            note_inbox(connection, found, now)


def confirm(database: Database, configuration: Configuration, now: datetime) -> None:
    """A person says that the folder that is there is the inbox; raises `InputMissingError` where there is none."""
    found = _folder(configuration)
    with database.write() as connection:
        note_inbox(connection, found._replace(confirmed=True), now)


def _is_believed(database: Database, configuration: Configuration, *, before: datetime | None = None) -> bool:
    """Whether the folder holds the file of a crop that was seen before then, or of any, or need not hold any."""
    with database.read() as connection:
        found = witnesses(connection, MOST_WITNESSES, before=before)
    here = [one for one in found if from_text(one.path).is_relative_to(configuration.inbox)]
    if before is None and (not here or configuration.settings.inbox.after != "keep"):
        return True
    return any(may_be_unchanged(look(from_text(crop.path)), crop) for crop in here)


def _folder(configuration: Configuration) -> WatchedFolder:
    inbox = configuration.inbox
    try:
        os.scandir(inbox).close()
        inode = Looks.of(inbox.stat()).stored.inode
    except OSError as error:
        raise unreadable_folder(inbox, error) from error
    assert inode is not None
    return WatchedFolder(to_text(inbox), inode)
