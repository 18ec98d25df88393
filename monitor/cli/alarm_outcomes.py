"""What commands that replay alarms share: the options that choose rules, and the table of what came of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.tables import Table
from monitor.cli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.alarms.outcomes import Outcome, Rules, Stream
    from monitor.alarms.replay import Replay
    from monitor.cli.options import Decorated
    from monitor.configuration.settings import Alarms

# Where no rule is asked for, these k, each with n = k and n = 2 k, within the configured time and three times that.
USUAL_K: Final = (1, 2, 3, 5)
MOST_RULES: Final = 100
HEADINGS: Final = (
    *("k", "n", "within s", "caught", "joined", "missed", "withheld", "median s", "longest s", "true", "false"),
    *("unlabelled", "not told", "false a day", "of the time", ""),
)
# The columns that are shown only where something was withheld.
OF_WITHHELD: Final = ("withheld", "not told")


def rule_options(command: Decorated) -> Decorated:
    """``--k``, ``--n``, ``--within``, each of which may be repeated; `rules_of` reads them."""
    for option in reversed(
        (
            click.option(
                *("--k", "ks"),
                type=click.IntRange(1, 1000),
                multiple=True,
                metavar="K",
                help="How many proliv open an alarm; may be repeated.",
            ),
            click.option(
                *("--n", "ns"),
                type=click.IntRange(1, 10_000),
                multiple=True,
                metavar="N",
                help="Among how many decisions of a hole; may be repeated; K and twice K by default.",
            ),
            click.option(
                *("--within", "withins"),
                type=click.FloatRange(0, 86_400, min_open=True),
                multiple=True,
                metavar="SECONDS",
                help="Within how many seconds; may be repeated; alarms.within_seconds by default.",
            ),
        )
    ):
        command = option(command)
    return command


def rules_of(
    settings: Alarms, ks: Sequence[int], ns: Sequence[int], withins: Sequence[float], *, phases: bool = False
) -> list[Rules]:
    """The configured rule, and behind it every combination of what was asked for, or else the usual ones.

    ``phases``: the configured one is another in phases of the cast that have their own; the others never are.
    """
    from datetime import timedelta

    from monitor.alarms.outcomes import Rules
    from monitor.alarms.raising import rule_of

    usual = rule_of(settings)
    own = tuple((phase, rule_of(settings, phase)) for phase in settings.phases) if phases else ()
    configured = Rules(usual, own, ends_quiet=settings.ends == "quiet")
    asked = bool(ks or ns or withins)
    times = withins or (settings.within_seconds,) if asked else (settings.within_seconds, 3 * settings.within_seconds)
    found = [
        configured._replace(usual=usual._replace(k=k, n=n, within=timedelta(seconds=seconds)), phases=())
        for seconds in times
        for k in ks or USUAL_K
        for n in ns or ((k, 2 * k) if k > 1 else (1,))
        if n >= k
    ]
    if not found:
        raise click.UsageError("--n must be at least --k: k proliv among n decisions")
    if len(found) > MOST_RULES:
        raise click.UsageError(f"these are {len(found)} rules; ask for {MOST_RULES} at most")
    return list(dict.fromkeys([configured, *found]))


def print_outcomes(replay: Replay, output_format: str, *, truth: str, left_out: dict[str, int]) -> None:
    """Print what came of each rule, the configured one first.

    ``truth``: where the true events come from. ``left_out``: how many crops were left out, by reason.
    """
    stream, outcomes = replay.stream, replay.outcomes()
    if output_format == "json":
        rules = [{"configured": one is outcomes[0], **one.as_dict()} for one in outcomes]
        click.echo(json.dumps({**stream.as_dict(), "truth": truth, "left_out": left_out, "rules": rules}))
        return
    click.echo(_heading(stream, truth))
    some_withheld = any(one.withheld or one.withheld_alarms for one in outcomes)
    shown = tuple(name for name in HEADINGS if some_withheld or name not in OF_WITHHELD)
    rows = [_cells(one, _mark(one) if one is outcomes[0] else "") for one in outcomes]
    Table(shown, right=shown[:-1]).write([tuple(row[name] for name in shown) for row in rows])
    click.echo(
        "\ncaught: an alarm reported the event; joined: its crops only joined an alarm that was already running.\n"
        "median s, longest s: from an event's first crop to its alarm. false a day: false alarms per table and day.\n"
        "of the time: the share of the holes' time spent in false alarms, when an event would only join."
    )
    if some_withheld:
        click.echo(
            "withheld: events of whose alarms nobody was told, because of a pause or because nothing was cast.\n"
            "not told: all such alarms; true, false and unlabelled count the others."
        )
    for reason, count in left_out.items():
        if count:
            click.echo(f"{counted(count, 'crop')} left out: {reason}", err=True)


def _mark(one: Outcome) -> str:
    phases = ", ".join(phase for phase, _ in one.rules.phases)
    return f"configured; its own in {phases}" if phases else "configured"


def _heading(stream: Stream, truth: str) -> str:
    unusual = f" and {stream.unusual} unusual" if stream.unusual else ""
    return (
        f"{counted(stream.crops, 'crop')}, {stream.proliv} called proliv{unusual}, of {counted(stream.holes, 'hole')} "
        f"and {counted(stream.cameras, 'camera')} in {24 * stream.table_days:.2f} hours; "
        f"{counted(stream.events, 'event')} by {truth}"
    )


def _cells(one: Outcome, mark: str) -> dict[str, str]:
    """The cells of a row, by their headings."""

    def said(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    rule = one.rules.usual
    counts: tuple[Any, ...] = (rule.k, rule.n, f"{rule.within.total_seconds():g}")
    counts += (one.caught, one.joined, one.missed, one.withheld)
    counts += (said(one.seconds_median, ".1f"), said(one.seconds_longest, ".1f"))
    counts += (one.true_alarms, one.false_alarms, one.unlabelled_alarms, one.withheld_alarms)
    counts += (said(one.false_alarms_a_day, ",.1f"), said(one.false_share, ".1%"), mark)
    return dict(zip(HEADINGS, map(str, counts), strict=True))
