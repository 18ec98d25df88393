"""No figure of operation changes by a folder that is scored by hand, whatever its crops are and however labelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.configuration.settings import Completeness, Drift
from monitor.labels import labels
from monitor.labels.audits import eligible
from monitor.quality.completeness import completeness_of_window
from monitor.quality.drift.drift import drift_of_models
from monitor.quality.operation import last_days, quality_in_operation
from monitor.store import summaries, traffic
from monitor.store.audits import add_audit, drawn_crop_times
from monitor.store.counts import count_crops
from monitor.store.database.engine import Database
from monitor.store.decisions import record
from monitor.store.labels import NewLabel, add_labels
from monitor.store.replay import Span, replay
from monitor.thresholds.overview import overviews
from tests.monitor.thresholds.conftest import add_calibration
from tests.support.stored_crops import crop, decision, failed, make_active
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from monitor.store.decisions import CropRow
    from monitor.store.models import ModelRow

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SETTINGS = Completeness(interval_seconds=600, learn_days=1, window_hours=5)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=30)
    upgrade(opened)
    yield opened
    opened.close()


def rows(model: ModelRow, name: str, count: int, **changes: Any) -> list[CropRow]:
    """Crops of the last hours, every third of them an alarm, every third unusual, and one that failed."""
    assert model.calibration_id is not None
    made = []
    for number in range(count):
        at = NOW - timedelta(minutes=20 * (number + 4))
        one = decision(model.id, model.calibration_id, mse=0.005 if number % 3 == 0 else 0.001)._replace(scored_at=at)
        values: dict[str, Any] = {
            "verdict": one.verdict,
            "unusual": number % 3 == 1,
            "decision_score": one.score,
            "decision_threshold": one.threshold,
            "seen_at": at,
            "captured_at": at,
            "sha256": f"{name}{number}".ljust(64, "0"),
            "hole": number % 2,
        }
        made.append(crop(f"{name}{number}.jpg", scores=(one,), **values, **changes))
    return [*made, failed(made[0]._replace(path=f"/inbox/{name}bad.jpg", sha256=name * 8), "truncated")]


def label_all(database: Database, stored: Sequence[int]) -> None:
    with database.write() as connection:
        given = ("proliv", "command", "anna", NOW, None, False)
        add_labels(connection, [NewLabel(number, *given) for number in stored])


def figures(database: Database, model: ModelRow) -> dict[str, Any]:
    summaries.summarise(database, model.id, NOW)
    with database.read() as connection:
        found = {
            "counts": count_crops(connection)._replace(by_hand=0),
            "verdicts": traffic.verdicts_since(connection, None),
            "unusual": traffic.unusual_since(connection, NOW - timedelta(hours=3)),
            "recent verdicts": traffic.verdicts_since(connection, NOW - timedelta(hours=3)),
            "last crops": traffic.last_crops(connection, NOW - timedelta(days=1)),
            "alarms": traffic.alarms_by_hole(connection, NOW - timedelta(days=1), NOW),
            "to audit": list(eligible(connection).crops.others),
            "drawn": drawn_crop_times(connection),
            "labelled in operation": [one for one in labels.read(connection).crops if one.in_operation],
            "summaries": summaries.summaries_between(connection, model.id, NOW - timedelta(days=1), NOW),
            "completeness": completeness_of_window(connection, SETTINGS, NOW),
            "replayed": replay(connection, model.id, 0.003, Span(in_operation=True)),
            "trial": [one.trial.seen for one in overviews(connection) if one.trial],
            "quality": quality_in_operation(connection, [last_days(7, NOW)], [model], event_gap_seconds=600),
        }
    return found | {"drift": drift_of_models(database, [model], Drift(), NOW)}


def test_no_figure_of_operation_changes(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        add_calibration(connection, model, 0.004, "shadow", hours=-1)
        ids = record(connection, rows(model, "i", 12)).ids
        add_audit(connection, author=None, first=1, last=3, eligible=3, drawn=[2], unusual=None)
    label_all(database, sorted(ids.values())[:5])
    before = figures(database, model)
    assert before["counts"].scored == 12
    assert before["quality"][0].proliv == 5
    assert all(before[name] for name in before if name != "drift")

    with database.write() as connection:
        by_hand = record(connection, rows(model, "h", 20, source="folder")).ids
        # An older program drew such crops, too.
        add_audit(connection, author=None, first=1, last=3, eligible=3, drawn=[max(by_hand.values()) - 1], unusual=None)
    label_all(database, list(by_hand.values()))
    with database.write() as connection:
        # The summaries of these hours are made again, as if they were only summarised now.
        connection.exec_driver_sql("delete from score_summaries")
    after = figures(database, model)
    assert {name: after[name] for name in after if after[name] != before[name]} == {}
    with database.read() as connection:
        assert count_crops(connection).by_hand == 21


def test_a_content_that_comes_into_the_inbox_later_is_in_operation_from_then_on(database: Database) -> None:
    with database.write() as connection:
        model = make_active(connection, "1")
        by_hand = rows(model, "a", 4, source="folder")[:4]
        first = record(connection, by_hand).ids
        add_labels(
            connection, [NewLabel(number, "proliv", "command", "anna", NOW, None, False) for number in first.values()]
        )
        assert not any(one.in_operation for one in labels.read(connection).crops)
        came = [row._replace(path=row.path + ".copy", source="inbox") for row in by_hand[:3]]
        later = record(connection, came).ids
        found = {one.id: one.in_operation for one in labels.read(connection).crops}
        assert {number for number, inside in found.items() if inside} == set(later.values()) - set(first.values())
        assert traffic.alarms_by_hole(connection, NOW - timedelta(days=1), NOW).total() == 1
        (quality,) = quality_in_operation(connection, [last_days(7, NOW)], [model], event_gap_seconds=600)
        assert (quality.proliv, quality.alarms, quality.labelled_alarms) == (3, 1, 1)
