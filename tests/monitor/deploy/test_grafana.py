from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Alerts, Quality, Settings
from monitor.deploy import grafana
from tests.support.expressions import dashboards, every, panels

if TYPE_CHECKING:
    from tests.conftest import RunMonitor

DASHBOARDS = dashboards(Settings())
PANELS = [(name.rsplit("/", 1)[-1], panel) for name, one in DASHBOARDS.items() for panel in panels(one)]
of_every_panel = pytest.mark.parametrize(
    "panel", [panel for _, panel in PANELS], ids=[f"{name}: {panel['title']}" for name, panel in PANELS]
)
# Panels whose one query has one series for which the title is name enough.
NAMELESS = ("table", "heatmap")


def test_there_are_four_dashboards_with_addresses_of_their_own() -> None:
    assert [one["uid"] for one in DASHBOARDS.values()] == [
        "monitor-overview",
        "monitor-quality",
        "monitor-table",
        "monitor-service",
    ]
    assert len({one["title"] for one in DASHBOARDS.values()}) == 4


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=lambda one: str(one["uid"]))
def test_panels_have_ids_of_their_own_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    taken: Counter[tuple[int, int]] = Counter()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        taken.update(
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        )
    assert [cell for cell, count in taken.items() if count > 1] == []


@of_every_panel
def test_a_panel_says_what_it_shows_and_asks_for_it(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 20
    assert panel["description"].strip() == panel["description"]
    references = [target["refId"] for target in panel["targets"]]
    assert references == list("ABCDEFGHIJ"[: len(references)])
    assert references
    for target in panel["targets"]:
        assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert target["expr"].count("(") == target["expr"].count(")")
        assert target["instant"] != target["range"]
    assert panel["type"] == "heatmap" or panel["fieldConfig"]["defaults"]["unit"]


@of_every_panel
def test_series_are_told_apart_by_their_names(panel: dict[str, Any]) -> None:
    if panel["type"] in NAMELESS:
        return
    for target in panel["targets"]:
        by = re.match(r"(?:time\(\) - )?\(?(?:sum|max|min|count) by \(([^)]*)\)", target["expr"])
        grouped = set(by[1].replace(",", "").split()) if by else set()
        named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        if by:
            assert named <= grouped
            # A legend that leaves out a label would give two series one name.
            assert named == grouped
        elif len(panel["targets"]) > 1 or panel["type"] == "timeseries":
            assert target["legendFormat"] != "__auto"


@of_every_panel
def test_a_table_renames_what_its_queries_give(panel: dict[str, Any]) -> None:
    if panel["type"] != "table":
        return
    columns = panel["transformations"][-1]["options"]["renameByName"]
    values = {"Value"} if len(panel["targets"]) == 1 else {f"Value #{one['refId']}" for one in panel["targets"]}
    given: set[str] = set()
    for target in panel["targets"]:
        by = re.match(r"\w+ by \(([^)]*)\)", target["expr"])
        assert by is not None
        given |= set(by[1].split(", "))
        assert target["format"] == "table"
        assert target["instant"]
    hidden = set(panel["transformations"][-1]["options"]["excludeByName"]) - {"Time"}
    assert set(columns) | hidden == given | values
    shown = set(columns.values())
    for one in panel["fieldConfig"]["overrides"]:
        assert [name for name in shown if re.fullmatch(one["matcher"]["options"], name)]


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=lambda one: str(one["uid"]))
def test_variables_that_are_used_are_there(dashboard: dict[str, Any]) -> None:
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard["panels"]) + json.dumps(dashboard["annotations"])))
    assert used - {"__rate_interval", "__interval", "__range", "__all"} <= declared
    assert {"datasource", "instance"} <= used
    assert {panel.get("repeat", "instance") for panel in dashboard["panels"]} <= declared


def test_no_query_is_left_with_a_variable() -> None:
    assert [one for one in every(Settings()) if "$" in one.text] == []


def test_bounds_and_windows_are_those_of_the_configuration() -> None:
    settings = Settings(
        alerts=Alerts(tpr_target=0.77, latency_seconds=3.5, silent_seconds=123), quality=Quality(window_days=(2, 0.5))
    )
    text = json.dumps(dashboards(settings))
    assert [bound for bound in ("0.77", "3.5", "> 123", '"0.5d,2d"') if bound not in text.replace('\\"', '"')] == []


def test_the_same_configuration_gives_the_same_bytes(run_monitor: RunMonitor) -> None:
    first = run_monitor("deploy", "grafana", "--output", "here")
    assert first.returncode == 0, first.stderr
    again = run_monitor("deploy", "grafana", "--output", "here")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("unchanged ") == len(grafana.files(Configuration(settings=Settings(), file=None))) == 6
