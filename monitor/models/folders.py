"""Writes and verifies model folders. There is no pickle in them, and a flipped byte is noticed before a model is used.

A model's folder holds ``model.json`` (the detector, its settings, the sha256 of every other file, and a name if the
model was given one), the detector's own files below ``detector/``, ``training.txt`` and ``validation.txt`` (the sha256
of each crop that was trained on, or held out) and ``training.json`` (the loss curves); where the detector learned from
proliv, also ``proliv.json`` (the sha256 of each, with its cross-fitted scores), and where it learned from labels of
crops in operation, ``labels.json`` (the same, by label). The fingerprint is the sha256 of ``model.json``, so it covers
all of it. Nothing in the folder depends on the clock or on paths: the same training gives the same fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.api import EpochReport, FitReport
from monitor.errors import ModelDamagedError, OutputError
from monitor.files.folders import flush, make_folder, unfinished_folder
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from monitor.api import Detector, Scores
    from monitor.store.models import ModelRow

FORMAT: Final = 1
MANIFEST: Final = "model.json"
DETECTOR_FOLDER: Final = "detector"
VALIDATION_LIST: Final = "validation.txt"
TRAINING_LIST: Final = "training.txt"
TRAINING_REPORT: Final = "training.json"
PROLIV_SCORES: Final = "proliv.json"
LABEL_SCORES: Final = "labels.json"


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


class Learned(NamedTuple):
    """The sha256 of what a model learned beside normal crops.

    ``proliv``: of proliv/. ``confirmed``: labelled proliv in operation. ``false_alarms``: labelled ne_proliv there.
    """

    proliv: Sequence[str] = ()
    confirmed: Sequence[str] = ()
    false_alarms: Sequence[str] = ()


class TrainedOn(NamedTuple):
    """The sha256 of the crops that a model has seen in training.

    ``normal``, ``proliv``: those of a labelled folder. ``labels``: by the label that they had, those that were labelled
    in operation, with their cross-fitted scores.
    """

    normal: Collection[str] = ()
    proliv: Collection[str] = ()
    labels: Mapping[Label, Mapping[str, CrossFitted]] = MappingProxyType({})

    def labelled(self, label: Label) -> Mapping[str, CrossFitted]:
        """What was learned from crops with this label."""
        return self.labels.get(label, {})


def save(
    models_folder: Path,
    detector: Detector,
    *,
    validation: Sequence[str],
    report: FitReport,
    training: Sequence[str] = (),
    learned: Learned | None = None,
    name: str | None = None,
) -> SavedModel:
    """Write a trained detector; the folder appears under its name only when it is whole.

    ``validation``: the sha256 of the held-out crops; ``training``: of those that it was trained on; ``learned``: of
    what the report has cross-fitted scores of, in their order; ``name``: what the model is called before its
    fingerprint, by default the detector's name. Raises `OutputError` when the disk refuses.
    """
    make_folder(models_folder)
    try:
        with unfinished_folder(models_folder) as unfinished:
            _write_digests(unfinished / VALIDATION_LIST, validation)
            _write_digests(unfinished / TRAINING_LIST, training)
            _write_learned(unfinished, learned or Learned(), report)
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
    normal, proliv = training_digests(models_folder, row), cross_fitted(models_folder, row).keys()
    return TrainedOn(normal, proliv, learned_labels(models_folder, row))


def learned_labels(models_folder: Path, row: ModelRow) -> dict[Label, dict[str, CrossFitted]]:
    """By label, the cross-fitted scores of the crops labelled in operation that a model learned from, by sha256."""
    file = folder_of(models_folder, row) / LABEL_SCORES
    return {Label(label): _scores_of(found, file) for label, found in _read(file).items()}


def cross_fitted(models_folder: Path, row: ModelRow) -> dict[str, CrossFitted]:
    """The cross-fitted scores of the proliv that a model learned from, by their sha256; empty where it did not."""
    file = folder_of(models_folder, row) / PROLIV_SCORES
    return _scores_of(_read(file), file)


def _read(file: Path) -> dict[str, Any]:
    """A file with an object in JSON; an empty one where there is no file."""
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from None
    if not isinstance(found, dict):
        raise _unreadable(file, TypeError("it holds no object"))
    return found


def _scores_of(found: dict[str, Any], file: Path) -> dict[str, CrossFitted]:
    try:
        return {digest: CrossFitted(**scores) for digest, scores in found.items()}
    except (TypeError, AttributeError) as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> ModelDamagedError:
    return ModelDamagedError(f"{file}: cannot be read: {error}; restore it from a backup, or train again")


def _write_learned(folder: Path, learned: Learned, report: FitReport) -> None:
    """Write the cross-fitted scores of all that was learned by heart, where there is any."""
    if report.cross_fitted is not None:
        scores = _pairs(report.cross_fitted)
        known = len(learned.proliv)
        (folder / PROLIV_SCORES).write_bytes(_json(_by_content(learned.proliv, scores[:known])))
        confirmed = _by_content(learned.confirmed, scores[known:])
        normal = report.cross_fitted_normal
        false_alarms = {} if normal is None else _by_content(learned.false_alarms, _pairs(normal))
        if confirmed or false_alarms:
            found = {Label.PROLIV: confirmed, Label.NE_PROLIV: false_alarms}
            (folder / LABEL_SCORES).write_bytes(_json(found))


def _pairs(scores: Scores) -> list[CrossFitted]:
    return list(map(CrossFitted, scores.deciding.tolist(), scores.mse.tolist()))


def _by_content(digests: Sequence[str], scores: Sequence[CrossFitted]) -> dict[str, dict[str, float]]:
    """Each content once; copies are in one group, so they have one score."""
    return {digest: one._asdict() for digest, one in zip(digests, scores, strict=True)}


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
