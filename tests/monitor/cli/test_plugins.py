from __future__ import annotations

import json
from typing import TYPE_CHECKING

from monitor.registry import Broken, Registry

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    import pytest

    Run = Callable[..., subprocess.CompletedProcess[str]]


def test_every_plug_in_is_listed_with_its_origin(monitor: Run) -> None:
    report = json.loads(monitor("plugins", "--format", "json").stdout)
    assert report["broken"] == []
    listed = {(one["kind"], one["name"]): one for one in report["plugins"]}
    assert {
        ("detector", "ae"),
        ("rule", "balanced"),
        ("rule", "mean-proliv"),
        ("rule", "fraction-of-max"),
        ("rule", "fixed"),
        ("command", "gen"),
    } <= listed.keys()
    assert listed["detector", "ae"]["from"] == "proliv-monitor: builtin-plugins"
    table = monitor("plugins").stdout.splitlines()
    assert [line.split()[:2] for line in table] == [[one["name"], one["kind"]] for one in report["plugins"]]
    assert all(line.endswith(one["summary"]) for line, one in zip(table, report["plugins"], strict=True))


def test_one_that_does_not_load_is_said(monitor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Registry(broken=[Broken("someone: extra", "ImportError: no module named nix", "Traceback ...")])
    monkeypatch.setattr(Registry, "load", lambda: broken)
    table = monitor("plugins")
    assert (table.returncode, table.stdout) == (0, "")
    assert table.stderr == "left out: someone: extra: ImportError: no module named nix\n"
    assert json.loads(monitor("plugins", "--format", "json").stdout)["broken"] == [
        {"from": "someone: extra", "reason": "ImportError: no module named nix"}
    ]
