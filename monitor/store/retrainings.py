"""Models on trial: those that were trained again from labels, also what was refused, and those a person tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from sqlalchemy import case, delete, func, insert, select, update

from monitor.store.conditions import in_operation
from monitor.store.database.rows import columns_of, select_rows
from monitor.store.database.schema import crops, retrainings, scores
from monitor.words import Unlearned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

State = Literal["shadow", "accepted", "refused", "rolled_back"]

# In the evidence of a model that a person put in the shadow; nothing was trained from labels then.
BY_HAND: Final = "by_hand"


class RetrainingRow(NamedTuple):
    """A row of `retrainings`."""

    id: int
    detector: str
    model_id: int | None
    replaces_id: int
    state: str
    refusal: str | None
    reason: str | None
    evidence: dict[str, Any]
    labels_until: datetime | None
    created_at: datetime
    ended_at: datetime | None
    author: str | None
    run_id: int | None

    @property
    def by_hand(self) -> bool:
        """Whether a person put the model in the shadow, so that only a person ends its trial."""
        return bool(self.evidence.get(BY_HAND))


class Seen(NamedTuple):
    """How many crops a model scored in the shadow, on how many it would decide proliv, and how many otherwise."""

    crops: int
    proliv: int
    otherwise: int


def add(
    connection: Connection,
    *,
    detector: str,
    model_id: int | None,
    replaces_id: int,
    state: State,
    evidence: Mapping[str, Any],
    now: datetime,
    labels_until: datetime | None = None,
    refusal: str | None = None,
    reason: str | None = None,
    author: str | None = None,
    run_id: int | None = None,
) -> RetrainingRow:
    """Store a training and return its row."""
    result = connection.execute(
        insert(retrainings).values(
            detector=detector,
            model_id=model_id,
            replaces_id=replaces_id,
            state=state,
            refusal=refusal,
            reason=reason,
            evidence=dict(evidence),
            labels_until=labels_until,
            created_at=now,
            author=author,
            run_id=run_id,
        )
    )
    assert result.inserted_primary_key is not None
    return _rows(connection, retrainings.c.id == result.inserted_primary_key[0], most=1)[0]


def begin(connection: Connection, *, detector: str, model_id: int, replaces_id: int, now: datetime) -> None:
    """Say of a model that was just trained that nobody has compared it; until `compared`, it is a refused one."""
    add(
        connection,
        detector=detector,
        model_id=model_id,
        replaces_id=replaces_id,
        state="refused",
        refusal=Unlearned.INTERRUPTED.value,
        reason="the training ended before the model was compared with the active one",
        evidence={},
        now=now,
    )


def compared(connection: Connection, model_id: int) -> None:
    """Forget what `begin` said of a model, because it has been compared now."""
    connection.execute(delete(retrainings).where(retrainings.c.model_id == model_id, ~_ended()))


def end(
    connection: Connection,
    row: RetrainingRow,
    state: State,
    *,
    now: datetime,
    evidence: Mapping[str, Any],
    refusal: str | None = None,
    reason: str | None = None,
    author: str | None = None,
) -> RetrainingRow:
    """Say what became of a trained model; ``evidence`` is what the trial adds to its own."""
    values: dict[str, Any] = {"state": state, "ended_at": now, "evidence": {**row.evidence, **evidence}}
    values |= {"refusal": refusal, "reason": reason, "author": author or row.author}
    connection.execute(update(retrainings).where(retrainings.c.id == row.id).values(**values))
    return row._replace(**values)


def activated(connection: Connection, model_id: int, now: datetime) -> None:
    """End the trial of a model that a person tries, if it is on trial: it is active now."""
    for row in shadows(connection):
        if row.model_id == model_id and row.by_hand:
            end(connection, row, "accepted", now=now, evidence={})


def roll_back(connection: Connection, model_id: int) -> None:
    """Say of a model that is no longer active that it was rolled back, if it came of a training from labels."""
    connection.execute(
        update(retrainings)
        .where(retrainings.c.model_id == model_id, retrainings.c.state == "accepted")
        .values(state="rolled_back")
    )


def shadow(connection: Connection, detector: str) -> RetrainingRow | None:
    """The training whose model is on trial beside the detector's active one, or None."""
    found = _rows(connection, retrainings.c.detector == detector, retrainings.c.state == "shadow", most=1)
    return found[0] if found else None


def shadows(connection: Connection) -> list[RetrainingRow]:
    """The trainings of all models on trial."""
    return _rows(connection, retrainings.c.state == "shadow")


def seen(connection: Connection, row: RetrainingRow) -> Seen:
    """What the model on trial scored beside the active one since its trial began."""
    # By when the crops came: it also scores older ones, which people have labelled.
    query = (
        select(
            func.count(),
            func.sum(case((scores.c.verdict == "proliv", 1), else_=0)),
            func.sum(case((scores.c.verdict != crops.c.verdict, 1), else_=0)),
        )
        .select_from(scores)
        .join(crops, crops.c.id == scores.c.crop_id)
        .where(scores.c.model_id == row.model_id, scores.c.scored_at >= row.created_at)
        .where(crops.c.seen_at >= row.created_at, in_operation())
    )
    return Seen(*(int(value or 0) for value in connection.execute(query).one()))


def unaccepted_models(connection: Connection) -> set[int]:
    """The ids of the models that labels made and nobody accepted."""
    rows = _rows(connection, retrainings.c.model_id.is_not(None), retrainings.c.state != "accepted")
    return {row.model_id for row in rows if row.model_id is not None and not row.by_hand}


def of_run(connection: Connection, detector: str, run_id: int) -> RetrainingRow | None:
    """What a scheduled run stored for the detector before it was interrupted, or None."""
    found = _rows(connection, retrainings.c.detector == detector, retrainings.c.run_id == run_id, most=1)
    return found[0] if found else None


def of_model(connection: Connection, model_id: int) -> RetrainingRow | None:
    """The newest training that this model came of, or None."""
    found = _rows(connection, retrainings.c.model_id == model_id, most=1)
    return found[0] if found else None


def newest(connection: Connection, detector: str) -> RetrainingRow | None:
    """The detector's newest training that was not interrupted, or None."""
    found = _rows(connection, retrainings.c.detector == detector, _ended(), most=1)
    return found[0] if found else None


def history(connection: Connection, most: int) -> list[RetrainingRow]:
    """The newest ``most`` trainings, newest first."""
    return _rows(connection, most=most)


def _ended() -> ColumnElement[bool]:
    return func.coalesce(retrainings.c.refusal, "") != Unlearned.INTERRUPTED.value


def _rows(connection: Connection, *conditions: ColumnElement[bool], most: int | None = None) -> list[RetrainingRow]:
    query = select(*columns_of(retrainings, RetrainingRow)).where(*conditions)
    return select_rows(connection, RetrainingRow, query.order_by(retrainings.c.id.desc()).limit(most))
