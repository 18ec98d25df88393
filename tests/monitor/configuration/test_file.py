from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from monitor.configuration import file as config
from monitor.configuration import problems as configuration_problems
from monitor.configuration.settings import Crops, Settings
from monitor.crops import decoder, identity, loader
from monitor.errors import ConfigurationError
from monitor.registry import Registry

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tests.conftest import RunMonitor

SAMPLE = Path(__file__).parents[3] / "config.toml"


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and a system without a configuration of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "SYSTEM_PATH", tmp_path / "etc" / "config.toml")
    monkeypatch.delenv(config.PATH_VARIABLE, raising=False)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(text: str, folder: Path) -> list[str]:
    """What is said of a file, without its name."""
    file = written(folder, text)
    with pytest.raises(ConfigurationError) as caught:
        config.load(file)
    return [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()]


# The sample file


def test_the_sample_holds_every_key_with_its_default() -> None:
    sample = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    defaults = Settings()
    sections = {name: section for name, section in sample.items() if name not in {"rules", "detectors"}}
    assert {name: set(section) for name, section in sections.items()} == {
        name: set(type(getattr(defaults, name)).model_fields)
        for name in Settings.model_fields
        if name not in {"rules", "detectors"}
    }
    loaded = config.load(SAMPLE).settings
    for name in sections:
        assert getattr(loaded, name) == getattr(defaults, name), name


def plugin_models() -> dict[tuple[str, str], type[BaseModel]]:
    """The settings of the built-in plug-ins, by their section."""
    registry = Registry.load()
    builtin = "proliv-monitor: builtin-plugins"
    detectors = {
        ("detectors", name): registry.detector_class(name).Settings
        for name, offer in registry.detectors.items()
        if offer.origin == builtin
    }
    rules = {
        ("rules", name): registry.rule_class(name).Settings
        for name, offer in registry.rules.items()
        if offer.origin == builtin
    }
    return detectors | rules


def test_the_samples_plugin_sections_hold_every_key_with_its_default() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    # A key stands behind a comment sign where setting it would override what another key brings with it.
    uncommented = tomllib.loads(re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE))
    models = plugin_models()
    shown = {(kind, name) for kind in ("detectors", "rules") for name in uncommented.get(kind, {})}
    with_settings = {key for key, model in models.items() if any(defaults_of(model).values())}
    assert shown == with_settings
    for kind, name in shown:
        section: dict[str, Any] = uncommented[kind][name]
        assert section == defaults_of(models[kind, name]), (kind, name)
        as_loaded = getattr(config.load(SAMPLE).settings, kind)[name]
        assert models[kind, name].model_validate(as_loaded) == models[kind, name](), (kind, name)


def defaults_of(model: type[BaseModel]) -> dict[str, Any]:
    """Every key that has a default which TOML can hold."""
    return {key: value for key, value in model().model_dump(mode="json").items() if value is not None}


def test_the_sample_mentions_every_plugin_key_without_a_default() -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    for (kind, name), model in plugin_models().items():
        for key in model.model_fields.keys() - defaults_of(model).keys():
            assert re.search(rf"^# \[{kind}\.{name}\].*\b{key}\b", text, re.MULTILINE), (kind, name, key)


def test_the_defaults_are_those_of_the_code_that_uses_them() -> None:
    section = Crops()
    assert section.name_pattern == identity.DEFAULT_NAME_PATTERN
    assert section.time_format == identity.DEFAULT_TIME_FORMAT
    assert problems(f"crops.max_pixels = {decoder.LARGEST_PIXEL_LIMIT + 1}", Path.cwd()) == [
        f"crops.max_pixels: should be less than or equal to {decoder.LARGEST_PIXEL_LIMIT} (got 178956971)"
    ]
    allowed = config.load(written(Path.cwd(), f"crops.max_pixels = {decoder.LARGEST_PIXEL_LIMIT}")).settings.crops
    loader.CropReader(max_bytes=allowed.max_bytes, max_pixels=allowed.max_pixels)


# Problems


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
        "nonsense: unknown key; see the sample config.toml for those that exist",
        "paths.inbox: is not a path that can be followed: Could not determine home directory. "
        "(got '~no-such-user/inbox')",
        "pipeline: should be a valid dictionary or instance of Pipeline (got 3)",
        "plant.time_zone: is not a known time zone; "
        'use a name such as "UTC" or "Europe/Moscow" (got \'Europe/Cheboksary\')',
        "rules.fixed: should be a valid dictionary (got 12)",
        "training.sed: unknown key; see the sample config.toml for those that exist",
        "training.seed: should be a valid integer, unable to parse string as an integer (got 'one')",
        "watch.scan_seconds: should be less than or equal to 3600 (got nan)",
    ]


