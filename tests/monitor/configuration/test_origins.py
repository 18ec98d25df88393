from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.configuration.origins import Origins

if TYPE_CHECKING:
    import pytest

ORIGINS = Origins("f.toml", {("metrics",): 3, ("metrics", "port"): 4})


def test_a_key_of_the_file_has_its_line_and_an_absent_one_that_of_its_section() -> None:
    assert ORIGINS.place(("metrics", "port")) == "f.toml:4: metrics.port"
    assert ORIGINS.place(("metrics", "host")) == "f.toml:3: metrics.host"
    assert ORIGINS.place(("paths", "inbox")) == "f.toml: paths.inbox"


def test_a_variable_stands_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR__METRICS", "{}")
    assert ORIGINS.variable_of(("metrics", "port")) == "MONITOR__METRICS"
    monkeypatch.setenv("monitor__metrics__port", "1")
    assert ORIGINS.place(("metrics", "port")) == "environment: monitor__metrics__port"
    monkeypatch.delenv("MONITOR__METRICS")
    assert ORIGINS.variable_of(("metrics", "host")) is None


def test_a_section_of_the_file_is_not_blamed_on_one_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR__METRICS__KEY", "k")
    assert ORIGINS.place(("metrics",)) == "f.toml:3: metrics"
    assert Origins("f.toml").place(("metrics",)) == "environment: MONITOR__METRICS__KEY"
