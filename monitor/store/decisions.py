"""Every query of the program; each takes the connection of the transaction that it belongs to."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, case, delete, func, literal_column, select, update

from monitor.errors import NoModelError
from monitor.store.database.bulk import insert_many
from monitor.store.database.schema import calibrations, crop_tallies, crops, models, score_tallies, scores
from monitor.store.database.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

    from monitor.store.database.upsert import Upsert


CropKey = tuple[str, str]
"""(path, sha256): what names a crop."""

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
    """One crop with its decisions or its failure, ready to be stored; `path` as `crops.to_text` writes it.

    ``verdict``, ``decision_score``, ``decision_threshold``, ``decided_by``: the final decision; none of them where it
    failed. ``source``: how the crop was found first, see `schema.crops`; storing it again does not change it.
    ``archived_path``: where its file will be moved to; the first such place stands as well.
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
    scores: tuple[ScoreRow, ...] = ()


class Recorded(NamedTuple):
    """What a batch brought that was not stored before.

    ``decided``: by crop, the ids of the models whose decision is new. ``failed``: crops whose failure is new.
    """

    decided: dict[CropKey, set[int]]
    failed: set[CropKey]


class KnownCrop(NamedTuple):
    """A stored crop as its file looked when it was read; a changed file has another size or time."""

    id: int
    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    seen_at: datetime
    state: str
    hole: int | None
    reason: str | None
    error: str | None
    verdict: str | None
    source: str
    archived_path: str | None


class StoredScore(NamedTuple):
    """A stored decision."""

    crop_id: int
    model_id: int
    mse: float
    score: float
    threshold: float
    verdict: str


class DecisionRow(NamedTuple):
    """A crop with its final decision."""

    crop_id: int
    path: str
    hole: int | None
    score: float
    threshold: float
    verdict: str


class ModelRow(NamedTuple):
    """A row of `models` with its active calibration's threshold, id, rule and evidence, if it has one."""

    id: int
    name: str
    detector: str
    fingerprint: str
    folder: str
    settings: dict[str, Any]
    trained_at: datetime
    active: bool
    activated_at: datetime | None
    threshold: float | None
    calibration_id: int | None
    rule: str | None
    evidence: dict[str, Any] | None = None


class StoreSummary(NamedTuple):
    """What `monitor status` says of the crops: final decisions by verdict, and each model's by its name and verdict."""

    scored: int
    failed: int
    failed_by_reason: dict[str, int]
    final: dict[str, int]
    verdicts: dict[tuple[str, str], int]
    last_scored_at: datetime | None


def record(connection: Connection, rows: Sequence[CropRow]) -> Recorded:
    """Store a batch of crops and decisions; return what was not stored before.

    What is stored already stays as it is: (path, sha256) names a crop and (crop, model) a decision, so that
    repeating a batch after a crash changes nothing. The final decision on a crop that was decided before is replaced
    only where a model's decision on it is new.
    """
    if not rows:
        return Recorded({}, set())
    paths = sorted({row.path for row in rows})
    at_paths = select(crops.c.id, crops.c.path, crops.c.sha256).where(crops.c.path.in_(paths))
    known = {(path, sha256): identifier for identifier, path, sha256 in connection.execute(at_paths)}
    failed = {(row.path, row.sha256) for row in rows if not row.scores} - known.keys()
    _forget_unreadable(connection, rows, known)
    values = [(*row[:-1], "scored" if row.scores else "failed") for row in rows]
    insert_many(connection, _upsert_crops(connection.dialect.name), _CROP_COLUMNS, values)
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
                decided.add(pair)
                new.setdefault(key, set()).add(score.model_id)
                decisions.append((pair[0], *score))
                if pair[0] in before_now:
                    replaced[pair[0]] = row
    if decisions:
        insert_many(connection, _insert_scores(connection.dialect.name), _SCORE_COLUMNS, decisions)
    if replaced:
        _replace_final(connection, replaced)
    return Recorded(new, failed)


def _decided(connection: Connection, crop_ids: Sequence[int]) -> set[tuple[int, int]]:
    """(crop, model) of the decisions on these crops."""
    if not crop_ids:
        return set()
    query = select(scores.c.crop_id, scores.c.model_id).where(scores.c.crop_id.in_(crop_ids))
    return {(crop_id, model_id) for crop_id, model_id in connection.execute(query)}


def known_crops(connection: Connection, paths: Sequence[str]) -> dict[str, list[KnownCrop]]:
    """The stored crops at these paths; a path whose content changed has several."""
    columns = [getattr(crops.c, name) for name in KnownCrop._fields]
    known: dict[str, list[KnownCrop]] = {}
    for row in connection.execute(select(*columns).where(crops.c.path.in_(paths))):
        known.setdefault(row.path, []).append(KnownCrop._make(row))
    return known


def crop_by_id(connection: Connection, crop_id: int) -> KnownCrop | None:
    """One stored crop; none where there is no such."""
    columns = [getattr(crops.c, name) for name in KnownCrop._fields]
    row = connection.execute(select(*columns).where(crops.c.id == crop_id)).first()
    return None if row is None else KnownCrop._make(row)