@pytest.mark.parametrize("key", ["_env_file", "_env_prefix", "__pydantic_self__", "self", "_case_sensitive"])
def test_a_key_that_the_library_knows_is_unknown_all_the_same(tmp_path: Path, key: str) -> None:
    assert problems(f"{key} = 'x'", tmp_path) == [
        f"{key}: unknown key; see the sample config.toml for those that exist"
    ]


def test_who_decides_is_checked(tmp_path: Path) -> None:
    assert problems('[decision]\ndetectors = ["ae", "mnad", "ae"]\ndecide = "vote"', tmp_path) == [
        "decision.detectors: names ae more than once; name each detector once, the primary first "
        "(got ['ae', 'mnad', 'ae'])",
        "decision.decide: should be 'primary', 'any', 'all', 'majority' or 'rank-mean' (got 'vote')",
    ]


def test_a_long_value_is_shortened(tmp_path: Path) -> None:
    (line,) = problems(f"logging.level = '{'x' * 10_000}'", tmp_path)
    assert line.startswith("logging.level: should be 'debug', 'info', 'warning' or 'error' (got 'xxx")
    assert len(line) < 200


GOOD_PATTERNS = [identity.DEFAULT_NAME_PATTERN, "(?P<hole>.)", "(?P<camera>.)(?P<other>.)", "(?P<captured_at>.*)"]
BAD_PATTERNS = ["", "(", "(?P<other>.)", "(?P<hole>a{99999999999999999999})", "(?P<hole>.)" + "(" * 5000 + ")" * 5000]
GOOD_FORMATS = [identity.DEFAULT_TIME_FORMAT, "%Y%m%dT%H%M%S%z", "%d.%m.%y", "%Y-%j", "%%%d-%m-%Y", "%c"]
BAD_FORMATS = ["", "%", "%Q", "%H:%M", "%d-%m", "%m %Y", "%d %d-%m-%Y", "\u0000"]


@pytest.mark.parametrize("pattern", GOOD_PATTERNS + BAD_PATTERNS, ids=lambda pattern: pattern[:30])
@pytest.mark.parametrize("time_format", [identity.DEFAULT_TIME_FORMAT])
def test_a_name_pattern_is_refused_by_the_configuration_where_reading_would_refuse_it(
    tmp_path: Path, pattern: str, time_format: str
) -> None:
    check_identity(tmp_path, pattern, time_format, good=pattern in GOOD_PATTERNS, key="name_pattern")


@pytest.mark.parametrize("time_format", GOOD_FORMATS + BAD_FORMATS)
def test_a_time_format_is_refused_by_the_configuration_where_reading_would_refuse_it(
    tmp_path: Path, time_format: str
) -> None:
    check_identity(
        tmp_path, identity.DEFAULT_NAME_PATTERN, time_format, good=time_format in GOOD_FORMATS, key="time_format"
    )


def check_identity(folder: Path, pattern: str, time_format: str, *, good: bool, key: str) -> None:
    quoted = time_format.replace("\0", "\\u0000")
    text = f"[crops]\nname_pattern = '{pattern}'\ntime_format = \"{quoted}\""
    if good:
        section = config.load(written(folder, text)).settings.crops
        identity.IdentityPattern(section.name_pattern, section.time_format, ZoneInfo("UTC"))
        return
    (line,) = problems(text, folder)
    assert line.startswith(f"crops.{key}: ")
    with pytest.raises(ValueError, match=r"name pattern|time format"):
        identity.IdentityPattern(pattern, time_format, ZoneInfo("UTC"))


@pytest.mark.parametrize("value", ["", "Europe", "../UTC", "/etc/localtime", "UTC\\u0000", "Moscow"])
def test_a_time_zone_has_to_be_known(tmp_path: Path, value: str) -> None:
    (line,) = problems(f'plant.time_zone = "{value}"', tmp_path)
    assert line.startswith("plant.time_zone: is not a known time zone; use a name such as")


def test_folders_in_the_inbox_or_in_the_labelled_one_are_refused_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "inbox")
    text = "[paths]\nstate = 'inbox/state'\nquarantine = 'link/bad'"
    assert problems(text, tmp_path) == [
        f"paths.state: must not lie inside the inbox {tmp_path}/inbox (got 'inbox/state')",
        f"paths.quarantine: must not lie inside the inbox {tmp_path}/inbox (got 'link/bad')",
    ]
    moved = "[paths]\nlabelled = 'labelled'\narchive = 'labelled/proliv'\n[inbox]\nafter = 'archive'"
    assert problems(moved, tmp_path) == [
        f"paths.archive: must not lie inside the labelled folder {tmp_path}/labelled (got 'labelled/proliv')"
    ]
    assert "paths.state: must not lie inside the inbox" in problems("paths.state = 'inbox'", tmp_path)[0]
    assert config.load(written(tmp_path, "paths.state = 'inbox-state'")).state == tmp_path / "inbox-state"
    assert config.load(written(tmp_path, "paths.inbox = 'state/inbox'")).inbox == tmp_path / "state" / "inbox"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="a circle of links is found only when it is followed")
