from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from monitor.harness.waiting import wait_until
from monitor.inbox import second_looks
from monitor.inbox.messages import Stop
from tests.support.decided_inbox import DecidedInbox
from tests.support.disks import small_disk
from tests.support.quarantined_inbox import Here
from tests.support.watching import PATIENCE_SECONDS, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class MakeInbox(Protocol):
    def __call__(self, after: str, archive: Path | None = None) -> DecidedInbox: ...


@pytest.fixture
def decided_inbox(tmp_path: Path) -> Iterator[MakeInbox]:
    """Makes an inbox with this `inbox.after`, and an archive beside it or elsewhere."""
    made: list[DecidedInbox] = []

    def make(after: str, archive: Path | None = None) -> DecidedInbox:
        made.append(DecidedInbox(tmp_path, after, archive))
        return made[-1]

    yield make
    for one in made:
        one.database.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    running: list[Pipeline] = []

    def run(**settings: float) -> Pipeline:
        pipeline = Pipeline(tmp_path / "inbox", **settings)
        pipeline.thread.start()
        running.append(pipeline)
        wait_until(lambda: (tmp_path / "inbox").is_dir() and pipeline.watcher.nudges.is_observing())
        return pipeline

    yield run
    for pipeline in running:
        pipeline.watcher.mailbox.put(Stop())
        pipeline.full.clear()
        pipeline.thread.join(PATIENCE_SECONDS)
        assert not pipeline.thread.is_alive()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "1m") as disk:
        yield disk / "quarantine"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Here]:
    """With the quarantine in the same file system, or where a test is parametrized so on another disk."""
    monkeypatch.setattr(second_looks, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(second_looks, "QUIET_SECONDS", 0.2)
    on_disk = getattr(request, "param", "same") == "another disk"
    made = Here(tmp_path, request.getfixturevalue("elsewhere") if on_disk else None)
    yield made
    made.stop()
    made.database.close()
