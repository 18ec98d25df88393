"""Labels as people gave them, and the labelled crops with their scores.

`monitor.labels.labels` says which label of a content counts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import func, select

from monitor.files.chunks import chunks
from monitor.store import kept
from monitor.store.conditions import is_taken_back, labelled_contents, stands
from monitor.store.database.rows import VALUES_AT_ONCE, columns_of, select_rows, stream_rows
from monitor.store.database.schema import audit_crops, crops, labels, scores

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection


# The models that decide on a crop do so together; one whose decision is later than the first by more than this did not.
LONGEST_DECISION: Final = timedelta(minutes=1)


class LabelRow(NamedTuple):
    """A row of `labels` with its crop's digest.

    ``at``: when it was given. ``recorded_at``: when it was stored, which an import cannot choose.
    """

    id: int
    crop_id: int
    sha256: str
    label: str
    source: str
    author: str | None
    at: datetime
    note: str | None
    settles: bool
    recorded_at: datetime


class LabelledCropRow(NamedTuple):
    """A scored crop whose content has a label, with its final verdict and the random draw that it belongs to."""

    id: int
    path: str
    sha256: str
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    seen_at: datetime
    verdict: str
    unusual: bool
    source: str
    audit_id: int | None


class GivenLabelRow(NamedTuple):
    """A label with the crop that it was given to, and the random draw that the crop belongs to.

    ``taken_back``: it no longer counts. ``undoes``: this row is no label, it takes back the one with this id.
    """

    id: int
    crop_id: int
    path: str
    sha256: str
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    label: str
    source: str
    author: str | None
    at: datetime
    note: str | None
    settles: bool
    audit: int | None
    undoes: int | None = None
    taken_back: bool = False


class FoundCrop(NamedTuple):
    """A crop that a person may want to label; ``reason``: why it failed, ``seen_at``: when it was first seen."""

    id: int
    path: str
    sha256: str
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    state: str
    reason: str | None
    seen_at: datetime


class NewLabel(NamedTuple):
    """A label ready to be stored; ``undoes``: the id of the label that it only takes back."""

    crop_id: int
    label: str
    source: str
    author: str | None
    at: datetime
    note: str | None
    settles: bool
    undoes: int | None = None


class LabelledScoreRow(NamedTuple):
    """A model's stored decision on a labelled crop."""

    crop_id: int
    score: float
    threshold: float
    verdict: str
    scored_at: datetime


def all_labels(connection: Connection) -> list[LabelRow]:
    """Every label that was not taken back, oldest first; labels of one instant in the order of storing."""
    return select_rows(connection, LabelRow, _labels().where(stands()))


def labelled_crops(connection: Connection) -> list[LabelledCropRow]:
    """Every scored crop whose content has a label, even if another crop with it was labelled, in the order of ids."""
    query = (
        select(
            *(crops.c.id, crops.c.path, crops.c.sha256, crops.c.hole, crops.c.camera, crops.c.captured_at),
            *(crops.c.seen_at, crops.c.verdict, crops.c.unusual, crops.c.source, audit_crops.c.audit_id),
        )
        .outerjoin(audit_crops, audit_crops.c.crop_id == crops.c.id)
        .where(crops.c.state == "scored", crops.c.sha256.in_(labelled_contents()))
        .order_by(crops.c.id)
    )
    return select_rows(connection, LabelledCropRow, query)


def labelled_scores(connection: Connection, model_id: int) -> dict[int, LabelledScoreRow]:
    """The model's decisions on the crops whose content has a label, by crop id."""
    # Nested, not joined: with a join SQLite may go through all scores of the model.
    labelled = select(crops.c.id).where(crops.c.sha256.in_(labelled_contents()))
    query = select(*columns_of(scores, LabelledScoreRow)).where(
        scores.c.model_id == model_id, scores.c.crop_id.in_(labelled)
    )
    return {row.crop_id: row for row in select_rows(connection, LabelledScoreRow, query)}


def verdicts_in_operation(connection: Connection, model_id: int) -> dict[int, str]:
    """The model's verdicts on the crops whose content has a label, by crop id, as they were when the crops came.

    Those that it gave later are left out: a new model scores labelled crops that others have decided on before.
    """
    first = scores.alias("first")
    decided_at = select(func.min(first.c.scored_at)).where(first.c.crop_id == scores.c.crop_id).scalar_subquery()
    labelled = select(crops.c.id).where(crops.c.sha256.in_(labelled_contents()))
    query = select(scores.c.crop_id, scores.c.verdict, scores.c.scored_at, decided_at).where(
        scores.c.model_id == model_id, scores.c.crop_id.in_(labelled)
    )
    return {
        crop_id: verdict
        for crop_id, verdict, scored_at, decided in connection.execute(query)
        if scored_at - decided <= LONGEST_DECISION
    }


