"""The daemon's unit: what systemd starts and watches, and what it keeps the daemon away from.

The unit depends only on the configuration and on where the program is installed: the same ones give the same text. It
opens exactly the folders that the daemon writes into and the network that it uses.
"""

from __future__ import annotations

import grp
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.deploy.networks import Listens, is_network, network_values
from monitor.deploy.values import checked, unit_command, unit_comment, unit_file_pattern, unit_word, unit_words
from monitor.errors import ConfigurationError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.configuration.resolved import Configuration

TEMPLATE: Final = Path(__file__).with_name("monitor.service")
# What both units keep their program away from.
HARDENING: Final = Path(__file__).with_name("hardening.service")
INSTALLED: Final = Path("/etc/systemd/system")
STATE_ROOT: Final = Path("/var/lib")
HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))
HIDDEN: Final = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - what the unit hides, not what is written to
# In the name of a state folder a colon separates, and a backslash is taken away, with quotes as without.
_STATE_NAME: Final = re.compile(r"[\w@%+=,./-]+( [\w@%+=,./-]+)*")
LEAST_WATCHDOG_SECONDS: Final = 120
LEAST_STOP_SECONDS: Final = 90


class Folders(NamedTuple):
    """The folders that a program writes into, and those that it reads; None: none of that kind."""

    writes: set[Path | None]
    reads: set[Path | None]


@dataclass(frozen=True)
class Access:
    """What the person who installs the service decides, besides the configuration."""

    name: str = "monitor"
    # Groups that own folders outside the state folder.
    groups: Sequence[str] = ()
    # Which machines may read the metrics, and where the database is if it is not on this machine, as systemd writes it.
    networks: Sequence[str] = ()


def files(configuration: Configuration, access: Access) -> dict[str, str]:
    """The unit by its file name; raises `ConfigurationError` if no unit could work."""
    settings = configuration.settings
    busy = settings.database.busy_seconds
    times = {
        "watchdog_seconds": str(round(max(LEAST_WATCHDOG_SECONDS, 2 * busy))),
        "stop_seconds": str(round(LEAST_STOP_SECONDS + busy)),
    }
    needs = (daemon_folders(configuration), daemon_listens(configuration))
    return {f"{access.name}.service": unit_text(TEMPLATE, "run", configuration, access, *needs, times)}


def unit_text(
    template: Path,
    command: str,
    configuration: Configuration,
    access: Access,
    folders: Folders,
    listens: Listens | None,
    more: Mapping[str, str],
) -> str:
    """A unit that runs a command, which needs these folders and may be asked by others where it listens.

    Raises `ConfigurationError` if no unit could work.
    """
    _check(access)
    if configuration.file is None:
        raise ConfigurationError(
            "a service needs a configuration file: write /etc/monitor/config.toml, at least with paths.inbox and "
            "paths.state, and name it: monitor --config /etc/monitor/config.toml deploy systemd …"
        )
    state = _state_name(configuration)
    writable, readable = _outside_state(configuration, folders)
    for path in (sys.executable, configuration.file, *writable, *readable):
        checked(str(path), configuration.source)
    values = {
        "name": access.name,
        "configuration": unit_comment(str(configuration.file)),
        "mounts": unit_words([STATE_ROOT / state, *writable, *readable]),
        "start": unit_command([sys.executable, "-P", "-m", "monitor", "--config", str(configuration.file), command]),
        "environment": unit_file_pattern(str(configuration.file.with_suffix(".environment"))),
        "state": unit_word(state),
        "groups": _groups(access.groups, writable),
        "folders": _folder_lines(writable, readable),
        "devices": _device_lines(configuration.settings.pipeline.device),
        **network_values(configuration, access.networks, listens),
        **more,
    }
    hardening = Template(HARDENING.read_text(encoding="utf-8")).substitute(values)
    text = Template(template.read_text(encoding="utf-8")).substitute(values, hardening=hardening)
    # A part that this configuration does not need leaves empty lines.
    return re.sub(r"\n{3,}", "\n\n", text)


def warnings(configuration: Configuration, access: Access) -> list[str]:
    """A sentence for each thing that would keep the unit from working on this machine."""
    found = []
    for path in (Path(sys.executable), Path(sys.base_prefix)):
        if _below(path, HOMES):
            found.append(
                f"{path}: the program or its Python is below a home, which the service cannot see; install it "
                "elsewhere, as with /usr/bin/python3 -m venv /opt/monitor, and write the unit with that one"
            )
            break
    if configuration.file is not None and _below(configuration.file, (*HOMES, *HIDDEN)):
        found.append(
            f"{configuration.file}: the service cannot see the configuration there; move it to /etc/monitor/config.toml"
        )
    writable, readable = _outside_state(configuration, daemon_folders(configuration))
    beside = [path for path in readable if configuration.file and path.is_relative_to(configuration.file.parent)]
    if beside:
        found.append(
            f"{', '.join(map(str, beside))}: a relative path is relative to the configuration's folder, where the "
            "service creates no folders; give an absolute path in [paths], or an empty one for paths.labelled"
        )
    for group in access.groups:
        try:
            grp.getgrnam(group)
        except KeyError:
            found.append(f"{group}: there is no such group here, and the service does not start without it: groupadd")
    if writable and not access.groups:
        found.append(
            f"{', '.join(map(str, writable))}: the service writes there as a user that owns nothing; name a group "
            "that may write there with --group, see docs/install.md"
        )
    return found


