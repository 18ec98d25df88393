"""One batch of crops: read -> score -> decide -> store. `monitor score` and the daemon both run these stages.

The stages are functions over a list of `Work`, one for each crop, which each stage fills further. A crop that
fails carries its refusal through the rest; it never stops its batch. Reading and scoring may run in other processes
(`monitor.scoring.pools.processes`); deciding and storing are the program's own.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from monitor.api import SMALLEST_CROP
from monitor.crops.loader import CropReader, Decoded, FileContent, Identity, IdentityPattern, printable, to_text
from monitor.errors import CropRefusedError
from monitor.scoring import lookup
from monitor.scoring.ensemble import Decision
from monitor.scoring.vote import verdict
from monitor.store import decisions as queries
from monitor.store import labelled_files
from monitor.store.decisions import CropKey, CropRow, Recorded, ScoreRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from monitor.api import Detector
    from monitor.configuration.file import Configuration
    from monitor.crops.dataset import Label
    from monitor.inbox.tidier import Archive
    from monitor.scoring.ensemble import Ensemble
    from monitor.scoring.vote import Outcome
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)

Source = Literal["inbox", "folder"]
"""Where a crop was found: by the daemon, or in a folder that was scored by hand."""

MEASURE_BATCH: Final = 256
LONGEST_MESSAGE: Final = 500


Scored: TypeAlias = tuple[float, float]
"""What a model says of a crop: the mean squared error, and the score that decides."""


@dataclass(slots=True)
class Work:
    """One crop on its way through the pipeline."""

    path: str
    seen_at: datetime
    identity: Identity
    content: FileContent | None = None
    """What was read, without its bytes."""
    decoded: Decoded | None = None
    """Its pixels, until it has been scored."""
    ended: bool | None = None
    """Whether the file carries its format's end mark; None where it could not be decoded, or is too small."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels."""
    refusal: CropRefusedError | None = None
    scores: dict[int, Scored | CropRefusedError] = field(default_factory=dict)
    """What each model says of it, by the model's id."""
    source: Source = "inbox"
    label: Label | None = None
    """What the labelled folder that it lies in says of it."""
    decisions: list[Decision] = field(default_factory=list)
    final: Outcome | None = None
    decided_at: datetime | None = None

    @property
    def failed(self) -> bool:
        """Whether no model decided on it."""
        return self.refusal is not None and not self.decisions

    @property
    def latency_seconds(self) -> float:
        """Seconds from the file's last change (writing, renaming) to the decision; 0 before it."""
        if self.content is None or self.decided_at is None:
            return 0.0
        return max(0.0, self.decided_at.timestamp() - self.content.ctime_ns / 1e9)


