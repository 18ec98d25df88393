"""The watcher of the labelled folder, whose sub-folders say which label a file has."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from monitor.errors import StoreDamagedError, StoreError
from monitor.files.ignoring import NOTHING
from monitor.files.looks import look
from monitor.files.text import printable
from monitor.inbox.messages import Done
from monitor.inbox.watcher import Watcher
from monitor.labels.folder import LabelledFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitor.configuration.settings import Watch
    from monitor.files.ignoring import IgnoredNames
    from monitor.inbox.messages import Candidate
    from monitor.store.database.engine import Database
    from monitor.threads import TimedThread


log = logging.getLogger(__name__)


class LabelledWatcher(Watcher):
    """Watches the labelled folder and delivers its files with their labels."""

    def __init__(
        self,
        folder: Path,
        settings: Watch,
        database: Database,
        deliver: Callable[[Candidate], bool],
        scanned: Callable[[bool], None],
        ignored: IgnoredNames = NOTHING,
    ) -> None:
        """``deliver``, ``scanned`` and ``ignored``: as for `Watcher`."""
        self._labelled = LabelledFolder(folder, ignored)
        self._database = database
        self._pass_on = deliver
        super().__init__(
            folder,
            settings,
            unknown=partial(self._labelled.unknown, database),
            deliver=self._deliver_labelled,
            folders=self._labelled.folders,
            scanned=scanned,
            ignored=ignored,
        )

    def run(self, thread: TimedThread) -> None:
        """Forget the files that have gone while nothing watched, then watch."""
        thread.busy()
        self._labelled.warn_of_links()
        try:
            self._labelled.forget_gone(self._database, thread.busy)
        except StoreDamagedError:
            raise
        except StoreError as error:
            log.warning(
                "%s: files that are gone were not forgotten: %s; the next rescan or start tries again",
                printable(self.folder),
                error,
            )
        super().run(thread)

    def _deliver_labelled(self, candidate: Candidate) -> bool:
        label = self._labelled.label_of(candidate.path)
        if label is None:
            self.mailbox.put(Done(candidate.path, look(candidate.path)))
            return True
        return self._pass_on(candidate._replace(label=label))
