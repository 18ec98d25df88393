"""A histogram counts for one model after another, from several threads."""

from __future__ import annotations

from threading import Thread

from prometheus_client import CollectorRegistry

from monitor.metrics.histograms import ModelHistogram
from tests.support.scrape import shown


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
