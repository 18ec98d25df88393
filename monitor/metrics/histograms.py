"""A histogram whose buckets depend on the model; prometheus_client's own has the same buckets for every label."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING, Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from monitor.metrics.buckets import DEFAULT_BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry

# The model of values that were observed before any model was set.
ANY_MODEL: Final = ""


class _Buckets:
    """The observed values of one model; the last count is of the values above all bounds."""

    def __init__(self, model: str, bounds: Sequence[float]) -> None:
        self.model = model
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0


class ModelHistogram(Collector):
    """A histogram for each detector, with bounds for its active model; threads may share it."""

    labelnames: Final = ("detector",)

    def __init__(self, name: str, documentation: str, registry: CollectorRegistry) -> None:
        """Declare it without series."""
        self._name = name
        self._documentation = documentation
        self._lock = Lock()
        self._detectors: dict[str, _Buckets] = {}
        registry.register(self)

    def use(self, models: Mapping[str, tuple[str, Sequence[float]]]) -> None:
        """Show exactly these detectors, each with its model and bounds.

        A model that stays keeps its counts and its bounds: with new bounds it would be a different histogram.
        """
        with self._lock:
            before = self._detectors
            self._detectors = {
                detector: (
                    before[detector]
                    if detector in before and before[detector].model == model
                    else _Buckets(model, bounds)
                )
                for detector, (model, bounds) in models.items()
            }

    def observe(self, detector: str, value: float) -> None:
        """Count one value."""
        with self._lock:
            buckets = self._detectors.get(detector)
            if buckets is None:
                buckets = self._detectors[detector] = _Buckets(ANY_MODEL, DEFAULT_BOUNDS)
            # A value equal to a bound counts below it, as Prometheus' "le" says.
            buckets.counts[bisect_left(buckets.bounds, value)] += 1
            buckets.sum += value

    def describe(self) -> Iterable[Metric]:
        """The histogram without its series."""
        return [HistogramMetricFamily(self._name, self._documentation, labels=self.labelnames)]

    def collect(self) -> Iterable[Metric]:
        """The histogram with its series; as Prometheus requires, negative bounds mean neither sum nor count."""
        with self._lock:
            seen = [(name, one.bounds, list(one.counts), one.sum) for name, one in self._detectors.items()]
        family = HistogramMetricFamily(self._name, self._documentation, labels=self.labelnames)
        for detector, bounds, counts, total in seen:
            ends = [*map(floatToGoString, bounds), "+Inf"]
            family.add_metric([detector], list(zip(ends, accumulate(counts), strict=True)), total)
        return [family]
