"""What the metrics say, how many series they may have, and how they are served."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread, active_count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from monitor.configuration.settings import Settings
from monitor.errors import AddressInUseError, ConfigurationError, InputMissingError
from monitor.harness.waiting import wait_until
from monitor.inbox.claims import Tidied
from monitor.metrics import Metrics, server
from monitor.metrics.buckets import DEFAULT_BOUNDS, MOST_BOUNDS, RENARD, fitting
from monitor.metrics.histograms import ModelHistogram
from monitor.metrics.holes import LONGEST_NAME, OTHER, Holes
from monitor.metrics.server import MOST_CLIENTS, MetricsServer
from monitor.quality.drift.groups import DriftState, GroupDrift, ModelDrift
from monitor.scoring.record import Committed
from monitor.store.references import ReferenceRange, ReferenceRanges
from monitor.store.traffic import LastCrop
from monitor.words import Identity
from tests.support.batches import crop_files, decided_batch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from prometheus_client import Metric

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def shown(registry: CollectorRegistry) -> dict[str, float]:
    """The series of a scrape, by name and labels."""
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, _, value in (one.rpartition(" ") for one in lines if not one.startswith("#"))}


def test_bounds_are_numbers_of_the_series_around_the_references() -> None:
    assert fitting(ReferenceRange(0.00031, 0.00031, 0.0013)) == (
        *(0.0002, 0.00025, 0.000315, 0.0004, 0.0005, 0.00063, 0.0008),
        *(0.001, 0.00125, 0.0016, 0.002),
    )
    # What lies on a number of the series is between two others.
    assert fitting(ReferenceRange(2.0, 2.0, 2.0)) == (1.6, 2.0, 2.5)
    # Too many of them: every second one.
    assert fitting(ReferenceRange(1e-4, 1e-4, 9.0))[:4] == (0.000063, 0.0001, 0.00016, 0.00025)
    assert fitting(ReferenceRange(0.0, 3.0, 3.0)) == (2.0, 2.5, 3.15, 4.0)
    assert fitting(None) == DEFAULT_BOUNDS


def test_scores_that_may_be_negative_have_bounds_at_equal_distances() -> None:
    bounds = fitting(ReferenceRange(-3.0, 0.5, 4.0))
    assert bounds[:2] == (-3.2, -3.0)
    assert bounds[-1] == 4.2
    assert 0.0 in bounds
    assert 0.0 in fitting(ReferenceRange(0.0, None, 0.0))


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=1))
def test_bounds_ascend_and_hold_what_they_are_made_for(values: list[float]) -> None:
    positive = [value for value in values if value > 0]
    bounds = fitting(ReferenceRange(min(values), min(positive, default=None), max(values)))
    assert list(bounds) == sorted(set(bounds))
    assert len(bounds) <= MOST_BOUNDS
    # The largest and the smallest floats have nothing beyond them.
    if bounds != DEFAULT_BOUNDS and all(1e-300 < abs(value) < 1e300 for value in values):
        assert bounds[0] < min(values)
        assert bounds[-1] > max(values)


def test_the_series_has_ten_steps_a_decade() -> None:
    for number, preferred in enumerate(RENARD):
        assert preferred == pytest.approx(10 ** (number / 10), rel=0.015)


def test_a_histogram_keeps_its_buckets_as_long_as_the_model_stays() -> None:
    registry = CollectorRegistry()
    histogram = ModelHistogram("score", "Scores.", registry)
    histogram.use({"ae": ("first", (1.0, 2.0)), "cvae": ("other", (5.0,))})
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe("ae", value)
    histogram.observe("unheard-of", 0.3)
    found = shown(registry)
    assert [found[f'score_bucket{{detector="ae",le="{end}"}}'] for end in ("1.0", "2.0", "+Inf")] == [2, 3, 4]
    assert found['score_count{detector="ae"}'] == 4
    assert found['score_sum{detector="ae"}'] == 12.0
    assert found['score_bucket{detector="cvae",le="5.0"}'] == 0
    assert found['score_bucket{detector="unheard-of",le="0.2"}'] == 0
    assert found['score_bucket{detector="unheard-of",le="0.5"}'] == 1
    histogram.use({"ae": ("first", (7.0,))})
    assert shown(registry) == {name: value for name, value in found.items() if 'detector="ae"' in name}
    histogram.use({"ae": ("second", (7.0,))})
    assert shown(registry) == {
        'score_bucket{detector="ae",le="7.0"}': 0,
        'score_bucket{detector="ae",le="+Inf"}': 0,
        'score_count{detector="ae"}': 0,
        'score_sum{detector="ae"}': 0,
    }


def test_a_histogram_loses_nothing_between_threads() -> None:
    registry = CollectorRegistry()
    histogram = ModelHistogram("score", "Scores.", registry)

    def observe() -> None:
        for _ in range(5000):
            histogram.observe("ae", 1.0)

    threads = [Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        counts = [value for name, value in shown(registry).items() if "bucket" in name]
        assert counts == sorted(counts)
    assert shown(registry)['score_count{detector="ae"}'] == 20_000


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


def test_counters_of_known_labels_begin_at_0_so_that_their_first_event_is_an_increase() -> None:
    found = shown(Metrics().registry)
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    reasons = text.partition("## Failed crops")[2].partition(": ")[2]
    assert {name: value for name, value in found.items() if name.startswith("monitor_crops_failed_total")} == {
        f'monitor_crops_failed_total{{reason="{reason}"}}': 0 for reason in re.findall(r"`([a-z_]+)`", reasons)
    }
    assert found['monitor_scheduled_runs_total{outcome="failed",task="nightly"}'] == 0
    for outcome in get_args(Tidied):
        assert found[f'monitor_tidied_files_total{{outcome="{outcome}"}}'] == 0


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
    """A crop that these models newly decided on, committed so many seconds later."""
    files = crop_files(["1.jpg"], identities=[Identity(hole, camera, at)], changed_at=at - timedelta(seconds=0.1))
    return Committed(decided_batch(files, [score], MODELS, decided_at=at), {0: models}, (), at.timestamp() + late)


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
        LastCrop("C", 3, 1, before, 1.0, 2.0, "ne_proliv"),
        LastCrop("A", 1, 9, before, 1.0, 2.0, "proliv"),
        LastCrop("B", 2, 5, ahead, 3.0, 2.0, "proliv"),
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


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1, signed by itself, and its key."""
    return new_certificate(tmp_path, "own")


