"""The kernel's file events, which nudge a watcher to look at a file before the next scan comes to it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent, FileSystemEventHandler
from watchdog.observers import Observer

from monitor.files.text import printable
from monitor.files.walking import is_crop_path
from monitor.inbox.messages import Touched

if TYPE_CHECKING:
    from pathlib import Path

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

    from monitor.inbox.messages import Mailbox

log = logging.getLogger(__name__)

# Events beyond this many are dropped, as the kernel does with its own queue: the scan finds their files.
MAILBOX_LIMIT: Final = 100_000


class Nudges:
    """Asks the kernel for the events of a folder and its sub-folders, and puts them into a watcher's mailbox."""

    def __init__(self, folder: Path, mailbox: Mailbox, scan_seconds: float) -> None:
        """``scan_seconds``: how often the folder is scanned, which is said where the kernel gives no events."""
        self._folder = folder
        self._mailbox = mailbox
        self._scan_seconds = scan_seconds
        self._observer: BaseObserver | None = None
        # (device, inode) of the folder that is observed.
        self._observed: tuple[int, int] | None = None
        self._has_warned = False

    def observe(self) -> None:
        """Ask for events; ask again where the folder was replaced by another one, or the last attempt failed."""
        status = self._folder.stat()
        folder = (status.st_dev, status.st_ino)
        if self._observed == folder and self.is_observing():
            return
        self.unobserve()
        observer = Observer()
        try:
            observer.schedule(
                _Handler(self._folder, self._mailbox),
                str(self._folder),
                recursive=True,
                event_filter=[FileClosedEvent, FileMovedEvent, FileCreatedEvent],
            )
            observer.start()
        except OSError as error:
            log.log(
                logging.DEBUG if self._has_warned else logging.WARNING,
                "%s: the kernel gives no file events (%s); crops are found by the scan alone, "
                "up to %g s later; raise fs.inotify.max_user_watches or max_user_instances",
                printable(self._folder),
                error,
                self._scan_seconds,
            )
            self._has_warned = True
            return
        self._has_warned = False
        self._observer = observer
        self._observed = folder

    def is_observing(self) -> bool:
        """Whether events still come."""
        # watchdog's emitter ends when its folder is removed, even where the next folder gets the same inode.
        observer = self._observer
        return observer is not None and all(emitter.is_alive() for emitter in observer.emitters)

    def unobserve(self) -> None:
        """End watchdog's threads, if there are any."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


class _Handler(FileSystemEventHandler):
    """Runs in a thread of watchdog."""

    def __init__(self, folder: Path, mailbox: Mailbox) -> None:
        self._folder = os.fspath(folder)
        self._mailbox = mailbox

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass on the path of a crop, under its new name where it was renamed."""
        path = os.fsdecode(event.dest_path if isinstance(event, FileMovedEvent) else event.src_path)
        if is_crop_path(path, self._folder) and self._mailbox.qsize() < MAILBOX_LIMIT:
            self._mailbox.put(Touched(path))