class Reader:
    """The first stage: a path -> bytes, digest, identity, pixels."""

    def __init__(self, configuration: Configuration) -> None:
        """Read with the limits and the name pattern of the configuration."""
        settings = configuration.settings.crops
        self.crops = CropReader(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
        self.pattern = IdentityPattern(settings.name_pattern, settings.time_format, configuration.time_zone)

    def read(self, path: str | Path, *, label: Label | None = None) -> Work:
        """Read and decode one crop, seen now; a refusal is kept in the work, never raised."""
        name = os.fspath(path)
        work = Work(name, datetime.now(UTC), self.pattern.parse(name.rpartition("/")[2]), label=label)
        try:
            content = self.crops.load(name)
            # The bytes are not needed any more, and a batch of large files would fill the memory.
            work.content = FileContent(b"", *content[1:])
            decoded = self.crops.decode(content)
        except CropRefusedError as refusal:
            work.refusal = refusal
            return work
        work.size = size = decoded.width, decoded.height
        if min(size) < SMALLEST_CROP:
            work.refusal = _too_small(size)
        else:
            work.decoded, work.ended = decoded, decoded.ended
        return work


Flat: TypeAlias = "tuple[Any, ...]"


def flat(work: Work) -> Flat:
    """What was read and scored of a crop, to be sent to another process; our own classes would take thrice as long."""
    content = work.content and work.content[1:]
    return tuple(work.identity), content, work.ended, work.size, work.refusal, work.scores


def restored(path: str, seen_at: datetime, values: Flat) -> Work:
    """The crop that `flat` was made of, seen then."""
    identity, content, ended, size, refusal, scores = values
    read = content and FileContent(b"", *content)
    return Work(path, seen_at, Identity(*identity), read, None, ended, size, refusal, scores)


def _too_small(size: tuple[int, int]) -> CropRefusedError:
    sentence = f"{size[0]}x{size[1]} pixels are too few to judge; a side needs at least {SMALLEST_CROP}"
    return CropRefusedError("too_small", sentence)


def score(batch: Sequence[Work], ensemble: Ensemble) -> None:
    """Score and decide every decoded crop of the batch with every model, and make the final decision."""
    ask(batch, {model.id: model.detector for model in ensemble.models})
    decide(batch, ensemble)


def ask(batch: Sequence[Work], detectors: Mapping[int, Detector]) -> None:
    """Let every detector, by its model's id, score the decoded crops; afterwards they have no pixels any more.

    A model that has decided on a crop before is not asked again.
    """
    readable = [work for work in batch if work.decoded is not None]
    for model_id, detector in detectors.items():
        asked = [work for work in readable if all(one.model.id != model_id for one in work.decisions)]
        pixels = [work.decoded.pixels for work in asked if work.decoded is not None]
        holes = [work.identity.hole for work in asked]
        for work, outcome in zip(asked, _score_each(detector, pixels, holes), strict=True):
            work.scores[model_id] = outcome
    for work in readable:
        work.decoded = None  # the pixels are the bulk of a batch and no longer needed


def decide(batch: Sequence[Work], ensemble: Ensemble) -> None:
    """Hold the scores against the thresholds, and make the final decision on each crop that a model scored.

    A crop that a model refuses is decided by the others; one that all refuse has failed.
    """
    now = datetime.now(UTC)
    for work in batch:
        if not work.scores:
            continue
        before = {one.model.id: one for one in work.decisions}
        work.decisions = []
        for model in ensemble.models:
            outcome = work.scores.get(model.id)
            if isinstance(outcome, tuple):
                mse, score = outcome
                work.decisions.append(Decision(model, mse, score, model.threshold, verdict(score, model.threshold)))
            elif outcome is not None:
                work.refusal = outcome
            elif model.id in before:
                work.decisions.append(before[model.id])
        if work.decisions:
            work.final = ensemble.final(work.decisions)
            work.decided_at = now


def store(database: Database, batch: Sequence[Work], archive: Archive | None = None) -> Recorded:
    """Commit the batch in one transaction, with the place in the ``archive``; return what was not stored before.

    A file that vanished before it could be read leaves no row: there is nothing to remember of it. A labelled file
    gives its label to the crop of its content, or becomes one itself where there is none.
    """
    present = [work for work in batch if not (work.refusal and work.refusal.reason == "vanished")]
    crops = [row(work, archive) for work in present if work.label is None]
    labelled = [(work.label.value, row(work)) for work in present if work.label is not None]
    # A file that was moved from one label to the other lies in one of them. Looked for before the transaction: a share
    # that does not answer must not hold the database's only lock for writing.
    moved = lookup.moved_away(database, {crop.sha256 for _, crop in labelled if crop.sha256}) if labelled else []
    with database.write() as connection:
        recorded = queries.record(connection, crops)
        if not labelled:
            return recorded
        # After the others: one of them may be of the same content, and is then the crop that the label is about.
        taken = labelled_files.take_labelled(connection, labelled)
        labelled_files.forget_files(connection, moved)
    return Recorded({**recorded.decided, **taken.decided}, recorded.failed | taken.failed)


def row(work: Work, archive: Archive | None = None) -> CropRow:
    """The crop's row with its decisions and the final one, or with its failure.

    With an ``archive``, a decided crop of the inbox has the place there that its file will be moved to.
    """
    content = work.content
    size_bytes, mtime_ns = lookup.content_signature(content) if content else lookup.signature(work.path) or (0, 0)
    refusal = None if work.decisions else work.refusal
    final = work.final
    place = None
    if archive is not None and final is not None and work.label is None and work.source == "inbox":
        place = archive.place(work.seen_at, final.verdict.value, work.path.rpartition("/")[2])
    return CropRow(
        path=to_text(work.path),
        sha256=content.sha256 if content else "",
        size_bytes=size_bytes,
        mtime_ns=mtime_ns,
        width=work.size[0] if work.size else None,
        height=work.size[1] if work.size else None,
        hole=work.identity.hole,
        camera=work.identity.camera,
        captured_at=work.identity.captured_at,
        seen_at=work.seen_at,
        reason=refusal.reason if refusal else None,
        error=str(refusal) if refusal else None,
        verdict=final.verdict.value if final else None,
        decision_score=final.score if final else None,
        decision_threshold=final.threshold if final else None,
        decided_by=final.decided_by if final else None,
        source=work.source if work.label is None else "labelled",
        archived_path=to_text(place) if place else None,
        scores=_score_rows(work),
    )


def _score_rows(work: Work) -> tuple[ScoreRow, ...]:
    at = work.decided_at
    if at is None:
        return ()
    latency = work.latency_seconds
    return tuple(
        ScoreRow(model.id, model.calibration_id, mse, score, threshold, label.value, at, latency)
        for model, mse, score, threshold, label in work.decisions
    )


def key(work: Work) -> CropKey:
    """(path, sha256): what names a crop in the store."""
    return to_text(work.path), work.content.sha256 if work.content else ""


class Measured(NamedTuple):
    """The scores of N crops, each float64 (N,): the mean squared error and the one that decides."""

    mse: NDArray[np.float64]
    deciding: NDArray[np.float64]


def measure(
    detector: Detector, pixels: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]
) -> NDArray[np.float64]:
    """The deciding scores of `measure_both` alone."""
    return measure_both(detector, pixels, holes).deciding


