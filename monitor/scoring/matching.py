"""Tells which row of the store a file belongs to: by its looks, and by its content where its looks do not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from monitor.files.looks import HasStoredLooks, is_gone, is_unchanged, look, may_be_unchanged
from monitor.files.opening import content_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monitor.files.looks import StoredLooks


class FileRow(HasStoredLooks, Protocol):
    """A row of the store about a file."""

    @property
    def sha256(self) -> str:
        """Of its content; empty where that could not be read."""


Row = TypeVar("Row", bound=FileRow)


class Match(NamedTuple, Generic[Row]):
    """The row that a file belongs to.

    ``looks``: those that the row should have from now on, if they are others. ``certain``: False for a file that cannot
    be looked at or read, and that nothing speaks against.
    """

    row: Row
    looks: StoredLooks | None = None
    certain: bool = True


def match(path: str, rows: Iterable[Row], alive: Callable[[], None] = lambda: None) -> Match[Row] | None:
    """The match of a file among the rows of its path; None for another content than theirs, or no file.

    ``alive`` is called before a file is read, which takes longer than looking at it.
    """
    # A row without a content says only that the file could not be read once.
    ordered = sorted(rows, key=lambda row: not row.sha256)
    looks = look(path)
    if looks is None:
        newest = max((row for row in ordered if row.sha256), key=lambda row: row.mtime_ns, default=None)
        return None if newest is None or is_gone(path) else Match(newest, certain=False)
    unchanged = next((row for row in ordered if is_unchanged(looks, row)), None)
    if unchanged is not None:
        return Match(unchanged)
    alike = [row for row in ordered if row.sha256 and may_be_unchanged(looks, row)]
    if not alike:
        return None
    alive()
    content = content_of(path)
    if content is None:
        return Match(alike[0], certain=False)
    same = next((row for row in alike if row.sha256 == content.sha256), None)
    return None if same is None else Match(same, content.looks.stored)
