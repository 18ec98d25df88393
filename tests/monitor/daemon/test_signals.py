"""What asks the service for a reload or a stop, and when that is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.configuration.file import load
from monitor.daemon.service import Service
from monitor.errors import ExitCode
from monitor.registry import Registry
from monitor.store.database.engine import Database

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_storm_of_wishes_to_reload_is_one_wish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP may come at any rate, and a stop must not wait behind a thousand reloads."""
    monkeypatch.chdir(tmp_path)
    configuration = load()
    service = Service(configuration, Database(configuration.database_url, busy_seconds=0), Registry.load())
    loads: list[int] = []
    monkeypatch.setattr(service._jobs, "follow_clock", lambda: None)
    monkeypatch.setattr(service._jobs, "refresh_now", lambda: None)
    monkeypatch.setattr(service, "_drain", lambda: ExitCode.OK)

    def load_again() -> None:
        loads.append(1)
        # What changed since this one began to read is still to be read.
        for _ in range(100):
            if len(loads) == 1:
                service._happenings.ask_to_reload()
        if len(loads) == 2:
            service._happenings._on_stop(15, None)

    monkeypatch.setattr(service.models, "load", load_again)
    for _ in range(100):
        service._happenings.ask_to_reload()
    assert service._wait() is ExitCode.OK
    assert len(loads) == 2
