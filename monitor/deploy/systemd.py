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
from ipaddress import ip_address, ip_network
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from monitor.deploy.values import checked, unit_command, unit_comment, unit_file_pattern, unit_word, unit_words
from monitor.errors import ConfigurationError
from monitor.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.configuration.resolved import Configuration

TEMPLATE: Final = Path(__file__).with_name("monitor.service")
INSTALLED: Final = Path("/etc/systemd/system")
STATE_ROOT: Final = Path("/var/lib")
HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))
HIDDEN: Final = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - what the unit hides, not what is written to
PRIVATE_NETWORKS: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "link-local")
# In the name of a state folder a colon separates, and a backslash is taken away, with quotes as without.
_STATE_NAME: Final = re.compile(r"[\w@%+=,./-]+( [\w@%+=,./-]+)*")
LEAST_WATCHDOG_SECONDS: Final = 120
LEAST_STOP_SECONDS: Final = 90


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
    return {f"{access.name}.service": filled(TEMPLATE.read_text(encoding="utf-8"), unit_values(configuration, access))}


def filled(template: str, values: Mapping[str, str]) -> str:
    """The text of a unit; a part that this configuration does not need leaves no more than one empty line."""
    return re.sub(r"\n{3,}", "\n\n", Template(template).substitute(values))


def unit_values(
    configuration: Configuration, access: Access, *, command: str = "run", feeds: bool = False
) -> dict[str, str]:
    """What a template's names stand for, in a unit that starts ``command``; ``feeds``: it writes into the inbox.

    Raises `ConfigurationError` if no unit could work.
    """
    _check(access)
    if configuration.file is None:
        raise ConfigurationError(
            "a service needs a configuration file: write /etc/monitor/config.toml, at least with paths.inbox and "
            "paths.state, and name it: monitor --config /etc/monitor/config.toml deploy systemd …"
        )
    settings = configuration.settings
    state = _state_name(configuration)
    writable, readable = _folders(configuration, feeds=feeds)
    for path in (sys.executable, configuration.file, *writable, *readable):
        checked(str(path), configuration.source)
    busy = settings.database.busy_seconds
    start = [sys.executable, "-P", "-m", "monitor", "--config", str(configuration.file), command]
    return {
        "name": access.name,
        "configuration": unit_comment(str(configuration.file)),
        "mounts": unit_words([STATE_ROOT / state, *writable, *readable]),
        "start": unit_command(start),
        "environment": unit_file_pattern(str(configuration.file.with_suffix(".environment"))),
        "watchdog_seconds": str(round(max(LEAST_WATCHDOG_SECONDS, 2 * busy))),
        "stop_seconds": str(round(LEAST_STOP_SECONDS + busy)),
        "state": unit_word(state),
        "groups": _groups(access.groups, writable),
        "folders": _folder_lines(writable, readable),
        "devices": _device_lines(settings.pipeline.device),
        **_network(configuration, access.networks),
    }


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
    writable, readable = _folders(configuration)
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


def next_steps(output: Path, access: Access) -> list[str]:
    """What a person does next with the unit."""
    unit = shlex.quote(str(output / f"{access.name}.service"))
    copied = "" if output.absolute() == INSTALLED else f"sudo cp {unit} {INSTALLED}/ && "
    return [
        f"check it:   systemd-analyze verify {unit}",
        f"install it: {copied}sudo systemctl daemon-reload",
        f"start it:   sudo systemctl enable --now {access.name}   # where it runs already: restart {access.name}",
    ]


def _check(access: Access) -> None:
    for option, names in (("--name", [access.name]), ("--group", access.groups)):
        if wrong := [name for name in names if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", name)]:
            raise ConfigurationError(
                f"{option}: {wrong[0]!r} is not a valid name of a user or group; use lowercase letters, digits, - and _"
            )
    for network in access.networks:
        if not _is_network(network):
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


def _folders(configuration: Configuration, *, feeds: bool = False) -> tuple[list[Path], list[Path]]:
    """The folders outside the state folder that the service writes into, and those that it only reads.

    ``feeds``: it writes into the inbox whatever becomes of decided files.
    """
    settings = configuration.settings
    moves = feeds or settings.inbox.after != "keep" or configuration.quarantine is not None
    writes = {configuration.quarantine, configuration.archive, configuration.inbox if moves else None}
    reads = {configuration.inbox, configuration.labelled}
    url = configuration.database_url
    if url.startswith("sqlite:///"):
        writes.add(Path(url.removeprefix("sqlite:///")).parent)
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


def _network(configuration: Configuration, networks: Sequence[str]) -> dict[str, str]:
    """Which addresses it may talk to: this machine's own, those that are named, or none at all."""
    metrics = configuration.settings.metrics
    hosts = database_hosts(configuration.database_url)
    if not metrics.enabled and not hosts:
        text = "# It has neither metrics nor a database server: no network at all.\nPrivateNetwork=yes"
        return {"network": f"{text}\n# And no packet.\nIPAddressDeny=any", "families": "AF_UNIX", "network_order": ""}
    remote = [host for host in hosts if not _is_loopback(host)]
    # Without the interface that a link-local address of IPv6 may name, which systemd does not take.
    allowed = ["localhost", *(host.partition("%")[0] for host in remote if _is_address(host))]
    reasons = ["this machine" if metrics.enabled or len(remote) < len(hosts) else "", *map(str, allowed[1:])]
    open_to_others = metrics.enabled and not _is_loopback(metrics.host)
    by_name = [host for host in remote if not _is_address(host)]
    if networks:
        allowed += networks
        reasons.append("what --allow named")
    elif open_to_others or by_name:
        allowed += PRIVATE_NETWORKS
        why = "metrics.host lets others in" if open_to_others else "database.url names its server, not an address"
        reasons.append(f"private networks, because {why}: narrow it with --allow")
    text = "\n".join(
        [
            "# The kernel drops all packets from and to other addresses.",
            "IPAddressDeny=any",
            f"# Allowed: {'; '.join(reason for reason in reasons if reason)}.",
            f"IPAddressAllow={' '.join(dict.fromkeys(allowed))}",
        ]
    )
    order = []
    if remote or open_to_others:
        order = ["# The network has its addresses by then.", "Wants=network-online.target"]
        order += ["# (and what brings it up, or a database server here, comes first)"]
        order += ["After=network-online.target postgresql.service" if hosts else "After=network-online.target"]
    elif hosts:
        order = ["# A database server on this machine comes first.", "After=postgresql.service"]
    return {"network": text, "families": "AF_UNIX AF_INET AF_INET6", "network_order": "\n".join(order)}


def database_hosts(url: str) -> list[str]:
    """The hosts of a database server that is reached over the network; empty for a file or a socket."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return []
    named = parsed.query.get("host", ())
    hosts = [parsed.host or "", *(named if isinstance(named, tuple) else (named,))]
    found = [host for text in hosts for host in text.split(",") if host and not host.startswith(("/", "@"))]
    # A host in the query may include its port.
    return list(dict.fromkeys(re.sub(r"^([^:]+):\d+$", r"\1", host) for host in found))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return "%" not in text  # systemd takes no interface behind an address


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)
