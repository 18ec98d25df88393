"""What `monitor.api` hands out, and that importing it is light."""

from __future__ import annotations

import subprocess
import sys

import pytest

from monitor import api

HANDED_OUT = {
    "ConfigurationError", "Recipe",
    "CropRefusedError", "DataError", "Detector", "EpochReport", "EvidenceMissingError", "FitReport", "Floats",
    "HoleState",
    "InputMissingError", "KnownProliv", "LazyGroup", "Lesson", "Measurement", "OutputError", "Pixels", "Progress",
    "FalseAlarms", "Provider", "Runtime", "SMALLEST_CROP",
    "NotOfferedError", "ScoreArray", "DeliveryError", "ScoreEvidence", "Scores", "Sink", "ThresholdRule",
    "hookimpl", "mean_squared_errors",
    "squared_error_maps", "connection_problem", "read_secret", "read_secret_line", "tls_context",
}  # fmt: skip


def test_what_plug_ins_may_import() -> None:
    assert set(api.__all__) == HANDED_OUT
    assert all(getattr(api, name) is not None for name in HANDED_OUT)
    with pytest.raises(AttributeError, match=r"^module 'monitor\.api' has no attribute 'Absent'$"):
        api.Absent  # noqa: B018


@pytest.mark.process
def test_importing_it_loads_nothing_heavy() -> None:
    program = "import sys; import monitor.api; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert loaded & {"numpy", "torch", "pydantic", "click", "PIL", "sqlalchemy"} == set()
