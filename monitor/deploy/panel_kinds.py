"""The kinds of panels that the dashboards use, with the settings that all of ours share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from monitor.deploy.panels import NEUTRAL, Panel, defaults, mapped

if TYPE_CHECKING:
    from monitor.deploy.panels import Steps, Target


def stat(
    title: str,
    description: str,
    *targets: Target,
    unit: str = "short",
    steps: Steps = NEUTRAL,
    values: dict[str, tuple[str, str]] | None = None,
    decimals: int | None = None,
    width: int = 4,
    height: int = 4,
    names: bool | Literal["only"] = False,
    no_value: str = "no data",
) -> Panel:
    """A number for each series; ``names``: with the name of the series, or the name only."""
    return Panel(
        "stat",
        title,
        description,
        tuple(replace(target, instant=True) for target in targets),
        {
            "colorMode": "background",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "name" if names == "only" else "value_and_name" if names else "value",
            "wideLayout": True,
        },
        {**defaults(unit, steps, decimals), "noValue": no_value, "mappings": mapped(values) if values else []},
        width,
        height,
    )


def series(
    title: str,
    description: str,
    *targets: Target,
    unit: str = "short",
    least: float | None = 0,
    most: float | None = None,
    bound: float | None = None,
    stacked: bool = False,
    stepped: bool = False,
    overrides: list[dict[str, Any]] | None = None,
    width: int = 12,
    height: int = 8,
) -> Panel:
    """Lines over time; ``bound`` is drawn as a dashed line."""
    custom = {
        "axisPlacement": "auto",
        "drawStyle": "line",
        "fillOpacity": 30 if stacked else 0,
        "lineInterpolation": "stepAfter" if stepped else "linear",
        "lineWidth": 1,
        "showPoints": "auto",
        # Two missing scrapes are not a gap.
        "spanNulls": 60_000,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "off" if bound is None else "dashed"},
    }
    limits = {name: value for name, value in (("min", least), ("max", most)) if value is not None}
    steps: Steps = ((None, "green"),) if bound is None else ((None, "green"), (bound, "red"))
    return Panel(
        "timeseries",
        title,
        description,
        targets,
        {
            "legend": {
                "calcs": ["lastNotNull", "max"],
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        {**defaults(unit, steps), "color": {"mode": "palette-classic"}, **limits, "custom": custom},
        width,
        height,
        overrides or [],
    )


def heatmap(title: str, description: str, target: Target, *, unit: str = "short", width: int = 12) -> Panel:
    """How many values fell into each bucket of a histogram."""
    return Panel(
        "heatmap",
        title,
        description,
        (replace(target, format="heatmap", legend="{{le}}"),),
        {
            "calculate": False,
            "cellGap": 1,
            "color": {
                "exponent": 0.5,
                "fill": "dark-orange",
                "mode": "scheme",
                "reverse": False,
                "scale": "exponential",
                "scheme": "Oranges",
                "steps": 64,
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            # An empty bucket is not a cell.
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        },
        {"custom": {"hideFrom": {"legend": False, "tooltip": False, "viz": False}}},
        width,
        8,
    )


def table(
    title: str,
    description: str,
    *targets: Target,
    columns: dict[str, str],
    hidden: tuple[str, ...] = (),
    overrides: list[dict[str, Any]] | None = None,
    width: int = 24,
    height: int = 10,
) -> Panel:
    """Rows of instant queries, joined by the labels that they share.

    ``columns``: the fields in order, with the names under which they are shown; ``hidden`` fields are left out.
    """
    organised = {
        "excludeByName": dict.fromkeys(("Time", *hidden), True),
        "indexByName": {name: place for place, name in enumerate(columns)},
        "renameByName": columns,
    }
    merged = [{"id": "merge", "options": {}}] if len(targets) > 1 else []
    return Panel(
        "table",
        title,
        description,
        tuple(replace(target, format="table", instant=True) for target in targets),
        {
            "cellHeight": "sm",
            "footer": {"show": False, "reducer": ["sum"], "countRows": False},
            "frameIndex": 0,
            "showHeader": True,
        },
        {
            **defaults("short", NEUTRAL),
            "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False},
        },
        width,
        height,
        overrides or [],
        [*merged, {"id": "organize", "options": organised}],
    )


def timeline(
    title: str,
    description: str,
    target: Target,
    *,
    values: dict[str, tuple[str, str]],
    width: int = 24,
    height: int = 14,
) -> Panel:
    """States over time, a line for each series."""
    return Panel(
        "state-timeline",
        title,
        description,
        (target,),
        {
            "alignValue": "left",
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "mergeValues": True,
            "perPage": 40,
            "rowHeight": 0.9,
            "showValue": "never",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        {
            **defaults("short", NEUTRAL),
            "color": {"mode": "thresholds"},
            "custom": {"fillOpacity": 70, "lineWidth": 0},
            "mappings": mapped(values),
        },
        width,
        height,
    )


def bars(
    title: str, description: str, *targets: Target, unit: str = "short", width: int = 12, height: int = 8
) -> Panel:
    """A bar for each series, with its value as it is now."""
    return Panel(
        "bargauge",
        title,
        description,
        tuple(replace(target, instant=True) for target in targets),
        {
            "displayMode": "basic",
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
            "maxVizHeight": 300,
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "auto",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
            "sizing": "auto",
            "valueMode": "color",
        },
        {**defaults(unit, NEUTRAL), "min": 0},
        width,
        height,
    )
