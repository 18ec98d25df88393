"""Self-tests as rows, on both kinds of database: what is one of their files, and who sends what when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from monitor.store import decisions, selftests
from monitor.store.database.schema import selftest_crops, selftest_deliveries
from monitor.store.selftests import GRACE, SelftestCrop
from tests.support.stored_crops import NOW, decided, decision, make_active

if TYPE_CHECKING:
    import pytest
    from sqlalchemy.engine import Connection

    from monitor.store.database.engine import Database

SHA = "a" * 64
PATH = "/inbox/monitor-selftest-1-proliv.png"
ENDS = NOW + timedelta(seconds=60)


def begun(connection: Connection, path: str = PATH, *sinks: str) -> int:
    number = selftests.begin(connection, began_at=NOW, ends_at=NOW + timedelta(minutes=10), sinks=sinks)
    selftests.register(connection, [SelftestCrop(number, "proliv", path, SHA)], ends_at=ENDS)
    return number


def test_a_file_is_of_a_self_test_only_with_its_path_and_its_content(either_store: Database) -> None:
    other = "/inbox/sub/monitor-selftest-1-proliv.png"
    with either_store.write() as connection:
        begun(connection)
    keys = [
        *((PATH, SHA), (PATH, "b" * 64), (other, SHA), ("/inbox/10_CAM_C.jpg", SHA)),
        # Nothing could be read of these.
        *((PATH, ""), (other, "")),
    ]
    with either_store.read() as connection:
        assert selftests.among_crops(connection, keys) == {(PATH, SHA), (PATH, "")}
        assert (selftests.is_path_of_one(connection, PATH), selftests.is_path_of_one(connection, other)) == (
            True,
            False,
        )


def test_a_message_is_due_until_it_is_taken_or_its_time_is_over(either_store: Database) -> None:
    with either_store.write() as connection:
        number = begun(connection, PATH, "siren", "plc")
        selftests.send(connection, number, {"siren": {"kind": "test"}}, NOW, error=None)
        selftests.send(connection, number, {"plc": {"kind": "test"}}, NOW, error="it is not known")
        (due,) = selftests.due(connection, "siren", NOW)
        assert selftests.due(connection, "plc", NOW) == []
        assert selftests.claim(connection, due, NOW + timedelta(seconds=5))
        # Another program had the same row, and is slower.
        assert not selftests.claim(connection, due, NOW + timedelta(seconds=6))
        assert selftests.due(connection, "siren", NOW) == []
        selftests.failed(connection, due, "refused", NOW + timedelta(seconds=1))
        (again,) = selftests.due(connection, "siren", NOW + timedelta(seconds=1))
        assert (again.attempts, again.error) == (1, "refused")
        assert selftests.due(connection, "siren", ENDS) == []
        selftests.delivered(connection, again, NOW + timedelta(seconds=2))
        assert selftests.due(connection, "siren", NOW + timedelta(seconds=2)) == []
        found = selftests.deliveries_of(connection, number)
    assert {name: (one.attempts, one.error) for name, one in found.items()} == {
        "siren": (2, None),
        "plc": (0, "it is not known"),
    }


def test_nothing_more_is_sent_of_a_self_test_that_has_ended(either_store: Database) -> None:
    with either_store.write() as connection:
        number = begun(connection, PATH, "siren")
        selftests.send(connection, number, {"siren": {}}, NOW, error=None)
        (due,) = selftests.due(connection, "siren", NOW)
        selftests.finish(connection, number, at=NOW, passed=False, seconds=None, problem="it took too long")
        assert selftests.due(connection, "siren", NOW) == []
        # It was being sent.
        selftests.failed(connection, due, "refused", NOW)
        assert selftests.due(connection, "siren", NOW) == []
        # The first word stands.
        selftests.finish(connection, number, at=NOW, passed=True, seconds=1.0, problem=None)
        last = selftests.newest(connection)
    assert last is not None
    assert (last.passed, last.problem, last.ended_by(NOW)) == (False, "it took too long", NOW)


def test_one_that_was_killed_has_ended_when_its_time_was_over(either_store: Database) -> None:
    with either_store.write() as connection:
        number = begun(connection)
        selftests.note(connection, SelftestCrop(number, "proliv", PATH, SHA), written_at=NOW)
        selftests.note_seen(connection, PATH, NOW)
        selftests.note_seen(connection, PATH, ENDS)
        assert selftests.left(connection, ENDS) == []
        (crop,) = selftests.left(connection, ENDS + GRACE)
        assert (crop.path, crop.written_at, crop.seen_at) == (PATH, NOW, NOW)
        last = selftests.newest(connection)
        assert last is not None
        assert last.ended_by(ENDS) is None
        assert last.ended_by(ENDS + 2 * GRACE) == ENDS
        selftests.note(connection, crop, removed_at=NOW)
        assert selftests.left(connection, ENDS + GRACE) == []


def test_the_last_that_passed_is_known_behind_those_that_failed(either_store: Database) -> None:
    with either_store.write() as connection:
        assert (selftests.newest(connection), selftests.passed_at(connection)) == (None, None)
        for seconds, passed in enumerate((True, True, False)):
            number = begun(connection, f"{PATH}-{seconds}")
            at = NOW + timedelta(seconds=seconds)
            selftests.finish(connection, number, at=at, passed=passed, seconds=None, problem=None)
        assert selftests.passed_at(connection) == NOW + timedelta(seconds=1)


def test_old_ones_are_forgotten_unless_a_file_may_be_left(
    either_store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftests, "REMEMBERED", 2)
    with either_store.write() as connection:
        first = begun(connection, f"{PATH}-first", "siren")
        second = begun(connection, f"{PATH}-second", "siren")
        selftests.send(connection, second, {"siren": {}}, NOW, error=None)
        (crop,) = selftests.crops_of(connection, second).values()
        selftests.note(connection, crop, removed_at=NOW)
        for number in range(3):
            begun(connection, f"{PATH}-{number}")
        numbers = sorted(connection.execute(select(selftest_crops.c.selftest_id)).scalars())
        assert numbers == [first, 3, 4, 5]
        assert connection.execute(select(func.count()).select_from(selftest_deliveries)).scalar() == 0


def test_the_newest_crops_of_the_line_are_found_by_their_verdict(either_store: Database) -> None:
    with either_store.write() as connection:
        model = make_active(connection, "a")
        assert model.calibration_id is not None
        normal, proliv = (decision(model.id, model.calibration_id, mse=mse) for mse in (0.001, 0.003))
        rows = [
            decided(f"{number}.jpg", f"{number}", one)._replace(seen_at=NOW + timedelta(seconds=number))
            for number, one in enumerate((proliv, normal, proliv, normal))
        ]
        by_hand = decided("5.jpg", "5", proliv)._replace(source="folder")
        odd = decided("6.jpg", "6", normal, proliv._replace(model_id=model.id))._replace(scores=(normal,))
        decisions.record(connection, [*rows, by_hand, odd])
        found = {
            verdict: [crop.path for crop in selftests.decided_crops(connection, verdict, 9)]
            for verdict in ("proliv", "ne_proliv")
        }
    assert found == {"proliv": ["/inbox/2.jpg", "/inbox/0.jpg"], "ne_proliv": ["/inbox/3.jpg", "/inbox/1.jpg"]}
