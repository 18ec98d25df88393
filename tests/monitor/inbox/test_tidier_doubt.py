"""Nothing leaves the inbox while the rows that stand for it might not survive: real files, cut while they are used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from monitor.inbox.tidier import Tidier
from tests.support.disks import below

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.monitor.inbox.conftest import MakeInbox


def remove_log(database: Path) -> None:
    database.with_name("monitor.db-wal").unlink()


def empty_log(database: Path) -> None:
    os.truncate(database.with_name("monitor.db-wal"), 0)


@pytest.mark.parametrize("damage", [remove_log, empty_log])
@pytest.mark.parametrize("after", ["delete", "archive"])
@pytest.mark.parametrize("claimed", [False, True], ids=["file", "claim"])
def test_nothing_goes_while_the_database_is_in_doubt(
    decided_inbox: MakeInbox,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
    after: str,
    claimed: bool,
) -> None:
    here = decided_inbox(after)
    stopped: list[bool] = []
    tidier = Tidier(here.configuration, here.database, lambda _outcome: None, stopped.append)
    first = here.put("1.jpg", b"one")
    here.decide(first)
    tidier._sweep()
    assert (first.exists(), stopped) == (False, [False])
    second = here.put("2.jpg", b"two")
    number = here.decide(second)
    if claimed:
        second = second.rename(here.inbox / f".{number}.monitor-claim")
        tidier._claims.may_be_left = True
    assert here.database.file is not None
    damage(here.database.file)
    for _ in range(2):
        tidier._trouble = False
        tidier._sweep()
    assert below(here.inbox) == [second]
    assert stopped[1:]
    assert all(stopped[1:])
    (told,) = [one for one in caplog.messages if "monitor.db" in one]
    assert "restart monitor" in told
    assert "decided files stay in the inbox" in told
