"""Decisions: stored together with their crops, a batch in one transaction, and found again."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, case, delete, func, literal_column, select, update

from monitor.store.database.among import among
from monitor.store.database.bulk import insert_many
from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import crops, scores
from monitor.store.database.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from monitor.store.crops import CropKey
    from monitor.store.database.upsert import Upsert

_FINAL: Final = ("verdict", "decision_score", "decision_threshold", "decided_by")


class ScoreRow(NamedTuple):
    """One model's decision on one crop, ready to be stored."""

    model_id: int
    calibration_id: int
    mse: float
    score: float
    threshold: float
    verdict: str
    scored_at: datetime
    latency_seconds: float


class CropRow(NamedTuple):
    """One crop with its decisions or its failure, ready to be stored.

    ``path``: as `monitor.files.text.to_text` writes it. ``verdict``, ``decision_score``, ``decision_threshold``,
    ``decided_by``: the final decision, all None for a crop that failed. ``unusual``: it is ne_proliv although one of
    the ``scores`` is proliv. ``source``: how the crop was found first, see `schema.crops`. ``archived_path``: where its
    file will be moved to. Storing a crop again changes neither of these two. ``trials``: the decisions of models in the
    shadow, which have no part in the final one.
    """

    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    width: int | None
    height: int | None
    hole: int | None
    camera: str | None
    captured_at: datetime | None
    seen_at: datetime
    reason: str | None
    error: str | None
    verdict: str | None
    decision_score: float | None
    decision_threshold: float | None
    decided_by: str | None
    source: str = "inbox"
    archived_path: str | None = None
    ctime_ns: int | None = None
    inode: int | None = None
    unusual: bool = False
    scores: tuple[ScoreRow, ...] = ()
    trials: tuple[ScoreRow, ...] = ()


class Raised(NamedTuple):
    """An alarm that was opened: its id, kind, camera and hole, see `alarm_tables.alarms`, and a path of its crops.

    ``withheld``: why no sink is told of it, None where they are. ``sign``: what its crops are.
    """

    id: int
    kind: str
    camera: str
    hole: int
    path: str
    withheld: str | None = None
    sign: str = "proliv"


class Recorded(NamedTuple):
    """What a batch added to the store.

    ``decided``: by crop, the ids of the models whose decision is new. ``failed``: crops whose failure is new. ``ids``:
    of the crops that have a row now, those that were known before among them. ``raised``: the alarms opened with it.
    ``tests``: crops of a self-test, which have no row.
    """

    decided: Mapping[CropKey, set[int]]
    failed: set[CropKey]
    ids: Mapping[CropKey, int]
    raised: Sequence[Raised] = ()
    tests: frozenset[CropKey] = frozenset()


class StoredScore(NamedTuple):
    """A model's stored decision on a crop."""

    crop_id: int
    model_id: int
    mse: float
    score: float
    threshold: float
    verdict: str


class RememberedScore(NamedTuple):
    """A stored decision: the score that was compared with the threshold, and the verdict."""

    score: float
    verdict: str


def record(connection: Connection, rows: Sequence[CropRow]) -> Recorded:
    """Store a batch of crops and decisions; return what was not stored before.

    (path, sha256) identifies a crop and (crop, model) a decision. What is stored already stays as it is, so repeating
    a batch after a crash changes nothing. The final decision on a crop that was decided before is replaced only if
    some model's decision on it is new; one in the shadow counts for neither. A file that could not be read leaves no
    row where its path has one of a content that it may still have.
    """
    rows = _without_known_unreadable(connection, rows)
    if not rows:
        return Recorded({}, set(), {})
    paths = {row.path for row in rows}
    at_paths = select(crops.c.id, crops.c.path, crops.c.sha256).where(among(crops.c.path, paths))
    known = {(path, sha256): identifier for identifier, path, sha256 in connection.execute(at_paths)}
    failed = {(row.path, row.sha256) for row in rows if not row.scores} - known.keys()
    _forget_unreadable(connection, rows, known)
    values = dict(zip(_CROP_COLUMNS, zip(*rows, strict=True), strict=False))
    values["state"] = tuple(["scored" if row.scores else "failed" for row in rows])
    insert_many(connection, _upsert_crops(connection.dialect.name), values)
    ids = {(path, sha256): identifier for identifier, path, sha256 in connection.execute(at_paths)}
    decided = _decided(
        connection, [known[key] for row in rows if row.scores and (key := (row.path, row.sha256)) in known]
    )
    before_now = {crop_id for crop_id, _ in decided}
    new: dict[CropKey, set[int]] = {}
    decisions: list[tuple[Any, ...]] = []
    replaced: dict[int, CropRow] = {}
    for row in rows:
        key = (row.path, row.sha256)
        for score in row.scores:
            pair = (ids[key], score.model_id)
            if pair not in decided:
                decided[pair] = score.verdict
                new.setdefault(key, set()).add(score.model_id)
                decisions.append((pair[0], *score))
                if pair[0] in before_now:
                    replaced[pair[0]] = row
        if row.scores and row.trials:
            decisions += [(ids[key], *trial) for trial in row.trials if (ids[key], trial.model_id) not in decided]
    if decisions:
        _add(connection, decisions)
    if replaced:
        _replace_final(connection, replaced, decided)
    return Recorded(new, failed, ids)


