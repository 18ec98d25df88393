"""What the watcher is told of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.files.looks import look

if TYPE_CHECKING:
    from monitor.files.looks import Looks
    from monitor.scoring.work import Work


def looks_when_read(work: Work) -> Looks | None:
    """What the file looked like when it was read, which it may no longer do."""
    return work.content.looks if work.content else look(work.path)
