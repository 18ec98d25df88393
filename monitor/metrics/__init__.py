"""The daemon's metrics for Prometheus; all of them are declared in `declared`, with their names and help texts."""

from __future__ import annotations

from monitor.metrics.publishing import Metrics

__all__ = ["Metrics"]
