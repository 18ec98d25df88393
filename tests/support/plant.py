"""A casting table in a container: the service under its unit, a Prometheus that watches it, and a camera."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import insert

from generators.crops.datasets import CastingTable, crop_name, encode
from monitor.store import calibrations
from monitor.store.database.engine import Database
from monitor.store.database.schema import scores
from monitor.store.models import active_models
from tests.support.made_up import store_crop
from tests.support.prometheus import FOLDER, Prometheus
from tests.system.conftest import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.support.container import Container

UNIT: Final = "monitor.service"
INBOX: Final = "/srv/camera/holes"
CONFIGURATION: Final = "/etc/monitor/config.toml"
STATE: Final = "/var/lib/monitor"

HOURS: Final = 30
HOLES: Final = 8
CROPS_AN_HOUR: Final = 20
ODD_HOLE: Final = 3
CALIBRATED: Final = timedelta(days=10)


class Plant:
    """The service and everything around it; nothing is started yet."""

    def __init__(self, machine: Container) -> None:
        self.machine = machine
        self.prometheus = Prometheus(machine)

    @property
    def database(self) -> Path:
        """The database's file, wherever systemd keeps the state of a dynamic user."""
        private = self.machine.disk("/var/lib/private/monitor/monitor.db")
        return private if private.exists() else self.machine.disk(f"{STATE}/monitor.db")

    def configure(self, configuration: str) -> None:
        self.machine.write(CONFIGURATION, configuration)

    def watch(self) -> None:
        """Write what Prometheus needs, as the configuration says now, and start it."""
        self.monitor("deploy", "prometheus", "--output", FOLDER)
        self.prometheus.start()

    def monitor(self, *arguments: str, check: bool = True) -> str:
        """Run a command by hand with the service's configuration."""
        return self.machine.run(PROGRAM, *arguments, check=check).stdout

    def control(self, *words: str) -> None:
        """What a person tells systemd about the service."""
        ended = self.machine.run("systemctl", *words, UNIT, check=False)
        assert ended.returncode == 0, f"{ended.stderr}{self.machine.messages(UNIT)}"

    def put(self, name: str, content: bytes) -> None:
        """Write a file into the inbox as a camera does."""
        hidden = self.machine.path(f"{INBOX}/.{name}")
        hidden.write_bytes(content)
        hidden.rename(hidden.with_name(name))

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            return connection.execute(statement, parameters).fetchall()

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        """Another program holds the lock for writing."""
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=30)) as connection:
            connection.execute("begin immediate")
            yield
            connection.execute("rollback")

    def until(self, condition: Callable[[], bool]) -> None:
        self.machine.wait_until(condition, UNIT)

    def remember(self, now: datetime) -> None:
        """Past hours in the store: hole `ODD_HOLE` by `ae`, and all holes by `brightness`, changed in the last one."""
        long_ago = f"{now - CALIBRATED:%Y-%m-%d %H:%M:%S.%f}"
        self.query("update calibrations set created_at = ?", long_ago)
        database = Database(f"sqlite:///{self.database}", busy_seconds=30)
        generator = np.random.default_rng(5)
        hour = now.replace(minute=30, second=0, microsecond=0) - timedelta(hours=HOURS + 1)
        number = 1_000_000
        with database.write() as connection:
            models = {row.detector: row.id for row in active_models(connection)}
            ours = calibrations.active(connection, models["ae"])
            other = calibrations.active(connection, models["brightness"])
            assert ours is not None
            assert other is not None
            assert ours.threshold is not None
            assert other.threshold is not None
            rows = []
            for past in range(HOURS, -1, -1):
                hour += timedelta(hours=1)
                level = generator.normal(0, 0.1)
                for hole in range(1, HOLES + 1):
                    for _ in range(CROPS_AN_HOUR):
                        number += 1
                        odd = 1.0 if past == 1 and hole == ODD_HOLE else 0.0
                        score = 0.1 * ours.threshold * np.exp(level + generator.normal(0, 0.05) + odd)
                        store_crop(connection, ours, number, score, ours.threshold, hour, camera="H", hole=hole)
                        odd = 1.0 if past == 1 else 0.0
                        score = 0.1 * other.threshold * np.exp(generator.normal(0, 0.05) + odd)
                        rows.append(
                            {
                                "crop_id": number, "model_id": other.model_id, "calibration_id": other.id, "mse": score,
                                "score": score, "threshold": other.threshold, "verdict": "ne_proliv", "scored_at": hour,
                                "latency_seconds": 0.0,
                            }
                        )  # fmt: skip
            connection.execute(insert(scores), rows)
        database.close()


class Cameras:
    """Give a crop of each hole once a second; a hole may be left out from any moment on."""

    def __init__(self, plant: Plant, holes: Sequence[tuple[str, int]]) -> None:
        self.holes = list(holes)
        self._plant = plant
        self._stopped = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Cameras:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        tables = {camera: CastingTable(camera=camera) for camera, _ in self.holes}
        generator = np.random.default_rng(1)
        while not self._stopped.wait(1.0 - time.time() % 1.0):
            for camera, number in list(self.holes):
                hole = tables[camera].holes[number - 1]
                (crop,) = hole.normal(1, generator)
                # The container's clock is UTC, and so is the plant's.
                moment = datetime.now(UTC).replace(tzinfo=None)
                self._plant.put(crop_name(number, camera, moment), encode(crop))
