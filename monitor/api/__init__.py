"""All that a plug-in may import from monitor: the contracts, the hook marker and the value types.

Importing this package loads neither numpy nor torch nor pydantic nor click, because plug-ins are listed at every start.

Arrays at the boundary are numpy's; what a detector uses inside is its own affair. Throughout, *positive* means
proliv (bleed-out), and a higher score means more abnormal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.api.arrays import Floats, Pixels, ScoreArray
from monitor.api.connections import connection_problem, read_secret, read_secret_line, tls_context
from monitor.api.detectors import SMALLEST_CROP, Detector, Runtime
from monitor.api.differences import mean_squared_errors, squared_error_maps
from monitor.api.lessons import Lesson
from monitor.api.measurements import Measurement
from monitor.api.providers import Provider, hookimpl
from monitor.api.recipes import Recipe
from monitor.api.rules import ScoreEvidence, ThresholdRule
from monitor.api.scores import Scores
from monitor.api.sinks import HoleState, Sink
from monitor.api.training import EpochReport, FalseAlarms, FitReport, KnownProliv, Progress
from monitor.errors import (
    ConfigurationError,
    CropRefusedError,
    DataError,
    DeliveryError,
    EvidenceMissingError,
    InputMissingError,
    NotOfferedError,
    OutputError,
)

if TYPE_CHECKING:
    from monitor.api.commands import LazyGroup

__all__ = [
    "SMALLEST_CROP",
    "ConfigurationError",
    "CropRefusedError",
    "DataError",
    "DeliveryError",
    "Detector",
    "EpochReport",
    "EvidenceMissingError",
    "FalseAlarms",
    "FitReport",
    "Floats",
    "HoleState",
    "InputMissingError",
    "KnownProliv",
    "LazyGroup",
    "Lesson",
    "Measurement",
    "NotOfferedError",
    "OutputError",
    "Pixels",
    "Progress",
    "Provider",
    "Recipe",
    "Runtime",
    "ScoreArray",
    "ScoreEvidence",
    "Scores",
    "Sink",
    "ThresholdRule",
    "connection_problem",
    "hookimpl",
    "mean_squared_errors",
    "read_secret",
    "read_secret_line",
    "squared_error_maps",
    "tls_context",
]


def __getattr__(name: str) -> object:
    """Import click for `LazyGroup`, which no other plug-in needs."""
    if name == "LazyGroup":
        from monitor.api.commands import LazyGroup

        return LazyGroup
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
