"""A machine of its own for a test: a real systemd, booted over a copy-on-write view of this machine's files.

Nothing that happens in it reaches this machine: what it writes lies in memory and is gone at the end, it has its own
processes, its own network with a loopback alone, and its own cgroups. It sees the programs that are installed here.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monitor.harness.waiting import PATIENCE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Each look starts a program in the container.
LOOK_SECONDS: Final = 0.1
LONGEST_TOLD: Final = 5000
POWER_OFF: Final = signal.SIGRTMIN + 4  # what systemd as process 1 takes for "power off"
PROGRAMS: Final = ("systemd-nspawn", "systemctl", "journalctl", "nsenter", "mount", "umount", "ip")

INTO_CGROUPS: Final = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'

# What is enabled on this machine, such as servers and timers, is not to start in a test.
SILENT_UNITS: Final = ("*.target.wants/*", "*.timer.wants/*")


def missing() -> str | None:
    """Why no container can be started here; None if one can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"needs {', '.join(absent)}: apt-get install systemd systemd-container dbus util-linux iproute2"
    if not Path("/usr/lib/systemd/systemd").exists() and not Path("/lib/systemd/systemd").exists():
        return "needs systemd: apt-get install systemd systemd-container dbus"
    if os.geteuid() != 0:
        return "needs root, to start a container with systemd-nspawn"
    return None


class NoContainerError(Exception):
    """This machine lets no user start a container, not even root; the message says what it refused."""