def next_steps(output: Path, names: Sequence[str]) -> list[str]:
    """What a person does next with the units of these file names."""
    units = " ".join(shlex.quote(str(output / name)) for name in names)
    services = " ".join(name.removesuffix(".service") for name in names)
    copied = "" if output.absolute() == INSTALLED else f"sudo cp {units} {INSTALLED}/ && "
    return [
        f"check it:   systemd-analyze verify {units}",
        f"install it: {copied}sudo systemctl daemon-reload",
        f"start it:   sudo systemctl enable --now {services}   # where it runs already: restart {services}",
    ]


def _check(access: Access) -> None:
    for option, names in (("--name", [access.name]), ("--group", access.groups)):
        if wrong := [name for name in names if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", name)]:
            raise ConfigurationError(
                f"{option}: {wrong[0]!r} is not a valid name of a user or group; use lowercase letters, digits, - and _"
            )
    for network in access.networks:
        if not is_network(network):
            raise ConfigurationError(
                f"--allow: {network!r} is neither an address nor a network; write one as 10.1.2.3 or 10.1.2.0/24"
            )


def _state_name(configuration: Configuration) -> str:
    """The state folder relative to /var/lib, as a unit names it."""
    # Once the service has run, /var/lib/NAME is a link to /var/lib/private/NAME.
    for root in (STATE_ROOT / "private", STATE_ROOT):
        if configuration.state.is_relative_to(root) and configuration.state != root:
            name = configuration.state.relative_to(root).as_posix()
            if _STATE_NAME.fullmatch(name):
                return name
            raise ConfigurationError(
                f"{configuration.source}: paths.state: {printable(configuration.state)}: systemd would misread this "
                "name of a state folder; use letters, digits, spaces, and any of @ % + = , . _ -"
            )
    raise ConfigurationError(
        f"{configuration.source}: paths.state: {configuration.state} must be below {STATE_ROOT}, where systemd gives "
        f"it to the service's user, such as {STATE_ROOT}/monitor; a larger disk may be mounted there"
    )


def daemon_listens(configuration: Configuration) -> Listens | None:
    """Where the daemon is asked for its metrics, if it is."""
    metrics = configuration.settings.metrics
    return Listens("metrics.host", metrics.host) if metrics.enabled else None


def daemon_folders(configuration: Configuration, *, feeds: bool = False) -> Folders:
    """The folders of the daemon, or, with ``feeds``, of a program that also writes into its inbox."""
    moves = feeds or configuration.settings.inbox.after != "keep" or configuration.quarantine is not None
    writes = {configuration.quarantine, configuration.archive, configuration.inbox if moves else None}
    return Folders(writes, {configuration.inbox, configuration.labelled})


def _outside_state(configuration: Configuration, folders: Folders) -> tuple[list[Path], list[Path]]:
    """Those outside the state folder that a service writes into, with that of the database, and that it only reads.

    Raises `ConfigurationError` for one that no service sees.
    """
    writes, reads = folders
    url = configuration.database_url
    if url.startswith("sqlite:///"):
        writes = {*writes, Path(url.removeprefix("sqlite:///")).parent}
    outside = {path for path in writes | reads if path is not None and not path.is_relative_to(configuration.state)}
    for path in sorted(outside):
        if _below(path, HIDDEN):
            raise ConfigurationError(
                f"{configuration.source}: {path}: the service has its own /tmp and /var/tmp, so it would not see "
                "what is there; use a folder elsewhere, such as one below /srv"
            )
    return sorted(outside & writes), sorted(outside - writes)


def _below(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _folder_lines(writable: list[Path], readable: list[Path]) -> str:
    """What is opened of the file system; homes stay closed except for the folders that are named."""
    at_home = {path for path in [*writable, *readable] if _below(path, HOMES)}
    lines = []
    if elsewhere := [path for path in writable if path not in at_home]:
        lines += ["# The folders that it writes into, by its configuration.", f"ReadWritePaths={unit_words(elsewhere)}"]
    if not at_home:
        return "\n".join([*lines, "# Homes are invisible.", "ProtectHome=yes"])
    lines += ["# Homes are empty except for the folders that are named next.", "ProtectHome=tmpfs"]
    if chosen := [path for path in writable if path in at_home]:
        lines += ["# The folders in homes that it writes into.", f"BindPaths={unit_words(chosen)}"]
    if chosen := [path for path in readable if path in at_home]:
        lines += ["# The folders in homes that it reads.", f"BindReadOnlyPaths={unit_words(chosen)}"]
    return "\n".join(lines)


def _groups(groups: Sequence[str], writable: list[Path]) -> str:
    if groups:
        return (
            "# The groups that may read the camera's folders, and write into those that it moves files from or to.\n"
            f"SupplementaryGroups={' '.join(groups)}"
        )
    needs = "needs a group that may write into its folders" if writable else "can read what all users can"
    return f"# Without SupplementaryGroups= it {needs}; `monitor deploy systemd --group` names one."


def _device_lines(device: str) -> str:
    if not device.startswith("cuda"):
        return (
            "# No devices: it computes on the processor. A GPU is opened where pipeline.device names one.\n"
            "PrivateDevices=yes"
        )
    return (
        "# pipeline.device names a GPU: only its devices.\n"
        "DevicePolicy=closed\n"
        "# Every device of NVIDIA's driver.\n"
        "DeviceAllow=char-nvidia* rw"
    )
