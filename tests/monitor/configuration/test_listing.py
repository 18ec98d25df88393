from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.configuration.file import read
from monitor.configuration.listing import Entry, entries
from monitor.configuration.settings import Settings
from tests.support.configurations import written

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def listed(file: Path | None = None) -> dict[str, Entry]:
    return {one.key: one for one in entries(read(file), {})}


def test_every_key_has_its_value_and_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "conf", "[metrics]\nport = 1\nhost = '127.0.0.1'\n[paths]\ninbox = 'in'\n")
    monkeypatch.setenv("MONITOR__METRICS__PORT", "2")
    monkeypatch.setenv("MONITOR__DECISION", "{decide = 'any'}")
    found = listed(file)
    assert found["metrics.port"] == ("metrics.port", 2, "environment", None, "MONITOR__METRICS__PORT", None, True)
    assert found["metrics.host"] == ("metrics.host", "127.0.0.1", "file", 3, None, None, False)
    assert found["metrics.enabled"] == ("metrics.enabled", True, "default", None, None, None, False)
    assert found["paths.inbox"] == ("paths.inbox", "in", "file", 5, None, tmp_path / "conf" / "in", True)
    assert found["paths.state"][1:3] == ("state", "default")
    assert found["decision.decide"] == ("decision.decide", "any", "environment", None, "MONITOR__DECISION", None, True)
    # The variable gives the section, but not this key.
    assert found["decision.detectors"] == ("decision.detectors", [], "default", None, None, None, False)


def test_no_key_is_left_out() -> None:
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    assert listed().keys() == {
        f"{name}.{key}"
        for name, section in sections.items()
        for key in getattr(section, "model_fields", {})
    }  # fmt: skip


def test_passwords_are_hidden_and_files_are_not(tmp_path: Path) -> None:
    assert listed()["database.url"].value == ""
    assert listed(written(tmp_path, "database.url = 'sqlite:///x.db'"))["database.url"].value == "sqlite:///x.db"
    secret = listed(written(tmp_path, "database.url = 'postgresql://u:geheim@h/n'"))["database.url"]
    assert secret.value == "(hidden)"
