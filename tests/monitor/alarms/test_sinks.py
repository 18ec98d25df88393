"""Sinks as the configuration names them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from monitor.alarms.sinks import new_sink
from monitor.configuration.file import load
from monitor.errors import ConfigurationError
from monitor.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "mqtt": ('url = "mqtt://broker"', "paho-mqtt"),
    "modbus": ('host = "plc"', "pymodbus"),
    "opcua": ('url = "opc.tcp://plc"\nnode = "ns=2;s={name}"', "asyncua"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sink_whose_package_is_missing_is_said_with_its_place_and_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    settings, package = KINDS[kind]
    file = tmp_path / "config.toml"
    file.write_text(f'[alarms.sinks.hall]\nkind = "{kind}"\n{settings}\n', encoding="utf-8")
    monkeypatch.setattr("plugins.sinks.packages.find_spec", lambda _name: None)
    said = (
        f"{file}:1: alarms.sinks.hall: sinks of the kind '{kind}' need the package {package}, which is not installed; "
        f"install the extra: pip install 'proliv-monitor[{kind}]'"
    )
    with pytest.raises(ConfigurationError, match=f"^{re.escape(said)}$"):
        new_sink(Registry.load(), "hall", load(file))
