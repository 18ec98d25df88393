"""The settings of the sink `mqtt`, and what it publishes."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from monitor.api import DeliveryError, tls_context
from plugins.sinks.addresses import address_of, plain_address
from plugins.sinks.settings import ConnectionSettings, LoginSettings

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
LONGEST_TOPIC: Final = 200
# What a level of a topic may not hold: what separates levels or stands for many of them, what brokers hang up on, what
# cannot be seen, and the sign that all this is escaped with. A fixed list, because brokers keep the topics.
_UNSAFE: Final = re.compile(
    "[%/+#\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)


class Settings(LoginSettings, ConnectionSettings):
    """``url``: mqtt or mqtts (TLS), a host, perhaps a port. ``topic``: what every topic begins with.

    ``certificate`` and ``key``: shown to the broker, PEM; ``protocol``: the version of MQTT.
    """

    url: str
    topic: str = "proliv-monitor"
    certificate: Path | None = None
    key: Path | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    # There are two things to wait for: that the state of all holes is taken, and then the message.
    timeout_seconds: float = Field(10.0, gt=0, le=25)

    @field_validator("url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        remedy = "give the name as user, and put the password into a file: password_file"
        plain_address(value, PORTS, what="an MQTT broker", example="mqtts://host or mqtt://host:1883", remedy=remedy)
        parts = urlsplit(value)
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("has more than a host and a port; give the topic by itself: topic")
        return value

    @field_validator("topic")
    @classmethod
    def _plain_topic(cls, value: str) -> str:
        levels = value.split("/")
        if not all(levels) or value.startswith("$") or any(map(_UNSAFE.search, levels)):
            raise ValueError(
                "is not what topics can begin with; write names with / between them, such as plant/hall-2, without +, "
                "#, %, invisible characters, or $ at the beginning"
            )
        if len(value.encode()) > LONGEST_TOPIC:
            raise ValueError(f"is longer than {LONGEST_TOPIC} bytes")
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Settings:
        if self.key is not None and self.certificate is None:
            raise ValueError("key needs a certificate")
        if not self.is_encrypted and (self.certificate_authority or self.certificate):
            raise ValueError("certificates are of no use without TLS; write the url with mqtts://")
        return self

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is by TLS."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def broker(self) -> str:
        """The broker's name in messages."""
        return self.url.rstrip("/")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return address_of(self.url, PORTS)

    def tls(self) -> ssl.SSLContext | None:
        """Whom to trust, and what to show to the broker; None without TLS. Raises `DeliveryError`."""
        if not self.is_encrypted:
            return None
        context = tls_context(self.certificate_authority)
        context.sslsocket_class = _HandshakenSocket
        if self.certificate is not None:
            try:
                # Without an answer, the library would ask on the terminal for the password of an encrypted key.
                context.load_cert_chain(self.certificate, self.key, password=lambda: "")
            except OSError as error:  # an SSLError is one
                raise DeliveryError(
                    f"certificate and key: {self.certificate} and {self.key or 'the same file'} are no pair in PEM "
                    f"format whose key has no password: {error}"
                ) from None
        return context


class _HandshakenSocket(ssl.SSLSocket):
    """Closed where the handshake fails, which paho-mqtt leaves to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class Publication(NamedTuple):
    """What is published under a topic; the broker gives what is retained to whoever subscribes later."""

    topic: str
    payload: bytes
    retain: bool


def level_of(name: str) -> str:
    """A name as one level of a topic: what is not safe there as ``%`` and the bytes of UTF-8 in hexadecimal digits."""
    return _UNSAFE.sub(lambda one: "".join(f"%{byte:02X}" for byte in one[0].encode("utf-8", "surrogatepass")), name)
