from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.errors import ConfigurationError
from tests.support.configurations import problems, written

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


def test_every_mistake_of_a_file_comes_at_once_with_its_line(tmp_path: Path) -> None:
    file = written(tmp_path, "[metrics]\nport = 70000\n[paths]\ninbox = “a”\n[metrics]\nhost = 'h'\n[wach]\nx = 1\n")
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert str(caught.value).splitlines() == [
        f"{file}:4: paths.inbox: “ is not a quotation mark of TOML (left double quotation mark); write straight ones: "
        '"…"',
        f"{file}:5: [metrics]: the section is there twice, first in line 1; put all its keys below one heading",
        f"{file}:2: metrics.port: should be less than or equal to 65535 (got 70000)",
        f"{file}:7: wach: unknown key; did you mean watch?",
    ]


def test_keys_that_contradict_each_other_only_because_a_line_is_unreadable_are_not_reported(tmp_path: Path) -> None:
    assert problems("[inbox]\nafter = 'archive'\n[paths]\narchive = old\n", tmp_path) == [
        'paths.archive: text has to be between quotation marks: "old"'
    ]


def test_a_folder_that_is_named_as_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder, not a configuration file"):
        load(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(ConfigurationError, match=r"config\.toml: cannot be read: Permission denied; give the user"):
        load()


def test_without_a_working_folder_only_whole_paths_lead_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "conf", "")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load(file).inbox == tmp_path / "conf" / "inbox"
    for relative in (None, Path("config.toml")):
        with pytest.raises(ConfigurationError, match=r"the working folder, .*, cannot be used: .*; change to another"):
            load(relative)


def test_paths_stay_where_they_were_if_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = load()
    monkeypatch.chdir("/")
    assert configuration.inbox == tmp_path / "inbox"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "[crops]\ntime_format = '%Q'\nname_pattern = '('\n[metrics]\nport = -1",
            [r"crops\.name_pattern: is not", r"crops\.time_format: is not", r"metrics\.port: should be .* \(got -1\)"],
        ),
        ("[paths\n", [r"\[paths\]: the heading of a section ends with a bracket"]),
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
        assert re.match(rf"monitor: {re.escape(str(file))}:[0-9]+: {sentence}", line)


def test_the_command_names_a_missing_file(run_monitor: RunMonitor) -> None:
    ended = run_monitor("--config", "absent.toml", "status")
    assert (ended.returncode, ended.stdout) == (78, "")
    assert ended.stderr == "monitor: absent.toml: no such configuration file (named by --config)\n"
