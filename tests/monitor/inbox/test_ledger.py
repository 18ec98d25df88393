"""The rules by which files are offered, on a clock and with files that the test makes up."""

from __future__ import annotations

from itertools import pairwise

import pytest

from monitor.configuration.settings import Watch
from monitor.files.looks import Looks
from monitor.inbox import ledger
from monitor.inbox.ledger import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Ledger, Waiting
from monitor.inbox.messages import Candidate

NOW_NS = 777
SETTLE = 10.0
GIVE_UP = 60.0
A, B = "/inbox/a.jpg", "/inbox/b.jpg"
HALF, WHOLE = Looks(1, 100, 100), Looks(2, 200, 200)


class Files:
    """A ledger over files that are a dictionary; what is not in it is gone."""

    def __init__(self, settle: float = SETTLE, give_up: float = GIVE_UP) -> None:
        self.looks: dict[str, Looks] = {}
        self.looked = 0
        settings = Watch(settle_seconds=settle, give_up_seconds=give_up)
        self.ledger = Ledger(settings, self._look, lambda: NOW_NS)

    def _look(self, path: str) -> Looks | None:
        self.looked += 1
        return self.looks.get(path)

    def postpone(self, path: str, now: float) -> float:
        """Offer a path and find it incomplete; the time until it is due again."""
        self.ledger.offer(path, now)
        self.ledger.postpone(path, self.looks.get(path), now)
        return self.due_in(now)

    def due_in(self, now: float) -> float:
        due = self.ledger.next_due()
        assert due is not None
        return due - now

    def tries(self, seconds: float) -> list[tuple[float, Candidate]]:
        """Offer a path whenever it is due, always to find it incomplete; (when, what was offered)."""
        now = 0.0
        tries = []
        while now <= seconds:
            tries.append((now, self.ledger.offer(A, now)))
            self.ledger.postpone(A, self.looks.get(A), now)
            assert self.ledger.take_due(now) is None
            now += self.due_in(now)
            assert self.ledger.take_due(now) == A
        return tries


@pytest.fixture
def files() -> Files:
    made = Files()
    made.looks = {A: HALF, B: HALF}
    return made


def test_a_new_path_is_offered_with_nothing_known_of_it(files: Files) -> None:
    assert not files.ledger.is_known(A)
    assert files.ledger.offer(A, 0.0) == Candidate(A)
    assert files.ledger.is_known(A)
    assert not files.ledger.is_known(B)


def test_nothing_is_due_at_first(files: Files) -> None:
    assert files.ledger.next_due() is None
    assert files.ledger.take_due(1e9) is None


def test_a_finished_path_is_known_until_it_changes(files: Files) -> None:
    files.ledger.offer(A, 0.0)
    assert not files.ledger.finish(A, HALF)
    assert files.ledger.is_known(A)
    assert not files.ledger.touch(A)
    files.looks[A] = WHOLE
    assert not files.ledger.is_known(A)
    assert files.ledger.touch(A)


def test_a_finished_file_that_is_gone_is_known_for_it_may_have_been_moved_away(files: Files) -> None:
    files.ledger.finish(A, HALF)
    del files.looks[A]
    assert files.ledger.is_known(A)
    assert not files.ledger.touch(A)


def test_an_unknown_path_is_offered_when_it_is_touched(files: Files) -> None:
    assert files.ledger.touch(A)


def test_a_path_that_is_touched_in_flight_is_offered_again_only_if_it_has_changed(files: Files) -> None:
    files.ledger.offer(A, 0.0)
    assert not files.ledger.touch(A)
    assert not files.ledger.finish(A, HALF)

    files.ledger.offer(A, 1.0)
    assert not files.ledger.touch(A)
    files.looks[A] = WHOLE
    assert files.ledger.finish(A, HALF)
    # That was said once.
    files.ledger.offer(A, 2.0)
    assert not files.ledger.finish(A, HALF)


