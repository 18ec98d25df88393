from __future__ import annotations

import pytest

from monitor.bench.daemon import Carried, steady
from monitor.bench.figures import Round, Stages, of_detector, of_rounds, of_together, percentile
from monitor.bench.scoring import Scored
from monitor.bench.stages import Cost, best


def measured(speed: float, detect: float, *, reference: float = 100.0, daemon: float | None = 900.0) -> Round:
    """A round whose stages take ``detect`` + 40 us, 9 times as long by the clock."""
    stages = Stages(*(Cost(9 * cost, cost) for cost in (5.0, 20.0, detect, 15.0)))
    scored = Scored(speed, 3.0, 250.0, 120.0)
    return Round(stages, scored, reference, Carried(daemon, [1.0, 2.0], 130.0))


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1.0, 50.0, 99.0, 100.0]
    assert percentile([3.0], 50) == 3.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0


def test_the_limit_is_made_of_processor_time_of_all_stages() -> None:
    stages = measured(1000.0, 60.0).stages
    assert stages.costs() == {"read": 5.0, "decode": 20.0, "detect": 60.0, "commit": 15.0}
    assert stages.limit(2) == pytest.approx(2 * 1e6 / 100)


def test_ratios_are_formed_within_a_round() -> None:
    # The clock ran at half its speed in the second round: what was compared took part in that.
    rounds = [measured(18_000.0, 60.0), measured(9_000.0, 160.0), measured(10_000.0, 60.0, reference=50.0)]
    told = of_detector(rounds, cores=2)
    assert told["crops_per_second"] == 10_000
    assert told["us_per_crop"] == 100
    assert told["limit_crops_per_second"] == 20_000
    assert told["limit_ratio"] == 0.9  # of 0.9, 0.9 and 0.5; of the medians it would be 0.5
    assert told["reference_ratio"] == 180  # of 180, 90 and 200
    assert told["daemon_ratio"] == 0.09
    assert told["spread"]["limit_ratio"] == [0.5, 0.9]
    assert told["latency_crops"] == 6
    assert (told["latency_p50_ms"], told["latency_max_ms"]) == (1.0, 2.0)
    assert told["stages_us"]["detect"] == 60


def test_what_one_round_could_not_measure_the_others_tell() -> None:
    rounds = [measured(1000.0, 60.0, daemon=None), measured(1000.0, 60.0, daemon=800.0)]
    assert of_detector(rounds, cores=2)["daemon_ratio"] == 0.8
    nothing = of_detector(rounds[:1], cores=2)
    assert (nothing["daemon_crops_per_second"], nothing["daemon_ratio"]) == (None, None)
    assert nothing["spread"] == {}


def test_the_time_together_is_held_against_the_sum_of_the_times_alone() -> None:
    told = of_together([(100.0, [200.0, 400.0, 400.0])])
    assert (told["time_ratio"], told["first_ratio"]) == (1.0, 2.0)
    assert told["crops_per_second"] == 100.0


def test_figures_are_told_with_few_digits() -> None:
    assert of_rounds([{"a": 1234.56}, {"a": 0.0123456}, {"a": 99999.0}]) == {
        "a": 1235.0,
        "spread": {"a": [0.01235, 100_000.0]},
    }


def test_the_daemon_is_measured_while_all_its_stages_are_busy() -> None:
    # Slow at first and at last, 1000 crops a second in between.
    commits = [(1.0, 10), (2.0, 200), (2.3, 500), (2.6, 800), (9.0, 1000)]
    assert steady(commits) == pytest.approx(1000)
    assert steady([(1.0, 300), (1.5, 1000)]) == pytest.approx(1400)
    assert steady([(1.0, 900), (1.5, 1000)]) is None


def test_the_best_batch_costs_the_least_processor_time() -> None:
    assert best({1: Cost(9.0, 9.0), 64: Cost(1.0, 8.0), 256: Cost(3.0, 3.0)}) == 256
