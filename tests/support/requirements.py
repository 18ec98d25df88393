"""What a test needs of the machine beside Python: a test skips where it is missing, unless it is required."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def go_without(requirement: str, reason: str) -> NoReturn:
    """Skip the test, or fail it where the environment's ``MONITOR_TESTS_REQUIRE`` names the requirement."""
    if is_required(requirement):
        pytest.fail(reason)
    pytest.skip(reason)


def is_required(requirement: str) -> bool:
    """Whether the environment's ``MONITOR_TESTS_REQUIRE`` names it."""
    return requirement in os.environ.get("MONITOR_TESTS_REQUIRE", "").split()
