from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitor.configuration.environment import read_value, variables
from monitor.configuration.file import load
from monitor.errors import ConfigurationError
from tests.support.configurations import written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", ["ae,cvae", " ae , cvae,", '["ae", "cvae"]', "['ae', 'cvae',]"])
def test_lists_are_written_with_commas_or_as_in_toml(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MONITOR__DECISION__DETECTORS", text)
    assert load().settings.decision.detectors == ("ae", "cvae")


def test_an_empty_list_and_a_list_of_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "decision.detectors = ['ae']")
    monkeypatch.setenv("MONITOR__DECISION__DETECTORS", "")
    monkeypatch.setenv("MONITOR__QUALITY__WINDOW_DAYS", "2,14.5")
    settings = load(file).settings
    assert settings.decision.detectors == ()
    assert settings.quality.window_days == (2, 14.5)


@pytest.mark.parametrize("text", ['{"C": "1-40", "B": "7"}', '{C = "1-40", B = "7"}'])
def test_tables_are_written_as_in_json_or_toml(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MONITOR__COMPLETENESS__CAMERAS", text)
    assert load().settings.completeness.cameras == {"C": "1-40", "B": "7"}


def test_cameras_keep_the_case_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "[completeness.cameras]\nC = '1'\nB = '2'")
    monkeypatch.setenv("MONITOR__COMPLETENESS__CAMERAS__C", "1-40")
    monkeypatch.setenv("monitor__completeness__cameras__d", "3")
    assert load(file).settings.completeness.cameras == {"C": "1-40", "B": "2", "d": "3"}


@pytest.mark.parametrize("text", ['{"port": 9500, "host": "h"}', '{port = 9500, host = "h"}'])
def test_a_whole_section_and_a_key_of_it(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MONITOR__METRICS", text)
    monkeypatch.setenv("MONITOR__METRICS__PORT", "9600")
    metrics = load().settings.metrics
    assert (metrics.host, metrics.port) == ("h", 9600)


def test_a_plug_in_whose_name_has_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR__RULES", "{tpr-at-least = {tpr = 0.5}}")
    assert load().settings.rules == {"tpr-at-least": {"tpr": 0.5}}


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("MONITOR__QUALITY__WINDOW_DAYS", "[1, 2", "should be a number (got '[1')"),
        ("MONITOR__COMPLETENESS__CAMERAS", "C=1-40", "should be a table such as {KEY = 1}; or set single keys as "
         "MONITOR__COMPLETENESS__CAMERAS__KEY (got 'C=1-40')"),
        ("MONITOR__METRICS", "9500", "should be a table such as {KEY = 1}; or set single keys as "
         "MONITOR__METRICS__KEY (got '9500')"),
        ("MONITOR__METRICS__PORT__X", "1", "should be a whole number (got {'x': '1'})"),
        ("MONITOR__PATHS__INBOX", "", "is empty; write a path (got '')"),
        ("MONITOR__DECISION__DETECTORS", "ae,ae", "names ae more than once; name each detector once, the primary "
         "first (got ['ae', 'ae'])"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, sentence: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert str(caught.value).splitlines()[0] == f"environment: {name}: {sentence}"


@pytest.mark.parametrize("text", ["[" * 3000, "[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000])
def test_deep_nesting_is_no_defect(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert read_value(text) == text
    monkeypatch.setenv("MONITOR__COMPLETENESS__CAMERAS", text)
    with pytest.raises(ConfigurationError, match="MONITOR__COMPLETENESS__CAMERAS: should be a table"):
        load()


@pytest.mark.parametrize(
    ("text", "value"),
    [("a,b", "a,b"), ("12", "12"), ("[1]", [1]), ("{a = [1]}", {"a": [1]}), ("[a]", "[a]"), (None, None)],
)
def test_only_lists_and_tables_are_read(text: Any, value: Any) -> None:
    assert read_value(text) == value


def test_variables_are_found_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("Monitor__Metrics__Port", "1")
    monkeypatch.setenv("MONITOR_METRICS_PORT", "1")
    assert [one.location for one in variables() if one.name.upper().startswith("MONITOR")] == [("metrics", "port")]
