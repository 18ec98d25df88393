"""The certificate of a server and its key."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from monitor.errors import ConfigurationError, InputMissingError
from monitor.files.text import printable

if TYPE_CHECKING:
    from pathlib import Path


def server_context(certificate: Path, key: Path, section: str) -> ssl.SSLContext:
    """The server's side of TLS. ``section``: that of the configuration which names the files, for messages.

    Raises `InputMissingError` and `ConfigurationError`, naming key and path.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_certificate(context, certificate, key, section)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path, section: str) -> None:
    """Give a context a certificate, or another one for connections from now on; raises the same."""
    for name, path in (("certificate", certificate), ("key", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise InputMissingError(
                f"{section}.{name} {printable(path)}: cannot be read: {error.strerror}; give the user who runs this "
                "program read permission, or correct the path"
            ) from None
    try:
        # Without this, the password of a protected key would be asked for on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        # OpenSSL gives no reason for a file in which it finds nothing.
        reason = str(getattr(error, "reason", None) or "not in PEM format").replace("_", " ").lower()
        raise ConfigurationError(
            f"{section}.certificate {printable(certificate)}, {section}.key {printable(key)}: are not a certificate "
            f"and its key ({reason}); give two files in PEM format that belong together, the key without a password"
        ) from None
