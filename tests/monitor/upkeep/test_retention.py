"""Old decisions go, and what is computed from those that stay is the same as before."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select

from monitor.labels import audits, labels
from monitor.quality.drift.drift import drift_of_model
from monitor.quality.operation import Window, last_days, quality_in_operation
from monitor.store import replay, summaries
from monitor.store import retention as store_retention
from monitor.store.database.schema import (
    alarm_crops,
    alarms,
    audit_crops,
    crops,
    labelled_files,
    score_summaries,
    scores,
)
from monitor.thresholds.gather import gather_evidence
from monitor.upkeep import retention
from monitor.upkeep.retention import prune
from tests.support.made_up import NOW, MadeUp
from tests.support.old_decisions import DAY, OLD, change, present

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration


def test_old_crops_go_but_what_others_need_stays(store: MadeUp, configuration: Configuration) -> None:
    gone, labelled, alarm = store.crop(0.1, at=OLD), store.crop(0.1, at=OLD), store.crop(9.0, at=OLD)
    store.label(labelled, "proliv")
    same = store.crop(0.1, at=OLD, content=f"{labelled:064d}")
    repeated = store.crop(0.1, at=OLD)
    copied = store.crop(0.1, at=OLD)
    failed = store.crop(0.1, at=OLD)
    unreadable = [store.crop(0.1, at=OLD, content="") for _ in range(2)]
    drawn, drawn_labelled = store.crop(0.1, at=OLD), store.crop(0.1, at=OLD)
    store.draw([drawn, drawn_labelled], 9)
    store.label(drawn_labelled, "ne_proliv")
    young, again = store.crop(0.1), store.crop(0.1, content=f"{repeated:064d}")
    unreadable_today = store.crop(0.1, content="")
    newest = store.crop(0.1, at=OLD)
    for crop in (failed, *unreadable, unreadable_today):
        change(store, crop, state="failed", reason="truncated", verdict=None)
    file = {"label": "proliv", "size_bytes": 1, "mtime_ns": 1, "seen_at": NOW}
    with store.database.write() as connection:
        connection.execute(
            insert(labelled_files), {**file, "path": "/l/1.jpg", "sha256": f"{copied:064d}", "crop_id": copied}
        )
    counted: list[int] = []
    done = prune(store.database, configuration, 30, NOW, count=counted.append)
    with_scores = [labelled, same, repeated, copied, drawn_labelled, young, again, unreadable_today, newest]
    assert present(store) == {alarm: False, **dict.fromkeys(with_scores, True)}
    assert (done.crops, done.alarms, sum(counted)) == (5, 1, 5)
    assert not {gone, failed, drawn, *unreadable} & present(store).keys()
    with store.database.read() as connection:
        assert list(connection.execute(select(audit_crops.c.crop_id)).scalars()) == [drawn_labelled]
    # Once more, there is nothing left to do.
    again_done = prune(store.database, configuration, 30, NOW)
    assert (again_done.crops, again_done.alarms) == (0, 0)


def season(store: MadeUp) -> None:
    """Seventy days of crops: alarms, unusual ones, audits, labels, contents that come again, hourly summaries."""
    chance = random.Random(7)
    known: list[str] = []
    recent: list[int] = []
    for day in range(70):
        for number in range(12):
            at = NOW - (69 - day) * DAY - timedelta(hours=2 * number + 1)
            content = chance.choice(known) if known and chance.random() < 0.1 else None
            score = 9.0 if chance.random() < 0.2 else chance.uniform(0.05, 0.4)
            unusual = 0.3 < score < 1
            crop = store.crop(score, at=at, content=content, hole=chance.randrange(3), unusual=unusual)
            known.append(content or f"{crop:064d}")
            recent.append(crop)
            if chance.random() < 0.1:
                store.label(crop, chance.choice(["proliv", "ne_proliv"]), at=at + timedelta(hours=1))
        if day % 10 == 9:
            with store.database.write() as connection:
                draw = audits.draw(connection, 12, author="ann", seed=day)
            assert draw is not None
            for one in draw.crops[::2]:
                store.label(one.id, chance.choice(["proliv", "ne_proliv", "ne_proliv"]), at=NOW)
    with store.database.write() as connection:
        rows = [
            {
                "model_id": store.model.id, "hour": summaries.hour_of(NOW) - timedelta(hours=hour), "camera": camera,
                "hole": hole, "crops": 30, "proliv": 1, "quantiles": sorted(chance.uniform(0, 1) for _ in range(21)),
            }
            for hour in range(1, 70 * 24, 5)
            for camera, hole in (("*", -1), ("C", 0), ("C", 1), ("", -1))
        ]  # fmt: skip
        connection.execute(insert(score_summaries), rows)


@pytest.mark.process
def test_nothing_that_is_computed_changes(store: MadeUp, configuration: Configuration) -> None:
    """Of any span: TPR and TNR, also by hole; what thresholds are chosen from; audits; drift; a threshold's replay."""
    season(store)

    def computed() -> dict[str, Any]:
        settings = configuration.settings
        windows = [last_days(days, NOW) for days in (1.0, 7.0, 30.0, 60.0, 100.0)]
        windows += [Window(f"old{day}", NOW - day * DAY, NOW - (day - 13) * DAY) for day in (70, 55, 42)]
        with store.database.read() as connection:
            measured = quality_in_operation(
                connection, windows, [store.model], event_gap_seconds=settings.calibration.event_gap_seconds, by="hole"
            )
            gathered = gather_evidence(connection, store.model.id, settings.calibration, now=NOW)
            since = replay.Span(since=NOW - 30 * DAY)
            return {
                "rates": [one.rates for one in measured],
                "coverage": [(one.coverage, one.alarms, one.audited, one.incidents) for one in measured],
                # How many were drawn is shown of windows that are kept; what counts is how many of them are labelled.
                "drawn": [one.drawn for one in measured[:3]],
                "normal": gathered.scores.normal.tolist(),
                "proliv": gathered.scores.proliv.tolist(),
                "normal_weights": gathered.scores.normal_weights.tolist(),
                "proliv_weights": gathered.scores.proliv_weights.tolist(),
                "crops_per_week": gathered.scores.crops_per_week,
                "items": gathered.items,
                "labelled": labels.read(connection).crops,
                "drift": drift_of_model(connection, store.model, settings.drift, NOW).as_dict(),
                "all together": [
                    one
                    for one in summaries.summaries_between(connection, store.model.id, NOW - 99 * DAY, NOW)
                    if one.camera == "*"
                ],
                "replay": replay.replay(connection, store.model.id, 0.2, since),
            }

    before = computed()
    done = prune(store.database, configuration, 31, NOW)
    assert done.crops > 200
    assert done.alarms > 50
    assert done.summaries > 300
    assert {name: value for name, value in computed().items() if value != before[name]} == {}


