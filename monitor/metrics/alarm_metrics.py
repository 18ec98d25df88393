"""Declares the metrics of alarms, their messages, heartbeats, pauses and casts."""

from __future__ import annotations

from typing import Any, Final

from prometheus_client import Counter, Gauge

# What alarms are about: a hole, a file whose name tells no hole, a whole table.
ALARM_KINDS: Final = ("hole", "file", "table")
# Why nobody is told of an alarm.
WITHHELD: Final = ("pause", "idle")


class AlarmMetrics:
    """Those of `monitor.metrics.declared.Declared` that are about alarms."""

    def _declare_alarms(self, own: Any) -> None:
        self._declare_running(own)
        self._declare_messages(own)
        self._declare_selftests(own)

    def _declare_running(self, own: Any) -> None:
        self.alarms_opened = Counter("monitor_alarms_opened", "Alarms that were opened, by kind.", ["kind"], **own)
        self.alarms_running = Gauge(
            "monitor_alarms_running",
            "Alarms that are not closed, by state; withheld are those that no one was notified of.",
            ["state"],
            **own,
        )
        self.alarms_unusual = Counter(
            "monitor_alarms_unusual", "Alarms that were opened by unusual crops, which count above too.", **own
        )
        self.alarms_withheld = Counter(
            "monitor_alarms_withheld", "Alarms that were opened and withheld, by reason.", ["reason"], **own
        )
        self.cast_phase = Gauge(
            "monitor_cast_phase", "1 for the phase in which the cast is believed to be, else 0.", ["phase"], **own
        )
        self.cast_in_doubt = Gauge(
            "monitor_cast_in_doubt", "1 while the latest information about the cast cannot be relied on, else 0.", **own
        )
        self.alarm_pauses = Gauge("monitor_alarm_pauses", "Pauses in effect, during which alarms are withheld.", **own)
        self.alarms_oldest = Gauge(
            "monitor_alarms_oldest_open_seconds",
            "Seconds since the alarm was opened that has waited longest to be acknowledged; 0 where none waits.",
            **own,
        )

    def _declare_messages(self, own: Any) -> None:
        self.alarm_messages = Counter(
            "monitor_alarm_messages", "Attempts to deliver a message, by sink and outcome.", ["sink", "outcome"], **own
        )
        self.alarm_messages_due = Gauge(
            "monitor_alarm_messages_due", "Messages that a sink has yet to get.", ["sink"], **own
        )
        self.alarm_messages_oldest = Gauge(
            "monitor_alarm_messages_oldest_due_seconds",
            "Seconds since the oldest of them was written; 0 where there is none.",
            ["sink"],
            **own,
        )
        self.last_heartbeat = Gauge(
            "monitor_alarm_heartbeat_timestamp_seconds",
            "When a sink last took a heartbeat, in Unix time; before the first one, when the daemon started.",
            ["sink"],
            **own,
        )
        self.heartbeat_interval = Gauge(
            "monitor_alarm_heartbeat_interval_seconds", "How often a sink gets a heartbeat.", ["sink"], **own
        )

    def _declare_selftests(self, own: Any) -> None:
        self.selftest_at = Gauge(
            "monitor_selftest_timestamp_seconds",
            "When the last self-test ended, in Unix time; 0: there was none.",
            **own,
        )
        self.selftest_passed_at = Gauge(
            "monitor_selftest_passed_timestamp_seconds",
            "When the last self-test that passed ended, in Unix time; 0: there was none.",
            **own,
        )
        self.selftest_passed = Gauge(
            "monitor_selftest_passed", "1 if everything arrived in time in the last self-test, else 0.", **own
        )
        self.selftest_seconds = Gauge(
            "monitor_selftest_seconds",
            "How long the last self-test took from the file to the last receipt; NaN if not everything arrived.",
            **own,
        )
