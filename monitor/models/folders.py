"""Writes and verifies model folders. There is no pickle in them, and a flipped byte is noticed before a model is used.

A model's folder holds ``model.json`` (the detector, its settings, the sha256 of every other file, and a name if the
model was given one), the detector's own files below ``detector/``, ``training.txt`` and ``validation.txt`` (the sha256
of each crop that was trained on, or held out) and ``training.json`` (the loss curves); where the detector learned from
proliv, also ``proliv.json`` (the sha256 of each, with its cross-fitted scores). The fingerprint is the sha256 of
``model.json``, so it covers all of it. Nothing in the folder depends on the clock or on paths: the same training gives
the same fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.api import EpochReport, FitReport
from monitor.errors import ModelDamagedError, OutputError
from monitor.files.folders import flush, make_folder, unfinished_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from monitor.api import Detector, Scores
    from monitor.store.models import ModelRow

FORMAT: Final = 1
MANIFEST: Final = "model.json"
DETECTOR_FOLDER: Final = "detector"
VALIDATION_LIST: Final = "validation.txt"
TRAINING_LIST: Final = "training.txt"
TRAINING_REPORT: Final = "training.json"
PROLIV_SCORES: Final = "proliv.json"


@dataclass(frozen=True)
class SavedModel:
    """A model on disk; ``name`` is the detector's name, or one that was given, and twelve digits of the fingerprint."""

    name: str
    detector: str
    fingerprint: str
    folder: Path
    settings: dict[str, Any]


class CrossFitted(NamedTuple):
    """What a proliv would score if the model had not learned from it or its like: the deciding score, and its mse."""

    score: float
    mse: float


class TrainedOn(NamedTuple):
    """The sha256 of the crops that a model has seen in training: those without proliv, and proliv."""

    normal: Collection[str] = ()
    proliv: Collection[str] = ()


def save(
    models_folder: Path,
    detector: Detector,
    *,
    validation: Sequence[str],
    report: FitReport,
    training: Sequence[str] = (),
    proliv: Sequence[str] = (),
    name: str | None = None,
) -> SavedModel:
    """Write a trained detector; the folder appears under its name only when it is whole.

    ``validation``: the sha256 of the held-out crops; ``training``: of those that it was trained on; ``proliv``: of the
    proliv that the report has cross-fitted scores of, in their order; ``name``: what the model is called before its
    fingerprint, by default the detector's name. Raises `OutputError` when the disk refuses.
    """
    make_folder(models_folder)
    try:
        with unfinished_folder(models_folder) as unfinished:
            _write_digests(unfinished / VALIDATION_LIST, validation)
            _write_digests(unfinished / TRAINING_LIST, training)
            if report.cross_fitted is not None:
                _write_cross_fitted(unfinished / PROLIV_SCORES, proliv, report.cross_fitted)
            return _write(unfinished, models_folder, detector, report, name)
    except OSError as error:
        raise OutputError(f"{models_folder}: the model cannot be written: {error.strerror}") from None


def folder_of(models_folder: Path, row: ModelRow) -> Path:
    """Where a model lies, whatever folder the store was in when it was trained."""
    return models_folder / Path(row.folder).name


def verify(folder: Path, fingerprint: str) -> dict[str, Any]:
    """Compare a model's folder with its fingerprint; return the content of ``model.json``.

    Raises `ModelDamagedError` naming the file that is not as it was trained.
    """
    remedy = "restore it from a backup, or train again and activate the new model"
    try:
        content = (folder / MANIFEST).read_bytes()
        if hashlib.sha256(content).hexdigest() != fingerprint:
            raise ModelDamagedError(f"{folder / MANIFEST}: is not the file that was trained; {remedy}")
        manifest: dict[str, Any] = json.loads(content)
        if manifest["format"] != FORMAT:
            raise ModelDamagedError(f"{folder}: has the format {manifest['format']}, this program reads {FORMAT}")
        found = _digests(folder)
    except FileNotFoundError as error:
        raise ModelDamagedError(f"{error.filename}: is missing; {remedy}") from None
    except OSError as error:
        raise ModelDamagedError(f"{error.filename}: cannot be read: {error.strerror}; {remedy}") from None
    expected: dict[str, str] = manifest["files"]
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            what = "is missing" if name not in found else "was added" if name not in expected else "was changed"
            raise ModelDamagedError(f"{folder / name}: {what} since the training; {remedy}")
    return manifest


