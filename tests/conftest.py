from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from generators.crops.datasets import write_dataset
from tests.support import brightness_detector, modbus_device, mosquitto, opcua_server, postgresql, tiers
from tests.support.daemon import Daemon
from tests.support.distributions import install
from tests.support.modbus_device import Device
from tests.support.mosquitto import Broker
from tests.support.opcua_server import PlcServer
from tests.support.requirements import go_without
from tests.support.states import made_once, make_state
from tests.support.stored_crops import opened
from tests.support.stores import upgrade
from tests.support.tiers import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from monitor.store.database.engine import Database

watch = Watch()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare for the quick tests, if only those are asked for."""
    tiers.configure(config)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests, and begin with those that take long, so that nothing waits for them in the end."""
    tiers.mark(items)
    items.sort(key=tiers.duration)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    watch.begin()
    yield


@pytest.fixture(autouse=True)
def _watched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends after all other fixtures of the test itself, and before those of its module and of the session."""
    yield
    watch.end(request.node)


@pytest.fixture(scope="session")
def starts_processes() -> None:
    """For fixtures that start a process: the tests that use them are marked."""


@pytest.fixture(scope="session")
def starts_servers() -> None:
    """For fixtures that start a server, or a program that may be missing: the tests that use them are marked."""


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
def run_monitor(tmp_path: Path, clean_environment: dict[str, str], starts_processes: None) -> RunMonitor:
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

    def make(home: Path) -> None:
        write_dataset(home / "crops", train=150, proliv=20, test=40, seed=1)

    return made_once(tmp_path_factory, "dataset", make) / "crops"


@pytest.fixture(scope="session")
def trained_state(tmp_path_factory: pytest.TempPathFactory, small_dataset: Path, starts_processes: None) -> Path:
    """A state folder with one calibrated and active `ae` model; to be copied, not to be written to."""
    commands = [["train", "ae", "--set", "epochs=2"], ["calibrate"]]
    return made_once(tmp_path_factory, "trained", lambda home: make_state(home, small_dataset, commands)) / "state"


@pytest.fixture
def daemon(trained_state: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon over a copy of a trained state, not started yet."""
    shutil.copytree(trained_state, tmp_path / "state")
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.kill()


@pytest.fixture(scope="session")
def second_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for Python's path with a distribution of a third party that offers the detector `brightness`."""
    site = tmp_path_factory.mktemp("site")
    install(site, "brightness_detector", Path(brightness_detector.__file__).read_text(encoding="utf-8"))
    return site


@pytest.fixture(scope="session")
def pair_state(
    tmp_path_factory: pytest.TempPathFactory, trained_state: Path, second_detector: Path, small_dataset: Path
) -> Path:
    """A state folder with an `ae` and a `brightness` model, both active, the latter activated last; to be copied."""
    commands = [["train", "brightness"], ["calibrate", "--model", "brightness", "--rule", "normal-quantile"]]

    def make(home: Path) -> None:
        shutil.copytree(trained_state, home / "state")
        make_state(home, small_dataset, commands, site=second_detector)

    return made_once(tmp_path_factory, "pair", make) / "state"


@pytest.fixture(scope="session")
def postgresql_server(starts_servers: None) -> Iterator[postgresql.Server]:
    """A PostgreSQL server of its own, stopped at the end."""
    if reason := postgresql.missing():
        go_without("postgresql", reason)
    with postgresql.server() as server:
        yield server


@pytest.fixture(scope="session")
def new_postgresql_database(postgresql_server: postgresql.Server) -> Callable[[], str]:
    """Each call makes an empty database on a PostgreSQL server and returns its URL."""
    return postgresql_server.new_database


@pytest.fixture(scope="session")
def new_postgresql_store(postgresql_server: postgresql.Server) -> Callable[[], str]:
    """Each call makes a database with all tables on a PostgreSQL server and returns its URL."""

    def make_tables(url: str) -> None:
        with opened(url) as database:
            upgrade(database)

    return lambda: postgresql_server.new_store(make_tables)


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty store of today's schema, on each kind of database."""
    url = f"sqlite:///{tmp_path / 'monitor.db'}"
    if request.param == "postgresql":
        new_store: Callable[[], str] = request.getfixturevalue("new_postgresql_store")
        url = new_store()
    with opened(url) as database:
        upgrade(database)
        yield database


@pytest.fixture(scope="session")
def promtool(starts_servers: None) -> str:
    """Prometheus's own check of rules and metrics."""
    found = shutil.which("promtool")
    if found is None:
        go_without("prometheus", "needs promtool (Debian: apt install prometheus)")
    return found


@pytest.fixture
def broker(tmp_path: Path, starts_servers: None) -> Iterator[Broker]:
    """An MQTT broker, not started yet."""
    if reason := mosquitto.missing():
        go_without("mosquitto", reason)
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def device(tmp_path: Path, starts_servers: None) -> Iterator[Device]:
    """A Modbus device, not started yet."""
    if reason := modbus_device.missing():
        go_without("modbus", reason)
    device = Device(tmp_path)
    yield device
    device.kill()


@pytest.fixture
def plc_server(tmp_path: Path, starts_servers: None) -> Iterator[PlcServer]:
    """An OPC UA server, not started yet."""
    if reason := opcua_server.missing():
        go_without("opcua", reason)
    server = PlcServer(tmp_path)
    yield server
    server.kill()
