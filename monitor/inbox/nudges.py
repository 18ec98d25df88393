"""Events of the kernel, which are hints that a file has changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from watchdog.events import FileMovedEvent, FileSystemEventHandler

from monitor.files.walking import is_crop_path
from monitor.inbox.messages import Touched

if TYPE_CHECKING:
    from pathlib import Path
    from queue import SimpleQueue

    from watchdog.events import FileSystemEvent

    from monitor.inbox.messages import Done, Incomplete, Stop


MAILBOX_LIMIT: Final = 100_000
"""Events beyond this many are dropped, as the kernel does: the scan finds the files."""


class Nudge(FileSystemEventHandler):
    """Puts what the kernel tells into the mailbox; runs in watchdog's thread."""

    def __init__(self, folder: Path, mailbox: SimpleQueue[Touched | Done | Incomplete | Stop]) -> None:
        self._folder = os.fspath(folder)
        self._mailbox = mailbox

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass on the path of a crop, under its new name where it was renamed."""
        path = os.fsdecode(event.dest_path if isinstance(event, FileMovedEvent) else event.src_path)
        if is_crop_path(path, self._folder) and self._mailbox.qsize() < MAILBOX_LIMIT:
            self._mailbox.put(Touched(path))
