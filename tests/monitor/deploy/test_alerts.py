"""Alerts fire when they ought to and not in normal operation, by promtool; each has a section in the runbook."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Alerts, Learning, Settings, Store
from monitor.daemon import writer
from monitor.deploy import alerts, failing, prometheus, recording
from monitor.errors import ConfigurationError
from tests.support.rule_cases.every import CASES

if TYPE_CHECKING:
    from tests.support.rule_cases.case import Case


ROOT = Path(__file__).parents[3]
# Every alert there is: those of retention are written only where something is to be deleted, those of learning where
# models learn, and that of old self-tests where there should be some regularly.
SETTINGS = Settings(
    store=Store(keep_days=90),
    alerts=Alerts(calibration_days=2, selftest_hours=1),
    learning=Learning(enabled=True),
)
ALERTS = {alert.name: alert for alert in alerts.rules(SETTINGS)}
OF_EVERY_TARGET = {"job", "instance"}


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that `monitor deploy prometheus` writes."""
    folder = tmp_path_factory.mktemp("rules")
    for name, content in prometheus.files(Configuration(settings=SETTINGS, file=None)).items():
        (folder / name).write_text(content)
    return folder


def test_prometheus_understands_everything(promtool: str, rules: Path) -> None:
    ended = subprocess.run(
        [promtool, "check", "config", "--lint-fatal", rules / prometheus.CONFIGURATION], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{len(ALERTS)} rules found" in ended.stdout


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_when_it_ought_to_and_only_then(promtool: str, tmp_path: Path, alert: str) -> None:
    cases = [case for case in CASES if case.alert == alert]
    assert [case for case in cases if case.fires], "no case makes it fire"
    assert [case for case in cases if not case.fires], "no case must not make it fire"
    # JSON is YAML. Rules that the alert does not need would take their time all the same.
    recorded = recording.rules(SETTINGS) if ":" in ALERTS[alert].expression else []
    group = {"name": "tried", "rules": [*(rule.as_rule() for rule in recorded), ALERTS[alert].as_rule()]}
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [group]}))
    (tmp_path / "tests.json").write_text(
        json.dumps(
            {
                "rule_files": ["rules.json"],
                "evaluation_interval": cases[0].interval,
                "tests": [case.as_test(holds=bool(ALERTS[alert].hold_seconds)) for case in cases],
            }
        )
    )
    ended = subprocess.run([promtool, "test", "rules", tmp_path / "tests.json"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("case", [case for case in CASES if case.fires], ids=lambda case: f"{case.alert}: {case.what}")
def test_texts_name_only_labels_that_the_alert_has(case: Case) -> None:
    alert = ALERTS[case.alert]
    named = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
    missing = named - OF_EVERY_TARGET - set(case.fires[0])
    # Where the inbox was never looked over, its series is not there to give the label.
    assert missing == set() or case.what == "never since the start"


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert sections == list(ALERTS)
    assert [alert.as_rule()["annotations"]["runbook"] for alert in ALERTS.values()] == [
        f"docs/alerts.md#{section.lower()}" for section in sections
    ]


@pytest.mark.parametrize(
    ("configured", "runbook", "url"),
    [
        ("", f"{ROOT}/docs/alerts.md#monitordown", f"{(ROOT / 'docs' / 'alerts.md').as_uri()}#monitordown"),
        ("https://wiki/alerts", "https://wiki/alerts#monitordown", "https://wiki/alerts#monitordown"),
        ("https://wiki/alerts/", "https://wiki/alerts/monitordown", "https://wiki/alerts/monitordown"),
        ("https://wiki/?id=", "https://wiki/?id=monitordown", "https://wiki/?id=monitordown"),
        ("/srv/a b/alerts.md", "/srv/a b/alerts.md#monitordown", "file:///srv/a%20b/alerts.md#monitordown"),
        ("the folder on the desk", "the folder on the desk#monitordown", None),
    ],
)
def test_a_runbook_is_a_page_that_is_there_or_as_configured(configured: str, runbook: str, url: str | None) -> None:
    configuration = Configuration(settings=Settings(alerts=Alerts(runbooks=configured)), file=None)
    annotations = ALERTS["MonitorDown"].as_rule(prometheus.runbooks(configuration))["annotations"]
    assert (annotations["runbook"], annotations.get("runbook_url")) == (runbook, url)


def test_a_runbook_is_told_as_it_is_even_if_it_looks_like_a_template(promtool: str, tmp_path: Path) -> None:
    page = "https://wiki/{{page}}/{{{x}}"
    rule = {**ALERTS["MonitorDown"].as_rule(page), "expr": "vector(1)", "for": "0s"}
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "tried", "rules": [rule]}]}))
    told = {"runbook": f"{page}#monitordown", "runbook_url": f"{page}#monitordown"}
    told |= {name: rule["annotations"][name] for name in ("summary", "description")}
    told["summary"] = told["summary"].replace("{{ $labels.instance }}", "")
    expected = {"exp_labels": {"severity": "critical"}, "exp_annotations": told}
    tried = {
        "interval": "1m",
        "alert_rule_test": [{"alertname": "MonitorDown", "eval_time": "1m", "exp_alerts": [expected]}],
    }
    (tmp_path / "tests.json").write_text(json.dumps({"rule_files": ["rules.json"], "tests": [tried]}))
    ended = subprocess.run([promtool, "test", "rules", tmp_path / "tests.json"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_runbook_that_no_rule_file_can_hold_is_refused() -> None:
    configuration = Configuration(settings=Settings(alerts=Alerts(runbooks="https://wiki\r/")), file=None)
    with pytest.raises(ConfigurationError, match=r"alerts\.runbooks: .*: has a control character"):
        prometheus.files(configuration)


def test_the_runbook_tells_the_severity_and_how_long_an_alert_waits() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(#(\w+)\) \| (\w+) \|", text, re.MULTILINE)
    assert rows == [(alert.name, alert.name.lower(), alert.severity) for alert in ALERTS.values()]


def test_the_longest_pause_between_commits_is_the_services() -> None:
    assert failing.LONGEST_COMMIT_PAUSE_SECONDS == writer.LONGEST_COMMIT_PAUSE_SECONDS
