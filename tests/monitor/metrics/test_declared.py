"""Series whose labels are known are there from the beginning, as the documentation lists them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from monitor.inbox.claims import Tidied
from monitor.metrics import Metrics
from tests.support.scrape import shown


def test_counters_of_known_labels_begin_at_0_so_that_their_first_event_is_an_increase() -> None:
    found = shown(Metrics().registry)
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    reasons = text.partition("## Failed crops")[2].partition(": ")[2].partition("\n\n")[0]
    assert {name: value for name, value in found.items() if name.startswith("monitor_crops_failed_total")} == {
        f'monitor_crops_failed_total{{reason="{reason}"}}': 0 for reason in re.findall(r"`([a-z_]+)`", reasons)
    }
    assert found['monitor_scheduled_runs_total{outcome="failed",task="nightly"}'] == 0
    for outcome in get_args(Tidied):
        assert found[f'monitor_tidied_files_total{{outcome="{outcome}"}}'] == 0
