from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.support.configurations import SAMPLE

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Run = Callable[..., subprocess.CompletedProcess[str]]


def test_show_names_the_line_the_variable_or_the_default(
    home: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR__METRICS__PORT", "9500")
    shown = monitor("config", "show", "pipeline", "metrics.port", "paths.inbox")
    assert (shown.returncode, shown.stderr) == (0, "")
    first, _, *lines = shown.stdout.splitlines()
    assert first == f"configuration: {home}/config.toml (found in the working folder)"
    assert [re.split(r"  +", line) for line in lines] == [
        ["key", "from", "value"],
        ["paths.inbox", "default", f'"inbox" ({home}/inbox)'],
        ["pipeline.workers", "config.toml:3", "1"],
        ["pipeline.batch_size", "default", "512"],
        ["pipeline.queue_size", "default", "1024"],
        ["pipeline.seconds_per_crop", "default", "10.0"],
        ["pipeline.device", "config.toml:2", '"cpu"'],
        ["pipeline.runtime", "default", '"auto"'],
        ["metrics.port", "environment: MONITOR__METRICS__PORT", "9500"],
    ]


def test_show_as_json_has_every_key_of_the_sample(home: Path, monitor: Run) -> None:
    shown = json.loads(monitor("--config", SAMPLE, "config", "show", "--format", "json").stdout)
    assert (shown["configuration"], shown["named_by"]) == (str(SAMPLE), "--config")
    found = {one["key"]: one for one in shown["keys"]}
    assert found["plant.time_zone"] == {
        "key": "plant.time_zone",
        "value": "UTC",
        "origin": "file",
        "line": found["plant.time_zone"]["line"],
        "variable": None,
        "path": None,
        "changed": False,
    }
    assert found["rules.tpr-at-least.tpr"]["value"] == 0.95
    assert found["detectors.patchstats.height"]["origin"] == "file"
    assert found["paths.state"]["path"] == str((SAMPLE.parent / "state").resolve())


def test_show_only_what_differs_from_the_defaults(home: Path, monitor: Run) -> None:
    shown = json.loads(monitor("config", "show", "--changed", "--format", "json").stdout)
    assert [one["key"] for one in shown["keys"]] == ["pipeline.workers", "pipeline.device"]
    assert monitor("config", "show", "metrics", "--changed").stdout.count("\n") == 1


def test_show_hides_passwords(home: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR__DATABASE__URL", "postgresql://user:geheim@host/name")
    for form in ("table", "json"):
        shown = monitor("config", "show", "database", "--format", form).stdout
        assert "(hidden)" in shown
        assert "geheim" not in shown


def test_show_knows_no_other_key(home: Path, monitor: Run) -> None:
    shown = monitor("config", "show", "metrics.prt")
    assert shown.returncode == 2
    assert "there is no key or section 'metrics.prt'" in shown.stderr


def test_check_finds_everything_at_once(home: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[metrics]\nport = -1\n[paths]\ninbox = “in”\n[rules.fixed]\nthreshold = 'x'\n"
    (home / "config.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("MONITOR_METRICS_PORT", "1")
    checked = monitor("config", "check")
    assert checked.returncode == 78
    assert [line.partition(": ")[2].removeprefix(f"{home}/") for line in checked.stderr.splitlines()] == [
        "config.toml:4: paths.inbox: “ is not a quotation mark of TOML (left double quotation mark); write straight "
        'ones: "…"',
        "config.toml:2: metrics.port: should be greater than or equal to 0 (got -1)",
        "config.toml:6: rules.fixed.threshold: should be a number (got 'x')",
    ]
    assert "warning: environment: MONITOR_METRICS_PORT is not used" in checked.stdout
    as_json = monitor("config", "check", "--format", "json")
    assert as_json.returncode == 78
    assert len(json.loads(as_json.stdout)["problems"]) == 3


def test_check_warns_of_nothing_that_was_not_chosen(home: Path, monitor: Run) -> None:
    (home / "config.toml").write_text('[paths]\ninbox = "C:\\crops\\new"\n', encoding="utf-8")
    checked = monitor("config", "check")
    assert checked.returncode == 78
    assert "config.toml:2: paths.inbox: is a Windows path" in checked.stderr
    assert "warning: paths.inbox" not in checked.stdout


def test_check_warns_of_what_this_machine_lacks(home: Path, monitor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("MONITOR__METRICS__ENABLED", "false")
    checked = monitor("config", "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.splitlines() == [
        f"configuration: {home}/config.toml (found in the working folder)",
        f"warning: paths.inbox: {home}/inbox does not exist; mount the share or correct the path (monitor run creates "
        "a folder)",
        "no problems, 1 warning",
    ]
    as_json = json.loads(monitor("config", "check", "--format", "json").stdout)
    assert as_json["problems"] == []
    assert len(as_json["warnings"]) == 1


def test_check_of_a_file_that_is_not_there(home: Path, monitor: Run) -> None:
    checked = monitor("--config", "nix.toml", "config", "check")
    assert (checked.returncode, checked.stdout) == (78, "")
    assert checked.stderr == "monitor: nix.toml: no such configuration file (named by --config)\n"


def test_init_writes_the_sample_and_never_over_a_file(home: Path, monitor: Run) -> None:
    (home / "config.toml").unlink()
    for arguments, path in (
        ((), "config.toml"),
        (("deep/down/my.toml",), "deep/down/my.toml"),
        (("deep",), "deep/config.toml"),
    ):
        written = monitor("config", "init", *arguments)
        assert written.returncode == 0, written.stderr
        assert written.stdout.splitlines()[0] == f"written: {path}"
        assert (home / path).read_bytes() == SAMPLE.read_bytes()
        again = monitor("config", "init", *arguments)
        assert (again.returncode, again.stdout) == (73, "")
        assert again.stderr.startswith(f"monitor: {path}: exists already and is not overwritten")
    named = "monitor --config deep/config.toml config check"
    assert written.stdout.splitlines()[1] == f"change what you need, then check it: {named}"
    assert monitor("config", "init", "-").stdout == SAMPLE.read_text(encoding="utf-8")


def test_init_where_nothing_can_be_written(home: Path, monitor: Run) -> None:
    (home / "file").touch()
    refused = monitor("config", "init", "file/config.toml")
    assert refused.returncode == 73
    assert refused.stderr.startswith("monitor: file: the folder cannot be ")
