"""What every panel of Grafana is made of: queries, settings of fields, and its JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

# Colours from a value on; the first has none.
Steps = tuple[tuple[float | None, str], ...]
Format = Literal["time_series", "table", "heatmap"]

NEUTRAL: Final[Steps] = ((None, "blue"),)
PROLIV: Final = {"0": ("ne_proliv", "green"), "1": ("proliv", "red")}


@dataclass(frozen=True)
class Target:
    """A query; ``legend`` names its series with Grafana's placeholders."""

    expression: str
    legend: str = ""
    format: Format = "time_series"
    instant: bool = False

    def as_json(self, reference: str) -> dict[str, Any]:
        """As a dashboard has it; ``reference`` is its letter."""
        return {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": self.expression,
            "format": self.format,
            "instant": self.instant,
            "range": not self.instant,
            "legendFormat": self.legend or "__auto",
            "refId": reference,
        }


@dataclass(frozen=True)
class Panel:
    """A panel without its place."""

    kind: str
    title: str
    description: str
    targets: tuple[Target, ...]
    options: dict[str, Any]
    defaults: dict[str, Any]
    width: int
    height: int
    overrides: list[dict[str, Any]] = field(default_factory=list)
    transformations: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """As a dashboard has it."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [target.as_json(chr(ord("A") + place)) for place, target in enumerate(self.targets)],
            "fieldConfig": {"defaults": self.defaults, "overrides": self.overrides},
            "options": self.options,
            "transformations": self.transformations,
        }


def override(name: str, *, pattern: bool = False, **properties: Any) -> dict[str, Any]:
    """Different settings for the fields with this name; ``__`` in a property stands for the dot in its id."""
    return {
        "matcher": {"id": "byRegexp" if pattern else "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def mapped(values: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Texts and colours for values."""
    options = {
        value: {"text": text, "color": color, "index": place}
        for place, (value, (text, color)) in enumerate(values.items())
    }
    return [{"type": "value", "options": options}]


def defaults(unit: str, steps: Steps, decimals: int | None = None) -> dict[str, Any]:
    """The settings of every field: its unit, its colours from values on, and its digits after the point."""
    exact = {} if decimals is None else {"decimals": decimals}
    return {
        "unit": unit,
        **exact,
        "color": {"mode": "thresholds"},
        "thresholds": {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]},
    }
