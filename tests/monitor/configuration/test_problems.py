from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.configuration.origins import Origins
from monitor.configuration.problems import plugin_settings
from monitor.errors import ConfigurationError
from monitor.registry import Registry
from tests.support.configurations import problems, written

if TYPE_CHECKING:
    from pathlib import Path


def test_all_problems_come_at_once_with_their_place_and_value(tmp_path: Path) -> None:
    text = """
        nonsense = 1
        plant.time_zone = "Europe/Cheboksary"
        paths.inbox = "~no-such-user/inbox"
        crops.name_pattern = "("
        crops.time_format = "%Q"
        watch.scan_seconds = nan
        pipeline = 3
        training.seed = "one"
        training.sed = 1
        metrics.port = 70000
        rules.fixed = 12
    """
    assert sorted(problems(text, tmp_path)) == [
        "crops.name_pattern: is not a regular expression: missing ), unterminated subpattern at position 0 (got '(')",
        "crops.time_format: is not one that Python's strptime reads: 'Q' is a bad directive in format '%Q' (got '%Q')",
        "metrics.port: should be less than or equal to 65535 (got 70000)",
        "nonsense: unknown key; see the sample config.toml for those that exist: monitor config init",
        "paths.inbox: is not a path that can be followed: Could not determine home directory. "
        "(got '~no-such-user/inbox')",
        "pipeline: should be a section: [pipeline], with its keys on the lines below it (got 3)",
        "plant.time_zone: is not a known time zone; "
        'use a name such as "UTC" or "Europe/Moscow" (got \'Europe/Cheboksary\')',
        "rules.fixed: should be a section: [rules.fixed], with its keys on the lines below it (got 12)",
        "training.sed: unknown key; did you mean training.seed?",
        "training.seed: should be a whole number (got 'one')",
        "watch.scan_seconds: should be less than or equal to 3600 (got nan)",
    ]


@pytest.mark.parametrize("key", ["_env_file", "_env_prefix", "__pydantic_self__", "self", "_case_sensitive"])
def test_a_key_that_the_library_knows_is_unknown_all_the_same(tmp_path: Path, key: str) -> None:
    assert problems(f"{key} = 'x'", tmp_path) == [
        f"{key}: unknown key; see the sample config.toml for those that exist: monitor config init"
    ]


def test_a_long_value_is_shortened(tmp_path: Path) -> None:
    (line,) = problems(f"logging.level = '{'x' * 10_000}'", tmp_path)
    assert line.startswith("logging.level: should be 'debug', 'info', 'warning' or 'error' (got 'xxx")
    assert len(line) < 200


def test_problems_of_the_environment_name_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "metrics.port = 1\nlogging.level = 'loud'")
    for name, value in {
        "MONITOR__METRICS__PORT": "many",
        "MONITOR__METRICS__PRT": "1",
        "MONITOR__METRIC__PORT": "1",
        "MONITOR__PATHS__STATE": "inbox",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert sorted(str(caught.value).splitlines()) == [
        f"{file}:2: logging.level: should be 'debug', 'info', 'warning' or 'error' (got 'loud')",
        "environment: MONITOR__METRICS__PORT: should be a whole number (got 'many')",
        "environment: MONITOR__METRICS__PRT: unknown key; did you mean metrics.port?",
        "environment: MONITOR__METRIC__PORT: there is no section METRIC; did you mean metrics?",
    ]
    monkeypatch.setenv("MONITOR__METRICS", "{")
    with pytest.raises(ConfigurationError, match="set single keys as MONITOR__METRICS__KEY"):
        load(file)


def test_a_key_in_the_wrong_section_is_sent_to_the_right_one(tmp_path: Path) -> None:
    assert sorted(problems("port = 1\n[paths]\nkeep_days = 3", tmp_path)) == [
        "paths.keep_days: unknown key; it is a key of [store]",
        "port: unknown key; it is a key of [metrics] and of [web]",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("decision.detectors = 'ae'", 'decision.detectors: should be a list, such as ["a", "b"] (got \'ae\')'),
        ("metrics.enabled = 'maybe'", "metrics.enabled: should be true or false (got 'maybe')"),
        ("watch.scan_seconds = []", "watch.scan_seconds: should be a number (got [])"),
        ("paths.inbox = 3", "paths.inbox: should be a path between quotation marks (got 3)"),
        ("metrics.host = 3", "metrics.host: should be text between quotation marks (got 3)"),
    ],
)
def test_types_are_called_what_a_person_writes(tmp_path: Path, text: str, sentence: str) -> None:
    assert problems(text, tmp_path) == [sentence]


@pytest.mark.parametrize(
    "text",
    [
        "database.url = 'mysql://user:geheim@host/name'",
        "database.url = 'postgres://user:geheim@host/name'",
        "database.url = 'postgresql:geheim'",
        "database.url = 'sqlite://user:geheim@host'",
        "database.url = ['geheim']",
        "database = 'postgresql://user:geheim@host/name'",
        "database.url.password = 'geheim'",
        "[database]\nurl = 'mysql://user:geheim@ho\u2100st/name'",
        "[database]\npassword = 'geheim'",
        "[database]\nurl = 'postgresql://user:geheim@host/name",
        "[database]\nurl = postgresql://user:geheim@host/name",
        "[database]\nurl: postgresql://user:geheim@host/name",
        "[database]\nurl postgresql://user:geheim@host/name",
        "url = 3 postgresql://user:geheim@host/name",
        "[database]\nurl = 'postgresql://user:\u201cgeheim\u201d@host/name",
        "[database]\nurl = 5geheim",
        "[database]\nurl = 'sqlite:///x'\nport = 'geheim'",
    ],
)
def test_a_password_is_in_no_message(tmp_path: Path, text: str) -> None:
    lines = problems(text, tmp_path)
    assert lines
    assert "geheim" not in "".join(lines)


@pytest.mark.parametrize("name", ["MONITOR__DATABASE__URL", "MONITOR__DATABASE", "MONITOR__DATABSE__URL"])
@pytest.mark.parametrize("value", ["mysql://user:geheim@host/name", '"postgresql://user:geheim@host/name"'])
def test_a_password_of_the_environment_is_in_no_message(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="environment: ") as caught:
        load()
    assert "geheim" not in str(caught.value)


def test_a_plugins_section_is_checked_by_its_own_settings() -> None:
    model = Registry.load().rule_class("fraction-of-max").Settings
    filled = plugin_settings(model, {"k": 0.6}, section="rules.fraction-of-max", origins=Origins("f"))
    assert filled.model_dump() == {"k": 0.6}
    with pytest.raises(ConfigurationError) as caught:
        plugin_settings(model, {"k": -1, "q": 1}, section="rules.fraction-of-max", origins=Origins("f"))
    assert str(caught.value).splitlines() == [
        "f: rules.fraction-of-max.k: should be greater than 0 (got -1)",
        "f: rules.fraction-of-max.q: unknown key; the keys of rules.fraction-of-max: k",
    ]
