from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from generators.crops.datasets import write_dataset
from tests.support.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

POSTGRESQL_PASSWORD = "geheim-Паroль"

BRIGHTNESS = """
import numpy as np
from monitor.api import CropRefusedError, Detector, FitReport, Provider, Scores, hookimpl
from pydantic import BaseModel, ConfigDict


@hookimpl
def monitor_register_detectors():
    return [Provider("brightness", "the distance from the mean brightness", "brightness_detector:Brightness")]


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Brightness(Detector):
    name = "brightness"
    Settings = Settings
    input_size = 8, 8

    def prepare(self, pixels):
        if pixels.min() == pixels.max():
            raise CropRefusedError("blank", "it shows nothing")
        return super().prepare(pixels)

    def fit(self, crops, *, validation, seed, progress):
        self.mean = np.float32(crops.mean() / 255)
        return FitReport()

    def score(self, crops):
        distance = np.abs(crops.mean(axis=(1, 2, 3)) / 255 - self.mean).astype(np.float32)
        return Scores(distance**2, others={"distance": distance}, decision="distance")

    def reconstruct(self, crops):
        return np.full(crops.shape, self.mean, dtype=np.float32)

    def latent(self, crops):
        return self.score(crops).mse[:, None]

    def details(self):
        return {"mean_brightness": float(self.mean), "use_of_items": [0.25, 0.75], "health": {"dead_items": []}}

    def save(self, folder):
        np.save(folder / "mean.npy", self.mean, allow_pickle=False)

    @classmethod
    def load(cls, folder, settings, device):
        detector = cls(settings, device)
        detector.mean = np.load(folder / "mean.npy", allow_pickle=False)
        return detector
"""
"""A second detector, quick and unlike any other: it refuses crops of one grey."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take minutes, so that nothing waits for them in the end."""
    items.sort(key=lambda item: "tests/system" not in item.path.as_posix())


class RunMonitor(Protocol):
    def __call__(
        self, *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """The environment without anything that configures monitor or Python's search for modules."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("MONITOR") and name != "PYTHONPATH"
    }


@pytest.fixture
def run_monitor(tmp_path: Path, clean_environment: dict[str, str]) -> RunMonitor:
    """Run the installed command in `tmp_path`, as a person would."""
    program = Path(sysconfig.get_path("scripts")) / "monitor"

    def run(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            cwd=tmp_path,
            env={**clean_environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=150,
        )

    return run


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled folder of 150 crops to train on, 20 proliv and 40 test crops; not to be written to."""
    folder = tmp_path_factory.mktemp("dataset") / "crops"
    write_dataset(folder, train=150, proliv=20, test=40, seed=1)
    return folder


@pytest.fixture(scope="session")
def trained_state(tmp_path_factory: pytest.TempPathFactory, small_dataset: Path) -> Path:
    """A state folder with one calibrated and active `ae` model; to be copied, not to be written to."""
    home = tmp_path_factory.mktemp("trained")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR")}
    for arguments in (["train", "ae", "--set", "epochs=2"], ["calibrate"]):
        command = [sys.executable, "-m", "monitor", *arguments, "--data", str(small_dataset)]
        subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True)
    return home / "state"


@pytest.fixture
def daemon(trained_state: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon over a copy of a trained state, not started yet."""
    shutil.copytree(trained_state, tmp_path / "state")
    daemon = Daemon(tmp_path)
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.process.kill()
        daemon.process.wait()


@pytest.fixture(scope="session")
def second_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for Python's path with a distribution of a third party that offers the detector `brightness`."""
    site = tmp_path_factory.mktemp("site")
    information = site / "brightness_detector-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: brightness-detector\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[monitor]\nanother = brightness_detector\n")
    (site / "brightness_detector.py").write_text(BRIGHTNESS)
    return site


@pytest.fixture(scope="session")
def pair_state(trained_state: Path, second_detector: Path, small_dataset: Path) -> Path:
    """A state folder with an `ae` and a `brightness` model, both active, the latter activated last; to be copied."""
    home = trained_state.parent / "pair"
    shutil.copytree(trained_state, home / "state")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR")}
    for arguments in (["train", "brightness"], ["calibrate", "--model", "brightness", "--rule", "normal-quantile"]):
        subprocess.run(
            [sys.executable, "-m", "monitor", *arguments, "--data", str(small_dataset)],
            cwd=home,
            env={**environment, "PYTHONPATH": str(second_detector)},
            check=True,
            capture_output=True,
        )
    return home / "state"


@pytest.fixture(scope="session")
def new_postgresql_database() -> Iterator[Callable[[], str]]:
    """A PostgreSQL server of its own, stopped at the end; each call makes an empty database and returns its URL."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
    if programs is None or find_spec("psycopg") is None:
        missing = "needs a PostgreSQL server in /usr/lib/postgresql and the extra proliv-monitor[postgresql]"
        if "postgresql" in os.environ.get("MONITOR_TESTS_REQUIRE", ""):
            pytest.fail(missing)
        pytest.skip(missing)
    # Not below pytest's folder, which no other user may enter: the server refuses to be run by root.
    folder = Path(tempfile.mkdtemp(prefix="monitor-postgresql-"))
    owner = "postgres" if os.geteuid() == 0 else None
    if owner:
        shutil.chown(folder, owner, owner)

    def run(program: str, *arguments: str | Path) -> None:
        # Into a file: the server that is started keeps its end open, and a pipe would never end.
        with (folder / "output").open("w+") as output:
            ended = subprocess.run(
                [programs.with_name(program), *arguments],
                cwd=folder,
                user=owner,
                group=owner,
                extra_groups=[] if owner else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            output.seek(0)
            assert ended.returncode == 0, output.read()

    try:
        yield from _postgresql(folder, run)
    finally:
        shutil.rmtree(folder)


def _postgresql(folder: Path, run: Callable[..., None]) -> Iterator[Callable[[], str]]:
    import psycopg
    from sqlalchemy import URL

    (folder / "password").write_text(POSTGRESQL_PASSWORD)
    (folder / "password").chmod(0o644)
    data = folder / "data"
    access = ("--username=monitor", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256")
    run("initdb", f"--pgdata={data}", *access, "--encoding=UTF8", "--locale=C", "--no-sync")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "start", "--wait", f"--pgdata={data}", "--options", options)
    numbers = count()

    def new_database() -> str:
        name = f"monitor_{next(numbers)}"
        with psycopg.connect(
            host="127.0.0.1",
            port=port,
            user="monitor",
            password=POSTGRESQL_PASSWORD,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            connection.execute(f"create database {name}".encode())
        url = URL.create("postgresql", "monitor", POSTGRESQL_PASSWORD, "127.0.0.1", port, name)
        return url.render_as_string(hide_password=False)

    try:
        yield new_database
    finally:
        run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={data}")
