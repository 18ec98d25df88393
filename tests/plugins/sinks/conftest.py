from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import certificates

if TYPE_CHECKING:
    from tests.support.certificates import Certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory, starts_processes: None) -> Certificate:
    return certificates.make(tmp_path_factory.mktemp("certificate"))
