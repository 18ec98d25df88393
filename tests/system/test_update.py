"""A newer version over an older one: the service brings its database up to date, or says why it does not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from monitor.store.database.schema import SCHEMA_REVISION
from tests.support.revisions import EARLIER, migrate
from tests.support.stored_crops import opened
from tests.system.test_service import DATABASE, UNIT, Service, service

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["service"]  # the fixture


# Less than the test takes altogether, and more than a busy machine takes to load the program.
START_SECONDS = 8


def file_of(service: Service) -> Path:
    return service.machine.disk(DATABASE)


def revision_of(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        (revision,) = connection.execute("select version_num from alembic_version").fetchone()
    return str(revision)


def test_a_store_of_every_earlier_version_is_brought_up_to_date_at_the_start(service: Service) -> None:
    service.start()
    names = service.feed(3)
    service.until_decided(names)
    for revision in EARLIER:
        service.machine.run("systemctl", "stop", UNIT)
        with opened(f"sqlite:///{file_of(service)}") as database:
            migrate(database, revision)
        service.start()
        assert (revision_of(file_of(service)), service.show("NRestarts")) == (SCHEMA_REVISION, "0")
        copy = file_of(service).with_name(f"monitor.db.schema-{revision}")
        assert revision_of(copy) == revision
        assert service.machine.run("stat", "--format=%U", f"{DATABASE}.schema-{revision}").stdout == "monitor\n"
        assert service.decided(names) == 3
    names = service.feed(1)
    service.until_decided(names)
    kept = file_of(service).parent.glob("monitor.db.schema-*")
    assert sorted(path.name.rpartition("-")[2] for path in kept) == EARLIER[-2:]


def test_systemd_waits_for_an_upgrade_as_long_as_it_takes(service: Service) -> None:
    service.start()
    service.machine.run("systemctl", "stop", UNIT)
    with opened(f"sqlite:///{file_of(service)}") as database:
        migrate(database, EARLIER[-1])
    # The start ends when the time is over, unless the service asks for more; it asks once Python has loaded it.
    service.change(f"RestartSec=1h\nTimeoutStartSec={START_SECONDS}s")
    with service.locked_database():
        service.machine.run("systemctl", "start", "--no-block", UNIT)
        service.machine.wait_until(lambda: "bringing the database from schema" in service.show("StatusText"), UNIT)
        service.machine.wait_until(lambda: uptime(service) > since(service) + START_SECONDS + 1, UNIT)
        assert service.show("ActiveState") == "activating"
    service.machine.wait_until(lambda: service.show("ActiveState") == "active", UNIT)
    assert service.show("NRestarts") == "0"


def uptime(service: Service) -> float:
    return float(service.machine.run("cat", "/proc/uptime").stdout.split()[0])


def since(service: Service) -> float:
    """When the start began, in seconds since the machine runs."""
    return float(service.show("InactiveExitTimestampMonotonic")) / 1e6


def test_a_newer_database_keeps_the_service_down_and_is_left_alone(service: Service) -> None:
    service.start()
    service.machine.run("systemctl", "stop", UNIT)
    with closing(sqlite3.connect(file_of(service))) as connection, connection:
        connection.execute("update alembic_version set version_num = '9999'")
    try:
        assert service.machine.run("systemctl", "start", UNIT, check=False).returncode != 0
        shown = service.machine.show(UNIT, "ActiveState", "ExecMainStatus", "NRestarts")
        assert shown == {"ActiveState": "failed", "ExecMainStatus": "65", "NRestarts": "0"}
        assert "install the newer monitor that wrote it" in service.machine.messages(UNIT)
    finally:
        with closing(sqlite3.connect(file_of(service))) as connection, connection:
            connection.execute("update alembic_version set version_num = ?", (SCHEMA_REVISION,))