def test_a_change_in_flight_that_no_event_told_is_left_to_the_scan(files: Files) -> None:
    files.ledger.offer(A, 0.0)
    files.looks[A] = WHOLE
    assert not files.ledger.finish(A, HALF)
    assert not files.ledger.is_known(A)


def test_an_incomplete_path_that_was_touched_in_flight_is_due_at_once(files: Files) -> None:
    files.ledger.offer(A, 0.0)
    files.ledger.touch(A)
    files.ledger.postpone(A, HALF, 3.0)
    assert files.ledger.next_due() == 3.0
    assert files.ledger.take_due(3.0) == A
    # That too was said once.
    assert files.postpone(A, 4.0) == pytest.approx(2 * FIRST_PAUSE_SECONDS)


def test_an_incomplete_path_is_known_and_offered_early_when_it_is_touched(files: Files) -> None:
    files.postpone(A, 0.0)
    assert files.ledger.is_known(A)
    assert files.ledger.touch(A)


def test_pauses_double_up_to_the_longest() -> None:
    files = Files(settle=60.0, give_up=60.0)
    files.looks[A] = HALF
    pauses = [after - before for before, after in pairwise(now for now, _ in files.tries(50.0))]
    expected = [min(FIRST_PAUSE_SECONDS * 2**count, LONGEST_PAUSE_SECONDS) for count in range(len(pauses))]
    assert pauses == pytest.approx(expected)
    assert expected[-1] == LONGEST_PAUSE_SECONDS


def test_a_file_that_stays_as_it_is_settles_and_is_then_given_up_on_time(files: Files) -> None:
    tries = files.tries(GIVE_UP)
    for now, candidate in tries[1:]:
        assert candidate == Candidate(A, HALF, now >= SETTLE, now >= GIVE_UP)
    # No pause reaches beyond the moment at which the file settles, or is given up.
    assert {SETTLE, GIVE_UP} <= {now for now, _ in tries}


def test_a_file_may_be_given_up_before_it_would_settle() -> None:
    files = Files(settle=50.0, give_up=20.0)
    files.looks[A] = HALF
    files.postpone(A, 0.0)
    assert files.ledger.offer(A, 19.9) == Candidate(A, HALF, settled=False, final=False)
    assert files.ledger.offer(A, 20.0) == Candidate(A, HALF, settled=True, final=True)


@pytest.mark.parametrize("seen", ["when it was read", "when it is offered"])
def test_a_change_begins_the_wait_again_but_not_the_pauses(files: Files, seen: str) -> None:
    files.postpone(A, 0.0)
    files.looks[A] = WHOLE
    if seen == "when it was read":
        files.ledger.postpone(A, WHOLE, 9.0)
    else:
        assert files.ledger.offer(A, 9.0) == Candidate(A, WHOLE)
    assert files.ledger.offer(A, 18.9) == Candidate(A, WHOLE)
    assert files.ledger.offer(A, 19.0) == Candidate(A, WHOLE, settled=True)
    assert files.ledger.offer(A, 68.9) == Candidate(A, WHOLE, settled=True)
    assert files.ledger.offer(A, 69.0) == Candidate(A, WHOLE, settled=True, final=True)
    files.ledger.postpone(A, WHOLE, 70.0)
    pause = 4 * FIRST_PAUSE_SECONDS if seen == "when it was read" else 2 * FIRST_PAUSE_SECONDS
    assert files.ledger.take_due(70.0 + 0.99 * pause) is None
    assert files.ledger.take_due(70.0 + 1.01 * pause) == A


def test_a_finished_path_begins_anew_when_it_is_incomplete_later(files: Files) -> None:
    files.tries(5.0)
    files.ledger.finish(A, HALF)
    files.looks[A] = WHOLE
    assert files.ledger.offer(A, 100.0) == Candidate(A)
    files.ledger.postpone(A, WHOLE, 100.0)
    assert files.ledger.take_due(100.0 + FIRST_PAUSE_SECONDS) == A


