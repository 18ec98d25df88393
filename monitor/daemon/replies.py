"""What the watcher is told of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.files.looks import look

if TYPE_CHECKING:
    from monitor.files.looks import Signature
    from monitor.scoring.work import Work


def signature(work: Work) -> Signature | None:
    """What the file looked like when it was read, which it may no longer do."""
    if work.content is None:
        return look(work.path)
    return work.content.size_bytes, work.content.mtime_ns, work.content.ctime_ns
