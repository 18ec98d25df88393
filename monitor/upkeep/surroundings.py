"""What a configuration that is right in itself would meet on this machine: folders, the clock, the port, the database.

Each finding is a sentence that begins with the key. None of them keeps the program from starting for certain: a share
may be mounted later, and another user may have other permissions.
"""

from __future__ import annotations

import errno
import os
import socket
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.configuration.environment import ENVIRONMENT_PREFIX
from monitor.configuration.file import PATH_VARIABLE
from monitor.configuration.settings import Paths, Settings
from monitor.crops.identity import IdentityPattern
from monitor.errors import MonitorError
from monitor.files.ignoring import IgnoredNames
from monitor.files.text import printable
from monitor.files.walking import crop_files
from monitor.store.database.engine import Database
from monitor.store.database.lock import owner
from monitor.store.database.upgrade import current_revision, require_current

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.configuration.resolved import Configuration

# So many names of the inbox are looked at to see whether they can be read.
NAMES_TRIED: Final = 200
# Other variables of ours that are no keys.
OTHER_VARIABLES: Final = frozenset({PATH_VARIABLE, "MONITOR_TESTS_REQUIRE"})


def findings(configuration: Configuration | None) -> Iterator[str]:
    """A sentence for everything that will probably not work on this machine, or not as it is meant.

    Without a configuration that can be used, of the variables alone.
    """
    if configuration is not None:
        yield from _inbox(configuration)
        yield from _other_folders(configuration)
        yield from _clock(configuration)
        running = False
        try:
            running = _is_served(configuration)
        except MonitorError as error:
            yield f"database.url: {error}"
        yield from _endpoint(configuration, running=running)
    yield from _variables()


def _inbox(configuration: Configuration) -> Iterator[str]:
    inbox, shown = configuration.inbox, printable(configuration.inbox)
    if not inbox.exists():
        yield f"paths.inbox: {shown} does not exist; mount the share or correct the path (monitor run creates a folder)"
        return
    if problem := _unreadable(inbox):
        yield f"paths.inbox: {shown} {problem}"
        return
    moves = configuration.settings.inbox.after != "keep" or configuration.quarantine is not None
    if moves and not os.access(inbox, os.W_OK):
        yield f"paths.inbox: {shown} may not be written, but inbox.after or paths.quarantine moves files out of it"
    crops = configuration.settings.crops
    files = crop_files(inbox, lambda _folder, _error: None, IgnoredNames(crops.ignore))
    names = [os.path.basename(path) for path in islice(files, NAMES_TRIED)]  # noqa: PTH119 - plain text is enough
    if not names:
        yield f"paths.inbox: {shown} has no crops in it; is it the folder that the camera writes to?"
        return
    pattern = IdentityPattern(crops.name_pattern, crops.time_format, configuration.time_zone)
    read = [pattern.parse(name) for name in names]
    if not any(one.hole is not None or one.camera or one.captured_at for one in read):
        yield (
            f"crops.name_pattern: matches none of the first {len(names)} names in {shown}, such as "
            f"{printable(names[0])}; their hole, camera and time stay unknown"
        )


def _unreadable(folder: Path) -> str | None:
    if not folder.is_dir():
        return "is not a folder"
    if not os.access(folder, os.R_OK | os.X_OK):
        return "may not be read; give the user that runs monitor permission"
    return None


def _other_folders(configuration: Configuration) -> Iterator[str]:
    written = {
        "paths.state": configuration.state,
        "paths.quarantine": configuration.quarantine,
        "paths.archive": configuration.archive,
    }
    for key, folder in written.items():
        if folder is not None and (problem := _unwritable(folder)):
            yield f"{key}: {printable(folder)} {problem}"
    labelled = configuration.labelled
    if labelled is not None and labelled.exists() and (problem := _unreadable(labelled)):
        yield f"paths.labelled: {printable(labelled)} {problem}"
    elif labelled is not None and not labelled.exists() and configuration.settings.paths.labelled != Paths().labelled:
        yield f"paths.labelled: {printable(labelled)} does not exist; create it, or correct the path"
    if configuration.certificate is not None:
        for key, file in zip(("certificate", "key"), configuration.certificate, strict=True):
            if not os.access(file, os.R_OK):
                what = "may not be read" if file.exists() else "does not exist"
                yield f"metrics.{key}: {printable(file)} {what}; correct the path or the permissions"


def _unwritable(folder: Path) -> str | None:
    """Why a folder could not be written, or created where it is missing."""
    if folder.exists():
        if not folder.is_dir():
            return "is not a folder"
        writable = os.access(folder, os.W_OK | os.X_OK)
        return None if writable else "may not be written; give the user that runs monitor permission"
    parent = next(one for one in folder.parents if one.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return None
    return f"does not exist and cannot be created in {printable(parent)}; create it and give the user permission"


def _clock(configuration: Configuration) -> Iterator[str]:
    """Compared by what the clocks show, now and in half a year: one zone has many names."""
    zone = configuration.time_zone
    for moment in (now := datetime.now(UTC), now + timedelta(days=182)):
        ours, machine = moment.astimezone(zone), moment.astimezone()
        if ours.utcoffset() != machine.utcoffset():
            yield (
                f"plant.time_zone: is {zone.key} ({_offset(ours)}), but this machine's clock is in {_machine_zone()} "
                f"({_offset(machine)}); times in file names are read as {zone.key}, which has to be the cameras' zone"
            )
            return


def _offset(moment: datetime) -> str:
    return moment.isoformat()[-6:]


def _machine_zone() -> str:
    """The name of this machine's time zone, where it tells."""
    if name := os.environ.get("TZ", "").lstrip(":"):
        return name
    _, found, name = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")
    return name if found else "another time zone"


def _is_served(configuration: Configuration) -> bool:
    """Whether a daemon works on the database; raises `MonitorError` where it cannot be used as it is."""
    database = Database(configuration.database_url, busy_seconds=1)
    try:
        if database.exists and current_revision(database) is not None:
            require_current(database)
        return owner(database) is not None
    finally:
        database.close()


def _endpoint(configuration: Configuration, *, running: bool) -> Iterator[str]:
    """Whether the metrics' address can be bound; that of a running daemon is taken by it."""
    metrics = configuration.settings.metrics
    if not metrics.enabled or not metrics.port or running:
        return
    try:
        family, kind, *_, address = socket.getaddrinfo(
            metrics.host, metrics.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address[:2])
            # Two programs may bind one address; only one may listen.
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            yield f"metrics.port: {metrics.port} is in use by another program; choose another port, or stop it"
        else:
            yield f"metrics.host: {metrics.host}, port {metrics.port}: cannot be bound: {error.strerror or error}"


def _variables() -> Iterator[str]:
    """Variables that look like ours and do nothing."""
    for name in sorted(os.environ):
        upper = name.upper()
        if upper.startswith("MONITOR_") and not upper.startswith(ENVIRONMENT_PREFIX) and upper not in OTHER_VARIABLES:
            parts = upper.removeprefix("MONITOR_").lower().split("_", 1)
            section = Settings.model_fields.get(parts[0])
            keys = getattr(section.annotation, "model_fields", {}) if section else {}
            meant = f"; did you mean {ENVIRONMENT_PREFIX}{'__'.join(parts).upper()}?" if parts[-1] in keys else ""
            yield f"environment: {name} is not used: keys are given as {ENVIRONMENT_PREFIX}SECTION__KEY{meant}"
