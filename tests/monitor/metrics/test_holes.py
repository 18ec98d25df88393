"""A limited number of cameras and holes get their own labels."""

from __future__ import annotations

from monitor.configuration.settings import Settings
from monitor.metrics import Metrics
from monitor.metrics.holes import LONGEST_NAME, OTHER, Holes
from tests.support.scrape import shown


def test_expected_holes_are_named_first_and_then_whichever_come() -> None:
    settings = Settings.model_validate({"metrics": {"holes": 4}, "completeness": {"cameras": {"A": "1-3"}}})
    holes = Holes.of(settings)
    assert holes.expected == [("A", "1"), ("A", "2"), ("A", "3")]
    assert holes.labels("B", 10**9) == ("B", "1000000000")
    assert holes.labels("B", 1) == OTHER
    assert holes.labels(None, None) == OTHER
    assert holes.labels("A", 2) == ("A", "2")
    assert holes.labels("B", 10**9) == ("B", "1000000000")


def test_names_of_cameras_are_bounded() -> None:
    holes = Holes(10)
    assert holes.labels("../../x", None) == ("../../x", "unknown")
    assert holes.labels("", -1) == holes.labels(None, None) == holes.labels("*", None) == ("unknown", "unknown")
    camera, _ = holes.labels("x" * 255, 1)
    assert len(camera) == LONGEST_NAME
    assert Holes(0, [("A", 1)]).labels("A", 1) == OTHER


def test_expected_holes_begin_at_0() -> None:
    found = shown(Metrics(Holes(10, [("A", 1)])).registry)
    assert found['monitor_hole_crops_total{camera="A",hole="1",verdict="proliv"}'] == 0
    assert 'monitor_hole_last_crop_timestamp_seconds{camera="A",hole="1"}' not in found
