from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Alerts, Learning, Metrics, Settings, Store
from monitor.deploy import alerts, prometheus, recording
from monitor.deploy.emitting import to_yaml
from monitor.deploy.rules import duration
from monitor.errors import ConfigurationError, ExitCode
from tests.support.expressions import every

if TYPE_CHECKING:
    from tests.conftest import RunMonitor

ROOT = Path(__file__).parents[3]
# What Prometheus adds to everything that it scrapes, and what every alert becomes.
PROMETHEUS_OWN = {
    "up": set(),
    "scrape_duration_seconds": set(),
    "scrape_samples_scraped": set(),
    "ALERTS": {"alertname", "alertstate", "severity"},
}
OF_EVERY_TARGET = {"job", "instance"}
EVERYTHING = Settings(store=Store(keep_days=90), learning=Learning(enabled=True))


def documented() -> dict[str, set[str]]:
    """The metrics of docs/metrics.md with their labels, as Prometheus has them, and the client library's."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    found = {}
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", text, re.MULTILINE):
        known = set(re.findall(r"`(\w+)`", labels))
        found[name] = known
        if kind == "histogram":
            found |= {f"{name}_bucket": known | {"le"}, f"{name}_sum": known, f"{name}_count": known}
    process = ProcessCollector(registry=CollectorRegistry()).collect()
    return found | {sample.name: set() for family in process for sample in family.samples}


def expressions() -> list[str]:
    return [
        *(rule.expression for rule in recording.rules(EVERYTHING)),
        *(alert.expression for alert in alerts.rules(EVERYTHING)),
        *(one.text for one in every(EVERYTHING)),
    ]


def selectors() -> list[tuple[str, str, set[str]]]:
    """(expression, metric, labels that it is chosen by) of everything that is written."""
    found = []
    for expression in expressions():
        for name, matchers in re.findall(r"([a-zA-Z_][\w:]*)\s*\{([^}]*)\}", expression):
            found.append((expression, name, set(re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', '""', matchers)))))
        bare = re.sub(r"\{[^}]*\}", "", re.sub(r'"[^"]*"', "", expression))
        found += [
            (expression, name, set()) for name in re.findall(r"\b((?:monitor|process|instance)_?\w*[\w:]+)", bare)
        ]
    recorded = {rule.name for rule in recording.rules(EVERYTHING)}
    labels = OF_EVERY_TARGET | {"camera", "reason", "verdict", "detector", "outcome", "folder"}
    return [one for one in found if one[1] not in recorded | labels]


def test_rules_and_dashboards_use_only_metrics_and_labels_that_there_are() -> None:
    known = documented() | PROMETHEUS_OWN
    found = selectors()
    assert len(found) > 150
    assert sorted({name for _, name, _ in found if name not in known}) == []
    foreign = [
        (name, labels - known[name] - OF_EVERY_TARGET)
        for _, name, labels in found
        if name != "ALERTS" and labels - known[name] - OF_EVERY_TARGET
    ]
    assert foreign == []


def test_every_recording_rule_is_used() -> None:
    text = "\n".join(expressions())
    recorded = [rule.name for rule in recording.rules(EVERYTHING)]
    assert [name for name in recorded if name not in text] == []
    used = set(re.findall(r"instance\w*:[\w:]+", text))
    assert used <= set(recorded)


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("127.0.0.1", "127.0.0.1:9464"),
        ("0.0.0.0", "127.0.0.1:9464"),
        ("::", "[::1]:9464"),
        ("fd00::7", "[fd00::7]:9464"),
        ("casting-7", "casting-7:9464"),
    ],
)
def test_the_target_is_the_daemons_address(host: str, target: str) -> None:
    assert prometheus.target(Configuration(settings=Settings(metrics=Metrics(host=host)), file=None)) == target


@pytest.mark.parametrize("host", ["http://casting-7", "casting-7/metrics", "[::1]", "casting-7:9464", "casting 7"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"metrics\.host: .*: is neither the name of a machine nor an address"):
        prometheus.files(Configuration(settings=Settings(metrics=Metrics(host=host)), file=None))


def test_with_a_certificate_it_is_scraped_over_https(tmp_path: Path) -> None:
    metrics = Metrics(certificate=Path("tls/monitor.pem"), key=Path("tls/key.pem"))
    configuration = Configuration(settings=Settings(metrics=metrics), file=tmp_path / "config.toml")
    text = prometheus.files(configuration)[prometheus.CONFIGURATION]
    assert "scheme: https" in text
    assert f"ca_file: {tmp_path.resolve()}/tls/monitor.pem\n" in text
    assert "key.pem" not in text


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [(Metrics(port=0), r"metrics\.port: 0 takes"), (Metrics(enabled=False), r"metrics\.enabled: is false")],
)
def test_what_cannot_be_scraped_is_refused(metrics: Metrics, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        prometheus.files(Configuration(settings=Settings(metrics=metrics), file=None))


def test_bounds_are_those_of_the_configuration() -> None:
    bounds = Alerts(
        tpr_target=0.91, tnr_target=0.81, latency_seconds=7, backlog_seconds=77, silent_seconds=1200,
        pause_seconds=4321, calibration_days=5,
    )  # fmt: skip
    text = prometheus.files(Configuration(settings=Settings(alerts=bounds), file=None))[prometheus.ALERTS]
    for bound in ("< 0.91", "< 0.81", "> 7\n", "> 77", "> 1200", "[20m]", "> 4321", "> 432000", "[5d]"):
        assert bound in text


def test_without_nightly_runs_or_retention_none_is_overdue() -> None:
    names = {
        nightly: {alert.name for alert in alerts.rules(Settings.model_validate({"calibration": {"nightly": nightly}}))}
        for nightly in (True, False)
    }
    assert names[True] - names[False] == {
        "MonitorRunOverdue", "MonitorCalibrationOverdue", "MonitorCalibrationRefused",
    }  # fmt: skip


def test_without_learning_no_training_is_missed() -> None:
    names = {
        enabled: {alert.name for alert in alerts.rules(Settings(learning=Learning(enabled=enabled)))}
        for enabled in (True, False)
    }
    assert names[True] - names[False] == {"MonitorRetrainingFailed", "MonitorRetrainingRefused"}


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1s"), (0.2, "1s"), (90, "1m30s"), (5400, "1h30m"), (86400, "1d"), (86461.5, "1d1m2s")]
)
def test_durations_are_in_prometheus_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_yaml_keeps_every_text() -> None:
    # YAML has more ways to misread a text than JSON; what is not plain is quoted.
    text = to_yaml(
        {"a": ["no", "1", "x: y", "a \"b\" 'c'", "", 1, True], "b": {"c": "one\n  two"}, "d": [{"e": 1, "f": [2]}]},
        comment="first\n\nlast",
    )
    assert text == (
        "# first\n#\n# last\n\n"
        'a:\n  - "no"\n  - "1"\n  - "x: y"\n  - \'a "b" \'\'c\'\'\'\n  - ""\n  - 1\n  - true\n'
        "b:\n  c: |-\n    one\n      two\n"
        "d:\n  - e: 1\n    f:\n      - 2\n"
    )


def test_the_command_writes_and_says_what_is_next(run_monitor: RunMonitor, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[metrics]\nport = 9999\n")
    ended = run_monitor("deploy", "prometheus", "--output", "out")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("written ") == 3
    assert "promtool check config prometheus.yml" in ended.stdout
    assert '"127.0.0.1:9999"' in (tmp_path / "out" / "prometheus.yml").read_text()
    (tmp_path / "config.toml").write_text("[metrics]\nport = 9998\n")
    refused = run_monitor("deploy", "prometheus", "--output", "out")
    assert refused.returncode == ExitCode.CANNOT_CREATE
    assert refused.stderr == (
        f"monitor: {tmp_path / 'out' / 'prometheus.yml'}: exists with different content, and nothing was written; look "
        "at the differences, then overwrite with --force, or give another folder with --output\n"
    )
    forced = run_monitor("deploy", "prometheus", "--output", "out", "--force")
    assert (forced.stdout.count("replaced "), forced.stdout.count("unchanged ")) == (1, 2)
