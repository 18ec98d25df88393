"""Generates the store of a line after months: the crops of two cameras with 40 holes each, labels, audits and nights.

It gets the same number of crops every day, so a store with ten times as many crops is ten times as old.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, insert, select

from monitor.store.database.schema import (
    audit_crops,
    audits,
    calibrations,
    crops,
    labelled_files,
    labels,
    models,
    reference_scores,
    runs,
    score_summaries,
    scores,
)
from monitor.store.runs import NIGHTLY, RETENTION
from monitor.store.summaries import ALL_CAMERAS, HOUR, NO_HOLE, QUANTILES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database

BEGINNING: Final = datetime(2025, 4, 1, tzinfo=UTC)
CROPS_A_DAY: Final = 16_667
CAMERAS: Final = ("T1-C1", "T1-C2")
HOLES: Final = 40
THRESHOLD: Final = 0.01
# Crops that are generated and stored together; a multiple of DRAW.
AT_ONCE: Final = 20_000

# One crop in 200 is an alarm, one in 1000 cannot be decoded, and one in 5000 came with its label. Of the alarms, one in
# 4 is labelled.
ALARM, FAILED, LABELLED, LABELLED_ALARM = 200, 1000, 5000, 4
# For each 20,000 crops, 15 are drawn at random and labelled.
DRAW, DRAWN = 20_000, 15
# The second model has decided on one crop in 10, and calls one in 500 proliv that is passed.
SECOND_MODEL: Final = 10
UNUSUAL: Final = 500
REFERENCES: Final = 1000


def moment(number: int) -> datetime:
    """When a crop comes."""
    return BEGINNING + timedelta(days=number / CROPS_A_DAY)


def grow(database: Database, wanted: int) -> None:
    """Add crops, with everything that belongs to them, until there are ``wanted``."""
    with database.engine.connect() as connection:
        if database.file is not None:
            raw: Any = connection.connection.driver_connection
            # A store that is lost when this is interrupted can be generated again.
            for pragma in ("journal_mode = off", "synchronous = off", "cache_size = -3000000"):
                raw.execute(f"pragma {pragma}")
        writing = connection.execution_options(monitor_writes=True)
        with writing.begin():
            there = writing.execute(select(func.max(crops.c.id))).scalar() or 0
            if not there:
                _begin(writing)
            for first in range(there + 1, wanted + 1, AT_ONCE):
                _add(writing, range(first, min(first + AT_ONCE, wanted + 1)))
            _add_days(writing, there, wanted)
        if database.file is not None:
            raw.execute("pragma journal_mode = wal")
    with database.write():
        pass  # counts the new crops at its end
    database.close()


def _put(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    if values := list(rows):
        connection.execute(insert(table), values)


def _begin(connection: Connection) -> None:
    """Add two active models, with the references that their thresholds were chosen from."""
    for number, detector in enumerate(("patchstats", "ae"), start=1):
        named = {"name": f"{detector}-{number}", "detector": detector, "fingerprint": str(number) * 64}
        times = {"trained_at": BEGINNING, "activated_at": BEGINNING - timedelta(days=number)}
        _put(connection, models, [{**named, "folder": detector, "settings": {}, "active": True, **times}])
        chosen = {"model_id": number, "rule": "quantile-midpoint", "settings": {}, "threshold": THRESHOLD}
        _put(connection, calibrations, [{**chosen, "evidence": EVIDENCE, "state": "active",
                                         "created_at": BEGINNING, "fallback": False}])  # fmt: skip
        _put(
            connection,
            reference_scores,
            (
                {
                    "model_id": number, "sha256": _digest(f"reference {index}"),
                    "label": "proliv" if index % 10 == 0 else "ne_proliv",
                    "score": THRESHOLD * (2 if index % 10 == 0 else 0.5) + index / 1e6, "mse": 0.001,
                }
                for index in range(REFERENCES)
            ),
        )  # fmt: skip


EVIDENCE: Final = {
    **{key: [index / 10_000 for index in range(101)] for key in ("normal_scores", "proliv_scores")},
    "data": None, "normal_crops": 900, "proliv_crops": 100, "proliv_events": 40, "references": REFERENCES,
    "labelled": 0, "crops_per_week": 116_669.0, "set_aside": [], "notes": [], "accepted_until": None,
}  # fmt: skip


def _add(connection: Connection, numbers: range) -> None:
    chance = random.Random(numbers[0])
    found = [_crop(number, chance) for number in numbers]
    _put(connection, crops, found)
    scored = [crop for crop in found if crop["state"] == "scored"]
    _put(connection, scores, (_score(crop, 1) for crop in scored))
    _put(connection, scores, (_score(crop, 2) for crop in scored if crop["id"] % SECOND_MODEL == 0))
    _add_labels(connection, scored, chance)


def _crop(number: int, chance: random.Random) -> dict[str, Any]:
    at = moment(number)
    camera, hole = CAMERAS[number % 2], number // 2 % HOLES + 1
    name = f"{hole}_CAM_{camera}_{at:%d-%m-%Y_%H-%M-%S-%f}.jpg"
    failed = number % FAILED == 0
    alarm = number % ALARM == 7
    score = THRESHOLD * (chance.uniform(1.0, 3.0) if alarm else chance.betavariate(2, 5))
    labelled = number % LABELLED == 11
    return {
        "id": number, "path": f"/srv/proliv/inbox/{name}", "sha256": _digest(str(number)),
        "size_bytes": 900 + number % 300, "mtime_ns": int(at.timestamp() * 1e9), "width": 30, "height": 50,
        "hole": hole, "camera": camera, "captured_at": at, "seen_at": at + timedelta(milliseconds=20),
        "state": "failed" if failed else "scored", "reason": "truncated" if failed else None,
        "error": "the image data ends too early" if failed else None,
        "verdict": None if failed else "proliv" if alarm else "ne_proliv",
        "decision_score": None if failed else score, "decision_threshold": None if failed else THRESHOLD,
        "decided_by": None if failed else "primary", "source": "labelled" if labelled else "inbox",
        "archived_path": None if failed else f"/srv/proliv/archive/{at:%Y/%m/%d}/{name}",
        "unusual": number % UNUSUAL == 20,
    }  # fmt: skip


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _score(crop: dict[str, Any], model: int) -> dict[str, Any]:
    called_proliv = crop["unusual"] and model == 2
    return {
        "crop_id": crop["id"], "model_id": model, "calibration_id": model, "mse": crop["decision_score"] / 7,
        "score": 2 * THRESHOLD if called_proliv else crop["decision_score"], "threshold": THRESHOLD,
        "verdict": "proliv" if called_proliv else crop["verdict"],
        "scored_at": crop["seen_at"], "latency_seconds": 0.02,
    }  # fmt: skip


def _add_labels(connection: Connection, scored: list[dict[str, Any]], chance: random.Random) -> None:
    """Add labels of alarms, of random draws, and by the labelled folder."""
    alarms = [crop for crop in scored if crop["id"] % (ALARM * LABELLED_ALARM) == 7]
    _put(connection, labels, (_label(crop, "command", "proliv" if crop["id"] % 3 else "ne_proliv") for crop in alarms))
    foldered = [crop for crop in scored if crop["source"] == "labelled"]
    _put(connection, labels, (_label(crop, "folder", "proliv") for crop in foldered))
    _put(
        connection,
        labelled_files,
        (
            {
                "path": crop["path"].replace("inbox", "labelled/proliv"), "label": "proliv", "crop_id": crop["id"],
                **{name: crop[name] for name in ("sha256", "size_bytes", "mtime_ns", "seen_at")},
            }
            for crop in foldered
        ),
    )  # fmt: skip
    calm = [crop for crop in scored if crop["verdict"] == "ne_proliv" and crop["source"] == "inbox"]
    for start in range(0, len(calm) - DRAW // 2, DRAW):
        part = calm[start : start + DRAW]
        span = {"first_crop_id": part[0]["id"], "last_crop_id": part[-1]["id"], "eligible": len(part)}
        statement = insert(audits).returning(audits.c.id)
        audit = connection.execute(statement, {"drawn_at": part[-1]["seen_at"], "author": "ann", **span}).scalar_one()
        drawn = chance.sample(part, DRAWN)
        _put(connection, audit_crops, ({"audit_id": audit, "crop_id": crop["id"]} for crop in drawn))
        _put(connection, labels, (_label(crop, "command", "ne_proliv") for crop in drawn))


def _label(crop: dict[str, Any], source: str, label: str) -> dict[str, Any]:
    at = crop["seen_at"] + timedelta(hours=6)
    return {"crop_id": crop["id"], "label": label, "source": source, "at": at, "recorded_at": at, "author": "ann"}


def _add_days(connection: Connection, there: int, wanted: int) -> None:
    """Add the hourly summaries, except for the last hours, and the nights with their calibrations."""
    chance = random.Random(there)
    hour, end = _hour(moment(there)), _hour(moment(wanted))
    places = [(camera, hole) for camera in CAMERAS for hole in range(1, HOLES + 1)]
    while hour < end:
        count = CROPS_A_DAY // 24
        rows = [(ALL_CAMERAS, NO_HOLE, count), *((*place, count // len(places)) for place in places)]
        _put(
            connection,
            score_summaries,
            (
                {
                    "model_id": 1, "hour": hour, "camera": camera, "hole": hole, "crops": crops_of_hour, "proliv": 0,
                    "quantiles": sorted(THRESHOLD * chance.random() for _ in range(QUANTILES)),
                }
                for camera, hole, crops_of_hour in rows
            ),
        )  # fmt: skip
        if hour.hour == 3:
            _add_night(connection, hour)
        hour += HOUR


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _add_night(connection: Connection, at: datetime) -> None:
    times = {"slot": at, "started_at": at, "finished_at": at + timedelta(minutes=1), "outcome": "2 superseded"}
    identifier = connection.execute(insert(runs).returning(runs.c.id), {"job": NIGHTLY, **times}).scalar_one()
    _put(connection, runs, [{"job": RETENTION, **times}])
    chosen = {"rule": "quantile-midpoint", "settings": {}, "threshold": THRESHOLD, "evidence": EVIDENCE}
    past = {"state": "superseded", "created_at": at, "ended_at": at + timedelta(days=1), "origin": "nightly"}
    _put(
        connection,
        calibrations,
        ({"model_id": model, **chosen, **past, "fallback": False, "run_id": identifier} for model in (1, 2)),
    )
