"""A connection to an OPC UA server, with an event loop in a thread of its own that keeps it alive.

Imported only where asyncua is installed.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asyncua.client.client import Client
from asyncua.common.ua_utils import data_type_to_variant_type
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import load_certificate, load_private_key
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.ua_binary import variant_to_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from asyncua.ua.uatypes import DataValue, Variant, VariantType

from monitor.api import DeliveryError, connection_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from plugins.sinks.opcua_settings import Settings

# What it says is raised as well, again and again.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)
# Servers limit how many nodes a request may have.
NODES_AT_ONCE: Final = 200
CLOSE_SECONDS: Final = 0.5
STOP_SECONDS: Final = 0.02
# How the state of a hole is written where its node is no String: as a number; a Boolean is on in alarm.
STATES: Final = {"quiet": 0, "alarm": 1, "acknowledged": 2}
# The settings behind a refusal, by a part of its name.
SEE: Final = {
    "UserAccess": "user and password_file",
    "IdentityToken": "user and password_file",
    "Certificate": "certificate and application_uri, and let the server trust the certificate",
    "Security": "certificate, key and server_certificate",
}

Answer = TypeVar("Answer")


class OpcuaConnection:
    """Connects at once, and asks for the types of all nodes; raises `DeliveryError` where it cannot."""

    def __init__(self, settings: Settings, names: Sequence[str]) -> None:
        """``names``: of all nodes that are read or written."""
        self._settings = settings
        self._server = settings.url
        self._limit = settings.timeout_seconds
        self._client: Any = None
        self._types: dict[str, Any] = {}
        self._nodes: dict[str, Any] = {}
        self.usable = True
        self._loop = asyncio.new_event_loop()
        # What fails in the background fails in the next request as well.
        self._loop.set_exception_handler(lambda *_: None)
        self._thread = Thread(target=self._loop.run_forever, name="opcua", daemon=True)
        self._thread.start()
        self._ask("the connection", self._connect())
        self._ask("the types of nodes", self._read_types(names))

    def write(self, values: Mapping[str, bool | int | str]) -> None:
        """Write the values of the nodes of these names, each as the type that its node has."""
        written = [(self._nodes[name], self._typed(name, value)) for name, value in values.items()]
        for first in range(0, len(written), NODES_AT_ONCE):
            part = written[first : first + NODES_AT_ONCE]
            self._ask(f"writing {part[0][0]}", self._write(part))

    def read(self, name: str) -> int:
        """The value of the node of this name, a whole number."""
        value = self._ask(f"reading {self._nodes[name]}", self._nodes[name].read_value())
        if not isinstance(value, int):
            raise DeliveryError(f"{self._server}: {self._nodes[name]} is no whole number, but {type(value).__name__}")
        return value

    def hurry(self, seconds: float) -> None:
        """Wait no longer for each of the next requests."""
        self._limit = min(self._limit, seconds)

    def close(self) -> None:
        """Hang up, within a second; it may have been done already."""
        if not self.usable:
            return
        self.usable = False
        if self._client is not None:
            with suppress(Exception):
                future = asyncio.run_coroutine_threadsafe(self._client.disconnect(), self._loop)
                future.result(CLOSE_SECONDS)
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(10 * STOP_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def _stop(self) -> None:
        if self._client is not None:
            with suppress(Exception):
                self._client.disconnect_socket()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        # The socket is closed by the next rounds of the loop.
        self._loop.call_later(STOP_SECONDS, self._loop.stop)

    async def _connect(self) -> None:
        settings = self._settings
        client = Client(settings.url, timeout=settings.timeout_seconds)
        client.application_uri = settings.application_uri
        if settings.certificate is not None:
            await require_pair(settings)
            await client.set_security(
                SecurityPolicyBasic256Sha256,
                *(str(settings.certificate), str(settings.key)),
                server_certificate=str(settings.server_certificate),
            )
        if settings.user is not None:
            client.set_user(settings.user)
            if (password := settings.password()) is not None:
                client.set_password(password)
        self._client = client
        await client.connect()

    async def _read_types(self, names: Sequence[str]) -> None:
        known: dict[Any, Any] = {}
        for name in names:
            self._nodes[name] = self._client.get_node(self._settings.node_of(name))
        for first in range(0, len(names), NODES_AT_ONCE):
            part = names[first : first + NODES_AT_ONCE]
            found = await self._client.read_attributes([self._nodes[one] for one in part], AttributeIds.DataType)
            for name, answer in zip(part, found, strict=True):
                if not answer.StatusCode.is_good():
                    raise DeliveryError(
                        f"{self._server}: has no variable {self._nodes[name]} that can be used: "
                        f"{answer.StatusCode.name}; see node, first_hole and last_hole"
                    )
                kind = answer.Value.Value
                if kind not in known:
                    known[kind] = await data_type_to_variant_type(self._client.get_node(kind))
                self._types[name] = known[kind]

    async def _write(self, part: Sequence[tuple[Any, Any]]) -> None:
        nodes, values = zip(*part, strict=True)
        results = await self._client.write_values(nodes, values, raise_on_partial_error=False)
        for node, result in zip(nodes, results, strict=True):
            if not result.is_good():
                raise DeliveryError(f"{self._server}: does not let {node} be written: {result.name}")

    def _typed(self, name: str, value: bool | int | str) -> Any:
        kind = self._types[name]
        if kind == VariantType.Variant:  # any number will do
            kind = VariantType.Int32
        if kind != VariantType.String and isinstance(value, str):
            if value not in STATES:
                raise DeliveryError(f"{self._server}: {self._nodes[name]} has the type {kind.name}; make it a String")
            value = STATES[value]
        typed: Any
        if kind == VariantType.String:
            typed = str(value)
        elif kind == VariantType.Boolean:
            typed = value == 1
        elif kind in (VariantType.Float, VariantType.Double):
            typed = float(value)
        else:
            typed = int(value)
        variant = Variant(typed, kind)
        try:
            variant_to_binary(variant)
        except (struct.error, AttributeError, TypeError, UaError):
            raise DeliveryError(
                f"{self._server}: {self._nodes[name]} has the type {kind.name}, which cannot hold {value!r:.20}"
            ) from None
        # Nothing beside it: some servers refuse whoever writes a quality or a time.
        return DataValue(variant, StatusCode=None)

    def _ask(self, what: str, question: Coroutine[Any, Any, Answer]) -> Answer:
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(question, self._limit), self._loop)
        try:
            return future.result(self._limit + 1)
        except DeliveryError:
            self.close()
            raise
        except Exception as error:  # noqa: BLE001 - whatever a server sends
            future.cancel()
            self.close()
            problem = _problem(error)
            if isinstance(error, TimeoutError) and self._settings.certificate is not None and not self._types:
                problem += "; it may have another certificate than server_certificate"
            raise DeliveryError(f"{self._server}: {problem} ({what})") from None


async def require_pair(settings: Settings) -> None:
    """Raise `DeliveryError` unless there are certificates in their files, and the key belongs to ours."""
    certificate, _ = [
        await _loaded(file, "certificate", load_certificate)
        for file in (settings.certificate, settings.server_certificate)
    ]
    key = await _loaded(settings.key, "key without a password", load_private_key)
    # With another key, the server would only not answer.
    if certificate.public_key() != key.public_key():
        raise DeliveryError(f"certificate and key: {settings.certificate} and {settings.key} are no pair")


async def _loaded(file: Path | None, what: str, load: Callable[[Path], Coroutine[Any, Any, Any]]) -> Any:
    assert file is not None
    try:
        return await load(file)
    except OSError as error:
        raise DeliveryError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):  # the latter for a key with a password
        kind = "PEM" if file.suffix.lower() == ".pem" else "DER"
        raise DeliveryError(
            f"{file}: holds no {what} in {kind} format; the name of a file in PEM format ends with .pem"
        ) from None


def _problem(error: Exception) -> str:
    if isinstance(error, UaStatusCodeError):
        refusal = type(error).__name__
        return f"refuses: {refusal}{next((f'; see {keys}' for word, keys in SEE.items() if word in refusal), '')}"
    if isinstance(error, UaError) and "No matching endpoints" in str(error):
        return "offers no connection like this one; see certificate, key and server_certificate"
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, OSError):
        return connection_problem(error)
    return f"gives no answer that can be used, or hung up ({type(error).__name__}: {error})"
