"""Tells the watcher that found a file what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.inbox.messages import Done, Incomplete

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.crops.batch import CropFiles
    from monitor.scoring.record import Committed


class Replies:
    """Sends messages to the watchers' mailboxes."""

    def __init__(
        self,
        to_inbox: Callable[[Done | Incomplete], None],
        to_labelled: Callable[[Done | Incomplete], None],
    ) -> None:
        """``to_inbox`` and ``to_labelled`` put a message into the mailbox of the folder's watcher."""
        self._to_inbox = to_inbox
        self._to_labelled = to_labelled

    def done(self, files: CropFiles, row: int) -> None:
        """A file was decided, recorded as failed, or had vanished."""
        self._send(files, row, Done(files.paths[row], files.looks[row]))

    def incomplete(self, files: CropFiles, row: int) -> None:
        """A file is not complete yet."""
        self._send(files, row, Incomplete(files.paths[row], files.looks[row]))

    def committed(self, commit: Committed) -> None:
        """All files of a batch are done."""
        for row in range(len(commit.batch.files)):
            self.done(commit.batch.files, row)

    def _send(self, files: CropFiles, row: int, message: Done | Incomplete) -> None:
        (self._to_inbox if files.labels[row] is None else self._to_labelled)(message)
