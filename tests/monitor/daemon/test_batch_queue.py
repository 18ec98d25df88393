"""The bounded queue between two threads."""

from __future__ import annotations

from threading import Thread

from monitor.daemon.batch_queue import BatchQueue


def test_all_that_waits_is_taken_at_once_in_its_order() -> None:
    lane: BatchQueue[int] = BatchQueue(8)
    for number in range(5):
        assert lane.put(number, 0)
    assert lane.qsize() == 5
    assert lane.take(3) == [0, 1, 2]
    assert lane.take(3) == [3, 4]


def test_a_full_one_takes_no_more_until_something_is_taken() -> None:
    lane: BatchQueue[int] = BatchQueue(2)
    assert [lane.put(number, 0.01) for number in range(3)] == [True, True, False]
    lane.take(1)
    assert lane.put(3, 0)
    assert lane.take(9) == [1, 3]


def test_nothing_is_lost_between_threads() -> None:
    lane: BatchQueue[int] = BatchQueue(7)
    count = 5000

    def put() -> None:
        for number in range(count):
            assert lane.put(number, 60)

    thread = Thread(target=put)
    thread.start()
    taken: list[int] = []
    while len(taken) < count:
        part = lane.take(64)
        assert 0 < len(part) <= 7
        taken += part
    thread.join(60)
    assert taken == list(range(count))
