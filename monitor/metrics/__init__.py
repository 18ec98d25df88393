"""What the daemon tells Prometheus; `declared` alone declares metrics, with their names and their help."""

from __future__ import annotations

from monitor.metrics.publishing import Metrics

__all__ = ["Metrics"]
