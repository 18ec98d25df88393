"""What sinks that connect to a receiver share: secrets in files, trust in certificates, and errors in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.errors import DeliveryError

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


def read_secret(file: Path) -> bytes:
    """The content of a file without the line break at its end; read each time, so that it can be exchanged.

    Raises `DeliveryError` where it cannot be read or is empty.
    """
    try:
        content = file.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise DeliveryError(f"{file}: cannot be read: {error.strerror}; a secret belongs into it") from None
    if not content:
        raise DeliveryError(f"{file}: is empty; a secret belongs into it")
    return content


def read_secret_line(file: Path) -> str:
    """The same as text, for a password or a token; raises `DeliveryError` also where it is not one line of UTF-8."""
    try:
        text = read_secret(file).decode()
    except UnicodeDecodeError:
        raise DeliveryError(f"{file}: is no text in UTF-8; a password or a token is a line of it") from None
    if not text.isprintable():
        raise DeliveryError(f"{file}: holds more than one line; a password or a token is a single one")
    return text


def tls_context(certificate_authority: Path | None = None) -> ssl.SSLContext:
    """Who is trusted to be the receiver: whoever a certificate of this PEM file stands for, or one of the system's.

    Names are checked as well. Raises `DeliveryError` where the file holds no certificates that can be read.
    """
    import ssl

    try:
        return ssl.create_default_context(cafile=certificate_authority)
    except OSError as error:  # an SSLError is one
        raise DeliveryError(f"{certificate_authority}: holds no certificates that can be read: {error}") from None


def connection_problem(error: Exception) -> str:
    """Why there was no connection, or why it ended, for a sentence that begins with the receiver's name."""
    import os
    import socket
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted: {error.verify_message}; name its issuer: certificate_authority"
    if isinstance(error, ssl.SSLError):
        return f"does not speak TLS as it should ({getattr(error, 'reason', None) or error})"
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "closed the connection"
    if isinstance(error, socket.gaierror):
        return f"{error.strerror}; check the name"
    if isinstance(error, UnicodeError):
        return "is not the name of a host that can be looked up; check it"
    number = getattr(error, "errno", None)
    # Some libraries put words of their own into it, such as asyncio: Connect call failed.
    said = os.strerror(number) if number else str(error)
    return f"{said}; check that it runs there, and its port" if isinstance(error, ConnectionRefusedError) else said
