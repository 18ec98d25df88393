"""Decided files leave the inbox: the daemon as a real process, and the tidier by itself against real files."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from monitor.configuration.file import load
from monitor.crops.loader import CropReader
from monitor.files import moving
from monitor.files.moving import Place, opened_folder
from monitor.files.text import to_text
from monitor.inbox import quarantine
from monitor.inbox.archive import Archive
from monitor.inbox.tidier import Tidier
from monitor.labels import missing_scores
from monitor.store import crops as store_crops
from monitor.store import decisions
from monitor.store import models as store_models
from monitor.store.database.engine import Database
from monitor.store.database.schema import calibrations, crops, models
from monitor.store.database.upgrade import upgrade
from monitor.store.decisions import CropRow, ScoreRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import RunMonitor
    from tests.support.daemon import Daemon

NOW = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
DAY = "2026-03-03"
"""The same on the plant's clock."""


@pytest.fixture(scope="module")
def pictures(small_dataset: Path) -> list[Path]:
    return sorted((small_dataset / "train").glob("*.jpg"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def below(folder: Path) -> list[Path]:
    """Every file below a folder, also those with a dot."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def small_disk(folder: Path, size: str = "64k") -> Iterator[Path]:
    """A file system of its own, which is soon full."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def as_nobody(home: Path) -> Iterator[None]:
    """Be a user to whom the folder and all in it belongs, and nothing else."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    modes = {folder: folder.stat().st_mode for folder in home.parents}
    for path in [home, *home.rglob("*")]:
        os.chown(path, 65534, 65534)
    for folder, mode in modes.items():
        folder.chmod(mode | 0o011)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)


class Plant:
    """A store with one model, an inbox and an archive; crops are decided past the program."""

    def __init__(self, home: Path, after: str, archive: Path | None = None) -> None:
        self.home = home
        self.inbox = home / "inbox"
        self.archive = archive or home / "archive"
        self.inbox.mkdir()
        self.file = home / "config.toml"
        self.configure(after)
        self.database = Database(self.configuration.database_url, busy_seconds=5)
        upgrade(self.database)
        with self.database.write() as connection:
            for number in (1, 2):
                store_models.add_model(
                    connection,
                    name=f"m{number}", detector=f"d{number}", fingerprint=f"{number}" * 64, folder="f", settings={},
                )  # fmt: skip
                row: dict[str, Any] = {
                    "model_id": number,
                    "rule": "r",
                    "settings": {},
                    "threshold": 0.5,
                    "evidence": {},
                }
                connection.execute(calibrations.insert(), {**row, "state": "active", "created_at": NOW})
            connection.execute(models.update().values(active=True, activated_at=NOW))
        self.outcomes: Counter[str] = Counter()

    def configure(self, after: str, **paths: Path) -> None:
        places = {"archive": self.archive, **paths}
        lines = [f"{key} = '{path}'" for key, path in places.items()]
        self.file.write_text(
            "\n".join(["[plant]", "time_zone = 'Europe/Moscow'", "[paths]", *lines, "[inbox]", f"after = '{after}'"])
        )
        self.configuration = load(self.file)

    def put(self, name: str, content: bytes) -> Path:
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def decide(self, path: Path, *, planned: bool = True, **changes: object) -> int:
        """Store a decision on a file as it is now, with its place in the archive where there is one."""
        status = path.stat()
        score = ScoreRow(1, 1, 0.1, 0.1, 0.5, "ne_proliv", NOW, 0.0)
        archive = Archive(self.archive, ZoneInfo("Europe/Moscow"))
        values: dict[str, Any] = {
            "path": to_text(path), "sha256": sha256(path), "size_bytes": status.st_size, "mtime_ns": status.st_mtime_ns,
            "width": 9, "height": 9, "hole": 1, "camera": "C", "captured_at": None, "seen_at": NOW, "reason": None,
            "error": None, "verdict": "ne_proliv", "decision_score": 0.1, "decision_threshold": 0.5,
            "decided_by": "primary", "scores": (score,), "source": "inbox",
            "archived_path": to_text(archive.place(NOW, "ne_proliv", path.name)) if planned else None,
            **changes,
        }  # fmt: skip
        with self.database.write() as connection:
            decisions.record(connection, [CropRow(**values)])
            query = select(crops.c.id).where(crops.c.path == to_text(path), crops.c.sha256 == values["sha256"])
            return int(connection.execute(query).scalar_one())

    def tidier(self) -> Tidier:
        def count(outcome: str) -> None:
            self.outcomes[outcome] += 1

        return Tidier(self.configuration, self.database, count)

    def tidy(self) -> None:
        """One look over the inbox, as at the start of the daemon."""
        self.tidier()._sweep()

    def archived(self) -> dict[str, bytes]:
        return {path.relative_to(self.archive).as_posix(): path.read_bytes() for path in below(self.archive)}

    def places(self) -> dict[int, str | None]:
        with self.database.read() as connection:
            return {row.id: row.archived_path for row in connection.execute(select(crops.c.id, crops.c.archived_path))}


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Callable[..., Plant]]:
    made: list[Plant] = []

    def make(after: str, archive: Path | None = None) -> Plant:
        made.append(Plant(tmp_path, after, archive))
        return made[-1]

    yield make
    for one in made:
        one.database.close()


def test_only_decided_files_of_the_inbox_go(plant: Callable[..., Plant]) -> None:
    here = plant("delete")
    decided, undecided = here.put("1.jpg", b"one"), here.put("2.jpg", b"two")
    failed, by_hand = here.put("3.jpg", b"three"), here.put("4.jpg", b"four")
    here.decide(decided)
    here.decide(failed, reason="truncated", error="e", verdict=None, scores=())
    here.decide(by_hand, source="folder")
    here.tidy()
    assert below(here.inbox) == [undecided, failed, by_hand]
    assert here.outcomes == {"deleted": 1}


def test_the_archive_is_sorted_by_the_plants_day_and_verdict(plant: Callable[..., Plant]) -> None:
    here = plant("archive")
    path = here.put("sub/Ö \n.jpg", b"one")
    os.utime(path, ns=(1, 1_600_000_000_000_000_001))
    number = here.decide(path)
    here.tidy()
    target = here.archive / DAY / "ne_proliv" / "Ö \n.jpg"
    assert (below(here.archive), below(here.inbox)) == ([target], [])
    assert here.places() == {number: to_text(target)}
    assert target.stat().st_mtime_ns == 1_600_000_000_000_000_001
    assert here.outcomes == {"archived": 1}


def test_files_from_before_the_archive_was_switched_on_or_moved_are_archived_too(plant: Callable[..., Plant]) -> None:
    here = plant("archive")
    here.decide(here.put("1.jpg", b"one"), planned=False)
    second = here.put("2.jpg", b"two")
    here.decide(second, archived_path="/elsewhere/2026-03-03/ne_proliv/2.jpg")
    here.tidy()
    assert here.archived() == {f"{DAY}/ne_proliv/1.jpg": b"one", f"{DAY}/ne_proliv/2.jpg": b"two"}
    assert set(here.places().values()) == {str(path) for path in below(here.archive)}


def test_names_that_meet_in_the_archive_stay_apart(plant: Callable[..., Plant]) -> None:
    here = plant("archive")
    long = "x" * 251 + ".jpg"
    for name, content in {
        "a/1.jpg": b"one", "b/1.jpg": b"two", "c/1.jpg": b"one", "d/1.jpg": b"one", f"a/{long}": b"three",
        f"b/{long}": b"four",
    }.items():  # fmt: skip
        here.decide(here.put(name, content))
    here.tidy()
    assert below(here.inbox) == []
    assert sorted(here.archived().values()) == sorted([b"one", b"one", b"one", b"two", b"three", b"four"])
    # Each crop has a place of its own, with its own content.
    with here.database.read() as connection:
        rows = connection.execute(select(crops.c.sha256, crops.c.archived_path)).all()
    assert {row.archived_path for row in rows} == {str(path) for path in below(here.archive)}
    assert all(sha256(Path(row.archived_path)) == row.sha256 for row in rows)


def test_a_file_that_comes_once_more_is_archived_once(plant: Callable[..., Plant]) -> None:
    here = plant("archive")
    here.decide(here.put("1.jpg", b"one"))
    here.tidy()
    again = here.put("1.jpg", b"one")
    here.decide(again)
    here.tidy()
    assert below(here.inbox) == []
    assert list(here.archived().values()) == [b"one"]


@pytest.mark.parametrize("after", ["delete", "archive"])
@pytest.mark.parametrize("links", [True, False])
def test_what_the_camera_overwrites_survives(
    plant: Callable[..., Plant], after: str, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file comes after the look at the old one, at every step on the way."""
    here = plant(after)
    if not links:
        monkeypatch.setattr(moving, "_rename_at_once", refuse_rename)
    before = moving.rename
    step = 0

    def overwrite(source: Place, target: Place) -> None:
        nonlocal step
        step += 1
        if step == 1 and source.name == "1.jpg":
            # As large, and as old.
            replace_like(here.inbox / "1.jpg", b"TWO")
        before(source, target)
        if step == 1 and source.name == "1.jpg":
            here.put("1.jpg", b"three")

    path = here.put("1.jpg", b"one")
    here.decide(path)
    monkeypatch.setattr(moving, "rename", overwrite)
    here.tidy()
    assert sorted(path.read_bytes() for path in below(here.inbox)) == [b"TWO", b"three"]
    assert path.read_bytes() == b"three"
    assert all(one.suffix == ".jpg" and not one.name.startswith(".") for one in below(here.inbox))
    assert here.outcomes == {"changed": 1}
    assert below(here.archive) == []


def replace_like(path: Path, content: bytes) -> None:
    status = path.stat()
    other = path.with_name(".incoming")
    other.write_bytes(content)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)


def refuse_rename(_source: Place, _target: Place) -> None:
    raise OSError(22, "not known here")


def test_a_link_is_neither_followed_nor_taken(plant: Callable[..., Plant], tmp_path: Path) -> None:
    here = plant("delete")
    precious = tmp_path / "labelled" / "1.jpg"
    precious.parent.mkdir()
    precious.write_bytes(b"one")
    path = here.put("sub/1.jpg", b"one")
    os.utime(path, ns=(1, precious.stat().st_mtime_ns))
    here.decide(path)
    second = here.put("2.jpg", b"two")
    here.decide(second)
    tidier = here.tidier()
    shutil.rmtree(here.inbox / "sub")
    (here.inbox / "sub").symlink_to(precious.parent)
    second.unlink()
    second.symlink_to(precious)
    tidier._tidy([str(path), str(second)])
    assert precious.read_bytes() == b"one"
    assert second.is_symlink()


def test_nothing_is_written_through_a_link_in_the_archive(plant: Callable[..., Plant], tmp_path: Path) -> None:
    here = plant("archive")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here.archive.mkdir()
    (here.archive / DAY).symlink_to(elsewhere)
    path = here.put("1.jpg", b"one")
    here.decide(path)
    here.tidy()
    assert (below(elsewhere), path.read_bytes()) == ([], b"one")
    assert here.outcomes == {"failed": 1}


def test_claims_that_a_crash_left_are_finished_or_given_back(plant: Callable[..., Plant]) -> None:
    here = plant("archive")
    for number, content in enumerate([b"one", b"two", b"three"], 1):
        path = here.put(f"sub/{number}.jpg", content)
        assert here.decide(path) == number
        path.rename(path.with_name(f".{number}.monitor-claim"))
    # The second was moved already, the third is not what was decided, and nobody knows the fourth.
    (here.archive / DAY / "ne_proliv").mkdir(parents=True)
    (here.archive / DAY / "ne_proliv" / "2.jpg").write_bytes(b"two")
    (here.inbox / "sub" / ".3.monitor-claim").write_bytes(b"else")
    (here.inbox / ".77.monitor-claim").write_bytes(b"unknown")
    here.tidy()
    assert here.archived() == {f"{DAY}/ne_proliv/1.jpg": b"one", f"{DAY}/ne_proliv/2.jpg": b"two"}
    assert {path.read_bytes() for path in below(here.inbox)} == {b"else", b"unknown"}
    assert not [path for path in below(here.inbox) if path.name.startswith(".")]


@pytest.mark.parametrize("after", ["delete", "archive"])
def test_a_claim_that_is_no_decided_file_goes_nowhere(plant: Callable[..., Plant], after: str) -> None:
    """Whoever may write into the inbox may make one of any number."""
    here = plant(after)
    failed = here.put("1.jpg", b"one")
    number = here.decide(failed, planned=False, reason="truncated", error="e", verdict=None, scores=())
    failed.rename(here.inbox / f".{number}.monitor-claim")
    here.put(f".{'9' * 60}.monitor-claim", b"two")
    here.decide(here.put("3.jpg", b"three"))
    here.tidy()
    assert {path.name: path.read_bytes() for path in below(here.inbox)} == {
        f"{number}.jpg": b"one",
        f".{'9' * 60}.monitor-claim": b"two",
    }
    assert here.outcomes == {"changed": 1, "deleted" if after == "delete" else "archived": 1}


def test_claims_wait_while_the_database_does_not_answer(
    plant: Callable[..., Plant], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = plant("delete")
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


def test_what_may_not_be_changed_holds_up_no_other_file(
    plant: Callable[..., Plant], caplog: pytest.LogCaptureFixture
) -> None:
    here = plant("delete")
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


def test_what_comes_while_a_failed_file_is_quarantined_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(b"bad")
    content = CropReader(max_bytes=10, max_pixels=10).load(path)
    before = moving.move

    def move(source: Place, target: Place) -> None:
        monkeypatch.setattr(quarantine, "move", before)
        replace_like(path, b"new")
        before(source, target)

    monkeypatch.setattr(quarantine, "move", move)
    assert quarantine.quarantine(path, content.sha256, content.looks, tmp_path / "quarantine") is None
    assert (path.read_bytes(), list((tmp_path / "quarantine").iterdir())) == (b"new", [])


def test_a_full_archive_keeps_files_in_the_inbox_until_there_is_space(
    plant: Callable[..., Plant], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "small") as disk:
        here = plant("archive", disk / "archive")
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


@pytest.mark.parametrize("way", ["at once", "by a link", "onto an own file"])
def test_a_rename_replaces_nothing(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way != "at once":
        monkeypatch.setattr(moving, "_rename_at_once", refuse_rename)
    if way == "onto an own file":
        monkeypatch.setattr(os, "link", lambda *_arguments, **_options: refuse_rename(Place(0, ""), Place(0, "")))
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    with opened_folder(tmp_path) as folder:
        with pytest.raises(FileExistsError):
            moving.rename(Place(folder, "a"), Place(folder, "b"))
        moving.rename(Place(folder, "a"), Place(folder, "c"))
        with pytest.raises(FileNotFoundError):
            moving.rename(Place(folder, "a"), Place(folder, "d"))
    assert {path.name: path.read_bytes() for path in below(tmp_path)} == {"b": b"b", "c": b"a"}


def test_the_c_library_renames_without_replacing() -> None:
    """Else every rename would go the longer way."""
    assert hasattr(ctypes.CDLL(None), "renameat2")


def test_a_labelled_crop_is_scored_from_the_archive(plant: Callable[..., Plant]) -> None:
    here = plant("archive")
    number = here.decide(here.put("1.jpg", b"one"))
    here.tidy()
    with here.database.write() as connection:
        found = missing_scores._places(connection, [store_crops.crop_by_id(connection, number)])  # type: ignore[list-item]
    assert [Path(place).exists() for place in found[hashlib.sha256(b"one").hexdigest()]] == [False, True]


def archiving(daemon: Daemon, after: str = "archive") -> Path:
    daemon.environment["MONITOR__INBOX__AFTER"] = after
    daemon.environment["MONITOR__PATHS__ARCHIVE"] = str(daemon.home / "archive")
    daemon.inbox.mkdir(exist_ok=True)
    return daemon.home / "archive"


def test_2000_files_end_in_the_archive_once_each_whatever_is_killed(daemon: Daemon, pictures: list[Path]) -> None:
    archive = archiving(daemon)
    staging = daemon.home / "staging"
    staging.mkdir()
    contents = [path.read_bytes() for path in pictures]
    expected = {}
    for number in range(2000):
        # What follows the end mark belongs to no picture, and makes each content another.
        content = contents[number % len(contents)] + b"%06d" % number + b"\xff\xd9"
        expected[f"{number}_CAM_C_01-03-2023_05-39-27-929.jpg"] = hashlib.sha256(content).hexdigest()
        (staging / f"{number}_CAM_C_01-03-2023_05-39-27-929.jpg").write_bytes(content)
    names = iter(sorted(expected))
    for kill_at in (400, 1000):
        process = daemon.start()
        for name in islice(names, 700):
            (staging / name).rename(daemon.inbox / name)
        daemon.until(lambda kill_at=kill_at: len(below(archive)) >= kill_at)  # type: ignore[misc]
        process.kill()
        process.wait()
    for name in names:
        (staging / name).rename(daemon.inbox / name)
    daemon.start()
    daemon.until(lambda: len(below(archive)) == 2000 and not below(daemon.inbox))
    metrics = daemon.metrics()
    assert daemon.stop() == 0
    assert metrics['monitor_tidied_files_total{outcome="archived"}'] > 0
    assert metrics.get('monitor_crops_failed_total{reason="vanished"}', 0) == 0
    rows = daemon.query("select path, sha256, archived_path, verdict, seen_at from crops")
    assert {Path(path).name: digest for path, digest, *_ in rows} == expected
    assert len(rows) == daemon.query("select count(*) from scores")[0][0] == 2000
    assert {path.name: sha256(path) for path in below(archive)} == expected
    for path, _, archived, verdict, seen_at in rows:
        assert archived == str(archive / seen_at[:10] / verdict / Path(path).name)
    assert "vanished" not in daemon.text()


def test_a_kill_between_commit_and_move_leaves_the_file_to_the_next_start(daemon: Daemon, pictures: list[Path]) -> None:
    """The archive cannot be written until the daemon is killed; the decision and the place are committed by then."""
    archive = archiving(daemon)
    archive.write_text("in the way")
    process = daemon.start()
    shutil.copyfile(pictures[0], daemon.inbox / pictures[0].name)
    daemon.until(
        lambda: daemon.count() == 1 and ("cannot be moved" in daemon.text() or "cannot be made" in daemon.text())
    )
    process.kill()
    process.wait()
    ((path, planned),) = daemon.query("select path, archived_path from crops")
    assert [Path(path)] == below(daemon.inbox)
    archive.unlink()
    daemon.start()
    daemon.until(lambda: below(daemon.inbox) == [])
    assert [Path(planned)] == below(archive)
    assert daemon.count() == len(daemon.query("select crop_id from scores")) == 1


def test_switching_after_on_tidies_what_was_decided_before(daemon: Daemon, pictures: list[Path]) -> None:
    daemon.inbox.mkdir()
    for path in pictures[:20]:
        shutil.copyfile(path, daemon.inbox / path.name)
    (daemon.inbox / "bad.jpg").write_bytes(b"\xff\xd8 no picture")
    daemon.start()
    daemon.until(lambda: daemon.count() == 21)
    assert daemon.stop() == 0
    assert len(below(daemon.inbox)) == 21
    archiving(daemon, "delete")
    daemon.start()
    daemon.until(lambda: [path.name for path in below(daemon.inbox)] == ["bad.jpg"])
    shutil.copyfile(pictures[20], daemon.inbox / pictures[20].name)
    daemon.until(lambda: daemon.count() == 22 and len(below(daemon.inbox)) == 1)
    assert daemon.metrics()['monitor_tidied_files_total{outcome="deleted"}'] == 21
    assert daemon.stop() == 0


def test_an_archived_file_can_be_labelled(
    daemon: Daemon, pictures: list[Path], run_monitor: RunMonitor, tmp_path: Path
) -> None:
    archive = archiving(daemon)
    shutil.copyfile(pictures[0], daemon.inbox / pictures[0].name)
    daemon.start()
    daemon.until(lambda: len(below(archive)) == 1)
    assert daemon.stop() == 0
    done = run_monitor("label", below(archive)[0], "--as", "ne_proliv", environment=daemon.environment)
    assert done.returncode == 0, done.stderr
    assert daemon.query("select crop_id, label from labels") == [(1, "ne_proliv")]
    assert daemon.count() == 1


def test_a_day_is_that_of_the_plants_clock() -> None:
    archive = Archive(Path("/archive"), ZoneInfo("Asia/Kamchatka"))
    moment = datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert archive.place(moment, "proliv", "1.jpg") == Path("/archive/2027-01-01/proliv/1.jpg")
    assert archive.place(moment - timedelta(days=1), "proliv", "1.jpg").parts[2] == "2026-12-31"
