"""What alarms promise, tried: ``python -m tests.support.alarm_torture DIR`` prints what docs/alarms.md tells of it.

A real daemon with every kind of sink, a real mosquitto, Modbus device, OPC UA server, Alertmanager, mail server and
HTTP server on loopback, and a stream of made-up crops with some bleed-outs, faster than the clock. With ``--kills``
the daemon is killed so often with -9, each server half as often, and a person acknowledges and closes alarms
meanwhile. The same seed draws the same moments. Ends with 1 where a promise was not kept.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from pathlib import Path

from tests.support.alarm_torture.field_buses import BROKERS
from tests.support.alarm_torture.judging import quantiles, seconds_until_received
from tests.support.alarm_torture.stream import prepare
from tests.support.alarm_torture.trial import Outcome, Rules, run

HOLES = 40
# What stands before a hole for half a minute is no bleed-out, so alarms need more proliv than come in that time.
K, N = 8, 9
HEADINGS = (
    *("sink", "messages", "repeats", "missing", "unknown", "changed", "out of order"),
    "ms to an alarm: median, p99, longest",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.alarm_torture", description=__doc__)
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="for the stream, the model and what is left of each trial"
    )
    parser.add_argument("--kills", type=int, default=0, help="how often the daemon is killed")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="of a trial; several make several trials")
    parser.add_argument("--events", type=int, default=5, help="bleed-outs")
    parser.add_argument("--seconds", type=int, default=1200, help="of table time")
    parser.add_argument("--stream-rate", type=float, default=8.0, help="crops a second of table time")
    parser.add_argument("--rate", type=float, default=100.0, help="crops a second of the clock")
    parser.add_argument("--broker-keeps", choices=[*BROKERS], default="always", help="what a killed mosquitto keeps")
    given = parser.parse_args()
    logging.disable()  # what the libraries of clients say whose servers are killed
    prepared = prepare(
        given.folder.resolve(), events=given.events, seconds=given.seconds, rate=given.stream_rate, seed=7
    )
    within = (N + 1) * HOLES / given.stream_rate
    rules = f"k = {K}\nn = {N}\nwithin_seconds = {within}\npause_seconds = {max(60.0, within)}"
    failed = False
    for seed in given.seed:
        home = given.folder.resolve() / f"trial-{seed}"
        shutil.rmtree(home, ignore_errors=True)
        outcome = run(
            home, prepared, Rules(rules, seed, given.kills, (given.kills + 1) // 2, given.rate, given.broker_keeps)
        )
        show(outcome, seed)
        failed |= bool(outcome.faults)
    return int(failed)


def show(outcome: Outcome, seed: int) -> None:
    """Print it."""
    store = outcome.store
    killed = ", ".join(f"{name} {count}" for name, count in outcome.killed.items())
    counted = f"{store.decided} crops, {len(store.alarms)} alarms, {len(store.messages)} messages"
    print(f"\nseed {seed}: {counted}; killed: {killed}")
    print(f"| {' | '.join(HEADINGS)} |")
    print(f"|{' --- |' * len(HEADINGS)}")
    for one, receiver in zip(outcome.accounts, outcome.receivers, strict=True):
        counts = [one.repeats, *(len(keys) for keys in (one.missing, one.unknown, one.changed, one.out_of_order))]
        late = quantiles(seconds_until_received(receiver, store, outcome.feeder.named_at))
        print(f"| {' | '.join(map(str, (one.name, f'{one.got} of {one.expected}', *counts, late)))} |")
    for fault in outcome.faults:
        print(f"FAULT {fault}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
