from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.errors import ConfigurationError
from tests.support.configurations import written

if TYPE_CHECKING:
    from tests.conftest import RunMonitor


def test_the_file_is_searched_for_in_the_documented_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seed() -> tuple[int, str]:
        configuration = load(explicit)
        return configuration.settings.training.seed, configuration.source

    explicit = None
    assert seed() == (0, "built-in defaults")
    system = written(tmp_path / "etc", "training.seed = 1")
    assert seed() == (1, str(system))
    local = written(tmp_path, "training.seed = 2")
    assert seed() == (2, str(local))
    named = written(tmp_path / "named", "training.seed = 3")
    monkeypatch.setenv("MONITOR_CONFIG", "named/config.toml")
    assert seed() == (3, str(named))
    explicit = written(tmp_path / "explicit", "training.seed = 4")
    assert seed() == (4, str(explicit))
    monkeypatch.setenv("MONITOR_CONFIG", "")
    explicit = None
    assert seed() == (2, str(local))


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "")
    with pytest.raises(ConfigurationError, match=r"^no\.toml: no such configuration file \(named by --config\)$"):
        load(Path("no.toml"))
    monkeypatch.setenv("MONITOR_CONFIG", "absent.toml")
    with pytest.raises(ConfigurationError, match=r"^absent\.toml: no such .* \(named by MONITOR_CONFIG\)$"):
        load()


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "[metrics]\nport = 1\nhost = 'h'\n[rules.fixed]\nthreshold = 1\nother = 2")
    monkeypatch.setenv("MONITOR__METRICS__PORT", "2")
    monkeypatch.setenv("MONITOR__PATHS__QUARANTINE", "")
    monkeypatch.setenv("monitor__watch__scan_seconds", "7.5")
    monkeypatch.setenv("MONITOR__RULES__FIXED__THRESHOLD", "12")
    settings = load(file).settings
    assert (settings.metrics.port, settings.metrics.host) == (2, "h")
    assert settings.paths.quarantine is None
    assert settings.watch.scan_seconds == 7.5
    assert settings.rules == {"fixed": {"threshold": "12", "other": 2}}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[paths\n", "is not valid TOML: .*line 1"),
        (b"a = 1\na = 2\n", "is not valid TOML: .*line 2"),
        ("# Цех\n".encode("cp1251"), r"is not UTF-8 text \(byte 2\); save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"^{re.escape(str(file))}: {sentence}"):
        load(file)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "[crops]\ntime_format = '%Q'\nname_pattern = '('\n[metrics]\nport = -1",
            [r"crops\.name_pattern: is not", r"crops\.time_format: is not", r"metrics\.port: should be .* \(got -1\)"],
        ),
        ("[paths\n", ["is not valid TOML"]),
    ],
)
def test_the_command_ends_with_configuration_error(
    tmp_path: Path, run_monitor: RunMonitor, text: str, sentences: list[str]
) -> None:
    file = written(tmp_path, text)
    ended = run_monitor("status")
    assert (ended.returncode, ended.stdout) == (78, "")
    lines = ended.stderr.splitlines()
    assert len(lines) == len(sentences)
    for line, sentence in zip(lines, sentences, strict=True):
        assert re.match(rf"monitor: {re.escape(str(file))}: {sentence}", line)


def test_the_command_names_a_missing_file(run_monitor: RunMonitor) -> None:
    ended = run_monitor("--config", "absent.toml", "status")
    assert (ended.returncode, ended.stdout) == (78, "")
    assert ended.stderr == "monitor: absent.toml: no such configuration file (named by --config)\n"