def _decided(connection: Connection, crop_ids: Sequence[int]) -> dict[tuple[int, int], str]:
    """The verdicts on these crops, by (crop id, model id)."""
    if not crop_ids:
        return {}
    query = select(scores.c.crop_id, scores.c.model_id, scores.c.verdict).where(scores.c.crop_id.in_(crop_ids))
    return {(crop_id, model_id): verdict for crop_id, model_id, verdict in connection.execute(query)}


def add_scores(connection: Connection, rows: Mapping[int, Sequence[ScoreRow]]) -> int:
    """Add models' scores to stored crops, by crop id; return how many crops got a score that they did not have."""
    known = _decided(connection, sorted(rows))
    values = [
        (crop_id, *score)
        for crop_id, found in rows.items()
        for score in found
        if (crop_id, score.model_id) not in known
    ]
    if values:
        _add(connection, values)
    return len({crop_id for crop_id, *_ in values})


def stored_scores(
    connection: Connection, crop_ids: Sequence[int], model_ids: Sequence[int]
) -> dict[int, list[StoredScore]]:
    """The decisions of these models on these crops, by crop id."""
    query = select(*columns_of(scores, StoredScore)).where(
        scores.c.crop_id.in_(crop_ids), scores.c.model_id.in_(model_ids)
    )
    found: dict[int, list[StoredScore]] = {}
    for row in select_rows(connection, StoredScore, query):
        found.setdefault(row.crop_id, []).append(row)
    return found


def newest_scores(connection: Connection, model_id: int, most: int) -> list[RememberedScore]:
    """The model's ``most`` newest decisions, newest first."""
    query = (
        select(scores.c.score, scores.c.verdict)
        .where(scores.c.model_id == model_id)
        .order_by(scores.c.scored_at.desc())
        .limit(most)
    )
    return select_rows(connection, RememberedScore, query)


def _without_known_unreadable(connection: Connection, rows: Sequence[CropRow]) -> Sequence[CropRow]:
    """The rows without those of unread files that may still be what was decided on: a folder was closed for a while."""
    unread = sorted({row.path for row in rows if not row.sha256})
    if not unread:
        return rows
    query = select(crops.c.path, crops.c.size_bytes, crops.c.mtime_ns)
    known = {tuple(row) for row in connection.execute(query.where(crops.c.path.in_(unread), crops.c.sha256 != ""))}
    paths = {path for path, *_ in known}
    return [
        row
        for row in rows
        if row.sha256
        or not (
            (row.path, row.size_bytes, row.mtime_ns) in known
            # It could not even be looked at.
            or (row.path in paths and (row.size_bytes, row.mtime_ns) == (0, 0))
        )
    ]


def _forget_unreadable(connection: Connection, rows: Sequence[CropRow], known: Collection[CropKey]) -> None:
    """Drop the unreadable crop at a path that can be read now: it is the same crop, not a second one."""
    unreadable = {path for path, sha256 in known if not sha256}
    readable = sorted(unreadable & {row.path for row in rows if row.sha256})
    if readable:
        connection.execute(delete(crops).where(crops.c.path.in_(readable), crops.c.sha256 == ""))


# Those that are stored as they are.
_CROP_COLUMNS: Final = CropRow._fields[:-2]
_SCORE_COLUMNS: Final = ("crop_id", *ScoreRow._fields)


@cache
def _upsert_crops(dialect: str) -> Upsert:
    statement = upsert(dialect, crops)
    new = statement.excluded
    # A decision stands even if the same content fails later, under other limits.
    keeps = and_(crops.c.state == literal_column("'scored'"), new.state == literal_column("'failed'"))
    return statement.on_conflict_do_update(
        index_elements=["path", "sha256"],
        set_={
            "size_bytes": new.size_bytes,
            "mtime_ns": new.mtime_ns,
            "ctime_ns": new.ctime_ns,
            "inode": new.inode,
            "width": case((keeps, crops.c.width), else_=new.width),
            "height": case((keeps, crops.c.height), else_=new.height),
            "state": case((keeps, crops.c.state), else_=new.state),
            "reason": case((keeps, crops.c.reason), else_=new.reason),
            "error": case((keeps, crops.c.error), else_=new.error),
            **{name: func.coalesce(crops.c[name], new[name]) for name in (*_FINAL, "archived_path")},
            "unusual": case((crops.c.verdict.is_(None), new.unusual), else_=crops.c.unusual),
        },
    )


def _add(connection: Connection, decisions: Sequence[tuple[Any, ...]]) -> None:
    """Add decisions that are not stored yet, each with the values of `_SCORE_COLUMNS`."""
    values = dict(zip(_SCORE_COLUMNS, zip(*decisions, strict=True), strict=True))
    insert_many(connection, _insert_scores(connection.dialect.name), values)


@cache
def _insert_scores(dialect: str) -> Upsert:
    return upsert(dialect, scores).on_conflict_do_nothing()


def _replace_final(
    connection: Connection, rows: Mapping[int, CropRow], verdicts: Mapping[tuple[int, int], str]
) -> None:
    """Replace the final decisions on these crops, by id; ``verdicts``: every stored one, by (crop id, model id)."""
    values = [
        {
            "crop_id": crop_id,
            **{name: getattr(row, name) for name in _FINAL},
            # By the verdicts that stand: of a model that decided before, a later threshold changes nothing.
            "unusual": row.verdict == "ne_proliv"
            and any(verdicts[crop_id, score.model_id] == "proliv" for score in row.scores),
        }
        for crop_id, row in rows.items()
    ]
    connection.execute(update(crops).where(crops.c.id == bindparam("crop_id")), values)