def set_archived_paths(connection: Connection, places: Mapping[int, str]) -> None:
    """Note where the files of these crops, by their ids, will be moved to."""
    if places:
        values = [{"crop_id": crop_id, "place": place} for crop_id, place in places.items()]
        statement = update(crops).where(crops.c.id == bindparam("crop_id")).values(archived_path=bindparam("place"))
        connection.execute(statement, values)


def archived_places(connection: Connection, contents: Collection[str]) -> dict[str, list[str]]:
    """By content, the archived paths of its crops."""
    query = select(crops.c.sha256, crops.c.archived_path).where(
        crops.c.sha256.in_(sorted(contents)), crops.c.archived_path.is_not(None)
    )
    found: dict[str, list[str]] = {}
    for sha256, place in connection.execute(query.order_by(crops.c.id)):
        found.setdefault(sha256, []).append(place)
    return found


def is_place_of_another(connection: Connection, crop_id: int, sha256: str, place: str) -> bool:
    """Whether another crop of the same content has this archived path."""
    query = select(crops.c.id).where(crops.c.sha256 == sha256, crops.c.archived_path == place, crops.c.id != crop_id)
    return connection.execute(query.limit(1)).first() is not None


def add_scores(connection: Connection, rows: Mapping[int, Sequence[ScoreRow]]) -> int:
    """Store models' scores of known crops, by crop, beside those that there are; return how many crops got one."""
    existing = select(scores.c.crop_id, scores.c.model_id).where(scores.c.crop_id.in_(sorted(rows)))
    known = {tuple(row) for row in connection.execute(existing)}
    values = [
        (crop_id, *score)
        for crop_id, found in rows.items()
        for score in found
        if (crop_id, score.model_id) not in known
    ]
    if values:
        insert_many(connection, _insert_scores(connection.dialect.name), _SCORE_COLUMNS, values)
    return len({crop_id for crop_id, *_ in values})


def stored_scores(
    connection: Connection, crop_ids: Sequence[int], model_ids: Sequence[int]
) -> dict[int, list[StoredScore]]:
    """The decisions of these models on these crops, by crop."""
    columns = [getattr(scores.c, name) for name in StoredScore._fields]
    query = select(*columns).where(scores.c.crop_id.in_(crop_ids), scores.c.model_id.in_(model_ids))
    found: dict[int, list[StoredScore]] = {}
    for row in connection.execute(query):
        found.setdefault(row.crop_id, []).append(StoredScore._make(row))
    return found


def decisions_after(connection: Connection, crop_id: int) -> list[DecisionRow]:
    """The final decisions on crops that were stored after the crop ``crop_id``, in that order."""
    query = (
        select(
            *(crops.c.id, crops.c.path, crops.c.hole),
            *(crops.c.decision_score, crops.c.decision_threshold, crops.c.verdict),
        )
        .where(crops.c.id > crop_id, crops.c.state == "scored")
        .order_by(crops.c.id)
    )
    return [DecisionRow._make(row) for row in connection.execute(query)]


def add_model(
    connection: Connection, *, name: str, detector: str, fingerprint: str, folder: str, settings: Mapping[str, Any]
) -> None:
    """Store a trained model; one that is known by its fingerprint stays as it is, but counts as trained now."""
    now = datetime.now(UTC)
    statement = upsert(connection.dialect.name, models).on_conflict_do_update(
        index_elements=["fingerprint"], set_={"trained_at": now}
    )
    values = {"name": name, "detector": detector, "fingerprint": fingerprint, "folder": folder}
    connection.execute(statement, {**values, "settings": dict(settings), "trained_at": now, "active": False})


def all_models(connection: Connection) -> list[ModelRow]:
    """Every model, the newest first."""
    return _models(connection)


def active_models(connection: Connection) -> list[ModelRow]:
    """The active models, the one that was activated last first: that one is the primary."""
    rows = _models(connection, models.c.active)
    return sorted(rows, key=lambda row: (row.activated_at, row.id), reverse=True)


def newest_models(connection: Connection) -> list[ModelRow]:
    """The model of each detector that was trained last."""
    newest: dict[str, ModelRow] = {}
    for row in _models(connection):
        newest.setdefault(row.detector, row)
    return list(newest.values())


def find_model(connection: Connection, name: str) -> ModelRow:
    """The model called ``name`` or whose name or fingerprint begins so; raises `NoModelError`."""
    rows = _models(connection)
    exact = [row for row in rows if row.name == name]
    matches = exact or [row for row in rows if name and (row.name.startswith(name) or row.fingerprint.startswith(name))]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(row.name for row in matches)
        raise NoModelError(f"{name!r} names several models: {names}; give one whole name")
    raise NoModelError(f"there is no model {name!r}; see: monitor models list")


def activate_model(connection: Connection, model: ModelRow) -> None:
    """Make a calibrated model its detector's active one; raises `NoModelError` when it has no threshold."""
    if model.threshold is None:
        raise NoModelError(
            f"{model.name} has no threshold yet, so it cannot decide anything; "
            f"calibrate it: monitor calibrate --model {model.name} --data DIR"
        )
    connection.execute(update(models).where(models.c.detector == model.detector).values(active=False))
    connection.execute(
        update(models).where(models.c.id == model.id).values(active=True, activated_at=datetime.now(UTC))
    )


