"""Decided batches become rows, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.crops.refusals import lacks_memory
from monitor.files.looks import StoredLooks
from monitor.files.text import to_text
from monitor.scoring import lookup
from monitor.store import decisions, labelled_files, selftests
from monitor.store.decisions import CropRow, Recorded, ScoreRow
from monitor.words import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.errors import CropRefusedError
    from monitor.files.looks import Looks
    from monitor.scoring.batches import DecidedBatch
    from monitor.scoring.ensemble import Decision
    from monitor.store.crops import CropKey
    from monitor.store.database.engine import Database
    from monitor.store.decisions import Raised

    # (when a crop was seen, the verdict, the file's name) -> where its file will be moved to.
    Place = Callable[[datetime, str, str], Path]
    # (in the transaction, the rows, what of them is new) -> the alarms that were opened.
    Raise = Callable[[Connection, Sequence[CropRow], Recorded], Sequence[Raised]]
    # (in the transaction, the crops of self-tests): notes what became of them.
    Rehearse = Callable[[Connection, Sequence[CropRow]], None]

# What there is in a row of a file that could not be looked at, that was not decoded, and that was not decided on.
NEVER_SEEN: Final = StoredLooks(0, 0, None, None)
NO_SIZE: Final = None, None
NO_DECISION: Final = None, None, None, None


@dataclass(frozen=True)
class Committed:
    """A batch that is in the store.

    ``new``: by row of each unlabelled crop of which a decision was not stored before, the ids of those models.
    ``newly_failed``: the rows of crops whose failure was not stored before. ``at``: Unix time. ``ids``: by row, those
    of the crops that have a row of their own in the store. ``tests``: the rows of crops of a self-test, which count
    nowhere.
    """

    batch: DecidedBatch
    new: Mapping[int, Collection[int]]
    newly_failed: Collection[int]
    at: float
    ids: Mapping[int, int]
    tests: Collection[int] = frozenset()

    @classmethod
    def of(cls, batch: DecidedBatch, recorded: Recorded, at: float) -> Committed:
        """What of a batch is new, by what the store says was not there before."""
        files = batch.files
        keys = files.keys
        new = {
            row: models
            for row, key in enumerate(keys)
            if files.labels[row] is None and (models := recorded.decided.get(key))
        }
        newly_failed = frozenset(row for row in batch.refusals if keys[row] in recorded.failed)
        ids = {row: number for row, key in enumerate(keys) if (number := recorded.ids.get(key)) is not None}
        tests = frozenset(row for row, key in enumerate(keys) if key in recorded.tests) if recorded.tests else ()
        return cls(batch, new, newly_failed, at, ids, tests)


def record(
    database: Database,
    batches: Sequence[DecidedBatch],
    place: Place | None = None,
    raise_alarms: Raise | None = None,
    rehearse: Rehearse | None = None,
) -> Recorded:
    """Commit batches in one transaction; return what was not stored before, and the crops' ids.

    ``place``: where the file of a decided crop of the inbox will be moved to. A file that vanished before it could be
    read leaves no row, nor does one that there was no memory for: there is nothing to remember of it. A labelled file
    gives its label to the crop of its content, or becomes a crop itself where there is none. ``raise_alarms`` is called
    before the commit with the rows of crops without a label, so that none is stored without its alarm. A crop of a
    self-test is given to ``rehearse`` and leaves no row here, whoever calls this.
    """
    crops: list[CropRow] = []
    labelled: list[tuple[str, CropRow]] = []
    gone: list[CropKey] = []
    for batch in batches:
        for row, label, crop in zip(range(len(batch.files)), batch.files.labels, rows(batch, place), strict=True):
            if row in batch.refusals and _leaves_no_row(batch.refusals[row]):
                gone.append((crop.path, crop.sha256))
                continue
            if label is None:
                crops.append(crop)
            else:
                labelled.append((label.value, crop))
    # A file that was moved from one label to the other lies in one of them. Looked for before the transaction: a share
    # that does not answer must not hold the database's only lock for writing.
    moved = lookup.moved_away(database, {crop.sha256 for _, crop in labelled if crop.sha256}) if labelled else []
    with database.write() as connection:
        tests = selftests.among_crops(connection, [*((crop.path, crop.sha256) for crop in crops), *gone])
        rehearsed = [crop for crop in crops if (crop.path, crop.sha256) in tests] if tests else []
        crops = [crop for crop in crops if (crop.path, crop.sha256) not in tests] if tests else crops
        recorded = decisions.record(connection, crops)._replace(tests=tests)
        if raise_alarms is not None:
            recorded = recorded._replace(raised=raise_alarms(connection, crops, recorded))
        if rehearsed and rehearse is not None:
            rehearse(connection, rehearsed)
        if not labelled:
            return recorded
        # After the others: one of them may be of the same content, and is then the crop that the label is about.
        taken = labelled_files.take_labelled(connection, labelled)
        labelled_files.forget_files(connection, moved)
    decided, ids = {**recorded.decided, **taken.decided}, {**recorded.ids, **taken.ids}
    return Recorded(decided, recorded.failed | taken.failed, ids, recorded.raised, tests)


def _leaves_no_row(refusal: CropRefusedError) -> bool:
    return refusal.reason == Reason.VANISHED or lacks_memory(refusal)


def rows(batch: DecidedBatch, place: Place | None = None) -> list[CropRow]:
    """A row for each crop, with its decisions and the final one, or with its failure; ``place`` as for `record`."""
    files = batch.files
    if not len(files):
        return []
    refusals = [batch.refusals.get(row) for row in range(len(files))]
    waited = latencies(files.looks, batch.decided_at)
    # Made column by column, which takes half as long as row by row; in the order of a row's fields.
    stored = [looks.stored if looks else NEVER_SEEN for looks in files.looks]
    size_bytes, mtime_ns, ctime_ns, inode = zip(*stored, strict=True)
    finals = [(str(one.verdict), *one[1:]) if one else NO_DECISION for one in batch.final.listed]
    columns = (
        *(files.texts, files.digests, size_bytes, mtime_ns),
        *zip(*[size or NO_SIZE for size in files.sizes], strict=True),
        *zip(*files.identities, strict=True),
        [files.seen_at] * len(files),
        [refusal and refusal.reason for refusal in refusals],
        [refusal and str(refusal) for refusal in refusals],
        *zip(*finals, strict=True),
        [files.source if label is None else "labelled" for label in files.labels],
        _archived_paths(batch, place),
        *(ctime_ns, inode, batch.unusual.tolist()),
        _score_rows(batch.decisions, batch.decided_at, waited),
        _score_rows(batch.trials, batch.decided_at, waited),
    )
    return [CropRow._make(row) for row in zip(*columns, strict=True)]


def _archived_paths(batch: DecidedBatch, place: Place | None) -> Sequence[str | None]:
    """Where the files of decided crops of the inbox will be moved to."""
    files = batch.files
    if place is None or files.source != "inbox":
        return [None] * len(files)
    return [
        to_text(place(files.seen_at, final.verdict.value, path.rpartition("/")[2])) if final and label is None else None
        for path, final, label in zip(files.paths, batch.final.listed, files.labels, strict=True)
    ]


def _score_rows(
    decisions: Sequence[Sequence[Decision]], at: datetime, waited: Sequence[float]
) -> list[tuple[ScoreRow, ...]]:
    return [
        tuple([score_row(one, at, latency) for one in some]) for some, latency in zip(decisions, waited, strict=True)
    ]


def score_row(decision: Decision, at: datetime, latency: float) -> ScoreRow:
    """A model's decision as a row; ``latency``: one of `latencies`."""
    model, mse, score, threshold, verdict = decision
    return ScoreRow(model.id, model.calibration_id, mse, score, threshold, str(verdict), at, latency)


def latencies(looks: Sequence[Looks | None], at: datetime) -> list[float]:
    """Seconds from the last change of each file (writing, renaming) to a decision; 0 for one that was not looked at."""
    moment = at.timestamp()
    return [max(0.0, moment - one.ctime_ns / 1e9) if one else 0.0 for one in looks]