def test_a_folder_behind_links_in_a_circle_is_named(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "circle").symlink_to("circle")
    with pytest.raises(ConfigurationError, match="circle/inbox: is not a path that can be followed: "):
        config.load(written(tmp_path / "conf", "paths.inbox = 'circle/inbox'"))


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
        config.load(file)


# Where it comes from


def test_the_file_is_searched_for_in_the_documented_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seed() -> tuple[int, str]:
        configuration = config.load(explicit)
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
        config.load(Path("no.toml"))
    monkeypatch.setenv("MONITOR_CONFIG", "absent.toml")
    with pytest.raises(ConfigurationError, match=r"^absent\.toml: no such .* \(named by MONITOR_CONFIG\)$"):
        config.load()


def test_relative_paths_count_from_the_files_folder_or_else_from_the_working_directory(tmp_path: Path) -> None:
    text = "paths.inbox = 'a/b'\npaths.quarantine = '../bad'\ndatabase.url = 'sqlite:///c.db'"
    configuration = config.load(written(tmp_path / "conf", text))
    assert configuration.inbox == tmp_path / "conf" / "a" / "b"
    assert configuration.quarantine == tmp_path / "bad"
    assert configuration.models == tmp_path / "conf" / "state" / "models"
    assert configuration.database_url == f"sqlite:///{tmp_path}/conf/c.db"
    defaults = config.load()
    assert (defaults.inbox, defaults.state, defaults.quarantine) == (tmp_path / "inbox", tmp_path / "state", None)
    assert defaults.database_url == f"sqlite:///{tmp_path}/state/monitor.db"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "[metrics]\nport = 1\nhost = 'h'\n[rules.fixed]\nthreshold = 1\nother = 2")
    monkeypatch.setenv("MONITOR__METRICS__PORT", "2")
    monkeypatch.setenv("MONITOR__PATHS__QUARANTINE", "")
    monkeypatch.setenv("monitor__watch__scan_seconds", "7.5")
    monkeypatch.setenv("MONITOR__RULES__FIXED__THRESHOLD", "12")
    settings = config.load(file).settings
    assert (settings.metrics.port, settings.metrics.host) == (2, "h")
    assert settings.paths.quarantine is None
    assert settings.watch.scan_seconds == 7.5
    assert settings.rules == {"fixed": {"threshold": "12", "other": 2}}


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
        config.load(file)
    assert sorted(str(caught.value).splitlines()) == [
        f"{file}: logging.level: should be 'debug', 'info', 'warning' or 'error' (got 'loud')",
        "environment: MONITOR__METRICS__PORT: "
        "should be a valid integer, unable to parse string as an integer (got 'many')",
        "environment: MONITOR__METRICS__PRT: unknown key; see the sample config.toml for those that exist",
        "environment: MONITOR__METRIC__PORT: there is no section METRIC",
    ]
    monkeypatch.setenv("MONITOR__METRICS", "{")
    with pytest.raises(ConfigurationError, match="set single keys as MONITOR__SECTION__KEY"):
        config.load(file)


def test_every_key_can_be_given_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings()
    sample = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    for section, keys in sample.items():
        for key, value in keys.items():
            if not isinstance(value, dict):
                text = str(value).lower() if isinstance(value, bool) else str(value)
                monkeypatch.setenv(f"MONITOR__{section}__{key}".upper(), text)
    assert config.load().settings == defaults
    monkeypatch.setenv("MONITOR__TRAINING__SEED", "7")
    assert config.load().settings != defaults


# Secrets


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
        config.load()
    assert "geheim" not in str(caught.value)


def test_a_password_is_not_shown_with_the_settings(tmp_path: Path) -> None:
    url = "postgresql://user:geheim@host/name"
    configuration = config.load(written(tmp_path, f"database.url = '{url}'"))
    assert configuration.database_url == url
    assert "geheim" not in f"{configuration!r} {configuration} {configuration.settings.model_dump_json()}"


# The sections of plug-ins


def test_a_plugins_section_is_checked_by_its_own_settings() -> None:
    model = plugin_models()["rules", "fraction-of-max"]
    assert configuration_problems.plugin_settings(
        model, {"k": 0.6}, section="rules.fraction-of-max", source="f"
    ).model_dump() == {"k": 0.6}
    with pytest.raises(ConfigurationError) as caught:
        configuration_problems.plugin_settings(model, {"k": -1, "q": 1}, section="rules.fraction-of-max", source="f")
    assert str(caught.value).splitlines() == [
        "f: rules.fraction-of-max.k: should be greater than 0 (got -1)",
        "f: rules.fraction-of-max.q: unknown key; the keys of rules.fraction-of-max: k",
    ]


# The real command


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
