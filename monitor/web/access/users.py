"""The file of those who may use the page: made and changed by `monitor web user`, and read again when it changes."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import unicodedata
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from monitor.errors import ConfigurationError, DataError, OutputError
from monitor.files.ownership import give_same_owner
from monitor.files.replacing import write_private
from monitor.files.text import printable
from monitor.web.people import Person, Role
from monitor.words import LONGEST_AUTHOR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_USERS: Final = 1000
MOST_BYTES: Final = 2**20
# What tokens begin with, so that searches for leaked secrets find them.
BEGINNING: Final = "monitor_"

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class User(BaseModel):
    """Somebody who may use the page. ``password``: its hash. ``token``: the SHA-256 of a token for programs, if any."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=LONGEST_AUTHOR)
    role: Literal["viewer", "operator", "engineer"]
    password: str = Field(pattern=r"^\$argon2id\$", max_length=1000)
    token: Digest | None = None

    @property
    def person(self) -> Person:
        """Who that is for the pages."""
        return Person(self.name, Role[self.role.upper()])

    @property
    def stamp(self) -> str:
        """What changes with the password, and tells nothing about it."""
        return hashlib.sha256(self.password.encode()).hexdigest()[:16]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    version: Literal[1] = 1
    users: list[User] = Field(default_factory=list, max_length=MOST_USERS)


class Users:
    """The users as the file has them now; several threads may ask."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._read_as: tuple[int, ...] | None = None
        self._by_name: dict[str, User] = {}
        self._by_token: dict[str, User] = {}

    def find(self, name: str) -> User | None:
        """The user of this name; raises `ConfigurationError` where the file cannot be used."""
        self._refresh()
        return self._by_name.get(unicodedata.normalize("NFC", name))

    def of_token(self, token: str) -> User | None:
        """The user whose token this is; raises the same."""
        self._refresh()
        # Looked up by its digest, so how long that takes says nothing about those that exist.
        return self._by_token.get(digest_of(token))

    def count(self) -> int:
        """How many there are; raises the same."""
        self._refresh()
        return len(self._by_name)

    def _refresh(self) -> None:
        with self._lock:
            looks = _looks(self._path)
            if looks == self._read_as:
                return
            # While a file is broken nobody is known, whoever was before.
            self._read_as, self._by_name, self._by_token = None, {}, {}
            users = read(self._path)
            self._by_name = {user.name: user for user in users}
            self._by_token = {user.token: user for user in users if user.token is not None}
            self._read_as = looks


def _looks(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode


def read(path: Path) -> list[User]:
    """The users in a file; raises `ConfigurationError` where it cannot be used, and then nobody may be let in."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if mode & 0o077:
        raise ConfigurationError(
            f"web.users {printable(path)}: other users of this machine may read or change it, so it is not trusted; "
            f"look whether it was changed, then: chmod 600 {printable(path)}"
        )
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"web.users {printable(path)}: has more than {MOST_BYTES} bytes, which is no users")
    try:
        found = _File.model_validate_json(content).users
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ConfigurationError(
            f"web.users {printable(path)}: is not what monitor web user writes ({where + ': ' if where else ''}"
            f"{error.errors()[0]['msg']}); restore it, or remove it and add the users again"
        ) from None
    names = [user.name for user in found]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"web.users {printable(path)}: has two users of one name; remove one of them")
    return found


def _unreadable(path: Path, error: OSError) -> ConfigurationError:
    if isinstance(error, FileNotFoundError):
        return ConfigurationError(f"web.users {printable(path)}: is missing; make it: monitor web user add NAME")
    return ConfigurationError(
        f"web.users {printable(path)}: cannot be read: {error.strerror}; it has to belong to the user who runs "
        "monitor web"
    )


@contextmanager
def changing(path: Path) -> Iterator[dict[str, User]]:
    """The users by name, to be changed; they are written at the end. Others who change them wait.

    Raises `ConfigurationError` where the file cannot be used, and `OutputError` where it cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise OutputError(
            f"{printable(lock)}: cannot be written: {error.strerror}; make the folder of web.users, or run this as the "
            "user who may write there"
        ) from None
    try:
        give_same_owner(descriptor, path.parent)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        users = {user.name: user for user in read(path)} if path.exists() else {}
        yield users
        write_private(path, _File(users=list(users.values())).model_dump_json(indent=1).encode() + b"\n")
    finally:
        os.close(descriptor)


def checked_name(name: str) -> str:
    """A name as it is stored; raises `DataError` for one that nobody can have."""
    name = unicodedata.normalize("NFC", name.strip())
    if not name or len(name) > LONGEST_AUTHOR or printable(name) != name:
        raise DataError(
            f"{printable(name)!r} is not a name; give 1 to {LONGEST_AUTHOR} characters without backslashes and "
            "invisible ones"
        )
    return name


def new_token() -> tuple[str, str]:
    """A token, and what is stored of it. It is as good as random, so that a plain digest does not give it away."""
    token = BEGINNING + secrets.token_urlsafe(32)
    return token, digest_of(token)


def digest_of(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
