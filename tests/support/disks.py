"""Files and disks as tests need them: what lies in a folder, a disk that is soon full, a user with few rights."""

from __future__ import annotations

import hashlib
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def below(folder: Path) -> list[Path]:
    """Every file below a folder, also those with a dot."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def replace_like(path: Path, content: bytes) -> None:
    status = path.stat()
    other = path.with_name(".incoming")
    other.write_bytes(content)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)


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


def make_deep_folder(folder: Path, levels: int, name: str = "d") -> int:
    """Make folders in folders, beyond what the system takes as one path; the innermost is returned open."""
    inner = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=inner)
        outer, inner = inner, os.open(name, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    return inner


def remove_deep_folder(folder: Path, name: str = "d") -> None:
    """Remove what `make_deep_folder` made, which Python could not."""
    subprocess.run(["rm", "-rf", folder / name], check=True)
