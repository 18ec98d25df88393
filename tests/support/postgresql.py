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


@contextmanager
def server() -> Iterator[Callable[[], str]]:
    """Start a server and stop it at the end; each call of what is given makes an empty database and returns its URL."""
    # Not below pytest's folder, which no other user may enter: the server refuses to be run by root.
    folder = Path(tempfile.mkdtemp(prefix="monitor-postgresql-"))
    owner = "postgres" if os.geteuid() == 0 else None
    if owner:
        shutil.chown(folder, owner, owner)
    data = folder / "data"
    try:
        port = _start(folder, data, owner)
        numbers = count()
        try:
            yield lambda: _new_database(port, f"monitor_{next(numbers)}")
        finally:
            _run(folder, owner, "pg_ctl", "stop", "--mode=immediate", f"--pgdata={data}")
    finally:
        shutil.rmtree(folder)


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


def _new_database(port: int, name: str) -> str:
    import psycopg
    from sqlalchemy import URL

    with psycopg.connect(
        host="127.0.0.1", port=port, user="monitor", password=PASSWORD, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"create database {name}".encode())
    url = URL.create("postgresql", "monitor", PASSWORD, "127.0.0.1", port, name)
    return url.render_as_string(hide_password=False)


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
