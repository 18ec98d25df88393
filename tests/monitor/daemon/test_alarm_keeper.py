"""What the metrics say of messages about alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.configuration.settings import Alarms
from monitor.daemon.alarm_keeper import AlarmKeeper
from monitor.metrics import Metrics
from tests.support.alarm_line import Line
from tests.support.stored_crops import NOW, opened
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from pathlib import Path

DUE = "monitor_alarm_messages_due"


def test_what_waits_for_a_sink_that_was_taken_out_is_in_no_metric(tmp_path: Path) -> None:
    siren, old = {"siren": {"kind": "log"}}, {"old": {"kind": "log"}}
    metrics = Metrics()
    with opened(f"sqlite:///{tmp_path / 'state' / 'monitor.db'}") as database:
        upgrade(database)
        line = Line(database, Alarms(sinks=siren | old))
        line.decide(line.crop(0))
        for sinks, due in ((siren | old, {"siren": 1, "old": 1}), (siren, {"siren": 1})):
            AlarmKeeper(database, Alarms(sinks=sinks), metrics).look(NOW)
            shown = {name: metrics.registry.get_sample_value(DUE, {"sink": name}) for name in (siren | old)}
            assert {name: value for name, value in shown.items() if value is not None} == due
