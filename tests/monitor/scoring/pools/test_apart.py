"""The worker for suspects alone, a real process that begins from nothing."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.scoring.pools.apart import ApartWorker
from monitor.scoring.pools.trail import Trail
from monitor.scoring.pools.worker import Task
from tests.support.decoding_traps import trapped, write_distribution

if TYPE_CHECKING:
    import pytest

    from tests.monitor.scoring.pools.conftest import Home


def test_it_needs_no_working_folder_and_follows_no_link_below_the_root(
    home: Home, good: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "linked").symlink_to(Path(good[0]).parent)
    linked = str(tmp_path / "crops" / "linked" / Path(good[0]).name)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    worker = ApartWorker(home.configuration, Trail(None, 1), 0, tmp_path / "crops")
    try:
        worker.hand(Task([good[0], linked], home.ensemble, Future(), first=2))
        answer = worker.take()()
        assert {row: refusal.reason for row, refusal in answer.refusals.items()} == {1: "symlink"}
    finally:
        worker.end()


def test_it_finds_plug_ins_where_the_program_does(
    home: Home, good: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path / "site")
    crop = tmp_path / "slow.jpg"
    crop.write_bytes(trapped(Path(good[0]).read_bytes(), "sleep-a-bit"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("site")
    worker = ApartWorker(home.configuration, Trail(None, 1), 0)
    try:
        worker.hand(Task([str(crop)], home.ensemble, Future(), first=1))
        worker.take()()
        assert (tmp_path / "site" / "sprung").read_text(encoding="ascii").split() == ["sleep-a-bit"]
    finally:
        worker.end()
