"""What crosses from one process to another, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from monitor.crops.loader import FileContent
from monitor.files.looks import Looks
from monitor.scoring.work import Work
from monitor.words import Identity

if TYPE_CHECKING:
    from datetime import datetime


Flat: TypeAlias = "tuple[Any, ...]"


def flat(work: Work) -> Flat:
    """What was read and scored of a crop, to be sent to another process; our own classes would take thrice as long."""
    content = work.content and (work.content.sha256, *work.content.looks)
    return tuple(work.identity), content, work.ended, work.size, work.refusal, work.scores


def restored(path: str, seen_at: datetime, values: Flat) -> Work:
    """The crop that `flat` was made of, seen then."""
    identity, content, ended, size, refusal, scores = values
    read = content and FileContent(b"", content[0], Looks(*content[1:]))
    return Work(path, seen_at, Identity(*identity), read, None, ended, size, refusal, scores)
