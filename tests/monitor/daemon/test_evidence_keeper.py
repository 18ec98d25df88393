"""The thread that keeps evidence goes on whatever happens, and looks once more when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.daemon.evidence_keeper import EvidenceKeeper
from monitor.errors import StoreBusyError
from monitor.harness.waiting import wait_until
from monitor.keeping.keeper import Keeper
from monitor.store.database.engine import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
