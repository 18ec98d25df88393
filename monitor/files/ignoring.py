"""Names of files and folders that other programs leave beside crops: thumbnails, recycle bins, snapshots."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_WILDCARDS: Final = re.compile(r"[*?\[]")


class IgnoredNames:
    """Patterns of names, in which ``*``, ``?`` and ``[...]`` stand for others as in a shell.

    Upper and lower case are the same: the file systems of many network drives make no difference, and the programs that
    create such folders spell them differently.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        folded = [pattern.casefold() for pattern in patterns]
        # Every name in a folder is looked up, and most patterns are plain names.
        self._names = frozenset(pattern for pattern in folded if not _WILDCARDS.search(pattern))
        wild = [fnmatch.translate(pattern) for pattern in folded if _WILDCARDS.search(pattern)]
        self._expression = re.compile("|".join(wild)) if wild else None

    def __contains__(self, name: str) -> bool:
        """Whether a file or folder of this name is left alone."""
        folded = name.casefold()
        return folded in self._names or (self._expression is not None and self._expression.match(folded) is not None)


NOTHING: Final = IgnoredNames()
