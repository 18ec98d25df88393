from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from monitor.errors import InputMissingError
from monitor.files.ignoring import IgnoredNames
from monitor.files.walking import LONGEST_PATH_BYTES, crop_paths, is_crop_name, is_crop_path
from tests.support.disks import make_deep_folder, remove_deep_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("name", ["a.jpg", "A.JPEG", "a.b.Png", "x.bmp", "x.tif", "x.TIFF", "x.webp", " .jpg", "é.jpg"])
def test_names_of_crops(name: str) -> None:
    assert is_crop_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "jpg", ".jpg", ".a.jpg", ".a.jpg.X7q2Zs", "a.jpg.part", "a.jpg~", "a.gif", "a.jpg ", "a."],
)
def test_other_names(name: str) -> None:
    assert not is_crop_name(name)


def test_paths_below_hidden_folders_are_no_crops() -> None:
    folder = "/inbox/.state"
    assert is_crop_path(f"{folder}/day/a.jpg", folder)
    assert not is_crop_path(f"{folder}/.~tmp~/a.jpg", folder)
    assert not is_crop_path(f"{folder}/day/.a.jpg", folder)
    assert not is_crop_path(f"{folder}2/a.jpg", folder)
    assert not is_crop_path(folder, folder)


def test_what_is_found(tmp_path: Path) -> None:
    found = ["a.jpg", "day.jpg/b.PNG", "day/night/c.tif", "link.jpg", "dangling.jpg", "pipe.jpg"]
    skipped = ["notes.txt", ".hidden.jpg", ".~tmp~/d.jpg", "day/.partial/e.jpg"]
    for name in (*found[:3], *skipped):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.jpg").symlink_to("day")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    assert sorted(crop_paths(tmp_path)) == sorted(tmp_path / name for name in found)
    assert all(is_crop_path(f"{tmp_path}/{name}", str(tmp_path)) for name in found)
    assert not any(is_crop_path(f"{tmp_path}/{name}", str(tmp_path)) for name in skipped)


def test_what_other_programs_left_is_not_found(tmp_path: Path) -> None:
    ignored = IgnoredNames(["@eaDir", "SYNOPHOTO_*"])
    found, skipped = ["a.jpg", "day/b.jpg"], ["@EADIR/a.jpg", "day/@eaDir/b.jpg/M.jpg", "day/SYNOPHOTO_M.jpg"]
    for name in (*found, *skipped):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(crop_paths(tmp_path, None, ignored)) == sorted(tmp_path / name for name in found)
    for name in (*found, *skipped):
        assert is_crop_path(f"{tmp_path}/{name}", str(tmp_path), ignored) == (name in found)
    # The folder that was asked for is looked into whatever its own name is.
    assert list(crop_paths(tmp_path / "@EADIR", None, ignored)) == [tmp_path / "@EADIR" / "a.jpg"]


def test_a_link_given_as_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").touch()
    (tmp_path / "link").symlink_to("real")
    assert list(crop_paths(tmp_path / "link")) == [tmp_path / "link" / "a.jpg"]


def test_missing_folders_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file\n").touch()
    with pytest.raises(InputMissingError, match="there is no such folder"):
        crop_paths(tmp_path / "none")
    with pytest.raises(InputMissingError, match=r"file\\n: this is not a folder"):
        crop_paths(tmp_path / "file\n")


def test_folders_that_vanish_during_the_walk(tmp_path: Path) -> None:
    told: list[Path] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "a.jpg").touch()
    walk = crop_paths(tmp_path, lambda path, _: told.append(path))
    assert next(walk) == tmp_path / "a.jpg"
    for name in ("one", "two"):
        (tmp_path / name).rmdir()
    assert list(walk) == []
    assert told == []


def test_streaming(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.jpg").touch()
    walk = crop_paths(tmp_path)
    next(walk)
    del walk  # an abandoned walk leaves no open folder behind: a warning would fail this test


def test_deep_folders(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath(*["d"] * 400)
    deepest.mkdir(parents=True)
    (deepest / "a.jpg").touch()
    assert list(crop_paths(tmp_path)) == [deepest / "a.jpg"]


@pytest.mark.process
def test_folders_deeper_than_the_longest_path(tmp_path: Path) -> None:
    """Each level can be made, but the whole path is not one that the system takes."""
    (tmp_path / "a.jpg").touch()
    middle = make_deep_folder(tmp_path, 700, "deep")
    os.close(os.open("b.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=middle))
    inner = make_deep_folder(Path(f"/proc/self/fd/{middle}"), 500, "deep")
    os.close(os.open("c.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
    os.close(middle)
    os.close(inner)
    told: list[tuple[Path, int | None]] = []
    found = list(crop_paths(tmp_path, lambda path, error: told.append((path, error.errno))))
    assert [path.name for path in found] == ["a.jpg", "b.jpg"]
    ((longest, reason),) = told
    assert (reason, LONGEST_PATH_BYTES - 5 <= len(str(longest)) <= LONGEST_PATH_BYTES) == (errno.ENAMETOOLONG, True)
    with pytest.raises(InputMissingError, match=r"longer than the 4,095 bytes .* move what lies in it further up"):
        list(crop_paths(tmp_path))
    remove_deep_folder(tmp_path, "deep")


def test_an_entry_that_the_system_says_nothing_of_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share may not tell with the names which are folders, and fail when it is asked for one of them."""
    for name in ("a.jpg", "stale.jpg", "sub/b.jpg", "stale/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scandir = os.scandir

    @contextmanager
    def of_a_share(folder: Any) -> Iterator[Any]:
        with scandir(folder) as entries:
            yield map(told, sorted(entries, key=lambda entry: "stale" not in entry.name))

    def told(entry: os.DirEntry[str]) -> Any:
        def is_dir(*, follow_symlinks: bool) -> bool:
            if "stale" in entry.name:
                raise OSError(errno.ESTALE, "Stale file handle")
            return entry.is_dir(follow_symlinks=follow_symlinks)

        return SimpleNamespace(name=entry.name, path=entry.path, is_dir=is_dir)

    found = crop_paths(tmp_path, lambda _folder, _error: None)
    monkeypatch.setattr(os, "scandir", of_a_share)
    assert set(found) == {tmp_path / name for name in ("a.jpg", "stale.jpg", "stale/c.jpg", "sub/b.jpg")}
