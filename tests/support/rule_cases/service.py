"""Whether the daemon runs, and whether alarms are told."""

from __future__ import annotations

from tests.support.rule_cases.case import (
    CRITICAL,
    OLDEST_ALARM,
    WARNING,
    Case,
    metric,
)

SERVICE = [
    Case("MonitorDown", "it stopped", {metric("up"): "1x5 0x20"}, "10m", (CRITICAL,)),
    Case("MonitorDown", "one scrape failed", {metric("up"): "1x5 0 1x20"}, "6m"),
    Case(
        "MonitorRestartsOften",
        "four restarts",
        {metric("process_start_time_seconds"): "0x10 600x10 1200x10 1800x10 2400x10"},
        "48m",
        (WARNING,),
    ),
    Case("MonitorAlarmUnacknowledged", "for longer than the bound", {OLDEST_ALARM: "0+60x30"}, "16m", (CRITICAL,)),
    Case("MonitorAlarmUnacknowledged", "acknowledged in time", {OLDEST_ALARM: "0+60x14 0x20"}, "30m"),
    Case(
        "MonitorAlarmsNotDelivered",
        "to one of two sinks",
        {
            metric("monitor_alarm_messages_oldest_due_seconds", sink="siren"): "0+60x30",
            metric("monitor_alarm_messages_oldest_due_seconds", sink="office"): "0 60 0x30",
        },
        "4m",
        ({**CRITICAL, "sink": "siren"},),
    ),
    Case(
        "MonitorAlarmsNotDelivered",
        "tried a few times",
        {metric("monitor_alarm_messages_oldest_due_seconds", sink="siren"): "0 60 120 0x30"},
        "5m",
    ),
    Case(
        "MonitorHeartbeatNotTaken",
        "by one of two sinks",
        {
            metric("monitor_alarm_heartbeat_interval_seconds", sink="siren"): "60x30",
            metric("monitor_alarm_heartbeat_interval_seconds", sink="office"): "60x30",
            metric("monitor_alarm_heartbeat_timestamp_seconds", sink="siren"): "0 60x30",
            metric("monitor_alarm_heartbeat_timestamp_seconds", sink="office"): "0+60x30",
        },
        "5m",
        ({**CRITICAL, "sink": "siren"},),
    ),
    Case(
        "MonitorHeartbeatNotTaken",
        "two of them missed, or seldom wanted",
        {
            metric("monitor_alarm_heartbeat_interval_seconds", sink="siren"): "60x30",
            metric("monitor_alarm_heartbeat_interval_seconds", sink="office"): "3600x30",
            metric("monitor_alarm_heartbeat_timestamp_seconds", sink="siren"): "0 60x2 240+60x30",
            metric("monitor_alarm_heartbeat_timestamp_seconds", sink="office"): "0x30",
        },
        "4m",
    ),
    Case(
        "MonitorSelftestFailed",
        "it failed",
        {
            metric("monitor_selftest_passed"): "1x2 0x10",
            metric("monitor_selftest_timestamp_seconds"): "1x2 120x10",
        },
        "4m",
        (CRITICAL,),
    ),
    Case(
        "MonitorSelftestFailed",
        "there was none, or it passed again",
        {
            metric("monitor_selftest_passed"): "0x3 0x3 1x10",
            metric("monitor_selftest_timestamp_seconds"): "0x3 240x3 400x10",
        },
        "9m",
    ),
    Case(
        "MonitorSelftestFailed",
        "there was none",
        {metric("monitor_selftest_passed"): "0x9", metric("monitor_selftest_timestamp_seconds"): "0x9"},
        "8m",
    ),
    Case(
        "MonitorSelftestOld",
        "for more than an hour",
        {
            metric("process_start_time_seconds"): "0x100",
            metric("monitor_selftest_passed_timestamp_seconds"): "600x100",
        },
        "72m",
        (WARNING,),
    ),
    Case(
        "MonitorSelftestOld",
        "within an hour, and after a start",
        {
            metric("process_start_time_seconds"): "0x68 4080x40",
            metric("monitor_selftest_passed_timestamp_seconds"): "600x68 0x40",
        },
        "69m",
    ),
    Case("MonitorCastInDoubt", "for minutes", {metric("monitor_cast_in_doubt"): "0x2 1x10"}, "6m", (WARNING,)),
    Case("MonitorCastInDoubt", "in order again", {metric("monitor_cast_in_doubt"): "0x2 1x3 0x10"}, "9m"),
    Case("MonitorRestartsOften", "one restart", {metric("process_start_time_seconds"): "0x10 600x40"}, "48m"),
]
