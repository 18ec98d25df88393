"""Keeps a network that was trained elsewhere as a model, beside the crops that its threshold is chosen from.

Which crops are held out is decided as in a training here: by groups of near-duplicates, or by a list. Only what the
network has not learned from tells how it scores what is new.
"""

from __future__ import annotations

import logging
import re
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from monitor.errors import ConfigurationError, DataError, InputMissingError, PluginError
from monitor.files.text import printable
from monitor.models.training import TrainingData, fit, keep

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from monitor.api import Detector
    from monitor.crops.in_memory import ReadCrops
    from monitor.models.folders import SavedModel
    from monitor.registry import Registry
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

# A detector learns the mean crop and the like from so many of the crops; more would change it by less than a level.
MOST_CROPS: Final = 1000
# What a model may be called before the twelve digits of its fingerprint.
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# A list of digests of a million crops has 65 MB.
LARGEST_LIST: Final = 1 << 28


def importer(registry: Registry, name: str | None) -> type[Detector]:
    """The detector that takes a file: the one of this name, or the only one that imports models."""
    names = registry.imported()
    if name is not None and name not in names:
        registry.detector_class(name)
        raise PluginError(f"the detector {name!r} imports no models; those that do: {', '.join(names) or 'none'}")
    if not names:
        # One that is there but cannot be imported says why.
        for one in registry.detectors:
            registry.detector_class(one)
        raise PluginError("no detector that is installed imports models; install a plug-in that does, or this one anew")
    if name is None and len(names) > 1:
        raise PluginError(f"several detectors import models: {', '.join(names)}; name one with --importer")
    return registry.detector_class(name or names[0])


def require_name(registry: Registry, name: str | None, detector: str) -> None:
    """Raise `ConfigurationError` for a name that a model cannot have, or that would stand for another detector."""
    if name is None:
        return
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"--name {printable(name)!r}: a name has at most 40 small letters, digits, dashes and underscores, and "
            "begins with a letter or digit"
        )
    if name != detector and name in registry.detectors:
        raise ConfigurationError(f"--name {name}: is the name of a detector; give another one")


def listed_digests(file: Path) -> frozenset[str]:
    """The sha256 that begin the lines of a file, as a model's ``validation.txt`` has them, or sha256sum prints them."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputMissingError(
                f"{printable(file)}: is no regular file; write the list into one, one sha256 of a held-out crop a line"
            )
        if status.st_size > LARGEST_LIST:
            raise DataError(f"{printable(file)}: is too large for a list of crops; give one sha256 a line")
        # Windows' editors put a mark before the first line.
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise InputMissingError(
            f"{printable(file)}: cannot be read: {error.strerror}; it should list the held-out crops, one sha256 a line"
        ) from None
    digests = set()
    for number, line in enumerate(lines, 1):
        # sha256sum marks a name that it had to escape with a backslash before the digest.
        digest = "".join(line.split(maxsplit=1)[:1]).removeprefix("\\").lower()
        if digest and not re.fullmatch("[0-9a-f]{64}", digest):
            raise DataError(
                f"{printable(file)}:{number}: begins with no sha256 of a crop; make the list with: sha256sum FILE..."
            )
        digests.add(digest)
    return frozenset(digests - {""})


def split_as_listed(crops: ReadCrops, held_out: Collection[str], file: Path) -> TrainingData:
    """Hold out the crops of these digests.

    Raises `DataError` where these are all crops, fewer than two, or fewer than half of the digests are crops.
    """
    found = len(frozenset(held_out).intersection(crops.digests))
    chosen = np.array([digest in held_out for digest in crops.digests])
    if chosen.all():
        raise DataError(
            f"{printable(file)}: all of the {len(chosen)} crops of train/ are listed as held out; list those that the "
            "network has not learned from"
        )
    told = f"{printable(file)}: {found} of {len(held_out)} listed digests are crops of train/"
    if found < 2 or found * 2 < len(held_out):
        raise DataError(
            f"{told}, and at least 2 and half of them have to be; make the list from the files that are there: "
            "sha256sum FILE..."
        )
    log.log(logging.WARNING if found < len(held_out) else logging.INFO, "%s", told)
    return TrainingData(crops.those(~chosen), crops.those(chosen), np.arange(int((~chosen).sum())))


def import_model(
    detector: Detector,
    data: TrainingData,
    *,
    name: str | None,
    seed: int,
    database: Database,
    models_folder: Path,
) -> SavedModel:
    """Let an imported detector learn what it still needs, and keep it as a model; interrupted, it leaves nothing.

    ``name``: what the model is called, before its fingerprint; None: as its detector.
    """
    few = replace(data, train=_some(data.train, seed), validation=_some(data.validation, seed))
    report = fit(detector, few, seed=seed, progress=lambda _report: None)
    return keep(detector, data, report, database, models_folder, name=name)


def _some(crops: ReadCrops, seed: int) -> ReadCrops:
    """At most `MOST_CROPS` of the crops, drawn at random."""
    rows = np.random.default_rng(seed).permutation(len(crops.pixels))
    return crops.those((rows < MOST_CROPS).tolist())
