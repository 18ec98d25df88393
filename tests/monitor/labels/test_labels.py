"""Which label counts, what contradicts, and what a labelled crop stands for, in a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.labels import audits as labels_audits
from monitor.labels import give as labels_give
from monitor.labels import labels
from monitor.store import audits as draws
from monitor.store import decisions, labelled_files
from monitor.store import labels as stored
from monitor.store.database.engine import Database
from monitor.store.database.schema import audits, calibrations, metadata, models
from monitor.store.decisions import CropRow, ScoreRow
from monitor.store.labels import NewLabel
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

START = datetime(2024, 5, 1, 12, tzinfo=UTC)
PROLIV, NORMAL = Label.PROLIV, Label.NE_PROLIV


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    """A transaction in an empty database with one calibrated model."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/monitor.db"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("new_postgresql_database")
        url = new_database()
    database = Database(url, busy_seconds=0)
    with database.write() as connection:
        metadata.create_all(connection)
        connection.execute(
            models.insert().values(
                name="ae-1", detector="ae", fingerprint="1", folder="ae-1", settings={}, trained_at=START
            )
        )
        connection.execute(
            calibrations.insert().values(
                model_id=1, rule="fixed", settings={}, threshold=1.0, evidence={}, state="active", created_at=START
            )
        )
        yield connection
    database.close()


def crop(
    connection: Connection,
    name: str,
    content: str | None = None,
    *,
    verdict: str = "ne_proliv",
    source: str = "inbox",
    failed: bool = False,
) -> int:
    """Store a crop; its id."""
    row = crop_row(name, content, verdict=verdict, source=source, failed=failed)
    decisions.record(connection, [row])
    return stored.find_crops(connection, paths=[row.path])[-1].id


def crop_row(
    name: str, content: str | None, *, verdict: str = "ne_proliv", source: str = "inbox", failed: bool = False
) -> CropRow:
    score = ScoreRow(1, 1, 0.1, 0.5, 1.0, verdict, START, 0.0)
    return CropRow(
        path=f"/inbox/{name}",
        sha256=content or name,
        size_bytes=1,
        mtime_ns=1,
        width=64,
        height=64,
        hole=1,
        camera="C",
        captured_at=None,
        seen_at=START,
        reason="truncated" if failed else None,
        error="it ends early" if failed else None,
        verdict=None if failed else verdict,
        decision_score=None if failed else 0.5,
        decision_threshold=None if failed else 1.0,
        decided_by=None if failed else "primary",
        scores=() if failed else (score,),
        source=source,
    )


def say(
    connection: Connection,
    crop_id: int,
    label: Label,
    author: str | None = None,
    *,
    minute: int,
    settles: bool = False,
    source: str | None = None,
) -> None:
    source = source or ("folder" if author is None else "command")
    at = START + timedelta(minutes=minute)
    stored.add_labels(connection, [NewLabel(crop_id, label.value, source, author, at, None, settles)])


def outcome(connection: Connection) -> tuple[dict[str, Label], list[str]]:
    """(content -> the label that counts, the contradictory contents)."""
    found = labels.read(connection)
    return {one.sha256: one.label for one in found.crops}, [one.sha256 for one in found.contradictions]


def test_the_newest_label_of_one_author_counts_and_contradicts_nothing(connection: Connection) -> None:
    one = crop(connection, "a")
    say(connection, one, PROLIV, "anna", minute=0)
    say(connection, one, NORMAL, "anna", minute=1)
    assert outcome(connection) == ({"a": NORMAL}, [])


def test_two_authors_contradict_each_other_until_they_agree(connection: Connection) -> None:
    one = crop(connection, "a")
    say(connection, one, PROLIV, "anna", minute=0)
    say(connection, one, NORMAL, "boris", minute=1)
    assert outcome(connection) == ({"a": NORMAL}, ["a"])
    (contradiction,) = labels.read(connection).contradictions
    assert contradiction.sentence == (
        "/inbox/a: anna says proliv, boris says ne_proliv; settle it: monitor label /inbox/a --as … --settle"
    )
    assert labels.read(connection).agreed() == []
    say(connection, one, PROLIV, "boris", minute=2)
    assert outcome(connection) == ({"a": PROLIV}, [])


