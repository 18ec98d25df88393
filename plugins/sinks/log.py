"""The sink that writes messages into the program's own log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from monitor.api import Sink
from plugins.sinks.settings import SinkSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)


class Settings(SinkSettings):
    """It has none."""


class Log(Sink):
    """Writes a line for each message: a warning for an alarm that opens, else for information."""

    name = "log"
    Settings = Settings

    def send(self, message: Mapping[str, Any]) -> None:
        """Write the line."""
        if message["kind"] == "heartbeat":
            log.info("heartbeat: %s alarms are not closed", message["running"])
            return
        alarm = message["alarm"]
        level = logging.WARNING if message["kind"] == "opened" else logging.INFO
        log.log(level, "alarm %s %s: %s, %s crops", alarm["id"], message["kind"], alarm["about"], alarm["crops"])
