"""The kernel's events of new and written files in a folder and its sub-folders, by watchdog's reader of inotify.

watchdog's observers are more than is needed here, and cost too much. To tell from where to where a file was moved they
hold back every event of a file that leaves, and look through all that wait for each one that comes: with some hundred
files a second, which are renamed by the camera, claimed and deleted, that took most of Python's interpreter lock. So
only the events of files that come are asked for, and each is handled as it is read, in the one thread that reads.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask

from monitor.files.ignoring import NOTHING
from monitor.files.walking import may_be_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from watchdog.observers.inotify_c import InotifyEvent, WatchDescriptor

    from monitor.files.ignoring import IgnoredNames

# Links and folders are complete once they are created, and files once they are closed or renamed. What leaves is not
# asked for: half of all events would be of files that the program itself renames and deletes.
COMING: Final = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
)


class _Watched(NamedTuple):
    """A folder that the kernel tells of, and the id under which it was entered last."""

    path: str
    entry: CallbackId


class FolderEvents(InotifyFD):
    """A thread that reads the events; it ends when the folder is removed or unmounted.

    ``lacks``: why a sub-folder has no watch, if one has none. ``ended_by``: the error that the thread ended by, if any.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None], ignored: IgnoredNames = NOTHING) -> None:
        """``tell`` is called in the thread with the path of every file that came, hidden ones excepted.

        Hidden and ``ignored`` sub-folders are left alone. Raises `OSError` where the kernel gives no inotify instance.
        """
        super().__init__()
        self.name = "file events"
        self.lacks: OSError | None = None
        self.ended_by: Exception | None = None
        self._folder = os.fspath(folder)
        self._tell = tell
        self._ignored = ignored
        # Folders are entered by this thread and by the one that calls `watch`.
        self._entering = Lock()
        self._entries = count()
        self._watched: dict[WatchDescriptor, _Watched] = {}

    def watch(self) -> None:
        """Ask for the events of the folder and its sub-folders; raises `OSError` where the folder itself has none."""
        self._enter(self._folder)
        self._watch_below(self._folder)

    def discard(self) -> None:
        """Close what was opened for a thread that could not be started; a thread closes it itself."""
        self._is_reading = False
        self.close()

    def run(self) -> None:
        """Read events until the thread is stopped."""
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - no memory, a defect of the library: the scan goes on
            self.ended_by = error
        finally:
            self.close()

    def on_event(self, event: InotifyEvent) -> None:
        """Tell of a file, watch a folder. Called by watchdog, as the next two are."""
        # Most hidden ones are what cameras write under and what the program renames decided files to.
        if event.name.startswith(b".") or (within := self._watched.get(event.wd)) is None:
            return
        name = os.fsdecode(event.name)
        # A folder that was moved out of the inbox keeps its watch and its old path: reading finds nothing there.
        path = f"{within.path}/{name}"
        if not event.is_directory:
            self._tell(path)
        elif name not in self._ignored and self._enter_within(path):
            self._watch_below(path, self._tell)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Forget a folder that is gone."""
        with self._entering:
            gone = self._watched.pop(wd, None)
        if gone is not None and gone.path == self._folder:
            self.stop()

    def on_queue_overflow(self) -> None:
        """Watch the sub-folders that came or were renamed meanwhile; the scan finds the files."""
        self._watch_below(self._folder)

    def _watch_below(self, folder: str, tell: Callable[[str], None] = lambda _path: None) -> None:
        """Watch the sub-folders of a folder that is watched, and tell of the files that lie there already."""
        # A stack and no recursion: sub-folders may be nested thousands deep.
        waiting = [folder]
        while waiting:
            # What cannot be read is told of by the scan.
            with suppress(OSError), os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name in self._ignored:
                        continue
                    if not may_be_folder(entry):
                        tell(entry.path)
                    # Each is watched before it is looked into, so nothing that comes meanwhile is missed.
                    elif self._enter_within(entry.path):
                        waiting.append(entry.path)

    def _enter_within(self, path: str) -> bool:
        """Watch a sub-folder; returns whether it is."""
        try:
            self._enter(path)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self.lacks = error
            return False
        return True

    def _enter(self, path: str) -> None:
        """Watch a folder, or know one that is watched already, and was perhaps renamed, by this path from now on."""
        entry = CallbackId(next(self._entries))
        with self._entering:
            descriptor = self.add_callback(os.fsencode(path), COMING, self, entry)
            if descriptor < 0:
                # watchdog raises every error but this one.
                self.remove_callbacks([(descriptor, entry)])
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            before = self._watched.get(descriptor)
            self._watched[descriptor] = _Watched(path, entry)
            if before is not None:
                self.remove_callbacks([(descriptor, before.entry)])
