"""The timer of `monitor selftest`, and the unit that it starts: as locked up as the daemon's own.

It has the user of the daemon's unit, to whom the state belongs, and may write into the inbox as a camera does.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from monitor.deploy.systemd import INSTALLED, daemon_folders, daemon_listens, unit_text
from monitor.deploy.values import unit_comment
from monitor.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.configuration.resolved import Configuration
    from monitor.deploy.systemd import Access

SERVICE: Final = Path(__file__).with_name("monitor-selftest.service")
TIMER: Final = Path(__file__).with_name("monitor-selftest.timer")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def files(configuration: Configuration, access: Access, times: Sequence[str]) -> dict[str, str]:
    """The unit and the timer by their file names; ``times``: of the day, as HH:MM on the plant's clock.

    Raises `ConfigurationError` if they could not work.
    """
    for time in times:
        if not _TIME.fullmatch(time):
            raise ConfigurationError(f"--selftest-at: {time!r} is no time of the day; write it as 05:30")
    # It sends nothing itself, but reads the database as the daemon does.
    needs = (daemon_folders(configuration, feeds=True), daemon_listens(configuration))
    zone = configuration.settings.plant.time_zone
    lines = "\n".join(f"OnCalendar=*-*-* {time}:00 {zone}" for time in dict.fromkeys(times))
    source = unit_comment(str(configuration.file))
    timer = Template(TIMER.read_text(encoding="utf-8")).substitute(name=access.name, configuration=source, times=lines)
    return {
        f"{access.name}-selftest.service": unit_text(SERVICE, "selftest", configuration, access, *needs, {}),
        f"{access.name}-selftest.timer": timer,
    }


def warnings(configuration: Configuration, access: Access) -> list[str]:
    """A sentence for each thing that would keep the timer from being of use."""
    found = []
    if not configuration.settings.alarms.sinks:
        found.append(f"{configuration.source}: no sink is configured, so every self-test fails; see [alarms.sinks]")
    if not configuration.settings.alerts.selftest_hours:
        found.append(
            f"{configuration.source}: alerts.selftest_hours is 0, so nobody is told if the timer stops; set it to a "
            "little more than the longest time between two self-tests, and write the alerts again"
        )
    if not access.groups:
        found.append(
            f"{configuration.inbox}: the self-test writes there as a user that owns nothing; name a group that may "
            "write there with --group"
        )
    return found


def next_steps(output: Path, access: Access) -> list[str]:
    """What a person does next with the timer."""
    unit = f"{access.name}-selftest"
    both = " ".join(shlex.quote(str(output / f"{unit}.{kind}")) for kind in ("service", "timer"))
    copied = "" if output.absolute() == INSTALLED else f"sudo cp {both} {INSTALLED}/ && "
    return [f"test it:    {copied}sudo systemctl daemon-reload && sudo systemctl enable --now {unit}.timer"]
