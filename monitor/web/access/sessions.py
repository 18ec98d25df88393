"""Logins: a signed cookie says who it is, until it is too old, the password changes, or the person logs out."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final

from itsdangerous import BadData, URLSafeTimedSerializer

from monitor.errors import ConfigurationError, OutputError
from monitor.files.ownership import give_same_owner
from monitor.files.text import printable
from monitor.web.access.users import same

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.web.access.users import User, Users

SECONDS: Final = 12 * 3600
KEY_FILE: Final = "web.key"
# Logins that ended before their time, as long as the program runs; the oldest are forgotten.
MOST_ENDED: Final = 10_000
LONGEST_COOKIE: Final = 4096


class Sessions:
    """Issues cookies and reads them."""

    def __init__(self, key: bytes) -> None:
        self._signer = URLSafeTimedSerializer(key, salt="monitor web", signer_kwargs={"digest_method": hashlib.sha256})
        # Cookies are shared by all ports of a host, and so by several pages on one machine.
        self.cookie: Final = f"monitor_{hashlib.sha256(b'cookie' + key).hexdigest()[:8]}"
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def issue(self, user: User) -> str:
        """The cookie of a new login."""
        return str(self._signer.dumps([user.name, user.stamp, secrets.token_hex(8)]))

    def user_of(self, cookie: str, users: Users) -> User | None:
        """Whose login that is; None where it holds no more. Raises `ConfigurationError` as `Users.find`."""
        if len(cookie) > LONGEST_COOKIE:
            return None
        try:
            name, stamp, number = self._signer.loads(cookie, max_age=SECONDS)
        except (BadData, ValueError, TypeError):
            return None
        with self._lock:
            if number in self._ended:
                return None
        user = users.find(name)
        return user if user is not None and same(user.stamp, stamp) else None

    def end(self, cookie: str) -> None:
        """End a login."""
        try:
            _, _, number = self._signer.loads(cookie[:LONGEST_COOKIE], max_age=SECONDS)
        except (BadData, ValueError, TypeError):
            return
        with self._lock:
            self._ended[number] = None
            while len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)


def key_in(state: Path) -> bytes:
    """The key that cookies are signed with, made where there is none.

    Raises `ConfigurationError` for one that others may read, and `OutputError` where none can be made.
    """
    path = state / KEY_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise OutputError(f"{printable(path)}: cannot be written: {error.strerror}; correct paths.state") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        give_same_owner(descriptor, state)
        key = secrets.token_hex(32)
        file.write(key)
        file.flush()
        os.fsync(descriptor)
    return key.encode("ascii")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            open_to_others = os.fstat(file.fileno()).st_mode & 0o077
            key = file.read(1000)
    except OSError as error:
        raise ConfigurationError(
            f"{printable(path)}: cannot be read: {error.strerror}; it has to belong to the user who runs monitor web"
        ) from None
    if open_to_others or len(key) != 64:
        why = "other users of this machine may read it" if open_to_others else "is not a key"
        raise ConfigurationError(f"{printable(path)}: {why}; remove it: a new one is made, and everybody logs in again")
    return key