def new_certificate(folder: Path, name: str, *protection: str) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    protection = protection or ("-nodes",)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=monitor", *protection),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture(params=["http", "https"])
def served(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Iterator[MetricsServer]:
    running = Metrics().serve("127.0.0.1", 0, certificate if request.param == "https" else None)
    assert running.url.startswith(f"{request.param}://127.0.0.1:")
    yield running
    running.stop()


def fetch(running: MetricsServer, trusted: Path, accept: str = "") -> tuple[str, bytes]:
    context = ssl.create_default_context(cafile=str(trusted)) if running.url.startswith("https") else None
    request = urllib.request.Request(running.url, headers={"Accept": accept, "Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, context=context, timeout=60) as answer:
        return answer.headers["Content-Type"], answer.read()


def test_a_client_gets_the_format_that_it_asks_for(served: MetricsServer, certificate: tuple[Path, Path]) -> None:
    kind, text = fetch(served, certificate[0])
    assert kind.startswith("text/plain; version=0.0.4")
    assert text.startswith(b"# HELP monitor_")
    kind, text = fetch(served, certificate[0], f"{OPENMETRICS},text/plain;version=0.0.4;q=0.5")
    assert kind.startswith("application/openmetrics-text")
    parsed = text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call] # the library's
    families = {family.name for family in parsed}
    assert {"monitor_score", "monitor_crops_seen", "process_cpu_seconds", "python_info"} <= families


def test_what_is_not_escaped_needs_no_escaping(served: MetricsServer, certificate: tuple[Path, Path]) -> None:
    """The library writes out every name letter by letter for those who take no other names than ours."""
    plain, any_name = (fetch(served, certificate[0], OPENMETRICS + more) for more in ("", "; escaping=allow-utf-8"))
    assert "escaping=underscores" in plain[0]
    names = [[line.rpartition(b" ")[0] for line in text.splitlines()] for _, text in (plain, any_name)]
    assert names[0] == names[1]
    assert all(line.startswith((b"#", b"monitor_", b"process_", b"python_")) for line in names[0])
    # Who wants the underscores written otherwise gets that.
    assert b"\nmonitor__build__info{" in fetch(served, certificate[0], OPENMETRICS + "; escaping=dots")[1]


class Slow(Collector):
    """Collects so slowly that two at a time would be noticed."""

    def __init__(self) -> None:
        self.most = self.now = self.times = 0

    def collect(self) -> list[Metric]:
        self.times += 1
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.02)
        self.now -= 1
        return []


def test_many_clients_at_once_take_turns(certificate: tuple[Path, Path]) -> None:
    registry, slow = CollectorRegistry(), Slow()
    registry.register(slow)
    running = MetricsServer(registry, "127.0.0.1", 0)
    try:
        clients = [Thread(target=fetch, args=(running, certificate[0])) for _ in range(8)]
        for one in clients:
            one.start()
        for one in clients:
            one.join(60)
    finally:
        running.stop()
    assert slow.most == 1


def test_clients_that_had_to_give_way_cost_nothing() -> None:
    registry, slow = CollectorRegistry(), Slow()
    registry.register(slow)
    slow.times = 0
    running = MetricsServer(registry, "127.0.0.1", 0)
    threads = active_count()
    unfinished = []
    try:
        for _ in range(MOST_CLIENTS + 20):
            one = socket.create_connection(("127.0.0.1", running._server.server_port))
            one.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            unfinished.append(one)
        for one in unfinished[:20]:
            one.settimeout(60)
            with suppress(ConnectionResetError):
                assert one.recv(1) == b""
        wait_until(lambda: active_count() <= threads + MOST_CLIENTS)
        assert slow.times == 0
    finally:
        running.stop()
        for one in unfinished:
            one.close()


def test_silent_clients_hold_up_neither_others_nor_the_stop(
    served: MetricsServer, certificate: tuple[Path, Path]
) -> None:
    address = ("127.0.0.1", int(served.url.split(":")[2].split("/")[0]))
    # More than are served at once: none says a word, so neither a request nor a handshake ever comes.
    silent = [socket.create_connection(address) for _ in range(MOST_CLIENTS + 4)]
    try:
        assert fetch(served, certificate[0])[1]
        stop = Thread(target=served.stop)
        stop.start()
        stop.join(60)
        assert not stop.is_alive()
        silent[0].settimeout(60)
        assert silent[0].recv(1) == b""  # the oldest had to give way
    finally:
        for one in silent:
            one.close()


def test_a_certificate_is_renewed_without_a_restart(tmp_path: Path) -> None:
    old, key = new_certificate(tmp_path, "old")
    running = Metrics().serve("127.0.0.1", 0, (old, key))
    try:
        new, new_key = new_certificate(tmp_path, "new")
        shutil.copy(new, old)
        with pytest.raises(ConfigurationError):
            running.renew()  # the key is still that of before, and so is the certificate that is shown
        with pytest.raises(urllib.error.URLError):
            fetch(running, new)
        shutil.copy(new_key, key)
        running.renew()
        assert fetch(running, new)[1]
    finally:
        running.stop()


def test_a_port_that_is_taken_is_refused(served: MetricsServer) -> None:
    port = int(served.url.split(":")[2].split("/")[0])
    with pytest.raises(AddressInUseError, match=rf"metrics.port {port}: cannot be bound"):
        Metrics().serve("127.0.0.1", port)


def test_an_address_that_is_not_this_machines_is_refused() -> None:
    # 192.0.2.0/24 is for documentation, nobody has it.
    with pytest.raises(AddressInUseError, match=r"metrics.host 192\.0\.2\.1, .*; give an address of this machine"):
        Metrics().serve("192.0.2.1", 0)


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    own, key = certificate
    _, foreign = new_certificate(tmp_path, "foreign")
    _, locked = new_certificate(tmp_path, "locked", "-passout", "pass:geheim")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_bytes(b"\xff\x00 no certificate")
    missing = tmp_path / "missing.pem"
    with pytest.raises(InputMissingError, match=rf"metrics\.certificate {missing}: cannot be read: No such file"):
        server.tls_context(missing, key)
    with pytest.raises(InputMissingError, match=rf"metrics\.key {tmp_path}: cannot be read: Is a directory"):
        server.tls_context(own, tmp_path)
    for pair in ((own, foreign), (rubbish, key), (own, rubbish), (own, locked), (key, own)):
        with pytest.raises(
            ConfigurationError, match=rf"metrics\.certificate {pair[0]}, metrics\.key {pair[1]}: are no"
        ):
            server.tls_context(*pair)