def measure_both(detector: Detector, pixels: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]) -> Measured:
    """The scores of decoded crops, each uint8 (h, w, 3); for calibration and evaluation.

    NaN where the detector refuses a crop, which is warned of.
    """
    import numpy as np

    measured = Measured(np.full(len(pixels), np.nan), np.full(len(pixels), np.nan))
    for start in range(0, len(pixels), MEASURE_BATCH):
        batch = slice(start, start + MEASURE_BATCH)
        for index, outcome in enumerate(_score_each(detector, pixels[batch], holes[batch]), start):
            if isinstance(outcome, CropRefusedError):
                log.warning("crop %d of %d is left out: %s", index + 1, len(pixels), outcome)
            else:
                measured.mse[index], measured.deciding[index] = outcome
    return measured


def _score_each(
    detector: Detector, pixels: Sequence[NDArray[np.uint8]], holes: Sequence[int | None]
) -> list[Scored | CropRefusedError]:
    """Score decoded crops together; where that fails, one by one, so that only the cause has a refusal."""
    if not pixels:
        return []
    try:
        scores = detector.score(detector.prepare_batch(pixels, holes))
        scores.check(len(pixels))
    except Exception as error:  # noqa: BLE001 - a detector is a third party's code and may raise anything
        if len(pixels) == 1:
            return [_detector_refusal(detector, error)]
        alone = zip(pixels, holes, strict=True)
        return [outcome for one, hole in alone for outcome in _score_each(detector, [one], [hole])]
    return list(zip(scores.mse.tolist(), scores.deciding.tolist(), strict=True))


def _detector_refusal(detector: Detector, error: Exception) -> CropRefusedError:
    # A third party's words go into the log and the database, and its reasons would become labels of a metric.
    words = printable(str(error))[:LONGEST_MESSAGE]
    if isinstance(error, CropRefusedError):
        return CropRefusedError("detector_refused", f"the detector {detector.name} refuses it: {words}")
    log.warning("the detector %s failed on a crop: %s: %s", detector.name, type(error).__name__, words)
    return CropRefusedError("detector_error", f"the detector {detector.name} failed: {type(error).__name__}: {words}")
