"""A real OPC UA server in a process of its own that can be killed and started again, and what a PLC's program does."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from tests.support.server_process import PlcProgram, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER: Final = """
import asyncio, json, logging, sys
from asyncua import Server, ua
from asyncua.server.user_managers import UserManager
from asyncua.crypto.permission_rules import User, UserRole

given = json.loads(sys.argv[1])
logging.getLogger("asyncua").setLevel(logging.CRITICAL)

class Users(UserManager):
    def get_user(self, iserver, username=None, password=None, certificate=None):
        known = not given["user"] or [username, password] == given["user"]
        return User(role=UserRole.User) if known else None

async def main():
    server = Server(user_manager=Users())
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{given['port']}/plc")
    if given["certificate"]:
        await server.load_certificate(given["certificate"])
        await server.load_private_key(given["key"])
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = await server.register_namespace("urn:plc")
    for name, kind in given["nodes"].items():
        kind = ua.VariantType[kind]
        first = {"Boolean": False, "String": "", "Float": 0.0}.get(kind.name, 0)
        node = await server.nodes.objects.add_variable(ua.NodeId(f"Monitor.{name}", space), name, first, kind)
        if name not in given["locked"]:
            await node.set_writable()
    async with server:
        await asyncio.Event().wait()

asyncio.run(main())
"""
HANDSHAKE: Final = {
    "Heartbeat": "UInt16", "Quality": "Boolean", "Sequence": "Int16", "Acknowledged": "Int16", "Ready": "Boolean",
    "Message": "String",
}  # fmt: skip


def missing() -> str | None:
    """Why no server can be started here; None if one can."""
    return None if find_spec("asyncua") else "needs the extra proliv-monitor[opcua]"


def nodes(holes: int = 12, kind: str = "Int32") -> dict[str, str]:
    """Those of this many holes, with their types."""
    return {**{f"Hole{hole}": kind for hole in range(1, holes + 1)}, "Table": kind, "Other": kind, **HANDSHAKE}


class PlcServer(ServerProcess):
    """A server with nodes that are 0, off or empty at each start."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "opcua.log")
        self.url = f"opc.tcp://127.0.0.1:{self.port}/plc"
        self.given: dict[str, Any] = {
            "port": self.port, "nodes": nodes(), "user": None, "certificate": None, "key": None, "locked": []
        }  # fmt: skip

    def start(self, **given: Any) -> None:
        """Start it, and wait until it takes connections; ``given``: what is other than before."""
        self.given |= given
        self.run([sys.executable, "-W", "ignore", "-c", SERVER, json.dumps(self.given)])

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A client of the library, which has the values as ``read`` and takes them by ``write``."""
        from asyncua.sync import Client

        with Client(self.url, timeout=10) as client:
            yield client

    def values(self, *names: str) -> list[Any]:
        """The values of the nodes of these names."""
        with self.client() as client:
            return [client.get_node(f"ns=2;s=Monitor.{name}").read_value() for name in names]

    def write(self, name: str, value: Any) -> None:
        """Write a node, as the PLC's own program would."""
        with self.client() as client:
            node = client.get_node(f"ns=2;s=Monitor.{name}")
            node.write_value(value, node.read_data_type_as_variant_type())

    def holes(self) -> dict[str, Any]:
        """The values of holes, the table and the rest that are not 0."""
        names = [name for name in self.given["nodes"] if name not in HANDSHAKE]
        return {name: value for name, value in zip(names, self.values(*names), strict=True) if value}


class Program(PlcProgram):
    """What a PLC does with it: it takes each new message, and gives its number back."""

    def __init__(self, server: PlcServer) -> None:
        super().__init__()
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # it says a lot about a server that is off
        self.taken: list[tuple[int, dict[str, Any]]] = []
        self._server = server

    def run(self) -> None:
        """Take messages."""
        while not self.ended.wait(0.02):
            with suppress(Exception), self._server.client() as client:  # the server may be off
                while not self.ended.wait(0.02):
                    self._step(client)

    def _step(self, client: Any) -> None:
        from asyncua import ua

        node = {name: client.get_node(f"ns=2;s=Monitor.{name}") for name in HANDSHAKE}
        sequence = node["Sequence"].read_value()
        if node["Ready"].read_value() and sequence != node["Acknowledged"].read_value():
            self.taken_at.append(time.time())
            self.taken.append((sequence, json.loads(node["Message"].read_value())))
            node["Acknowledged"].write_value(sequence, ua.VariantType.Int16)
