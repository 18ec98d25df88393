"""Prometheus' configuration: what to scrape, what to record, when to raise an alert."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from monitor.deploy import alerts, recording
from monitor.deploy.emitting import to_yaml
from monitor.deploy.rules import JOB, RUNBOOK, SCRAPE_SECONDS
from monitor.deploy.values import checked
from monitor.errors import ConfigurationError
from monitor.files.documentation import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.configuration.resolved import Configuration

CONFIGURATION: Final = "prometheus.yml"
RECORDING: Final = "monitor.rules.yml"
ALERTS: Final = "monitor.alerts.yml"
EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - listened on, not bound
WRITTEN_BY: Final = "Written by `monitor deploy prometheus`."
NEXT_STEPS: Final = (
    f"next: promtool check config {CONFIGURATION}   # in that folder",
    f"next: prometheus --config.file={CONFIGURATION}",
    f"      or copy the job and the rule_files of {CONFIGURATION} into the configuration that you have, put both",
    "      rule files beside it, and have Prometheus load it again (SIGHUP)",
)


def files(configuration: Configuration) -> dict[str, str]:
    """The files, contents by name. Raises `ConfigurationError` if the daemon has no address that can be scraped."""
    settings = configuration.settings
    pages = runbooks(configuration)
    return {
        CONFIGURATION: to_yaml(_scraping(configuration), comment=_HEAD),
        RECORDING: _rule_file("monitor", [one.as_rule() for one in recording.rules(settings)], _RECORDING_HEAD),
        ALERTS: _rule_file("monitor-alerts", [one.as_rule(pages) for one in alerts.rules(settings)], _ALERTS_HEAD),
    }


def next_steps(configuration: Configuration) -> list[str]:
    """What a person does next with the files."""
    return [*NEXT_STEPS, f"next: {runbooks(configuration)} says what each alert means and what to do"]


def runbooks(configuration: Configuration) -> str:
    """Where the page about alerts is: as configured, or the file that is installed with the program."""
    configured = configuration.settings.alerts.runbooks
    return checked(configured, f"{configuration.source}: alerts.runbooks") or str(page(RUNBOOK) or RUNBOOK)


def target(configuration: Configuration) -> str:
    """The address that Prometheus scrapes, as HOST:PORT."""
    metrics = configuration.settings.metrics
    if not metrics.enabled:
        raise ConfigurationError(
            f"{configuration.source}: metrics.enabled: is false, so there is nothing to scrape; set it to true"
        )
    if metrics.port == 0:
        raise ConfigurationError(
            f"{configuration.source}: metrics.port: 0 takes a different port at every start, which Prometheus "
            "cannot know; set a port, such as 9464"
        )
    source = f"{configuration.source}: metrics.host"
    host = checked(EVERY_ADDRESS.get(metrics.host, metrics.host), source)
    if not _is_host(host):
        raise ConfigurationError(
            f"{source}: {host}: is neither the name of a machine nor an address, so Prometheus could not scrape it; "
            "write one as casting-7, 10.1.2.3 or ::1, without the port, which is metrics.port"
        )
    return f"[{host}]:{metrics.port}" if ":" in host else f"{host}:{metrics.port}"


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return re.fullmatch(r"[\w.-]+", text) is not None
    return True


def _scraping(configuration: Configuration) -> dict[str, Any]:
    certificate = configuration.certificate
    tls = {"tls_config": {"ca_file": checked(str(certificate[0]), configuration.source)}} if certificate else {}
    job = {
        "job_name": JOB,
        "scheme": "https" if certificate else "http",
        **tls,
        "static_configs": [{"targets": [target(configuration)]}],
    }
    return {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
        "rule_files": [RECORDING, ALERTS],
        "scrape_configs": [job],
    }


def _rule_file(group: str, rules: Sequence[dict[str, Any]], comment: str) -> str:
    return to_yaml({"groups": [{"name": group, "rules": list(rules)}]}, comment=comment)


_HEAD: Final = f"""\
{WRITTEN_BY}

A complete configuration for a Prometheus that does nothing else. The rules and the dashboards rely on the job's name.
The target is the daemon as seen from its own machine; for a Prometheus elsewhere, set metrics.host to an address that
it can reach. With HTTPS, ca_file is the daemon's certificate: Prometheus must be able to read it, and the certificate
must name the target's host (otherwise give the name as server_name)."""
_RECORDING_HEAD: Final = f"""\
{WRITTEN_BY} The dashboards and the alerts use what these rules record."""
_ALERTS_HEAD: Final = f"""\
{WRITTEN_BY} The bounds are those of [alerts] in the configuration.

severity: critical - look now; warning - look today; info - good to know.
The page of `runbook` has a section for each: what it means, how to check, what to do."""
