from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from monitor.deploy.writing import Written, write_files
from monitor.errors import ExitCode, OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunMonitor

FILES = {"one.yml": "1\n", "below/two.yml": "2\n"}


def test_folders_are_made_and_others_may_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "er"
    written = write_files(folder, FILES, force=False)
    assert written == [Written(folder / name, "written") for name in FILES]
    assert (folder / "below" / "two.yml").read_text() == "2\n"
    assert (folder / "one.yml").stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in folder.iterdir()) == ["below", "one.yml"]


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, FILES, force=False)
    before = (tmp_path / "one.yml").stat()
    assert {one.outcome for one in write_files(tmp_path, FILES, force=False)} == {"unchanged"}
    after = (tmp_path / "one.yml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_somebody_changed_stays_and_nothing_else_is_written(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "two.yml").write_text("mine\n")
    with pytest.raises(OutputError, match=r"below/two\.yml: exists with different content.*--force"):
        write_files(tmp_path, FILES, force=False)
    assert not (tmp_path / "one.yml").exists()
    assert (tmp_path / "below" / "two.yml").read_text() == "mine\n"


def test_force_overwrites(tmp_path: Path) -> None:
    (tmp_path / "one.yml").write_text("mine\n")
    assert [one.outcome for one in write_files(tmp_path, FILES, force=True)] == ["replaced", "written"]
    assert (tmp_path / "one.yml").read_text() == "1\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere.yml"
    kept.write_text("old\n")
    (tmp_path / "one.yml").symlink_to(kept)
    write_files(tmp_path, {"one.yml": "1\n"}, force=True)
    assert (tmp_path / "one.yml").is_symlink()
    assert kept.read_text() == "1\n"


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "below").write_text("")
    with pytest.raises(OutputError, match=r"below/two\.yml: cannot be written: Not a directory"):
        write_files(tmp_path, FILES, force=False)


def test_a_folder_in_the_way_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.yml").mkdir()
    with pytest.raises(OutputError, match=r"one\.yml: cannot be written: Is a directory"):
        write_files(tmp_path, FILES, force=True)


def test_a_disk_that_is_full_leaves_the_old_file_and_no_remains(tmp_path: Path) -> None:
    import resource
    import signal

    (tmp_path / "one.yml").write_text("old\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
        with pytest.raises(OutputError, match=r"one\.yml: cannot be written: File too large"):
            write_files(tmp_path, {"one.yml": "1" * 100_000}, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["one.yml"]
    assert (tmp_path / "one.yml").read_text() == "old\n"


def test_a_folder_that_cannot_be_made_is_a_sentence_with_an_exit_code(run_monitor: RunMonitor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for command in ("prometheus", "grafana"):
        ended = run_monitor("deploy", command, "--output", "file")
        assert ended.returncode == ExitCode.CANNOT_CREATE
        assert ended.stderr.startswith(f"monitor: {tmp_path / 'file'}")
        assert "give another folder with --output" in ended.stderr
        assert ended.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"one\.yml: cannot be written: Permission denied"):
        write_files(tmp_path, FILES, force=False)
