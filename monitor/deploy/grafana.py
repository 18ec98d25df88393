"""Grafana's provisioning: the data source, the folder of the dashboards, and the dashboards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from monitor.deploy import dashboards
from monitor.deploy.emitting import to_yaml
from monitor.deploy.rules import SCRAPE_SECONDS
from monitor.files.documentation import page

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration

DATASOURCE_UID: Final = "monitor-prometheus"
DATASOURCES: Final = "provisioning/datasources/monitor.yml"
PROVIDERS: Final = "provisioning/dashboards/monitor.yml"
DASHBOARDS: Final = "dashboards/monitor"
INSTALLED: Final = "/var/lib/grafana/dashboards/monitor"
NEXT_STEPS: Final = (
    "next: cp -r provisioning/. /etc/grafana/provisioning/   # in that folder",
    f"      mkdir -p {INSTALLED} && cp {DASHBOARDS}/*.json {INSTALLED}/",
    "      systemctl restart grafana-server",
    "      or import the files of dashboards/ by hand: Dashboards, New, Import",
)


def next_steps() -> list[str]:
    """What a person does next with the files."""
    explained = page("docs/grafana.md") or "docs/grafana.md"
    return [*NEXT_STEPS, f"next: {explained} says what each dashboard shows; they need: monitor deploy prometheus"]


def files(configuration: Configuration) -> dict[str, str]:
    """Names -> contents."""
    found = dashboards.every(configuration.settings)
    return {
        DATASOURCES: _datasource(),
        PROVIDERS: _provider(),
        **{
            f"{DASHBOARDS}/monitor-{name}.json": json.dumps(one.as_json(), indent=2, ensure_ascii=False) + "\n"
            for name, one in found.items()
        },
    }


def _datasource() -> str:
    source = {
        "name": "Prometheus (monitor)",
        "uid": DATASOURCE_UID,
        "type": "prometheus",
        "access": "proxy",
        "url": "http://127.0.0.1:9090",
        "editable": True,
        "jsonData": {"httpMethod": "POST", "timeInterval": f"{SCRAPE_SECONDS}s"},
    }
    comment = (
        "Written by `monitor deploy grafana`.\n\nThe Prometheus that scrapes the daemon, as Grafana reaches it. "
        "timeInterval is its scrape_interval.\nLeave this file out if Grafana knows it already: you can choose the "
        "data source in each dashboard."
    )
    return to_yaml({"apiVersion": 1, "datasources": [source]}, comment=comment)


def _provider() -> str:
    provider = {
        "name": "monitor",
        "folder": "monitor",
        "type": "file",
        "disableDeletion": False,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": INSTALLED},
    }
    comment = "Written by `monitor deploy grafana`. The folder that Grafana reads the dashboards from."
    return to_yaml({"apiVersion": 1, "providers": [provider]}, comment=comment)
