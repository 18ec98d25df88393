from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration import sample
from monitor.errors import ConfigurationError
from tests.support.configurations import SAMPLE

if TYPE_CHECKING:
    from pathlib import Path


def test_a_checkout_has_it_at_its_root_and_a_wheel_beside_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sample.sample_text() == SAMPLE.read_text(encoding="utf-8")
    monkeypatch.setattr(sample, "PLACES", (tmp_path / "sample.toml", SAMPLE))
    (tmp_path / "sample.toml").write_text("# packed\n", encoding="utf-8")
    assert sample.sample_text() == "# packed\n"


def test_an_installation_without_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "PLACES", (tmp_path / "sample.toml",))
    with pytest.raises(ConfigurationError, match="the sample configuration is missing; install monitor again"):
        sample.sample_text()