def given_labels(connection: Connection) -> Iterator[GivenLabelRow]:
    """Every label ever given, also what was taken back and what took it back, oldest first, one row at a time."""
    query = (
        select(
            *(labels.c.id, labels.c.crop_id, crops.c.path, crops.c.sha256, crops.c.hole, crops.c.camera),
            *(crops.c.captured_at, labels.c.label, labels.c.source, labels.c.author, labels.c.at, labels.c.note),
            *(labels.c.settles, audit_crops.c.audit_id, labels.c.undoes, is_taken_back()),
        )
        .join(crops, crops.c.id == labels.c.crop_id)
        .outerjoin(audit_crops, audit_crops.c.crop_id == crops.c.id)
        .order_by(labels.c.at, labels.c.id)
    )
    return stream_rows(connection, GivenLabelRow, query)


def labels_of_contents(
    connection: Connection, contents: Collection[str], *, even_taken_back: bool = False
) -> dict[str, list[LabelRow]]:
    """The labels of these contents, by content, oldest first; those that were taken back only if asked for."""
    condition = labels.c.undoes.is_(None) if even_taken_back else stands()
    found: dict[str, list[LabelRow]] = {}
    for chunk in chunks(sorted(contents), VALUES_AT_ONCE):
        for row in select_rows(connection, LabelRow, _labels().where(condition, crops.c.sha256.in_(chunk))):
            found.setdefault(row.sha256, []).append(row)
    return found


def newest_action(connection: Connection, author: str) -> list[LabelRow]:
    """The labels that the author gave last and did not take back: all that one command or import stored; maybe none."""
    stored_at = func.coalesce(labels.c.recorded_at, labels.c.at)
    own = (labels.c.author == author, labels.c.source != "folder", stands())
    # By the order of storing: a clock that ran ahead gave earlier ones a later time.
    newest = connection.execute(select(stored_at).where(*own).order_by(labels.c.id.desc()).limit(1)).scalar()
    return [] if newest is None else select_rows(connection, LabelRow, _labels().where(*own, stored_at == newest))


def taken_back_since(connection: Connection, moment: datetime) -> bool:
    """Whether a label that counted at that moment has been taken back since."""
    later = labels.alias("later")
    query = (
        select(labels.c.id)
        .join(later, later.c.undoes == labels.c.id)
        .where(later.c.recorded_at > moment, func.coalesce(labels.c.recorded_at, labels.c.at) <= moment)
    )
    return connection.execute(query.limit(1)).first() is not None


def add_labels(connection: Connection, rows: Sequence[NewLabel]) -> None:
    """Store labels; earlier ones are kept, and what is labelled has to be kept as well."""
    if rows:
        now = datetime.now(UTC)
        connection.execute(labels.insert(), [{**row._asdict(), "recorded_at": now} for row in rows])
        kept.owe(connection, [row.crop_id for row in rows if row.undoes is None], now)


def find_crops(connection: Connection, *, ids: Collection[int] = (), paths: Collection[str] = ()) -> list[FoundCrop]:
    """The crops with these ids, then those with these paths, scored or failed."""
    found: list[FoundCrop] = []
    for column, values in ((crops.c.id, ids), (crops.c.path, paths)):
        for chunk in chunks(sorted(values), VALUES_AT_ONCE):
            found += select_rows(connection, FoundCrop, _found().where(column.in_(chunk)).order_by(crops.c.id))
    return found


def scored_crops(
    connection: Connection,
    *,
    hole: int | None = None,
    camera: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[FoundCrop]:
    """The scored crops, one row at a time: of a hole, of a camera, of the time [since, until); None selects all.

    The time of a crop is the one in its name, or else when it was first seen.
    """
    moment = func.coalesce(crops.c.captured_at, crops.c.seen_at)
    query = _found().where(crops.c.state == "scored").order_by(crops.c.id)
    if hole is not None:
        query = query.where(crops.c.hole == hole)
    if camera is not None:
        query = query.where(crops.c.camera == camera)
    if since is not None:
        query = query.where(moment >= since)
    if until is not None:
        query = query.where(moment < until)
    return stream_rows(connection, FoundCrop, query)


def _labels() -> Select[Any]:
    return (
        select(
            *(labels.c.id, labels.c.crop_id, crops.c.sha256, labels.c.label, labels.c.source, labels.c.author),
            *(labels.c.at, labels.c.note, labels.c.settles),
            func.coalesce(labels.c.recorded_at, labels.c.at).label("recorded_at"),
        )
        .join(crops, crops.c.id == labels.c.crop_id)
        .order_by(labels.c.at, labels.c.id)
    )


def _found() -> Select[Any]:
    return select(*columns_of(crops, FoundCrop))
