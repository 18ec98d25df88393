from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.decided_inbox import DecidedInbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class MakeInbox(Protocol):
    def __call__(self, after: str, archive: Path | None = None) -> DecidedInbox: ...


@pytest.fixture
def decided_inbox(tmp_path: Path) -> Iterator[MakeInbox]:
    """Makes an inbox with this `inbox.after`, and an archive beside it or elsewhere."""
    made: list[DecidedInbox] = []

    def make(after: str, archive: Path | None = None) -> DecidedInbox:
        made.append(DecidedInbox(tmp_path, after, archive))
        return made[-1]

    yield make
    for one in made:
        one.database.close()
