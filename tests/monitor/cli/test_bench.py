from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitor.harness.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunMonitor

ROOT = Path(__file__).parents[3]


def keys(value: Any) -> Iterator[str]:
    """Every name in a JSON document that is one of ours: not a number, a size of a batch or a detector."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not key.isdigit():
                yield key
            yield from keys(inner)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--detector", "nonsense"],
            "'nonsense' cannot be measured; there are: contrast, patchstats, ae, ae-conv, cvae, mnad",
        ),
        (["--crops", "0"], "0 is not in the range"),
        (["--rounds", "0"], "0 is not in the range"),
        (["--many", "5"], "5 is not in the range"),
        (["--format", "csv"], "'csv' is not one of"),
    ],
)
def test_nonsense_is_refused(run_monitor: RunMonitor, arguments: list[str], said: str) -> None:
    ended = run_monitor("bench", *arguments)
    assert ended.returncode == 2
    assert said in " ".join(ended.stderr.split())


def test_a_small_benchmark_tells_everything_and_leaves_nothing(run_monitor: RunMonitor, tmp_path: Path) -> None:
    temporary, state = tmp_path / "temporary", tmp_path / "state"
    temporary.mkdir()
    environment = {
        "TMPDIR": str(temporary),
        "MONITOR__PATHS__STATE": str(state),
        "MONITOR__DATABASE__URL": f"sqlite:///{tmp_path / 'mine.db'}",
        "MONITOR__PIPELINE__BATCH_SIZE": "128",
    }
    arguments = ("--crops", "1000", "--rounds", "1", "--detector", "patchstats", "--format", "json")
    ended = run_monitor("bench", *arguments, environment=environment)
    assert ended.returncode == 0, ended.stderr
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["temporary"]

    told = json.loads(ended.stdout)
    assert told["settings"]["pipeline"]["batch_size"] == 128
    assert told["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert set(told["machine"]["yardstick"]) == {"begin", "middle", "end"}
    assert (told["together"], told["memory"]) == ([], None)
    (name,) = told["detectors"]
    assert name == "patchstats"
    one = told["detectors"][name]
    assert one["crops"] == 1000
    figures = {key: value for key, value in one.items() if isinstance(value, int | float)}
    assert {key: value for key, value in figures.items() if not value > 0} == {}
    assert all(value > 0 for value in one["stages_us"].values())

    # One round: the ratios are those of the figures beside them, but for the digits that are told.
    limit = 1e6 * told["machine"]["cores"] / sum(one["stages_us"].values())
    for figure, expected in {
        "limit_crops_per_second": limit,
        "limit_ratio": one["crops_per_second"] / one["limit_crops_per_second"],
        "reference_ratio": one["crops_per_second"] / one["reference_crops_per_second"],
        "daemon_ratio": one["daemon_crops_per_second"] / one["crops_per_second"],
        "us_per_crop": 1e6 / one["crops_per_second"],
    }.items():
        assert one[figure] == pytest.approx(expected, rel=2e-3), figure
    assert one["latency_p50_ms"] <= one["latency_p99_ms"] <= one["latency_max_ms"]
    by_batch = one["detect_us_by_threads_and_batch"]["1"]
    assert list(by_batch) == ["1", "16", "64", "256", "1024"]
    assert by_batch[str(one["best_batch"])]["cpu"] == min(cost["cpu"] for cost in by_batch.values())
    # The whole command takes longer than the crops.
    assert one["command_seconds"] > 1000 / one["crops_per_second"]

    documented = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")))
    own = keys({**told, "settings": {**told["settings"], "pipeline": None}})
    assert {key for key in own if key not in documented} == set()


@pytest.mark.process
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_benchmark_that_is_ended_leaves_nothing_behind(
    tmp_path: Path, clean_environment: dict[str, str], number: signal.Signals, code: int
) -> None:
    messages = tmp_path / "messages"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with messages.open("wb") as stream:
        program = subprocess.Popen(
            [sys.executable, "-m", "monitor", "bench", "--detector", "patchstats", "--crops", "500"],
            cwd=tmp_path,
            env={**clean_environment, "TMPDIR": str(temporary)},
            stdout=stream,
            stderr=stream,
        )
    wait_until(lambda: bool(_running_in(temporary)) or program.poll() is not None, messages.read_text)
    program.send_signal(number)
    assert program.wait(60) == code, messages.read_text()
    assert list(temporary.iterdir()) == []
    assert _running_in(temporary) == []


def _running_in(folder: Path) -> list[int]:
    """The processes whose messages go into a file in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                target = (entry / "fd" / "2").readlink()
            except OSError:
                continue
            if target.is_relative_to(folder):
                found.append(int(entry.name))
    return found
