"""The thread that keeps evidence goes on whatever happens, and looks once more when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.daemon.evidence_keeper import EvidenceKeeper
from monitor.errors import StoreBusyError
from monitor.harness.waiting import wait_until
from monitor.keeping.keeper import Keeper
from monitor.keeping.recent import Recent
from monitor.store import kept
from monitor.store.database.engine import Database
from tests.monitor.inbox.conftest import MakeInbox, decided_inbox
from tests.support.disks import as_nobody, below

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


__all__ = ["decided_inbox"]


class Looks:
    """What the keeper answers at each look: whether there is more, or an error; then that there is nothing."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.count = 0

    def __call__(self) -> bool:
        self.count += 1
        answer = self.answers.pop(0) if self.answers else False
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def made(tmp_path: Path) -> Iterator[EvidenceKeeper]:
    (tmp_path / "config.toml").write_text("")
    database = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=1)
    yield EvidenceKeeper(load(tmp_path / "config.toml"), database)
    database.close()


def test_it_goes_on_after_a_refusal_and_a_defect_and_says_each_once(
    made: EvidenceKeeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = Looks(
        StoreBusyError("locked"), StoreBusyError("locked"), False, *2 * [RuntimeError("a defect")], True, True
    )
    monkeypatch.setattr(Keeper, "look", lambda _keeper: looks())
    made.start()
    for seen in range(1, 6):
        wait_until(lambda: looks.count >= seen, lambda: caplog.text)  # noqa: B023 - it is called at once
        made.wake()
    # What there is more of is kept without a pause.
    wait_until(lambda: looks.count >= 8, lambda: caplog.text)
    before = looks.count
    made.stop()
    assert looks.count > before
    assert caplog.text.count("not kept yet: locked") == 1
    assert caplog.text.count("by a defect") == 1


@pytest.mark.parametrize(
    "change", ["after = 'keep'", "after = 'archive'", "after = 'delete'\n[alarms]\nevidence_crops = 0"]
)
def test_what_was_set_aside_goes_where_none_is_any_more_but_what_is_due_is_kept_first(
    decided_inbox: MakeInbox, change: str
) -> None:
    home = decided_inbox("delete")
    ids = [home.decide(home.put(f"{n}.jpg", b"%d" % n), planned=False) for n in range(3)]
    home.tidy()
    recent = home.configuration.state / "recent"
    assert sorted(path.name for path in below(recent)) == sorted(map(str, ids))
    with home.database.write() as connection:
        kept.owe(connection, ids[:1])
    home.file.write_text(home.file.read_text().replace("after = 'delete'", change))
    keeper = EvidenceKeeper(load(home.file), home.database)
    keeper.start()
    wait_until(lambda: not below(recent), lambda: str(below(recent)))
    keeper.stop()
    with home.database.read() as connection:
        assert {found for _, found in kept.contents_after(connection, "", 9)} == {b"0"}


def test_what_is_due_and_cannot_be_read_yet_stays_set_aside(decided_inbox: MakeInbox) -> None:
    home = decided_inbox("delete")
    due, _ = (home.decide(home.put(f"{n}.jpg", b"%d" % n), planned=False) for n in range(2))
    home.tidy()
    with home.database.write() as connection:
        kept.owe(connection, [due])
    recent = Recent(home.configuration.state / "recent", home.database, 0)
    recent.empty()
    assert [path.name for path in below(home.configuration.state / "recent")] == [str(due)]


def test_no_folder_is_made_where_nothing_is_set_aside(made: EvidenceKeeper, tmp_path: Path) -> None:
    made._delete_left_over()
    assert not (tmp_path / "state").exists()


def test_a_folder_that_cannot_be_read_is_said_once(decided_inbox: MakeInbox, caplog: pytest.LogCaptureFixture) -> None:
    home = decided_inbox("delete")
    home.decide(home.put("1.jpg", b"1"), planned=False)
    home.tidy()
    home.configure("keep")
    recent = home.configuration.state / "recent"
    keeper = EvidenceKeeper(home.configuration, home.database)
    with as_nobody(home.home):
        recent.chmod(0o300)
        for _ in range(2):
            keeper._delete_left_over()
        recent.chmod(0o700)
        home.database.close()
    assert caplog.text.count(f"files that were set aside stay: {recent}: Permission denied") == 1
    assert len(below(recent)) == 1
