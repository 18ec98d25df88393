"""What was decided becomes rows, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.files.looks import look
from monitor.files.text import to_text
from monitor.scoring import lookup
from monitor.store import decisions as queries
from monitor.store import labelled_files
from monitor.store.decisions import CropRow, Recorded, ScoreRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.inbox.archive import Archive
    from monitor.scoring.work import Work
    from monitor.store.database.engine import Database


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
    looks = content.looks if content else look(work.path)
    size_bytes, mtime_ns = looks.stored if looks else (0, 0)
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
