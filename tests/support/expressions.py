"""Every query of the dashboards with its variables filled in, to be asked of a real Prometheus."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.configuration.resolved import Configuration
from monitor.deploy import grafana

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.configuration.settings import Settings

FILLED_IN = {
    "__rate_interval": "1m",
    "__interval": "15s",
    "__range": "1h",
    "instance": ".*",
    "camera": ".*",
    "hole": ".*",
    "detector": ".*",
    "window": "30d",
}


@dataclass(frozen=True)
class Expression:
    """A query with no variable left in it, and where it is shown."""

    dashboard: str
    panel: str
    text: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.text}"

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics and recording rules that it reads: a test can tell what a quiet daemon has no series of."""
        without_texts = re.sub(r'"[^"]*"', "", self.text)
        # Between brackets are durations, behind by() and on() labels.
        without_labels = re.sub(r"\b(by|on|ignoring|without) \([^)]*\)|\[[^\]]*\]|\{[^}]*\}", " ", without_texts)
        names = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b", without_labels)
        return frozenset(name for name in names if "_" in name or name in ("up", "ALERTS"))


def dashboards(settings: Settings) -> dict[str, dict[str, Any]]:
    """Every dashboard as Grafana reads it, by its file's name."""
    files = grafana.files(Configuration(settings=settings, file=None))
    return {name: json.loads(content) for name, content in files.items() if name.endswith(".json")}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Its panels without the headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def every(settings: Settings, filled_in: dict[str, str] | None = None) -> list[Expression]:
    """All of the panels, annotations and variables, in reading order."""
    return list(_walk(settings, {**FILLED_IN, **(filled_in or {})}))


def _walk(settings: Settings, values: dict[str, str]) -> Iterator[Expression]:
    for dashboard in dashboards(settings).values():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield Expression(dashboard["uid"], panel["title"], fill_in(target["expr"], values))
        for annotation in dashboard["annotations"]["list"]:
            if "expr" in annotation:
                yield Expression(dashboard["uid"], annotation["name"], fill_in(annotation["expr"], values))
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                selector, label = label_values(variable["query"]["query"])
                counted = f"count by ({label}) ({fill_in(selector, values)})"
                yield Expression(dashboard["uid"], f"${variable['name']}", counted)


def label_values(query: str) -> tuple[str, str]:
    """``label_values(selector, label)`` -> selector and label."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert found is not None, query
    return found[1], found[2]


def fill_in(text: str, values: dict[str, str]) -> str:
    """A query with the values of its variables; raises `KeyError` for one that does not exist."""
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], text)
