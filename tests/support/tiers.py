"""Which tests start processes, servers or a whole machine: the markers, and a watch that no test goes without its own.

``pytest -m "not process and not server and not system"`` are the quick tests.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterable

TESTS: Final = Path(__file__).parents[1]
TIERS: Final = ("process", "server", "system")

# Of 100 otherwise; tests that set a number of their own keep it.
QUICK_EXAMPLES: Final = 20

# What a fixture asks for that starts a process or a server; see tests/conftest.py.
FIXTURES: Final = {"starts_processes": pytest.mark.process, "starts_servers": pytest.mark.server}
# pytest does not see what a fixture asks for only with some of its parameters.
SERVER_PARAMETERS: Final = frozenset({"postgresql"})

# Python's own names of what a process begins with: https://docs.python.org/3/library/audit_events.html
BEGINNINGS: Final = frozenset({"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"})


def configure(config: pytest.Config) -> None:
    """Let Hypothesis try fewer examples of each test if only the quick tests are asked for."""
    settings.register_profile("quick", max_examples=QUICK_EXAMPLES)
    if "not process" in config.getoption("markexpr"):
        settings.load_profile("quick")


def mark(items: Iterable[pytest.Item]) -> None:
    """Give each test the markers that its folder, its fixtures and their parameters tell."""
    for item in items:
        if item.path.is_relative_to(TESTS / "system"):
            item.add_marker(pytest.mark.system)
        if not isinstance(item, pytest.Function):
            continue
        for fixture, marker in FIXTURES.items():
            if fixture in item.fixturenames:
                item.add_marker(marker)
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if any(isinstance(one, str) and one in SERVER_PARAMETERS for one in parameters):
            item.add_marker(pytest.mark.server)


def duration(item: pytest.Item) -> int:
    """A rank by how long tests take: those of a whole machine minutes, those of the whole program many seconds."""
    if item.get_closest_marker("system"):
        return 0
    return 1 if item.path.parent == TESTS and item.get_closest_marker("process") else 2


class Watch:
    """Notes the processes that a test starts, in whatever way."""

    def __init__(self) -> None:
        self._started: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in BEGINNINGS:
            self._started.append(f"{event} {arguments[:2]}")

    def begin(self) -> None:
        """A test begins."""
        self._started.clear()

    def end(self, item: pytest.Item) -> None:
        """A test and its own fixtures have ended: it fails if it started a process and has no marker that says so.

        What fixtures of a module or of the session do at their end, which may come right after, is not the test's.
        """
        if self._started and not any(item.get_closest_marker(tier) for tier in TIERS):
            pytest.fail(f"{item.nodeid} starts a process; mark it with pytest.mark.process: {self._started}")