class Container:
    """One booted machine; `stop` must be called, however the test ends."""

    def __init__(self, folder: Path, binds: Mapping[Path, str] | None = None) -> None:
        """``folder``: an empty one to work in; ``binds``: folders of this machine to show there, read-only."""
        self.folder = folder
        self.root = folder / "root"
        self.name = f"monitor-test-{uuid.uuid4().hex[:12]}"
        self._binds = dict(binds or {})
        self._console = folder / "console.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._cgroups: list[Path] = []
        self.leader = 0

    def boot(self) -> None:
        """Start it; returns when systemd has started everything. Raises `NoContainerError`."""
        self._mount()
        command = ["systemd-nspawn", f"--directory={self.root}", f"--machine={self.name}", "--private-network"]
        command += ["--register=no", "--console=pipe", "--link-journal=no", "--resolv-conf=off", "--timezone=off"]
        # systemd filters a unit's addresses by programs in the kernel, which a container may not load otherwise.
        command += ["--system-call-filter=bpf", "--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN"]
        if not Path("/run/systemd/system").is_dir():
            # This machine has no systemd of its own that could be asked for a scope, so the container stays in ours.
            self._cgroups = _own_cgroups(self.name)
            command.append("--keep-unit")
        command += [f"--bind-ro={source}:{target}" for source, target in self._binds.items()]
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(
                ["sh", "-c", INTO_CGROUPS, "sh", *self._cgroups, "--", *command, "--boot"],
                # As Debian and Ubuntu are, whatever this machine is.
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        self.wait_until(self._find_leader)
        self.wait_until(lambda: self._state() in ("running", "degraded"))

    def _mount(self) -> None:
        memory = self.folder / "memory"
        for folder in (memory, self.root):
            folder.mkdir(parents=True)
        _run("mount", "-t", "tmpfs", "-o", "size=4g,mode=755", "monitor-test", memory)
        for name in ("upper", "work"):
            (memory / name).mkdir()
        layers = f"lowerdir=/,upperdir={memory / 'upper'},workdir={memory / 'work'}"
        _run("mount", "-t", "overlay", "-o", layers, "monitor-test", self.root)
        # A machine's id is its own, and systemd makes one where the file is empty.
        self._write_outside("etc/machine-id", "")
        self._write_outside("etc/hostname", "monitor-test\n")
        for pattern in SILENT_UNITS:
            for link in (self.root / "etc/systemd/system").glob(pattern):
                link.unlink()
        for journal in (self.root / "var/log/journal").glob("*"):
            shutil.rmtree(journal)
        # The records of this machine, and any state of a service that is installed here, are not the test's.
        shutil.rmtree(self.root / "var/log/journal", ignore_errors=True)
        shutil.rmtree(self.root / "etc/monitor", ignore_errors=True)

    def _write_outside(self, name: str, text: str) -> None:
        path = self.root / name
        path.unlink(missing_ok=True)
        path.write_text(text)

    def _find_leader(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise NoContainerError(f"systemd-nspawn did not start a container: {self._text()}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self.leader = next((int(child) for child in children if _name(child) == "systemd"), 0)
        return self.leader != 0

    def _state(self) -> str:
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    def stop(self) -> None:
        """Power it off, by force if it does not react, and remove all that it left on this machine."""
        if self._process is not None and self._process.poll() is None:
            if self.leader:
                os.kill(self.leader, POWER_OFF)
            try:
                self._process.wait(PATIENCE_SECONDS / 2)
            except subprocess.TimeoutExpired:
                if self.leader:
                    os.kill(self.leader, signal.SIGKILL)
                self._process.kill()
                self._process.wait()
        for folder in (self.root, self.folder / "memory"):
            subprocess.run(["umount", "--lazy", folder], capture_output=True)
        for cgroup in self._cgroups:
            _remove_cgroup(cgroup)

    def path(self, name: str) -> Path:
        """Where the test finds a file of the container, with everything that is mounted there."""
        return Path(f"/proc/{self.leader}/root") / name.lstrip("/")

    def disk(self, name: str) -> Path:
        """Where programs that follow links themselves, as SQLite does, find a file of the container's disk."""
        return self.root / name.lstrip("/")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """Write a file in the container."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def run(self, *command: str | Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root in the container."""
        ended = subprocess.run(
            ["nsenter", f"--target={self.leader}", "--all", "--wdns=/", "--", *command],
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"} | environment,
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert ended.returncode == 0 or not check, f"{command}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
        return ended

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit."""
        text = self.run("systemctl", "show", unit, f"--property={','.join(names)}").stdout
        return dict(line.split("=", 1) for line in text.splitlines())

    def journal(self, unit: str, *options: str) -> list[dict[str, Any]]:
        """What the unit's processes and systemd wrote about it, the oldest first."""
        text = self.run("journalctl", f"--unit={unit}", "--output=json", "--all", *options).stdout
        return [json.loads(line) for line in text.splitlines()]

    def messages(self, unit: str) -> str:
        """The journal of a unit as text, a line a message."""
        return "\n".join(str(entry.get("MESSAGE")) for entry in self.journal(unit))

    def wait_until(self, condition: Callable[[], bool], unit: str | None = None) -> None:
        """Wait for a condition; fails with the journal of the unit, or with the console."""
        wait_until(condition, lambda: self.messages(unit)[-LONGEST_TOLD:] if unit else self._text(), pause=LOOK_SECONDS)

    def _text(self) -> str:
        return self._console.read_text(errors="replace")


def _run(*command: str | Path) -> None:
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise NoContainerError(f"{' '.join(map(str, command))}: is refused: {ended.stderr.strip()}")


def _name(process: str) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:  # it has ended meanwhile
        return ""


def _own_cgroups(name: str) -> list[Path]:
    """A new cgroup in each hierarchy that systemd uses: two containers must not share theirs."""
    mounts: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        kind, options = fields[fields.index("-") + 1], fields[-1]
        if kind == "cgroup2":
            mounts[""] = Path(fields[4])
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            mounts["name=systemd"] = Path(fields[4])
    made = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in mounts:
            made.append(mounts[controllers] / path.lstrip("/") / name)
    try:
        for cgroup in made:
            cgroup.mkdir()
    except OSError as error:
        raise NoContainerError(f"{error.filename}: a cgroup for a container is refused: {error.strerror}") from None
    return made


def _remove_cgroup(cgroup: Path) -> None:
    for folder in sorted(cgroup.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
        _forget(folder)
    _forget(cgroup)


def _forget(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
