"""The parts of recording and alerting rules, and PromQL that several of them use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

# The name of the scrape job, which Prometheus adds to every series as the label ``job``.
JOB: Final = "monitor"
# The page with a section for each alert.
RUNBOOK: Final = "docs/alerts.md"
SCRAPE_SECONDS: Final = 15
SHORTEST_WINDOW: Final = 60
DAY_SECONDS: Final = 86400

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True)
class Recording:
    """A recording rule, for what dashboards and alerts would otherwise compute again and again."""

    name: str
    expression: str

    def as_rule(self) -> dict[str, Any]:
        """As a rule file has it."""
        return {"record": self.name, "expr": self.expression}


@dataclass(frozen=True)
class Alert:
    """An alerting rule; ``summary`` and ``description`` are Prometheus templates."""

    name: str
    expression: str
    hold_seconds: float
    severity: Severity
    summary: str
    description: str

    def as_rule(self, runbooks: str = RUNBOOK) -> dict[str, Any]:
        """As a rule file has it; ``runbooks``: the address or the path of the page with a section for each alert."""
        hold = {"for": duration(self.hold_seconds)} if self.hold_seconds else {}
        return {
            "alert": self.name,
            "expr": self.expression,
            **hold,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                **_runbook(runbooks, self.name.lower()),
            },
        }


def _runbook(runbooks: str, section: str) -> dict[str, str]:
    """``runbook`` for people, and ``runbook_url`` for programs that make links of it, as far as there is an address."""

    def at(page: str) -> str:
        whole = f"{page}{section}" if page.endswith(("/", "#", "=")) else f"{page}#{section}"
        # Annotations are templates, in which two braces begin an action.
        return whole.replace("{{", '{{ "{{" }}')

    if runbooks.startswith("/"):
        return {"runbook": at(runbooks), "runbook_url": at(Path(runbooks).as_uri())}
    return {"runbook": at(runbooks), **({"runbook_url": at(runbooks)} if "://" in runbooks else {})}


def duration(seconds: float) -> str:
    """Seconds, rounded up, as Prometheus writes them: 5400 -> 1h30m."""
    rest, words = max(1, math.ceil(seconds)), ""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        words += f"{count}{unit}" if count else ""
    return words


def number(value: float) -> str:
    """A number without unnecessary digits."""
    return f"{value:.10g}"


def running_for(seconds: float) -> str:
    """An expression for the daemons that have run for longer than this."""
    return f'time() - process_start_time_seconds{{job="{JOB}"}} > {number(seconds)}'


def increased(counter: str, seconds: int, *, by: str = "") -> str:
    """An expression for how much a counter grew in the last ``seconds``, by daemon and the label ``by``.

    A series appears with its first event, at 1, but Prometheus' increase() assumes that a first value is old. So a
    series that was not there at the start of the window, or whose daemon is younger than the window, counts in full.
    What was counted before a restart does not count, nor does anything of a daemon that is down.
    """
    window = duration(seconds)
    labels = ", ".join(part for part in ("job", "instance", by) if part)
    uptime = f'time() - process_start_time_seconds{{job="{JOB}"}}'
    return (
        f"sum by ({labels}) (\n"
        f"    {counter} and on (job, instance) ({uptime} < {seconds})\n"
        "  or\n"
        f"    ({counter} unless {counter} offset {window})\n"
        f'    and on (job, instance) (up{{job="{JOB}"}} offset {window} == 1)\n'
        "  or\n"
        f"    increase({counter}[{window}]) and on (job, instance) ({uptime} >= {seconds})\n"
        ")"
    )
