"""The kernel's file events, which nudge a watcher to look at a file before the next scan comes to it.

They only help. Whatever goes wrong with them (no free inotify instance, no watch left for a sub-folder, folders nested
too deep for the library, no memory), the scan finds every file all the same.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent, FileSystemEventHandler
from watchdog.observers import Observer

from monitor.files.ignoring import NOTHING
from monitor.files.text import printable
from monitor.files.walking import is_crop_path
from monitor.inbox.messages import Touched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

    from monitor.files.ignoring import IgnoredNames
    from monitor.inbox.messages import Mailbox

log = logging.getLogger(__name__)

# Events beyond this many are dropped, as the kernel does with its own queue: the scan finds their files.
MAILBOX_LIMIT: Final = 100_000
# While there are no events, the pause until the kernel is asked again doubles up to this: asking walks every folder.
LONGEST_PAUSE_SECONDS: Final = 600.0
# How long to wait for a thread of watchdog to end.
JOIN_SECONDS: Final = 5.0
# Of inotify(7).
IN_DELETE_SELF: Final = 0x400
NO_WATCH_LEFT: Final = OSError(errno.ENOSPC, "inotify watch limit reached")


class Nudges:
    """Asks the kernel for the events of a folder and its sub-folders, and puts them into a watcher's mailbox."""

    def __init__(self, folder: Path, mailbox: Mailbox, scan_seconds: float, ignored: IgnoredNames = NOTHING) -> None:
        """``scan_seconds``: how often the folder is scanned, which is said where the kernel gives no events."""
        self._folder = folder
        self._handler = _Handler(folder, mailbox, ignored)
        self._scan_seconds = scan_seconds
        self._observer: BaseObserver | None = None
        self._threads: Sequence[threading.Thread] = ()
        # (device, inode) of the folder that is observed.
        self._observed: tuple[int, int] | None = None
        # The kernel had no watch left, so sub-folders may be without.
        self._lacks_watches = False
        self._has_warned = False
        self._pause = scan_seconds
        self._ask_again_at = 0.0

    def observe(self) -> None:
        """Ask for events; ask again where the folder was replaced by another one, or some time after a failure.

        Raises nothing: without events, the scan alone finds the files.
        """
        try:
            status = self._folder.stat()
            folder = (status.st_dev, status.st_ino)
            is_due = time.monotonic() >= self._ask_again_at
            if self._observed == folder and self._is_alive() and not (self._lacks_watches and is_due):
                self._notice_lack()
                return
            ended_by = next((error for thread in self._threads if (error := _ended_by.get(thread))), None)
            self.unobserve()
            if ended_by is not None:
                self._go_without(ended_by)
            elif is_due:
                self._begin()
                self._observed = folder
                self._notice_lack()
                if not self._lacks_watches:
                    self._has_warned = False
                    self._pause = self._scan_seconds
        except Exception as error:  # noqa: BLE001 - RecursionError, MemoryError, no thread to be had: the scan goes on
            self._go_without(error)

    def is_observing(self) -> bool:
        """Whether events still come from every sub-folder; may be asked from any thread."""
        return self._is_alive() and not self._lacks_watches

    def _is_alive(self) -> bool:
        # watchdog's emitter ends when its folder is removed, even where the next folder gets the same inode.
        threads = self._threads
        return bool(threads) and all(thread.is_alive() for thread in threads)

    def unobserve(self) -> None:
        """End watchdog's threads, if there are any."""
        observer, self._observer, self._threads = self._observer, None, ()
        self._lacks_watches = False
        if observer is not None:
            # It is not asked for anything any more, so nothing is lost by what it raises.
            with suppress(Exception):
                observer.stop()
                observer.join(JOIN_SECONDS)

    def _begin(self) -> None:
        _note_failures()
        before = set(threading.enumerate())
        self._observer = observer = Observer()
        observer.schedule(
            self._handler,
            str(self._folder),
            recursive=True,
            event_filter=[FileClosedEvent, FileMovedEvent, FileCreatedEvent],
        )
        observer.start()
        self._threads = [one for one in threading.enumerate() if one not in before and _is_watchdogs(one)]

    def _notice_lack(self) -> None:
        """Notice that the kernel has no watch left: watchdog then leaves out sub-folders, and says nothing."""
        if not self._lacks_watches and _is_limit_reached(self._folder) and _has_sub_folder(self._folder):
            self._lacks_watches = True
            self._ask_again_later(NO_WATCH_LEFT, " in some sub-folders")

    def _go_without(self, error: BaseException) -> None:
        self.unobserve()
        self._ask_again_later(error)

    def _ask_again_later(self, error: BaseException, where: str = "") -> None:
        self._ask_again_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        log.log(
            logging.DEBUG if self._has_warned else logging.WARNING,
            "%s: the kernel gives no file events%s (%s); crops%s are found by the scan alone, up to %g s later; %s",
            printable(self._folder), where, error or type(error).__name__, " there" if where else "",
            self._scan_seconds, _remedy(error),
        )  # fmt: skip
        self._has_warned = True


class _Handler(FileSystemEventHandler):
    """Runs in a thread of watchdog."""

    def __init__(self, folder: Path, mailbox: Mailbox, ignored: IgnoredNames = NOTHING) -> None:
        self._folder = os.fspath(folder)
        self._mailbox = mailbox
        self._ignored = ignored

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass on the path of a crop, under its new name where it was renamed."""
        path = os.fsdecode(event.dest_path if isinstance(event, FileMovedEvent) else event.src_path)
        if is_crop_path(path, self._folder, self._ignored) and self._mailbox.qsize() < MAILBOX_LIMIT:
            self._mailbox.put(Touched(path))


_libc: Final = ctypes.CDLL(None, use_errno=True)


def _is_limit_reached(folder: Path) -> bool:
    """Whether the kernel refuses one more watch."""
    descriptor = _libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        return False
    try:
        is_refused = _libc.inotify_add_watch(descriptor, os.fsencode(folder), IN_DELETE_SELF) < 0
        return is_refused and ctypes.get_errno() == errno.ENOSPC
    finally:
        os.close(descriptor)


def _has_sub_folder(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.is_dir(follow_symlinks=False) for entry in entries)


def _remedy(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "move folders that are nested this deep further up"
    if isinstance(error, OSError):
        return "raise fs.inotify.max_user_watches or max_user_instances"
    return "it is tried again"


# By which error each thread of watchdog has ended; the library itself would print it and say no more.
_ended_by: WeakKeyDictionary[threading.Thread, BaseException] = WeakKeyDictionary()


def _is_watchdogs(thread: threading.Thread | None) -> bool:
    return type(thread).__module__.partition(".")[0] == "watchdog"


def _note_failures() -> None:
    """From now on, note by which error a thread of watchdog ends."""
    before = threading.excepthook
    if getattr(before, "notes_watchdogs", False):
        return

    def note(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is not None and arguments.exc_value is not None and _is_watchdogs(arguments.thread):
            _ended_by[arguments.thread] = arguments.exc_value
        else:
            before(arguments)

    note.notes_watchdogs = True  # type: ignore[attr-defined] # so that it is put there once
    threading.excepthook = note