def test_settling_voids_what_was_said_before_and_not_what_is_said_after(connection: Connection) -> None:
    one = crop(connection, "a")
    say(connection, one, PROLIV, "anna", minute=0)
    say(connection, one, NORMAL, "boris", minute=1)
    say(connection, one, PROLIV, "vera", minute=2, settles=True)
    assert outcome(connection) == ({"a": PROLIV}, [])
    say(connection, one, NORMAL, "boris", minute=3)
    assert outcome(connection) == ({"a": NORMAL}, ["a"])


def test_the_folder_is_one_labeller_beside_the_authors(connection: Connection) -> None:
    one = crop(connection, "a")
    say(connection, one, PROLIV, minute=0)
    say(connection, one, NORMAL, minute=1)  # the file was moved
    assert outcome(connection) == ({"a": NORMAL}, [])
    say(connection, one, PROLIV, "anna", minute=2)
    assert outcome(connection) == ({"a": PROLIV}, ["a"])
    assert "the labelled folder says ne_proliv" in labels.read(connection).contradictions[0].sentence


def test_labels_of_one_instant_contradict_each_other(connection: Connection) -> None:
    one, other = crop(connection, "a"), crop(connection, "b")
    say(connection, one, PROLIV, "anna", minute=0)
    say(connection, one, NORMAL, "anna", minute=0)
    say(connection, other, PROLIV, "anna", minute=0)
    say(connection, other, PROLIV, "anna", minute=0)
    assert outcome(connection) == ({"a": NORMAL, "b": PROLIV}, ["a"])


def test_a_file_in_both_folders_is_contradictory_until_it_is_settled(connection: Connection) -> None:
    one = crop(connection, "a")
    for name, label, minute in (("x", PROLIV, 0), ("y", NORMAL, 1)):
        row = crop_row(name, "a")
        say(connection, one, label, minute=minute)
        labelled_files.take_labelled(connection, [(label.value, row)])
    assert outcome(connection)[1] == ["a"]
    assert "remove one of the two" in labels.read(connection).contradictions[0].sentence
    say(connection, one, NORMAL, "anna", minute=3, settles=True)
    assert outcome(connection) == ({"a": NORMAL}, [])


def test_a_label_holds_for_every_crop_of_the_content_and_one_stands_for_it(connection: Connection) -> None:
    came_with_its_label = crop(connection, "a", "same", source="labelled")
    in_operation = crop(connection, "b", "same", verdict="proliv")
    again = crop(connection, "c", "same")
    say(connection, came_with_its_label, PROLIV, minute=0)
    say(connection, again, PROLIV, "anna", minute=1)
    (found,) = labels.read(connection).crops
    assert (found.id, found.alarmed, found.in_operation, found.author) == (in_operation, True, True, "anna")


def test_only_crops_that_came_with_their_label_are_not_in_operation(connection: Connection) -> None:
    for name, source in (("a", "inbox"), ("b", "folder"), ("c", "labelled")):
        say(connection, crop(connection, name, source=source), NORMAL, minute=0)
    assert [one.in_operation for one in labels.read(connection).crops] == [True, True, False]


def test_a_labelled_crop_of_a_draw_stands_for_its_share_of_what_was_drawn_from(connection: Connection) -> None:
    for number in range(30):
        crop(connection, f"passed{number}")
    crop(connection, "alarm", verdict="proliv")
    say(connection, crop(connection, "labelled before"), NORMAL, "anna", minute=0)
    draw = labels_audits.draw(connection, 6, author="anna", seed=1)
    assert draw is not None
    assert (draw.eligible, len(draw.crops)) == (30, 6)
    for drawn in draw.crops[:3]:
        say(connection, drawn.id, NORMAL, "anna", minute=1)
    weights = {one.id: one.weight for one in labels.read(connection).crops}
    assert [weights.pop(drawn.id) for drawn in draw.crops[:3]] == [10.0] * 3
    assert list(weights.values()) == [1.0]
    assert [one.id for one in draws.drawn_crops(connection)] == [one.id for one in draw.crops[3:]]