def test_summaries_of_holes_go_but_for_the_baseline_of_drift(store: MadeUp, configuration: Configuration) -> None:
    store.crop(0.1)
    season_start = NOW - 60 * DAY
    with store.database.write() as connection:
        connection.execute(
            insert(score_summaries),
            [
                {"model_id": store.model.id, "hour": season_start + timedelta(hours=hour), "camera": camera,
                 "hole": hole, "crops": 30, "proliv": 0, "quantiles": [0.0] * 21}
                for hour in range(100) for camera, hole in (("*", -1), ("C", 7))
            ],
        )  # fmt: skip
    done = prune(store.database, configuration, 31, NOW)
    with store.database.read() as connection:
        query = select(score_summaries.c.camera, func.count(), func.min(score_summaries.c.hour))
        rows = {row[0]: tuple(row[1:]) for row in connection.execute(query.group_by(score_summaries.c.camera))}
    baseline = configuration.settings.drift.baseline_hours
    assert rows == {"*": (100, season_start), "C": (baseline, season_start)}
    assert done.summaries == 100 - baseline


def test_a_crop_that_is_labelled_at_the_last_moment_stays(
    store: MadeUp, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = store.crop(0.1, at=OLD), store.crop(0.1, at=OLD)
    store.crop(0.1)
    before = retention._delete_file

    def label(*arguments: Any) -> bool:
        if arguments[1].id == first:
            store.label(first, "proliv")
        return before(*arguments)

    monkeypatch.setattr(retention, "_delete_file", label)
    assert prune(store.database, configuration, 31, NOW).crops == 1
    assert first in present(store)
    assert second not in present(store)


def test_a_crop_that_is_just_being_labelled_is_left_alone(store: MadeUp) -> None:
    if store.database.file is not None:
        pytest.skip("SQLite has one writer at a time")
    held, free = store.crop(0.1, at=OLD), store.crop(0.1, at=OLD)
    store.crop(0.1)
    with store.database.write() as labelling:
        labelling.execute(select(crops.c.id).where(crops.c.id == held).with_for_update(key_share=True, read=True))
        with store.database.write() as connection:
            assert store_retention.forget(connection, NOW - 30 * DAY, [held, free]) == (1, 0)
    assert held in present(store)


def test_what_was_scored_by_hand_alone_is_as_old_as_its_newest(store: MadeUp, configuration: Configuration) -> None:
    for days in (40, 20, 0):
        store.crop(0.1, at=NOW - days * DAY, source="folder")
    assert prune(store.database, configuration, 30, NOW).crops == 1


def test_an_interrupted_run_goes_on_the_next_time(
    sqlite_store: MadeUp, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(25):
        sqlite_store.crop(0.1, at=OLD)
    sqlite_store.crop(0.1)
    monkeypatch.setattr(retention, "BATCH", 10)
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.0)
    counted: list[int] = []

    def interrupt(crops: int) -> None:
        counted.append(crops)
        if len(counted) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(sqlite_store.database, configuration, 30, NOW, count=interrupt)
    assert len(present(sqlite_store)) == 6
    assert prune(sqlite_store.database, configuration, 30, NOW).crops == 5


def test_no_transaction_is_larger_than_a_batch(
    sqlite_store: MadeUp, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon's decisions wait for one of them at most."""
    with sqlite_store.database.write() as connection:
        connection.execute(
            insert(crops),
            [
                {"path": f"/x/{number}", "sha256": f"{number:064d}", "size_bytes": 1, "mtime_ns": 1, "seen_at": OLD,
                 "state": "failed", "reason": "empty"}
                for number in range(1200)
            ],
        )  # fmt: skip
    sqlite_store.next_id = 5000
    sqlite_store.crop(0.1)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    counted: list[int] = []
    prune(sqlite_store.database, configuration, 30, NOW, count=counted.append)
    assert counted == [200] * 6
    assert len(pauses) >= 3
    assert all(pause > 0 for pause in pauses)


def test_what_a_running_alarm_refers_to_stays_whole(store: MadeUp, configuration: Configuration) -> None:
    old = NOW - 100 * DAY
    with_alarm, ended, replaced, ordinary = (store.crop(score, at=old, threshold=1.0) for score in (2.0, 2.0, 0.5, 0.5))
    store.crop(0.5)
    now = {"opened_at": old, "opened_on": old, "first_at": old, "last_at": old, "last_decided_at": old}
    about = {"camera": "C", "hole": 7, "place": ""}
    decided = {"score": 2.0, "threshold": 1.0}
    with store.database.write() as connection:
        for number, state, ended_by in ((with_alarm, "open", None), (ended, "closed", "quiet")):
            alarm = {"id": number, "kind": "hole", **about, "state": state, **now, "crops": 1, **decided}
            connection.execute(insert(alarms), {**alarm, "highest_crop_id": number, "ended_by": ended_by})
        for crop, alarm_id in ((with_alarm, with_alarm), (ended, ended), (replaced, ended)):
            member = {"crop_id": crop, "alarm_id": alarm_id, **about, "at": old, **decided}
            connection.execute(insert(alarm_crops), member)
    prune(store.database, configuration, 60, NOW)
    with store.database.read() as connection:
        left = set(connection.execute(select(crops.c.id)).scalars())
        scored = set(connection.execute(select(scores.c.crop_id)).scalars())
    assert {with_alarm, ended, replaced} <= left
    assert ordinary not in left
    assert with_alarm in scored
    assert ended not in scored