def test_what_is_due_is_taken_in_its_order_and_not_before(files: Files) -> None:
    files.postpone(A, 0.0)
    files.postpone(A, 0.0)  # whose pause is twice as long now
    files.postpone(B, 0.0)
    assert files.ledger.take_due(0.9 * FIRST_PAUSE_SECONDS) is None
    assert files.ledger.take_due(FIRST_PAUSE_SECONDS) == B
    assert files.ledger.take_due(FIRST_PAUSE_SECONDS) is None
    assert files.ledger.take_due(2 * FIRST_PAUSE_SECONDS) == A


def test_a_path_that_was_offered_before_it_was_due_is_taken_once(files: Files) -> None:
    files.postpone(A, 0.0)
    # An event has it offered early: it is in flight when the first try is due.
    files.ledger.touch(A)
    files.ledger.offer(A, 0.01)
    assert files.ledger.take_due(1.0) is None
    files.ledger.postpone(A, HALF, 1.0)
    assert [files.ledger.take_due(2.0), files.ledger.take_due(2.0)] == [A, None]


def test_two_tries_of_one_path_in_the_heap_are_one(files: Files) -> None:
    files.postpone(A, 0.0)
    files.postpone(A, 0.01)
    # The first of the two is passed over, and it is not yet time for the second.
    assert files.ledger.take_due(FIRST_PAUSE_SECONDS) is None
    assert [files.ledger.take_due(9.0), files.ledger.take_due(9.0)] == [A, None]


def test_a_path_that_is_finished_is_not_due_any_more(files: Files) -> None:
    files.postpone(A, 0.0)
    files.ledger.finish(A, HALF)
    assert files.ledger.take_due(1e9) is None
    assert files.ledger.next_due() is None


def test_the_longest_finished_paths_are_forgotten(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "RECENT_LIMIT", 2)
    paths = [f"/inbox/{number}.jpg" for number in range(3)]
    files.looks = dict.fromkeys(paths, HALF)
    for path in (paths[0], paths[1], paths[0], paths[2]):
        files.ledger.finish(path, HALF)
    assert [files.ledger.is_known(path) for path in paths] == [True, False, True]


def test_files_are_looked_at_only_where_they_were_finished(files: Files) -> None:
    files.ledger.is_known(A)
    files.ledger.touch(A)
    assert files.looked == 0
    files.ledger.finish(A, HALF)
    files.ledger.is_known(A)
    assert files.looked == 1


def test_what_waits_is_counted_with_its_earliest_change(files: Files) -> None:
    files.looks[A] = WHOLE
    assert files.ledger.waiting() == Waiting(0, None)
    files.ledger.offer(A, 0.0)
    assert files.ledger.waiting() == Waiting(1, WHOLE.ctime_ns)
    files.ledger.offer(B, 0.0)
    assert files.ledger.waiting() == Waiting(2, HALF.ctime_ns)
    # What is not complete yet waits as well, and is as old as its last change.
    changed = Looks(3, 300, 300)
    files.ledger.postpone(B, changed, 1.0)
    assert files.ledger.waiting() == Waiting(2, WHOLE.ctime_ns)
    files.ledger.finish(A, WHOLE)
    assert files.ledger.waiting() == Waiting(1, changed.ctime_ns)
    # One that is gone when it is read keeps the age that was known.
    files.ledger.postpone(B, None, 2.0)
    assert files.ledger.waiting() == Waiting(1, changed.ctime_ns)
    files.ledger.finish(B, None)
    assert files.ledger.waiting() == Waiting(0, None)


def test_a_file_that_is_gone_when_it_is_offered_is_as_old_as_the_present(files: Files) -> None:
    del files.looks[A]
    files.ledger.offer(A, 0.0)
    assert files.ledger.waiting() == Waiting(1, NOW_NS)
