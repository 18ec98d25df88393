"""``monitor alarms replay``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from monitor.cli.alarm_outcomes import print_outcomes, rule_options, rules_of
from monitor.cli.options import echo_range, format_option, moment, since_option, until_option
from monitor.cli.program import Program, pass_program


@click.command("replay")
@since_option("by when they were first seen")
@until_option("by when they were first seen")
@rule_options
@format_option()
@pass_program
def command(
    program: Program,
    since: str | None,
    until: str | None,
    ks: tuple[int, ...],
    ns: tuple[int, ...],
    withins: tuple[float, ...],
    output_format: str,
) -> None:
    """Say which alarms the stored decisions would have opened with other k, n and within_seconds.

    Takes the final decisions made in operation and opens alarms from them by the configured rule and by others; no
    picture is read, nothing is stored and no one is notified. The true events come from the crops labelled proliv, by
    hole and time. An alarm without labelled crops counts as unlabelled, neither true nor false: label some of its crops
    (monitor label --hole N --since TIME --as proliv), or there is no basis for a choice.

    The configured rule is the one of each crop's cast phase (alarms.phases); every other rule is applied in all phases.
    Unusual crops open alarms as well if alarms.unusual is set. Alarms that nobody would have been notified of, because
    of a pause or because nothing was being cast (idle), are counted apart, and so are their events. No acknowledgement
    and no closing by a person is taken into account.

    \b
    Examples:
      monitor alarms replay --since 2026-11-01
      monitor alarms replay --since 2026-11-01 --until 2026-11-08 --k 2 --k 3 --n 4 --within 10
    """
    configuration = program.configuration
    settings, zone = configuration.settings.alarms, configuration.time_zone
    rules = rules_of(settings, ks, ns, withins, phases=True)
    first, last = moment(since, zone, "--since"), moment(until, zone, "--until")
    database = program.database(create=False)
    from monitor.alarms.stored import replay_stored

    echo_range(first, last, zone)
    kept = configuration.settings.store.keep_days
    if kept and (first is None or first < datetime.now(UTC) - timedelta(days=kept)):
        click.echo(
            f"what is older than {kept:g} days (store.keep_days) counts only in part: of those decisions only proliv "
            "and what is labelled are left; give a later --since",
            err=True,
        )
    with database.read() as connection:
        replay = replay_stored(connection, settings, rules, first, last)
    if not replay.stream.crops:
        click.echo("no decision in operation is stored for that span; see: monitor status", err=True)
    print_outcomes(replay, output_format, truth="labels", left_out={})