def test_draws_never_overlap_and_take_each_content_once(connection: Connection) -> None:
    ids = [crop(connection, f"a{number}", f"content{number % 5}") for number in range(10)]
    crop(connection, "broken", failed=True)
    crop(connection, "with label", source="labelled")
    first = labels_audits.draw(connection, 100, author=None)
    assert first is not None
    assert [one.id for one in first.crops] == ids[:5]
    assert labels_audits.draw(connection, 100, author=None) is None
    assert connection.execute(audits.select()).all()[0][3:] == (1, 12, 5)
    crop(connection, "old content", "content3")  # it was eligible before
    new = crop(connection, "new", source="folder")
    second = labels_audits.draw(connection, 100, author=None)
    assert second is not None
    assert (second.eligible, [one.id for one in second.crops]) == (1, [new])


def test_what_was_eligible_before_another_draw_is_not_drawn_from_again(connection: Connection) -> None:
    before = [crop(connection, f"a{number}") for number in range(5)]
    found = labels_audits.eligible(connection)
    assert (found.first, found.last, list(found.ids)) == (1, 5, before)
    new = crop(connection, "came meanwhile")
    first = labels_audits.draw(connection, 3, author=None, found=found)
    assert first is not None
    assert first.eligible == 5
    second = labels_audits.draw(connection, 100, author=None, found=found)
    assert second is not None
    assert [one.id for one in second.crops] == [new]


def test_a_seed_gives_the_same_draw(connection: Connection) -> None:
    for number in range(50):
        crop(connection, f"{number}")
    draws = []
    for _ in range(2):
        point = connection.begin_nested()
        draw = labels_audits.draw(connection, 5, author=None, seed=7)
        assert draw is not None
        draws.append([one.id for one in draw.crops])
        point.rollback()
    assert draws[0] == draws[1]


def test_giving_a_label_again_adds_nothing(connection: Connection) -> None:
    one, same = crop(connection, "a", "same"), crop(connection, "b", "same")
    both = stored.find_crops(connection, ids=[one, same])

    def give(label: Label, author: str, **options: object) -> tuple[int, int]:
        given = labels_give.give(connection, both, label, author=author, **options)  # type: ignore[arg-type]
        return given.new, given.known

    assert give(PROLIV, "anna") == (1, 0)
    assert give(PROLIV, "anna") == (0, 1)
    assert give(PROLIV, "anna", note="a reason") == (1, 0)
    assert give(PROLIV, "anna", note="a reason") == (0, 1)
    assert give(NORMAL, "boris") == (1, 0)
    assert give(NORMAL, "boris", settles=True) == (1, 0)
    assert give(NORMAL, "boris", settles=True) == (0, 1)
    # What was settled is void, and may be said again.
    assert give(PROLIV, "anna") == (1, 0)
    assert {row.crop_id for row in stored.all_labels(connection)} == {one}


def test_the_source_of_a_crop_stays_what_it_was_first(connection: Connection) -> None:
    crop(connection, "a", source="labelled")
    crop(connection, "a", source="inbox")
    say(connection, 1, NORMAL, minute=0)
    assert [one.source for one in stored.labelled_crops(connection)] == ["labelled"]


def test_labels_and_crops_are_read_a_row_at_a_time(connection: Connection) -> None:
    ids = [crop(connection, f"{number:03}") for number in range(20)]
    for number, crop_id in enumerate(ids):
        say(connection, crop_id, NORMAL, "anna", minute=number)
    assert [row.crop_id for row in stored.given_labels(connection)] == ids
    assert [row.id for row in stored.scored_crops(connection, hole=1, camera="C", since=START)] == ids
    assert list(stored.scored_crops(connection, until=START)) == []
    assert list(stored.scored_crops(connection, hole=2)) == []


def test_gone_files_are_forgotten_and_their_labels_stay(connection: Connection) -> None:
    rows = [crop_row(f"{number}", None, source="labelled") for number in range(3)]
    labelled_files.take_labelled(connection, [("proliv", row) for row in rows])
    labelled_files.take_labelled(connection, [("proliv", row) for row in rows])
    labelled_files.forget_files(connection, ["/inbox/0", "/inbox/1"])
    assert [row.path for row in labelled_files.all_files(connection)] == ["/inbox/2"]
    assert len(stored.all_labels(connection)) == 3
