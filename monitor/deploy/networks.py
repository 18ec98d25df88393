"""Which addresses a service may talk to, as its unit says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from monitor.configuration.web_settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.configuration.resolved import Configuration

PRIVATE_NETWORKS: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "link-local")


@dataclass(frozen=True)
class Listens:
    """Where a service is asked by others: the key that says it, and the address."""

    key: str
    host: str


def network_values(configuration: Configuration, networks: Sequence[str], listens: Listens | None) -> dict[str, str]:
    """Which addresses it may talk to: this machine's own, those that are named, or none at all."""
    hosts = database_hosts(configuration.database_url)
    if listens is None and not hosts:
        text = "# It has neither metrics nor a database server: no network at all.\nPrivateNetwork=yes"
        return {"network": f"{text}\n# And no packet.\nIPAddressDeny=any", "families": "AF_UNIX", "network_order": ""}
    remote = [host for host in hosts if not is_loopback(host)]
    # Without the interface that a link-local address of IPv6 may name, which systemd does not take.
    allowed = ["localhost", *(host.partition("%")[0] for host in remote if _is_address(host))]
    reasons = ["this machine" if listens is not None or len(remote) < len(hosts) else "", *map(str, allowed[1:])]
    open_to_others = listens is not None and not is_loopback(listens.host)
    by_name = [host for host in remote if not _is_address(host)]
    if networks:
        allowed += networks
        reasons.append("what --allow named")
    elif open_to_others or by_name:
        allowed += PRIVATE_NETWORKS
        why = (
            f"{listens.key} lets others in"
            if listens is not None and open_to_others
            else "database.url names its server, not an address"
        )
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


def is_network(text: str) -> bool:
    """Whether systemd takes this for an address or a network."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return "%" not in text  # systemd takes no interface behind an address
