"""The alerting rules; each has a section of its name in docs/alerts.md.

An alert must be worth a look, so most rules leave out what is normal: no traffic, the pause between two casts, the
minutes after a restart, a line without labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.deploy import calibrating, failing, recording, supplying
from monitor.deploy.rules import JOB, Alert, duration, number, running_for

if TYPE_CHECKING:
    from monitor.configuration.settings import Settings

# The share of unusual crops has jumped if it is this many times what it was in the week before, and if there are so
# many: neither a single odd crop nor the same object on a few in a row is a jump.
UNUSUAL_TIMES: Final = 3
UNUSUAL_LEAST: Final = 10


# A receiver that is restarted, or a network that hiccups, is back by then.
LONGEST_DELIVERY_SECONDS: Final = 120
# One is missed by a restart of the receiver or of the daemon.
HEARTBEATS_MISSED: Final = 3


def rules(settings: Settings) -> list[Alert]:
    """Every alert, with the bounds of the configuration."""
    return [
        *_service(),
        *supplying.rules(settings),
        *_speed(settings),
        *_alarms(settings),
        *_selftest(settings),
        _unusual(),
        *_quality(settings),
        *calibrating.rules(settings),
        *failing.rules(settings),
    ]


def _service() -> list[Alert]:
    return [
        Alert(
            "MonitorDown",
            f'up{{job="{JOB}"}} == 0',
            120,
            "critical",
            "The daemon on {{ $labels.instance }} does not answer",
            "Prometheus has not been able to read its metrics for 2 minutes: either no crops are decided on, or it "
            "cannot be seen that they are. Check: systemctl status monitor",
        ),
        Alert(
            "MonitorRestartsOften",
            f'changes(process_start_time_seconds{{job="{JOB}"}}[1h]) > 3',
            0,
            "warning",
            "The daemon on {{ $labels.instance }} restarted {{ $value | humanize }} times within an hour",
            "It keeps stopping. No crops are lost, but decisions are late. Why it stopped: journalctl -u monitor",
        ),
    ]


def _selftest(settings: Settings) -> list[Alert]:
    hours = settings.alerts.selftest_hours
    failed = Alert(
        "MonitorSelftestFailed",
        "monitor_selftest_passed == 0 and on (job, instance) monitor_selftest_timestamp_seconds > 0",
        0,
        "critical",
        "The last self-test on {{ $labels.instance }} has failed",
        "A known proliv or a known normal crop did not come all the way from the inbox to the sinks, decided as it "
        "should be, in time; a real bleed-out may not either. Which leg failed: monitor status",
    )
    old = Alert(
        "MonitorSelftestOld",
        f"time() - monitor_selftest_passed_timestamp_seconds > {number(hours * 3600)}\n"
        # By then the daemon has read when the last one was.
        f"and on (job, instance) {running_for(300)}",
        0,
        "warning",
        f"No self-test on {{{{ $labels.instance }}}} has passed for {duration(hours * 3600)}",
        f"One should pass every {duration(hours * 3600)}. See whether the timer runs: systemctl list-timers; then run "
        "one: monitor selftest",
    )
    return [failed, old] if hours else [failed]


def _alarms(settings: Settings) -> list[Alert]:
    bound = settings.alerts.acknowledge_seconds
    return [
        Alert(
            "MonitorAlarmUnacknowledged",
            f"monitor_alarms_oldest_open_seconds > {number(bound)}",
            0,
            "critical",
            "An alarm on {{ $labels.instance }} has waited {{ $value | humanizeDuration }} to be acknowledged",
            f"A bleed-out may go on that nobody has seen for {duration(bound)}. Which one: monitor alarms list",
        ),
        Alert(
            "MonitorAlarmsNotDelivered",
            f"monitor_alarm_messages_oldest_due_seconds > {LONGEST_DELIVERY_SECONDS}",
            0,
            "critical",
            "The sink {{ $labels.sink }} of {{ $labels.instance }} has not got a message for "
            "{{ $value | humanizeDuration }}",
            "Its receiver does not take messages about alarms, so whoever relies on it is not told. Why: "
            "monitor alarms deliveries",
        ),
        Alert(
            "MonitorHeartbeatNotTaken",
            "time() - monitor_alarm_heartbeat_timestamp_seconds\n"
            f"> {HEARTBEATS_MISSED} * monitor_alarm_heartbeat_interval_seconds",
            0,
            "critical",
            "The sink {{ $labels.sink }} of {{ $labels.instance }} has taken no heartbeat for "
            "{{ $value | humanizeDuration }}",
            "Either its receiver takes nothing, or the daemon decides nothing, and then no alarm would come. The log "
            "says which: journalctl -u monitor -p warning",
        ),
        Alert(
            "MonitorCastInDoubt",
            "monitor_cast_in_doubt == 1",
            60,
            "warning",
            "{{ $labels.instance }} does not know which cast is running",
            "The latest information about the cast cannot be relied on, so alarms may lack their cast, and are sent "
            "even if nothing is being cast. Why: monitor status",
        ),
    ]


def _speed(settings: Settings) -> list[Alert]:
    bounds = settings.alerts
    batch = settings.pipeline.batch_size
    return [
        Alert(
            "MonitorBacklogOld",
            f"monitor_backlog_oldest_seconds > {number(bounds.backlog_seconds)}",
            300,
            "critical",
            "A crop on {{ $labels.instance }} has waited {{ $value | humanizeDuration }} for its decision",
            f"After more than {duration(bounds.backlog_seconds)} a decision is too late to act on. Either decisions "
            "have stopped, or more crops arrive than can be decided on: monitor status",
        ),
        Alert(
            "MonitorBacklogGrowing",
            f"monitor_backlog_crops\n"
            f"and min_over_time(monitor_backlog_crops[10m]) > {batch}\n"
            f"and deriv(monitor_backlog_crops[10m]) > 0",
            300,
            "warning",
            "{{ $value | humanize }} crops are waiting on {{ $labels.instance }}, and the number is growing",
            "For a quarter of an hour, more crops have arrived than were decided on.",
        ),
        Alert(
            "MonitorLatencyHigh",
            f"{recording.LATENCY_99_LONG} > {number(bounds.latency_seconds)}\n"
            f"and {recording.DECIDED} >= 10\n"
            # Crops that lay there before the start count with the time that they truly waited.
            f"and on (job, instance) {running_for(1200)}",
            300,
            "warning",
            "Decisions on {{ $labels.instance }} take {{ $value | humanizeDuration }}",
            "99 % of the crops of the last 15 minutes took up to this long from the complete file to the stored "
            f"decision; the bound is {duration(bounds.latency_seconds)}.",
        ),
    ]


def _unusual() -> Alert:
    return Alert(
        "MonitorUnusualRising",
        f"{recording.UNUSUAL_SHARE_HOUR} > {UNUSUAL_TIMES} * {recording.UNUSUAL_SHARE_WEEK}\n"
        f"and {recording.UNUSUAL_HOUR} >= {UNUSUAL_LEAST}\n"
        # Until there are crops of more than a day ago, it is not known what is usual.
        f"and max_over_time({recording.DECIDED_HOUR}[6d] offset 1d) > 0",
        300,
        "warning",
        "{{ $value | humanizePercentage }} of the last hour's crops on {{ $labels.instance }} are unusual",
        f"At least {UNUSUAL_LEAST} crops, and more than {UNUSUAL_TIMES} times the share of the week before, were "
        "decided ne_proliv although a model calls them proliv. It may be a bleed-out of a kind that the other models "
        "do not know, or a model or threshold that was activated in these days: look at some of them, journalctl -u "
        "monitor --grep unusual:",
    )


def _quality(settings: Settings) -> list[Alert]:
    longest = f"{max(settings.quality.window_days):g}d"
    rates = (
        ("Tpr", "tpr", "TPR", "the proliv is caught", settings.alerts.tpr_target),
        ("Tnr", "tnr", "TNR", "the ne_proliv passes", settings.alerts.tnr_target),
    )
    return [
        alert
        for title, metric, name, meaning, target in rates
        for alert in (
            Alert(
                f"Monitor{title}NotShown",
                f'monitor_{metric}_low{{detector="decision", window="{longest}"}} < {number(target)}',
                3600,
                "warning",
                f"The labels do not show that {name} on {{{{ $labels.instance }}}} reaches {target:.4g}",
                "By the labelled crops of {{ $labels.window }} it may be as low as {{ $value | humanize }} "
                "(lower end of the 95 % interval). There may simply be too few labels: monitor quality",
            ),
            Alert(
                f"Monitor{title}UnderTarget",
                f'monitor_{metric}_high{{detector="decision"}} < {number(target)}',
                1800,
                "critical",
                f"{name} on {{{{ $labels.instance }}}} is below {target:.4g}",
                f"By the labelled crops of {{{{ $labels.window }}}}, at best a share of {{{{ $value | humanize }}}} of "
                f"{meaning} (upper end of the 95 % interval).",
            ),
        )
    ]
