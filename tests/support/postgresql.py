"""A PostgreSQL server of its own for the tests that need one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.harness.daemon import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD: Final = "geheim-Паroль"


def missing() -> str | None:
    """Why no server can be started here; None if one can."""
    if _initdb() is None or find_spec("psycopg") is None:
        return "needs a PostgreSQL server in /usr/lib/postgresql and the extra proliv-monitor[postgresql]"
    return None


def _initdb() -> Path | None:
    return max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)


class Server:
    """One that runs; each call makes a database of its own and returns its URL."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = count()
        self._with_tables: str | None = None

    def new_database(self) -> str:
        """An empty one."""
        return self._new("template1")

    def new_store(self, make_tables: Callable[[str], None]) -> str:
        """One with all tables. They are made once, in a database that is copied: that takes a fraction of the time."""
        if self._with_tables is None:
            url = self.new_database()
            make_tables(url)
            self._with_tables = url.rpartition("/")[2]
        return self._new(self._with_tables)

    def _new(self, template: str) -> str:
        import psycopg
        from sqlalchemy import URL

        name = f"monitor_{next(self._numbers)}"
        with psycopg.connect(
            host="127.0.0.1", port=self._port, user="monitor", password=PASSWORD, dbname="postgres", autocommit=True
        ) as connection:
            # Files are copied in less time than they are written to the log, and this server never recovers from one.
            connection.execute(f"create database {name} template {template} strategy file_copy".encode())
        url = URL.create("postgresql", "monitor", PASSWORD, "127.0.0.1", self._port, name)
        return url.render_as_string(hide_password=False)


@contextmanager
def server() -> Iterator[Server]:
    """Start a server and stop it at the end."""
    # Not below pytest's folder, which no other user may enter: the server refuses to be run by root.
    folder = Path(tempfile.mkdtemp(prefix="monitor-postgresql-"))
    owner = "postgres" if os.geteuid() == 0 else None
    if owner:
        shutil.chown(folder, owner, owner)
    data = folder / "data"
    try:
        port = _start(folder, data, owner)
        try:
            yield Server(port)
        finally:
            _run(folder, owner, "pg_ctl", "stop", "--mode=immediate", f"--pgdata={data}")
    finally:
        # Hundreds of files for each database: Python's own function takes several times as long.
        subprocess.run(["rm", "--recursive", "--force", folder], check=True)


def _start(folder: Path, data: Path, owner: str | None) -> int:
    """Make a cluster, start its server and return the port."""
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    access = ("--username=monitor", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256")
    _run(folder, owner, "initdb", f"--pgdata={data}", *access, "--encoding=UTF8", "--locale=C", "--no-sync")
    port = free_port()
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    _run(folder, owner, "pg_ctl", "start", "--wait", f"--pgdata={data}", "--options", options)
    return port


def _run(folder: Path, owner: str | None, program: str, *arguments: str | Path) -> None:
    programs = _initdb()
    assert programs is not None
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
