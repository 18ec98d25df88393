"""The tidier by itself, against real files and a real store."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from monitor.store.database.engine import Database
from tests.support.disks import as_nobody, below, small_disk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitor.inbox.conftest import MakeInbox


def test_only_decided_files_of_the_inbox_go(decided_inbox: MakeInbox) -> None:
    here = decided_inbox("delete")
    decided, undecided = here.put("1.jpg", b"one"), here.put("2.jpg", b"two")
    failed, by_hand = here.put("3.jpg", b"three"), here.put("4.jpg", b"four")
    here.decide(decided)
    here.decide(failed, reason="truncated", error="e", verdict=None, scores=())
    here.decide(by_hand, source="folder")
    here.tidy()
    assert below(here.inbox) == [undecided, failed, by_hand]
    assert here.outcomes == {"deleted": 1}


def test_claims_wait_while_the_database_does_not_answer(
    decided_inbox: MakeInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = decided_inbox("delete")
    path = here.put("1.jpg", b"one")
    path.rename(here.inbox / f".{here.decide(path)}.monitor-claim")
    tidier = here.tidier()
    with monkeypatch.context() as patch:
        patch.setattr(tidier._claims, "_database", Database(f"sqlite:///{here.home}", busy_seconds=0))
        tidier._sweep()
    assert (len(below(here.inbox)), here.outcomes) == (1, {"failed": 1})
    tidier._trouble = False
    tidier._sweep()
    assert (below(here.inbox), here.outcomes) == ([], {"failed": 1, "deleted": 1})


@pytest.mark.parametrize("closed", ["the inbox", "a folder within"])
def test_claims_wait_while_their_folder_cannot_be_read(decided_inbox: MakeInbox, closed: str) -> None:
    here = decided_inbox("delete")
    path = here.put("sub/1.jpg", b"one")
    path.rename(path.with_name(f".{here.decide(path)}.monitor-claim"))
    tidier = here.tidier()
    with as_nobody(here.home):
        folder = here.inbox if closed == "the inbox" else path.parent
        folder.chmod(0)
        tidier._sweep()
        folder.chmod(0o755)
        tidier._sweep()
    assert (below(here.inbox), here.outcomes) == ([], {"deleted": 1})


def test_what_may_not_be_changed_holds_up_no_other_file(
    decided_inbox: MakeInbox, caplog: pytest.LogCaptureFixture
) -> None:
    here = decided_inbox("delete")
    paths = [here.put(f"{folder}/{number}.jpg", b"%d" % number) for number, folder in enumerate("abcdcba")]
    for path in paths:
        here.decide(path)
    with as_nobody(here.home):
        (here.inbox / "b").chmod(0o555)
        paths[2].chmod(0)
        here.tidy()
    assert below(here.inbox) == sorted(paths[index] for index in (1, 2, 5))
    assert here.outcomes == {"deleted": 4, "failed": 3}
    assert "cannot be taken out of the inbox: Permission denied" in caplog.text


@pytest.mark.process
def test_a_full_archive_keeps_files_in_the_inbox_until_there_is_space(
    decided_inbox: MakeInbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "small") as disk:
        here = decided_inbox("archive", disk / "archive")
        paths = [here.put(f"{number}.jpg", bytes([number]) * 20_000) for number in range(6)]
        for path in paths:
            here.decide(path)
        tidier = here.tidier()
        tidier._sweep()
        tidier._trouble = False
        tidier._sweep()
        moved = here.outcomes["archived"]
        assert 0 < moved < 6
        assert len(below(here.archive)) == moved
        assert len(below(here.inbox)) == 6 - moved
        assert not [path for path in [*below(here.inbox), *below(here.archive)] if path.name.startswith(".")]
        assert [record.message for record in caplog.records if "No space left" in record.message][1:] == []
        assert "tried again" in caplog.text
        subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)
        tidier._trouble = False
        tidier._sweep()
        assert below(here.inbox) == []
        assert {value[:1] for value in here.archived().values()} == {bytes([number]) for number in range(6)}
        assert {len(value) for value in here.archived().values()} == {20_000}
