"""The daemon as a real process with every sink, whose real receivers are killed at random, and itself as well.

A short form of ``python -m tests.support.alarm_torture``.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from generators.crops.datasets import crop_name
from tests.support import alertmanager, modbus_device, mosquitto, opcua_server
from tests.support.alarm_torture.stream import BleedOut, Prepared
from tests.support.alarm_torture.trial import Rules, run
from tests.support.requirements import go_without

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EVENTS = 3
# Of each bleed-out; an alarm is told when it opens with the 2nd, and with the 4th and 8th.
CROPS = 8
RULES = "k = 2\nn = 2\nwithin_seconds = 10\ntable_share = 1.0"


@pytest.fixture
def prepared(tmp_path: Path, trained_state: Path, small_dataset: Path, starts_servers: None) -> Prepared:
    """Bleed-outs of hole after hole, with a crop of another hole after each of their crops."""
    for name, module in (
        *(("alertmanager", alertmanager), ("mosquitto", mosquitto)),
        *(("modbus", modbus_device), ("opcua", opcua_server)),
    ):
        if reason := module.missing():
            go_without(name, reason)
    proliv, ordinary = (sorted((small_dataset / part).glob("*.jpg")) for part in ("proliv", "train"))
    folder = tmp_path / "stream"
    folder.mkdir()
    crops, truth = [], []
    for event in range(EVENTS):
        first = START + event * 100 * SECOND
        truth.append(BleedOut(event + 1, first, first + CROPS * SECOND))
        for number in range(CROPS):
            at = first + number * SECOND
            for source, hole in ((proliv[number], event + 1), (ordinary[number], 10 + number)):
                crops.append(folder / crop_name(hole, "C", at))
                shutil.copyfile(source, crops[-1])
    return Prepared(trained_state, crops, truth)


@pytest.mark.timeout(400)
def test_each_bleed_out_has_one_alarm_and_every_receiver_every_message_whatever_is_killed(
    tmp_path: Path, prepared: Prepared
) -> None:
    outcome = run(tmp_path / "trial", prepared, Rules(RULES, seed=1, kills=2, server_kills=1, rate=8))
    assert outcome.faults == []
    assert len(outcome.store.alarms) == EVENTS
    assert outcome.killed == dict.fromkeys(outcome.killed, 1) | {"daemon": 2}
    assert all(one.got == one.expected > 0 for one in outcome.accounts)
