"""``monitor evaluate --alarms``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.cli.alarm_outcomes import print_outcomes, rules_of
from monitor.times import on_clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from monitor.cli.program import Program
    from monitor.evaluation.alarm_stream import DecidedStream


def evaluate_alarms(
    program: Program,
    directory: Path,
    ks: Sequence[int],
    ns: Sequence[int],
    withins: Sequence[float],
    output_format: str,
) -> None:
    """Decide on a stream of crops with the active models, and print what alarms by each rule are worth."""
    from monitor.alarms.replay import Replay
    from monitor.cli.progress import bar
    from monitor.errors import DataError
    from monitor.evaluation.alarm_stream import decide_stream, open_stream
    from monitor.scoring.ensemble import load_active
    from monitor.scoring.pools.pool import open_pool

    configuration, root = program.configuration, directory.resolve()
    alarms = configuration.settings.alarms
    rules = rules_of(alarms, ks, ns, withins)
    settings = configuration.settings.pipeline
    stream = open_stream(root, configuration.time_zone, program.ignored)
    database = program.database(create=False)
    ensemble = load_active(database, program.registry, configuration)
    database.close()  # no connection may be open when processes are forked
    with (
        open_pool(configuration, program.registry, ensemble, settings.workers, remember=False, root=root) as pool,
        bar("deciding", len(stream.labels) or None) as advance,
    ):
        decided = decide_stream(
            *(stream, pool, ensemble, database),
            batch_size=settings.batch_size,
            pause=rules[0].usual.pause,
            unusual=alarms.unusual,
            on_crops=advance,
        )
    if not len(decided.decisions):
        raise DataError(
            f"{directory}: no crop in it could be decided on and has a time in its name; see crops.name_pattern"
        )
    _compare_clocks(decided, configuration.time_zone)
    replay = Replay(decided.subjects, rules, decided.events, complete=True)
    replay.add(decided.decisions)
    truth = "labels" if stream.events is None else "events.csv"
    left_out = {"could not be read or decided on": decided.refused, "no time in the name": decided.without_time}
    print_outcomes(replay, output_format, truth=truth, left_out=left_out)


def _compare_clocks(decided: DecidedStream, zone: ZoneInfo) -> None:
    from monitor.alarms.columns import moment_of

    first, last = (moment_of(int(decided.decisions.at[place])) for place in (0, -1))
    if decided.events and not any(one.start <= last and one.end >= first for one in decided.events):
        click.echo(
            f"none of the events lies within the time of the crops, from {on_clock(first, zone)} to "
            f"{on_clock(last, zone)}: is plant.time_zone the clock of their names?",
            err=True,
        )
