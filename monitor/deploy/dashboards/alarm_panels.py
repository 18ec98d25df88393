"""The overview's panels about alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.deploy.dashboard import INSTANCE
from monitor.deploy.panel_kinds import stat
from monitor.deploy.panels import Target

if TYPE_CHECKING:
    from monitor.deploy.panels import Panel


def alarms() -> tuple[Panel, ...]:
    """How many alarms are open, who is not told, and what has yet to be told."""
    return (
        stat(
            "Open alarms",
            "Alarms that nobody has acknowledged. Which: monitor alarms list",
            Target(f'sum(monitor_alarms_running{{state="open", {INSTANCE}}}) or vector(0)'),
            decimals=0,
            steps=((None, "green"), (1, "red")),
        ),
        stat(
            "Pauses",
            "Pauses that run: in them, alarms are recorded and nobody is told. Which: monitor pause list",
            Target(f"sum(monitor_alarm_pauses{{{INSTANCE}}}) or vector(0)"),
            decimals=0,
            steps=((None, "green"), (1, "orange")),
        ),
        stat(
            "Cast in doubt",
            "1 while information about the cast cannot be relied on; alarms are then sent. Why: monitor status",
            Target(f"max(monitor_cast_in_doubt{{{INSTANCE}}}) or vector(0)"),
            decimals=0,
            steps=((None, "green"), (1, "orange")),
        ),
        stat(
            "Messages due",
            "Messages about alarms that a sink has yet to get. Why: monitor alarms deliveries",
            Target(f"sum(monitor_alarm_messages_due{{{INSTANCE}}}) or vector(0)"),
            decimals=0,
            steps=((None, "green"), (1, "orange")),
        ),
        stat(
            "Heartbeats missed",
            "By the sink that has missed most of those that it wants. Nothing where no sink wants any.",
            Target(
                f"max(floor((time() - monitor_alarm_heartbeat_timestamp_seconds{{{INSTANCE}}}) "
                f"/ monitor_alarm_heartbeat_interval_seconds{{{INSTANCE}}}))"
            ),
            decimals=0,
            steps=((None, "green"), (2, "orange"), (3, "red")),
            no_value="none wanted",
        ),
    )
