"""Where workers are is seen by others, and outlives them and the program."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING

import pytest

from monitor.scoring.pools.trail import FOLDER, PATHS_BYTES, SLOT_BYTES, Phase, Position, Slot, Trail, map_slot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATHS = ["/inbox/1.jpg", "/inbox/Слиток 2.jpg", "/inbox/not utf-8 \udcff.jpg"]


def slot() -> Slot:
    return Slot(memoryview(bytearray(SLOT_BYTES)))


def test_each_step_is_seen_with_the_files_that_may_be_to_blame() -> None:
    one = slot()
    one.put(7, PATHS)
    one.put(8, ["/inbox/next.jpg"])
    assert one.position() == Position(0, 0, Phase.IDLE)
    one.begin(7)
    assert one.position() == Position(7, 0, Phase.LOADING)
    assert one.suspects() == []
    one.naming(3)
    assert one.position() == Position(7, 2, Phase.NAMING)
    assert one.suspects() == PATHS
    for row, path in enumerate(PATHS):
        one.reading(row)
        assert one.position() == Position(7, row, Phase.READING)
        assert one.suspects() == [path]
        one.decoding()
        assert one.position() == Position(7, row, Phase.DECODING)
        assert one.suspects() == [path]
    one.scoring()
    assert one.position() == Position(7, 2, Phase.SCORING)
    assert one.suspects() == PATHS
    one.begin(8)
    one.reading(0)
    assert one.suspects() == ["/inbox/next.jpg"]
    one.rest()
    assert one.suspects() == []


def test_as_many_files_are_laid_down_as_there_is_room_for() -> None:
    one = slot()
    paths = [f"/{number:06}" + "я" * 1000 for number in range(1000)]
    one.put(1, paths)
    found = one.paths(1)
    assert found == paths[: len(found)]
    assert 0.95 < len(found) * 2008 / PATHS_BYTES < 1
    one.put(1, paths[-1:])
    assert one.paths(1) == paths[-1:]
    with pytest.raises(ValueError, match="too long"):
        one.put(1, ["/" + "a" * PATHS_BYTES])


def test_a_thread_that_lost_its_slot_fails_and_its_last_position_stays() -> None:
    one = slot()
    one.put(1, PATHS)
    one.begin(1)
    one.reading(1)
    memory = one._words
    one.revoke()
    with pytest.raises(TypeError):
        one.decoding()
    assert one.position() == Position(1, 1, Phase.READING)
    assert one.suspects() == PATHS[1:2]
    assert memory[1] == Phase.IDLE


def in_a_program_that_is_killed(state: Path, do: Callable[[Trail], None]) -> None:
    process = os.fork()
    if not process:
        try:
            do(Trail(state, 3))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)


def work(trail: Trail) -> None:
    first, second, _ = trail.slots
    first.put(1, PATHS)
    first.begin(1)
    first.reading(1)
    second.put(1, ["/inbox/a.jpg", "/inbox/b.jpg", "/inbox/c.jpg"])
    second.begin(1)
    second.reading(1)
    second.scoring()


@pytest.mark.process
def test_what_a_killed_program_had_in_hand_is_known_to_the_next_once(tmp_path: Path) -> None:
    in_a_program_that_is_killed(tmp_path, work)
    trail = Trail(tmp_path, 2)
    assert trail.left_over == [PATHS[1], "/inbox/a.jpg", "/inbox/b.jpg"]
    other = Trail(tmp_path, 2)
    assert other.left_over == []
    for one in (trail, other):
        one.close()
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_program_that_lives_is_left_alone(tmp_path: Path) -> None:
    trail = Trail(tmp_path, 1)
    trail.slots[0].put(1, PATHS)
    trail.slots[0].begin(1)
    trail.slots[0].reading(0)
    assert Trail(tmp_path, 1).left_over == []
    # Its workers let go of the file, so the lock ends with the program however long they take to end.
    assert map_slot(trail.descriptor, 0).suspects() == PATHS[:1]
    trail.detach()
    assert Trail(tmp_path, 1).left_over == PATHS[:1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_writes_belongs_to_the_owner_of_the_state(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1234)
    trail = Trail(tmp_path, 1)
    (file,) = (tmp_path / FOLDER).iterdir()
    assert {path.stat().st_uid for path in (file, file.parent)} == {1234}
    trail.close()


def test_files_of_other_versions_and_damaged_ones_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "0-old").write_bytes(b"\xff" * SLOT_BYTES)
    (folder / "1-damaged").write_bytes(b"\xff" * SLOT_BYTES * 2)
    (folder / "1-short").write_bytes(b"\xff" * 100)
    assert Trail(tmp_path, 1).left_over == []
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_where_nothing_can_be_written_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    trail = Trail(tmp_path, 1)
    work_alone = trail.slots[0]
    work_alone.put(1, PATHS)
    work_alone.begin(1)
    work_alone.reading(2)
    assert work_alone.suspects() == PATHS[2:]
    assert "cannot be written" in caplog.text
    assert list((tmp_path / FOLDER).iterdir()) == []
    trail.close()