def rollback_model(connection: Connection, detector: str) -> tuple[ModelRow, ModelRow]:
    """Give a detector back the model that was active before; return (the one left, the one active now)."""
    rows = _models(connection, models.c.detector == detector)
    current = next((row for row in rows if row.active), None)
    if current is None:
        raise NoModelError(f"the detector {detector!r} has no active model to roll back from")
    before = [row for row in rows if not row.active and row.activated_at and row.threshold is not None]
    if not before:
        raise NoModelError(f"no model of the detector {detector!r} was active before {current.name}")
    previous = max(before, key=lambda row: (row.activated_at, row.id))
    # Emptying its activation makes a second rollback go one further back instead of returning here.
    connection.execute(update(models).where(models.c.id == current.id).values(active=False, activated_at=None))
    connection.execute(update(models).where(models.c.id == previous.id).values(active=True))
    return current, previous


def summary(connection: Connection) -> StoreSummary:
    """Count crops, failures and verdicts, however many there are; crops that came with their label are not counted."""
    kind = (crop_tallies.c.state, crop_tallies.c.reason, crop_tallies.c.verdict)
    counted = select(*kind, func.sum(crop_tallies.c.crops).label("crops")).where(crop_tallies.c.source != "labelled")
    found = [row for row in connection.execute(counted.group_by(*kind)) if row.crops]
    verdicts = (
        select(models.c.name, score_tallies.c.verdict, func.sum(score_tallies.c.scores))
        .join(models, models.c.id == score_tallies.c.model_id)
        .where(score_tallies.c.source != "labelled")
        .group_by(models.c.name, score_tallies.c.verdict)
    )
    # Of each model by itself, which is one look into an index.
    newest = select(func.max(scores.c.scored_at)).where(scores.c.model_id == models.c.id).scalar_subquery()
    return StoreSummary(
        scored=sum(int(row.crops) for row in found if row.state == "scored"),
        failed=sum(int(row.crops) for row in found if row.state == "failed"),
        failed_by_reason={row.reason: int(row.crops) for row in found if row.state == "failed"},
        final={row.verdict: int(row.crops) for row in found if row.state == "scored"},
        verdicts={(name, verdict): int(count) for name, verdict, count in connection.execute(verdicts) if count},
        last_scored_at=connection.execute(select(func.max(newest)).select_from(models)).scalar(),
    )


def _models(connection: Connection, *conditions: ColumnElement[bool]) -> list[ModelRow]:
    active = and_(calibrations.c.model_id == models.c.id, calibrations.c.state == "active")
    query = (
        select(
            *(getattr(models.c, name) for name in ModelRow._fields[:9]),
            calibrations.c.threshold,
            calibrations.c.id.label("calibration_id"),
            calibrations.c.rule,
            calibrations.c.evidence,
        )
        .outerjoin(calibrations, active)
        .where(*conditions)
        .order_by(models.c.trained_at.desc(), models.c.id.desc())
    )
    return [ModelRow._make(row) for row in connection.execute(query)]


def _forget_unreadable(connection: Connection, rows: Sequence[CropRow], known: Collection[CropKey]) -> None:
    """A path that could not be read before and can be now is the same crop, not a second one."""
    unreadable = {path for path, sha256 in known if not sha256}
    readable = sorted(unreadable & {row.path for row in rows if row.sha256})
    if readable:
        connection.execute(delete(crops).where(crops.c.path.in_(readable), crops.c.sha256 == ""))


_CROP_COLUMNS: Final = (*CropRow._fields[:-1], "state")
_SCORE_COLUMNS: Final = ("crop_id", *ScoreRow._fields)


@cache
def _upsert_crops(dialect: str) -> Upsert:
    statement = upsert(dialect, crops)
    new = statement.excluded
    # A decision that was made once stands, even where the same content fails later under other limits.
    keeps = and_(crops.c.state == literal_column("'scored'"), new.state == literal_column("'failed'"))
    return statement.on_conflict_do_update(
        index_elements=["path", "sha256"],
        set_={
            "size_bytes": new.size_bytes,
            "mtime_ns": new.mtime_ns,
            "width": case((keeps, crops.c.width), else_=new.width),
            "height": case((keeps, crops.c.height), else_=new.height),
            "state": case((keeps, crops.c.state), else_=new.state),
            "reason": case((keeps, crops.c.reason), else_=new.reason),
            "error": case((keeps, crops.c.error), else_=new.error),
            **{name: func.coalesce(crops.c[name], new[name]) for name in (*_FINAL, "archived_path")},
        },
    )


@cache
def _insert_scores(dialect: str) -> Upsert:
    return upsert(dialect, scores).on_conflict_do_nothing()


def _replace_final(connection: Connection, rows: Mapping[int, CropRow]) -> None:
    values = [{"crop_id": crop_id, **{name: getattr(row, name) for name in _FINAL}} for crop_id, row in rows.items()]
    connection.execute(update(crops).where(crops.c.id == bindparam("crop_id")), values)
