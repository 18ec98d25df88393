"""The kernel's file events, which nudge a watcher to look at a file before the next scan comes to it.

They only help. Whatever goes wrong with them (no free inotify instance, no watch left for a sub-folder, no memory), the
scan finds every file all the same.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from monitor.files.ignoring import NOTHING
from monitor.files.text import printable
from monitor.files.walking import is_crop_path
from monitor.inbox.folder_events import FolderEvents
from monitor.inbox.messages import Touched

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.files.ignoring import IgnoredNames
    from monitor.inbox.messages import Mailbox

log = logging.getLogger(__name__)

# Events beyond this many are dropped, as the kernel does with its own queue: the scan finds their files.
MAILBOX_LIMIT: Final = 100_000
# While there are no events, the pause until the kernel is asked again doubles up to this: asking walks every folder.
LONGEST_PAUSE_SECONDS: Final = 600.0
# How long to wait for the thread that reads them to end.
JOIN_SECONDS: Final = 5.0


class Nudges:
    """Asks the kernel for the events of a folder and its sub-folders, and puts them into a watcher's mailbox."""

    def __init__(self, folder: Path, mailbox: Mailbox, scan_seconds: float, ignored: IgnoredNames = NOTHING) -> None:
        """``scan_seconds``: how often the folder is scanned, which is said where the kernel gives no events."""
        self._folder = folder
        self._mailbox = mailbox
        self._scan_seconds = scan_seconds
        self._ignored = ignored
        self._events: FolderEvents | None = None
        # (device, inode) of the folder that is observed.
        self._observed: tuple[int, int] | None = None
        self._has_told_of_lack = False
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
            if self._observed == folder and self._is_alive() and not (self._has_told_of_lack and is_due):
                self._notice_lack()
                return
            ended_by = self._events.ended_by if self._events else None
            self.unobserve()
            if ended_by is not None:
                self._go_without(ended_by)
            elif is_due:
                self._begin()
                self._observed = folder
                self._notice_lack()
                if not self._has_told_of_lack:
                    self._has_warned = False
                    self._pause = self._scan_seconds
        except Exception as error:  # noqa: BLE001 - MemoryError, no thread to be had: the scan goes on
            self._go_without(error)

    def is_observing(self) -> bool:
        """Whether events still come from every sub-folder; may be asked from any thread."""
        events = self._events
        return events is not None and events.is_alive() and events.lacks is None

    def _is_alive(self) -> bool:
        # The thread ends when its folder is removed, even where the next folder gets the same inode.
        return self._events is not None and self._events.is_alive()

    def unobserve(self) -> None:
        """End the thread that reads the events, if there is one."""
        events, self._events = self._events, None
        self._has_told_of_lack = False
        if events is not None:
            _end(events)

    def _begin(self) -> None:
        events = FolderEvents(self._folder, self._touch, self._ignored)
        try:
            events.start()
            events.watch()
        except BaseException:
            _end(events)
            raise
        self._events = events

    def _touch(self, path: str) -> None:
        """Pass on the path of a crop; runs in the thread that reads the events."""
        if self._mailbox.qsize() < MAILBOX_LIMIT and is_crop_path(path, str(self._folder), self._ignored):
            self._mailbox.put(Touched(path))

    def _notice_lack(self) -> None:
        """Tell that the kernel had no watch left for sub-folders."""
        if self._events is not None and self._events.lacks is not None and not self._has_told_of_lack:
            self._has_told_of_lack = True
            self._ask_again_later(self._events.lacks, " in some sub-folders")

    def _go_without(self, error: BaseException) -> None:
        self.unobserve()
        self._ask_again_later(error)

    def _ask_again_later(self, error: BaseException, where: str = "") -> None:
        self._ask_again_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        log.log(
            logging.DEBUG if self._has_warned else logging.WARNING,
            "%s: the kernel gives no file events%s (%s); crops%s are found by the scan alone, up to %g s later; %s",
            printable(self._folder), where, str(error) or type(error).__name__, " there" if where else "",
            self._scan_seconds, _remedy(error),
        )  # fmt: skip
        self._has_warned = True


def _end(events: FolderEvents) -> None:
    # It is not asked for anything any more, so nothing is lost by what it raises.
    with suppress(Exception):
        if events.ident is None:
            events.discard()
            return
        events.stop()
        events.join(JOIN_SECONDS)


def _remedy(error: BaseException) -> str:
    if isinstance(error, OSError):
        return "raise fs.inotify.max_user_watches or max_user_instances"
    return "it is tried again"