def validation_digests(models_folder: Path, row: ModelRow) -> frozenset[str]:
    """The sha256 of the training crops that were held out."""
    folder = folder_of(models_folder, row)
    verify(folder, row.fingerprint)
    return frozenset((folder / VALIDATION_LIST).read_text(encoding="ascii").split())


def training_report(models_folder: Path, row: ModelRow) -> FitReport:
    """The loss curves that were saved with a model, whose folder has been verified."""
    report = json.loads((folder_of(models_folder, row) / TRAINING_REPORT).read_bytes())
    return FitReport(tuple(EpochReport(**epoch) for epoch in report["epochs"]), report["best_epoch"])


def training_digests(models_folder: Path, row: ModelRow) -> frozenset[str]:
    """The sha256 of the crops that a model was trained on; none where an earlier program did not keep them."""
    file = folder_of(models_folder, row) / TRAINING_LIST
    try:
        return frozenset(file.read_text(encoding="ascii").split())
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise ModelDamagedError(f"{file}: cannot be read: {error}; restore it from a backup, or train again") from None


def trained_on(models_folder: Path, row: ModelRow) -> TrainedOn:
    """The sha256 of all crops that a model was trained on."""
    return TrainedOn(training_digests(models_folder, row), cross_fitted(models_folder, row).keys())


def cross_fitted(models_folder: Path, row: ModelRow) -> dict[str, CrossFitted]:
    """The cross-fitted scores of the proliv that a model learned from, by their sha256; empty where it did not."""
    file = folder_of(models_folder, row) / PROLIV_SCORES
    try:
        return {digest: CrossFitted(**scores) for digest, scores in json.loads(file.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelDamagedError(f"{file}: cannot be read: {error}; restore it from a backup, or train again") from None


def _write_cross_fitted(file: Path, digests: Sequence[str], scores: Scores) -> None:
    """Each content once; copies are in one group, so they have one score."""
    pairs = zip(digests, scores.deciding.tolist(), scores.mse.tolist(), strict=True)
    file.write_bytes(_json({digest: CrossFitted(score, mse)._asdict() for digest, score, mse in pairs}))


def _write_digests(file: Path, digests: Sequence[str]) -> None:
    file.write_text("".join(f"{digest}\n" for digest in sorted(set(digests))), encoding="ascii")


def _write(
    unfinished: Path, models_folder: Path, detector: Detector, report: FitReport, own_name: str | None
) -> SavedModel:
    settings = detector.settings.model_dump(mode="json")
    (unfinished / DETECTOR_FOLDER).mkdir()
    detector.save(unfinished / DETECTOR_FOLDER)
    (unfinished / TRAINING_REPORT).write_bytes(_json(_curves(report)))
    files = _digests(unfinished)
    manifest = {"format": FORMAT, "detector": detector.name, "settings": settings, "files": files}
    # Under another name it is another model, so that a name always stands for the same fingerprint.
    content = _json(manifest if own_name is None else {**manifest, "name": own_name})
    (unfinished / MANIFEST).write_bytes(content)
    fingerprint = hashlib.sha256(content).hexdigest()
    name = f"{own_name or detector.name}-{fingerprint[:12]}"
    folder = models_folder / name
    _hand_over(unfinished, models_folder.parent)
    # What a power cut must not lose has to be on the disk before the store names it.
    for path in [*unfinished.rglob("*"), unfinished]:
        flush(path)
    if not _is_whole(folder, fingerprint):
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        flush(models_folder)
    return SavedModel(name, detector.name, fingerprint, folder, settings)


def _curves(report: FitReport) -> dict[str, Any]:
    """The loss curves, ready for JSON."""
    return {"epochs": [asdict(epoch) for epoch in report.epochs], "best_epoch": report.best_epoch}


def _hand_over(folder: Path, state: Path) -> None:
    """Let the owner of the state read a model, whichever user trained it; libraries write files for one user only."""
    owner = state.stat()
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        # Trained by root, beside a service that runs as another user.
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)


def _is_whole(folder: Path, fingerprint: str) -> bool:
    """Whether the same model lies there already; the daemon may be about to load it, so it is not touched."""
    try:
        verify(folder, fingerprint)
    except ModelDamagedError:
        return False
    return True


def _digests(folder: Path) -> dict[str, str]:
    """The sha256 of every file below a model's folder but ``model.json``, by its relative name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()
