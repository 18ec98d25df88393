"""Reading a file's bytes: what is refused, and how much is read."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.crops import loader
from monitor.crops.loader import CropReader, FileContent
from monitor.files.looks import Looks
from monitor.files.text import from_text, to_text
from monitor.files.walking import crop_paths
from tests.support.pictures import (
    READER,
    load_refusal,
)


class TestLoad:
    def test_content(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        path.write_bytes(b"abc")
        status = path.stat()
        assert READER.load(path) == FileContent(
            b"abc", hashlib.sha256(b"abc").hexdigest(), Looks(3, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        )

    @pytest.mark.parametrize(
        "name",
        [
            b"with space.jpg",
            b'it\'s "so".jpg',
            b"two\nlines.jpg",
            b"\xff\xfe\x80.jpg",
            b"a" * 251 + b".jpg",
            b"-rf.jpg",
        ],
    )
    def test_any_name(self, tmp_path: Path, name: bytes) -> None:
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(b"abc")
        assert READER.load(path).data == b"abc"
        assert list(crop_paths(tmp_path)) == [path]
        assert from_text(to_text(path)) == path

    def test_vanished(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert load_refusal(tmp_path / "a.jpg").reason == "vanished"
        assert load_refusal(tmp_path / "file" / "a.jpg").reason == "vanished"

    def test_symbolic_links(self, tmp_path: Path) -> None:
        (tmp_path / "real.jpg").write_bytes(b"abc")
        for name, target in (("1.jpg", "real.jpg"), ("2.jpg", "nowhere"), ("3.jpg", "3.jpg"), ("4.jpg", ".")):
            (tmp_path / name).symlink_to(target)
            assert load_refusal(tmp_path / name).reason == "symlink"

    def test_pipes_sockets_devices_and_folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        os.mkfifo("pipe.jpg")
        Path("folder.jpg").mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.jpg")
            for path in ("pipe.jpg", "folder.jpg", "socket.jpg", "/dev/null"):
                assert load_refusal(Path(path)).reason == "not_a_file"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who may not read")
    @pytest.mark.process
    def test_unreadable_as_root(self, tmp_path: Path) -> None:
        # In a child process: giving privileges away cannot be taken back.
        (tmp_path / "a.jpg").write_bytes(b"abc")
        (tmp_path / "closed").mkdir()
        for path, mode in ((tmp_path / "a.jpg", 0), (tmp_path / "closed", 0), (tmp_path, 0o755)):
            path.chmod(mode)
        program = """if True:
            import os, sys
            from pathlib import Path
            from monitor.crops.loader import CropReader; from monitor.files.walking import crop_paths
            from monitor.errors import CropRefusedError, InputMissingError
            reader = CropReader(max_bytes=9, max_pixels=9)
            folder = os.open(sys.argv[1], os.O_RDONLY)
            os.fchdir(folder)
            os.setuid(65534)
            try:
                reader.load(Path("a.jpg"))
            except CropRefusedError as error:
                print(error.reason, error.transient)
            told = []
            print([*crop_paths(Path("."), lambda path, error: told.append(str(path)))], told)
            for folder in ("closed", "."):
                try:
                    print([*crop_paths(Path(folder))])
                except InputMissingError as error:
                    print(error)
        """
        result = subprocess.run(
            [sys.executable, "-c", program, tmp_path],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(loader.__file__).parents[2])},
        )
        assert result.stderr == ""
        assert result.stdout.splitlines() == [
            "unreadable True",
            "[PosixPath('a.jpg')] ['closed']",
            *["closed: this folder may not be read; give the user who runs this program read permission"] * 2,
        ]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything; the test above stands in")
    def test_unreadable(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        path.write_bytes(b"abc")
        path.chmod(0)
        assert load_refusal(path).reason == "unreadable"

    def test_sizes(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        reader = CropReader(max_bytes=3, max_pixels=1)
        path.touch()
        assert load_refusal(path, reader).reason == "empty"
        path.write_bytes(b"abc")
        assert reader.load(path).looks.size_bytes == 3
        path.write_bytes(b"abcd")
        assert load_refusal(path, reader).reason == "too_large"

    def test_a_huge_file_is_refused_unread(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        with path.open("wb") as stream:
            stream.truncate(2**40)
        assert load_refusal(path).reason == "too_large"

    def test_a_file_that_grows_while_it_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a.jpg"
        path.write_bytes(b"start")
        read = os.read

        def read_and_grow(descriptor: int, size: int) -> bytes:
            block = read(descriptor, size)
            with path.open("ab") as stream:
                stream.write(b"x" * 40_000)
            return block

        with monkeypatch.context() as patch:
            patch.setattr(os, "read", read_and_grow)
            assert load_refusal(path, CropReader(max_bytes=100_000, max_pixels=1)).reason == "too_large"
            assert path.stat().st_size < 400_000
