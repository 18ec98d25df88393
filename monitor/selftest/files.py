"""The files of self-tests: written into the inbox as a camera should, and taken out of it whatever happens."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.errors import ConfigurationError, InputMissingError, OutputError
from monitor.files.ignoring import IgnoredNames
from monitor.files.text import from_text, printable
from monitor.store import selftests

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.selftest.choice import Chosen
    from monitor.store.database.engine import Database

_PNG = b"\x89PNG"


def place_for(configuration: Configuration, chosen: Chosen) -> Path:
    """A path in the inbox that no file has, and that nobody can guess.

    Raises `InputMissingError` if there is no inbox, `ConfigurationError` if files of this name are ignored there.
    """
    inbox = configuration.inbox
    if not inbox.is_dir():
        raise InputMissingError(
            f"{printable(inbox)}: leg folder: the inbox is not there; is its share mounted? (paths.inbox)"
        )
    suffix = "png" if chosen.content.startswith(_PNG) else "jpg"
    path = inbox / f"{selftests.NAME}{secrets.token_hex(16)}-{chosen.label.value}.{suffix}"
    if path.name in IgnoredNames(configuration.settings.crops.ignore):
        raise ConfigurationError(
            f"{configuration.source}: crops.ignore: leg folder: the daemon ignores files such as {path.name}; leave "
            "out the pattern that fits it"
        )
    return path


def write(path: Path, content: bytes) -> None:
    """Write a file under a hidden name and rename it, readable for everybody; raises `OutputError`."""
    part = _part(path)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            # The daemon may be another user, and its files are not to be read by others by a mask alone.
            os.fchmod(descriptor, 0o644)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        part.rename(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise OutputError(
            f"{printable(path.parent)}: leg folder: a crop cannot be written there: {error.strerror}; run the "
            "self-test as a user who may write into the inbox, as cameras do"
        ) from None


def remove(database: Database, *, selftest_id: int | None = None) -> None:
    """Take out of the inbox what self-tests that are over have left; ``selftest_id``: one that ends now.

    Only a file that still has the self-test's own content goes. Raises `StoreError`, and `OutputError` where one stays.
    """
    now = datetime.now(UTC)
    with database.read() as connection:
        rows = selftests.left(connection, now - selftests.GRACE)
        if selftest_id is not None:
            rows += list(selftests.crops_of(connection, selftest_id).values())
    stays = None
    for row in rows:
        try:
            _remove(from_text(row.path), row.sha256)
        except OSError as error:
            stays = stays or OutputError(
                f"{printable(row.path)}: this file of a self-test cannot be removed: {error.strerror}; remove it by "
                "hand, or the next self-test will try"
            )
            continue
        with database.write() as connection:
            selftests.note(connection, row, removed_at=now)
    if stays is not None:
        raise stays


def _remove(path: Path, sha256: str) -> None:
    with suppress(FileNotFoundError):
        _part(path).unlink()
    with suppress(FileNotFoundError):
        if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            path.unlink()


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}")
