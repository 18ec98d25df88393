"""What the metrics say of crops and holes, and how many series they may have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from prometheus_client import generate_latest

from monitor.metrics import Metrics
from monitor.metrics.holes import Holes
from monitor.quality.drift.groups import DriftState, GroupDrift, ModelDrift
from monitor.scoring.record import Committed
from monitor.store.references import ReferenceRange, ReferenceRanges
from monitor.store.traffic import LastCrop
from monitor.words import Identity
from tests.support.batches import crop_files, decided_batch, model
from tests.support.scrape import shown

if TYPE_CHECKING:
    from collections.abc import Collection


NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)

MODELS: list[Any] = [
    SimpleNamespace(
        id=number,
        name=f"{name}-0123456789ab",
        fingerprint=f"{number:064x}",
        detector=SimpleNamespace(name=name),
        threshold=1.1682869179411166,
    )
    for number, name in enumerate(("patchstats", "ae", "cvae", "mnad"))
]


def committed(
    camera: str,
    hole: int,
    at: datetime,
    score: float = 0.77684062719,
    *,
    models: Collection[int] = (0,),
    late: float = 0,
) -> Committed:
    """A crop with new decisions of these models, committed ``late`` seconds after them."""
    files = crop_files(["1.jpg"], identities=[Identity(hole, camera, at)], changed_at=at - timedelta(seconds=0.1))
    return Committed(decided_batch(files, [score], MODELS, decided_at=at), {0: models}, (), at.timestamp() + late, {})


def test_new_unusual_crops_are_counted() -> None:
    metrics = Metrics()
    models = [model(1, 3.0), model(2, 1.0)]
    batch = decided_batch(crop_files(["1.jpg", "2.jpg", "3.jpg", "4.jpg"]), [2.0, 0.5, 2.0, 3.0], models)
    assert shown(metrics.registry)["monitor_unusual_crops_total"] == 0
    metrics.count_committed(Committed(batch, {0: {1, 2}, 1: {1, 2}, 3: {1}}, (), 5.0, {}))
    assert shown(metrics.registry)["monitor_unusual_crops_total"] == 1
    metrics.count_committed(Committed(batch, {2: {2}}, (), 5.0, {}))
    assert shown(metrics.registry)["monitor_unusual_crops_total"] == 2


def test_the_last_decision_of_each_hole_is_told() -> None:
    metrics = Metrics(Holes(1))
    metrics.count_committed(committed("A", 1, NOW))
    metrics.count_committed(committed("A", 1, NOW + timedelta(seconds=9), 5.0))
    metrics.count_committed(committed("B", 1, NOW))
    found = shown(metrics.registry)
    hole, other = '{camera="A",hole="1"', '{camera="other",hole="other"'
    assert found[f'monitor_hole_crops_total{hole},verdict="proliv"}}'] == 1
    assert found[f'monitor_hole_crops_total{hole},verdict="ne_proliv"}}'] == 1
    assert found[f'monitor_hole_crops_total{other},verdict="ne_proliv"}}'] == 1
    assert found[f"monitor_hole_last_crop_timestamp_seconds{hole}}}"] == NOW.timestamp() + 9
    assert found[f"monitor_hole_last_score{hole}}}"] == 5.0
    assert found[f"monitor_hole_last_threshold{hole}}}"] == 1.1682869179411166
    assert found[f"monitor_hole_last_proliv{hole}}}"] == 1
    assert found[f"monitor_hole_last_proliv{other}}}"] == 0


def test_what_is_restored_gives_way_to_what_was_decided_since() -> None:
    metrics = Metrics(Holes(2))
    metrics.count_committed(committed("A", 1, NOW))
    before, ahead = NOW - timedelta(days=2), NOW + timedelta(days=2)
    rows = [
        LastCrop("C", 3, 1, before, 1.0, 2.0, "ne_proliv", id=3),
        LastCrop("A", 1, 9, before, 1.0, 2.0, "proliv", id=1),
        LastCrop("B", 2, 5, ahead, 3.0, 2.0, "proliv", id=2),
    ]
    metrics.restore_holes(rows, NOW + timedelta(seconds=1))
    found = shown(metrics.registry)
    last = "monitor_hole_last_crop_timestamp_seconds"
    assert {name: value for name, value in found.items() if name.startswith(last)} == {
        f'{last}{{camera="A",hole="1"}}': NOW.timestamp(),
        # Of a clock that ran ahead: a time that has not come would keep an alert away.
        f'{last}{{camera="B",hole="2"}}': NOW.timestamp() + 1,
        f'{last}{{camera="other",hole="other"}}': before.timestamp(),
    }
    assert found['monitor_hole_last_proliv{camera="A",hole="1"}'] == 0
    assert found['monitor_hole_last_proliv{camera="B",hole="2"}'] == 1
    assert found['monitor_hole_crops_total{camera="B",hole="2",verdict="proliv"}'] == 0


def test_a_clock_that_was_put_back_makes_nothing_negative() -> None:
    metrics = Metrics()
    metrics.count_committed(committed("A", 1, NOW, late=-3600))
    found = shown(metrics.registry)
    assert found["monitor_decision_latency_seconds_sum"] == 0
    assert found["monitor_decision_latency_seconds_count"] == 1


def test_an_hour_of_200_holes_stays_small() -> None:
    """Four cameras of 50 holes, four detectors with wide histograms, and what is made up in file names beside them."""
    metrics = Metrics(Holes(256))
    ranges = ReferenceRanges(ReferenceRange(1e-4, 1e-4, 9.0), ReferenceRange(1e-6, 1e-6, 0.1))
    metrics.show_models(MODELS, {model.id: ranges for model in MODELS})
    places = [(f"C{number % 4}", number) for number in range(200)]
    for minute in range(60):
        for number, (camera, hole) in enumerate(places):
            at = NOW + timedelta(minutes=minute, microseconds=123_457 * number)
            metrics.count_committed(committed(camera, hole, at, 0.1 + number / 17, models=range(4)))
    for number in range(1000):
        metrics.count_committed(committed(f"made-up-{number}", 10**9 + number, NOW))
    groups = tuple(
        GroupDrift(camera, hole, DriftState.STEADY, 60, 48, 0, shift=hole / 7, stability=0.1, t=1.0, p=0.5)
        for camera, hole in [("*", -1), *places]
    )
    metrics.show_drift([ModelDrift(one.name, one.detector.name, 0.001, groups, "") for one in MODELS])
    for camera, hole in places:
        metrics.hole_missing.labels(camera, hole).set(1440)
    output = generate_latest(metrics.registry)
    series = [line for line in output.splitlines() if not line.startswith(b"#")]
    assert b"_created" not in output
    assert 3000 < len(series) < 5000
    assert len(output) < 300_000


def test_heartbeats_are_those_of_the_sinks_that_want_them() -> None:
    metrics = Metrics()

    def found(what: str) -> dict[str, float]:
        return {name: value for name, value in shown(metrics.registry).items() if f"heartbeat_{what}" in name}

    assert found("") == {}
    metrics.expect_heartbeats({"siren": 60.0, "office": 5.0}, 1000.0)
    metrics.show_heartbeat("office", 1005.0)
    name = 'monitor_alarm_heartbeat_timestamp_seconds{{sink="{}"}}'.format
    assert found("timestamp") == {name("siren"): 1000, name("office"): 1005}
    # Other sinks: what is known of one that stays is kept, and a late one of another is not shown.
    metrics.expect_heartbeats({"office": 10.0, "hall": 30.0}, 1010.0)
    metrics.show_heartbeat("siren", 1011.0)
    assert found("timestamp") == {name("office"): 1005, name("hall"): 1010}
    assert set(found("interval").values()) == {10, 30}
