"""A machine with a systemd of its own on which monitor is installed as docs/install.md says."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.container import Container, NoContainerError, missing
from tests.support.requirements import go_without
from tests.support.wheel import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON_HOME: Final = "/opt/python"
BORROWED: Final = "/opt/borrowed"
PROGRAM: Final = "/opt/monitor/bin/monitor"
CONFIGURATION: Final = """\
[paths]
inbox = "/srv/camera/holes"
state = "/var/lib/monitor"
labelled = "/srv/camera/labelled"
archive = "/srv/camera/archive"
quarantine = "/srv/camera/unreadable"

[inbox]
after = "archive"

[watch]
scan_seconds = 0.5
settle_seconds = 0.3
give_up_seconds = 1.5

[calibration]
nightly = false

[alarms.sinks.record]
kind = "log"
heartbeat_seconds = 5
"""


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> Iterator[Container]:
    """A booted container for all tests of the service."""
    if reason := missing():
        go_without("systemd", reason)
    # Only now, for it takes a training.
    with a_machine(request.getfixturevalue("trained_state")) as container:
        yield container


@contextmanager
def a_machine(state: Path, configuration: str = CONFIGURATION) -> Iterator[Container]:
    """A booted container with the program in /opt/monitor, this state, a camera's folders and the unit."""
    if reason := missing():
        go_without("systemd", reason)
    # Not below pytest's folder, which is removed with all that is in it, were something still mounted there.
    folder = Path(tempfile.mkdtemp(prefix="monitor-container-"))
    container = Container(folder, _binds())
    try:
        try:
            container.boot()
        except NoContainerError as error:
            go_without("systemd", f"needs privileges that this machine does not give even to root: {error}")
        install(container)
        prepare(container, state, configuration)
        yield container
    finally:
        container.stop()
        subprocess.run(["rm", "--recursive", "--one-file-system", folder])


def _binds() -> dict[Path, str]:
    """The interpreter and the libraries of this one, where another user may read them."""
    binds = {Path(sysconfig.get_path(name)): f"{BORROWED}/{name}" for name in ("purelib", "platlib")}
    if Path(sys.base_prefix) != Path("/usr"):
        binds[Path(sys.base_prefix)] = PYTHON_HOME
    return binds


def install(container: Container) -> None:
    """Install the wheel into a virtual environment of its own, which borrows the dependencies."""
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if Path(sys.base_prefix) != Path("/usr"):
        python = Path(PYTHON_HOME) / "bin" / python.name
        container.write("/etc/ld.so.conf.d/python.conf", f"{PYTHON_HOME}/lib\n")
        container.run("ldconfig")
    container.run(python, "-m", "venv", "--without-pip", "/opt/monitor")
    (site,) = container.path("/opt/monitor/lib").glob("python*/site-packages")
    # Folders that a .pth file names have their own .pth files ignored, that of an editable installation as well.
    borrowed = "".join(f"{BORROWED}/{name}\n" for name in ("purelib", "platlib"))
    (site / "borrowed.pth").write_text(borrowed)
    wheel = build_wheel(container.folder / "wheel")
    shutil.copy(wheel, container.path("/opt") / wheel.name)
    offline = ("--no-index", "--no-deps", "--disable-pip-version-check", "--no-cache-dir", "--ignore-installed")
    python = Path("/opt/monitor/bin/python")
    container.run(python, "-m", "pip", "install", "--quiet", "--prefix=/opt/monitor", *offline, f"/opt/{wheel.name}")


def prepare(container: Container, state: Path, configuration: str = CONFIGURATION) -> None:
    """The camera's user, group and folders, the configuration, the state and the unit."""
    container.run("useradd", "--system", "--user-group", "camera")
    for name in ("holes", "labelled/proliv", "labelled/ne_proliv", "archive", "unreadable"):
        container.run("mkdir", "--parents", f"/srv/camera/{name}")
    container.run("chown", "--recursive", "camera:camera", "/srv/camera")
    container.run("chmod", "--recursive", "2770", "/srv/camera")
    container.write("/etc/monitor/config.toml", configuration)
    shutil.copytree(state, container.path("/var/lib/monitor"))
    deploy = ("deploy", "systemd", "--output", "/etc/systemd/system", "--group", "camera")
    container.run(PROGRAM, "--config", "/etc/monitor/config.toml", *deploy)
    container.run("systemctl", "daemon-reload")
