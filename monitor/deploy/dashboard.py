"""Builds a dashboard: rows of panels, laid out one after the other, with variables and annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from monitor.deploy.panels import DATASOURCE

if TYPE_CHECKING:
    from monitor.deploy.panels import Panel

COLUMNS: Final = 24
# The version of Grafana 10.4 and 11; newer ones migrate a dashboard when they load it.
SCHEMA_VERSION: Final = 39
TAG: Final = "monitor"
INSTANCE: Final = 'instance=~"$instance"'
CAMERA: Final = 'camera=~"$camera"'
HOLE: Final = 'hole=~"$hole"'
DETECTOR: Final = 'detector=~"$detector"'
WINDOW: Final = 'window="$window"'


@dataclass(frozen=True)
class Row:
    """A heading and the panels below it; ``repeat``: the name of a variable, for a row for each of its values."""

    title: str
    panels: tuple[Panel, ...]
    repeat: str = ""


@dataclass(frozen=True)
class Variable:
    """A choice among the values of a label, at the top of a dashboard."""

    name: str
    label: str
    query: str
    many: bool = True

    def as_json(self) -> dict[str, Any]:
        """As a dashboard has it."""
        every = {"allValue": ".*", "includeAll": True, "multi": True, "current": {"text": ["All"], "value": ["$__all"]}}
        return {
            "type": "query",
            "name": self.name,
            "label": self.label,
            "datasource": DATASOURCE,
            "query": {"qryType": 1, "query": self.query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
            "hide": 0,
            "options": [],
            # New holes and cameras appear, so the values are looked up again when the time range changes.
            "refresh": 2,
            "regex": "",
            "skipUrlSync": False,
            "sort": 7,
            **(every if self.many else {"includeAll": False, "multi": False}),
        }


@dataclass(frozen=True)
class Annotation:
    """Moments that are marked in every panel; the value of the query is the moment in milliseconds."""

    name: str
    expression: str
    title: str
    text: str
    color: str

    def as_json(self) -> dict[str, Any]:
        """As a dashboard has it."""
        return {
            "name": self.name,
            "datasource": DATASOURCE,
            "enable": True,
            "hide": False,
            "iconColor": self.color,
            "expr": self.expression,
            "step": "60s",
            "titleFormat": self.title,
            "textFormat": self.text,
            "tagKeys": "",
            "useValueForTime": True,
        }


@dataclass(frozen=True)
class Dashboard:
    """A dashboard; its ``uid`` is part of its address, so links and updates find it again."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]
    choices: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    annotations: tuple[Annotation, ...] = ()
    since: str = "now-24h"

    def as_json(self) -> dict[str, Any]:
        """As Grafana reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": self.since, "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "weekStart": "",
            "links": [_LINK],
            "annotations": {"list": [_OWN_ANNOTATIONS, *(one.as_json() for one in self.annotations)]},
            "templating": {
                "list": [
                    _DATASOURCE_VARIABLE,
                    *(one.as_json() for one in self.variables),
                    *(_choice(*one) for one in self.choices),
                ]
            },
            "panels": _placed(self.rows),
        }


def _placed(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    """Panels from left to right, on a new line when one is full; ids in reading order."""
    placed: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        placed.append(
            {
                "id": len(placed) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
                **({"repeat": row.repeat} if row.repeat else {}),
                "panels": [],
            }
        )
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            placed.append(panel.as_json(len(placed) + 1, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return placed


def _choice(name: str, label: str, values: tuple[str, ...]) -> dict[str, Any]:
    """A variable with fixed values, of which the last is chosen at first."""
    chosen = {"text": values[-1], "value": values[-1], "selected": True}
    return {
        "type": "custom",
        "name": name,
        "label": label,
        "query": ",".join(values),
        "current": chosen,
        "options": [{"text": value, "value": value, "selected": value == values[-1]} for value in values],
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "skipUrlSync": False,
    }


_DATASOURCE_VARIABLE: Final = {
    "type": "datasource",
    "name": "datasource",
    "label": "Prometheus",
    "query": "prometheus",
    "hide": 0,
    "includeAll": False,
    "multi": False,
    "options": [],
    "refresh": 1,
    "regex": "",
    "skipUrlSync": False,
}
_OWN_ANNOTATIONS: Final = {
    "builtIn": 1,
    "name": "Annotations & Alerts",
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "type": "dashboard",
}
_LINK: Final = {
    "type": "dashboards",
    "title": "monitor",
    "tags": [TAG],
    "asDropdown": True,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "The other dashboards",
    "url": "",
}
