"""The sink that keeps an alert in Prometheus' Alertmanager for each alarm that is not closed.

Alertmanager keeps alerts in memory: it forgets one that is not sent again in its time, and all when it is restarted. So
each alert says until when it holds, and every heartbeat sends those of all alarms that are not closed again.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field, model_validator

from monitor.api import Sink, read_secret_line, tls_context
from plugins.sinks.casting import cast_of
from plugins.sinks.posting import WebAddress, post
from plugins.sinks.settings import ConnectionSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

API: Final = "/api/v2/alerts"
ALARM: Final = "Proliv"
# The labels by which alarms differ. Those of an alert never change, or it would be another alert.
OWN_LABELS: Final = ("alertname", "alarm", "about", "camera", "hole", "host")
# So many heartbeats may be missed before the alert that stands for them ends.
HEARTBEATS_MISSED: Final = 3


def _labels(values: dict[str, str]) -> dict[str, str]:
    for name in values:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} is no name of a label; use letters, digits and _")
        if name in OWN_LABELS:
            raise ValueError(f"{name} is a label that alarms have; give yours another name")
    return values


def _whole(url: str) -> str:
    if "?" in url or "#" in url or url.rstrip("/").endswith(API):
        raise ValueError("should be the address of Alertmanager itself, such as http://alertmanager:9093")
    return url.rstrip("/")


class Settings(ConnectionSettings):
    """``url``: of Alertmanager, without the path of its interface; ``resolve_seconds``: how long an alert holds."""

    url: Annotated[WebAddress, AfterValidator(_whole)]
    user: str | None = Field(None, min_length=1)
    password_file: Path | None = None
    token_file: Path | None = None
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(default_factory=dict)
    resolve_seconds: float = Field(86400.0, ge=60, le=31_536_000)
    heartbeat_alert: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one_login(self) -> Settings:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file belong together; give both, or none")
        if self.user is not None and self.token_file is not None:
            raise ValueError("user and token_file are two ways to log in; give one of them")
        return self


class Alertmanager(Sink):
    """Posts alerts; they are taken when the answer's status is 2xx."""

    name = "alertmanager"
    Settings = Settings
    heartbeat_seconds = 60.0

    def send(self, message: Mapping[str, Any]) -> None:
        """Post the alert of the alarm, or with a heartbeat those of all that are not closed."""
        if message["kind"] == "heartbeat":
            alerts = [self._alert(alarm) for alarm in message["alarms"]]
            if self.settings.heartbeat_alert is not None:
                alerts.append(self._alive(message))
        else:
            alerts = [self._alert(message["alarm"])]
        post(self.settings.url + API, json.dumps(alerts).encode(), self._headers(), self.settings)

    def check(self) -> None:
        """The files that are named must be readable."""
        self._headers()
        tls_context(self.settings.certificate_authority)

    def _alert(self, alarm: Mapping[str, Any]) -> dict[str, Any]:
        """As Alertmanager's interface has it; one that has ended says when."""
        opened = datetime.fromisoformat(alarm["opened_at"])
        until = datetime.now(UTC) + timedelta(seconds=self.settings.resolve_seconds)
        ends = datetime.fromisoformat(alarm["closed_at"]) if alarm["closed_at"] else until
        labels = {
            "alertname": ALARM,
            "alarm": str(alarm["id"]),
            "about": alarm["kind"],
            "camera": alarm["camera"],
            "hole": None if alarm["hole"] is None else str(alarm["hole"]),
            "severity": "critical",
            **self.settings.labels,
        }
        # No label: alarms of one hole are to be grouped whatever is cast, and an alloy may be known only later.
        annotations = {
            "summary": f"Alarm {alarm['id']}: {alarm['about']}",
            "description": _description(alarm),
            "cast": cast_of(alarm),
        }
        return {
            "labels": {name: value for name, value in labels.items() if value is not None},
            "annotations": {name: value for name, value in annotations.items() if value is not None},
            "startsAt": opened.isoformat(),
            # An end before the beginning, as by a clock that was put back, would be refused for ever.
            "endsAt": max(opened, ends).isoformat(),
        }

    def _alive(self, heartbeat: Mapping[str, Any]) -> dict[str, Any]:
        """The alert that is there as long as heartbeats come."""
        at = datetime.fromisoformat(heartbeat["at"])
        until = at + timedelta(seconds=HEARTBEATS_MISSED * heartbeat["every_seconds"])
        labels = {"alertname": self.settings.heartbeat_alert, "host": heartbeat["host"], **self.settings.labels}
        text = f"The daemon on {heartbeat['host']} decides. When this alert ends, it may not."
        return {
            "labels": {**labels, "severity": "none"},
            "annotations": {"summary": text},
            "startsAt": at.isoformat(),
            "endsAt": until.isoformat(),
        }

    def _headers(self) -> dict[str, str]:
        settings = self.settings
        if settings.user is not None:
            both = f"{settings.user}:{read_secret_line(settings.password_file)}".encode()
            return {"Authorization": f"Basic {base64.b64encode(both).decode()}"}
        if settings.token_file is not None:
            return {"Authorization": f"Bearer {read_secret_line(settings.token_file).encode().decode('latin-1')}"}
        return {}


def _description(alarm: Mapping[str, Any]) -> str:
    parts = [
        f"{alarm['crops']} crop{'s' * (alarm['crops'] != 1)}, the last at {alarm['last_at']}; "
        f"highest score {alarm['score']:.4g}, with a threshold of {alarm['threshold']:.4g}"
    ]
    if cast := cast_of(alarm):
        parts.append(f"cast {cast}")
    if alarm["acknowledged_at"]:
        parts.append(f"acknowledged by {alarm['acknowledged_by']} at {alarm['acknowledged_at']}")
    if alarm["closed_at"]:
        parts.append(f"closed at {alarm['closed_at']} ({alarm['ended_by']})")
    return "; ".join(parts)
