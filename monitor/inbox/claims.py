"""Files that were renamed before they are moved, so that nobody else takes them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


CLAIM: Final = re.compile(r"\.([0-9]{1,18})\.monitor-claim")


def claims(inbox: Path) -> Iterator[tuple[Path, str]]:
    """(folder, name) of what an earlier run has claimed in the inbox."""
    for folder, folders, names in os.walk(inbox):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from ((Path(folder), name) for name in names if CLAIM.fullmatch(name))
