"""Which files are suspected, which are given up, and when workers are to blame."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from monitor.errors import CropRefusedError, WorkerLostError
from monitor.scoring.pools.judge import MOST_IN_A_ROW, Judge
from monitor.scoring.pools.suspects import ALONE_TRIES, GivenUp, Suspects
from monitor.scoring.pools.trail import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.scoring.pools.worker import Excess

REASON = GivenUp(CropRefusedError("killed_worker", "it ended the process"), was_read=True)


def worker(paths: Sequence[str], phase: Phase = Phase.DECODING) -> Any:
    return SimpleNamespace(suspects=lambda: (list(paths), phase))


class TestSuspects:
    def test_files_are_worked_on_together_up_to_the_first_suspect(self) -> None:
        suspects = Suspects(["c", "d"])
        assert suspects.together(["a", "b"]) == 2
        assert suspects.together(["a", "b", "c", "d"]) == 2
        assert suspects.together(["c", "d", "e"]) == 1
        suspects.clear(["c"])
        assert suspects.together(["c", "d", "e"]) == 1
        assert suspects.together(["c", "e"]) == 2

    def test_a_file_is_given_up_when_it_ended_workers_alone(self) -> None:
        suspects = Suspects()
        assert not suspects.suspect(["a", "b"], REASON)
        assert [suspects.suspect(["a"], REASON) for _ in range(ALONE_TRIES)] == [False, True]
        assert suspects.together(["b", "a"]) == 1
        assert suspects.given_up("b") is None
        assert suspects.given_up("a") == REASON
        # It may have been replaced since, so the next one of its name is tried as any other.
        assert suspects.given_up("a") is None
        assert suspects.together(["a", "c"]) == 2

    def test_a_file_that_a_worker_survived_begins_anew(self) -> None:
        suspects = Suspects()
        for _ in range(5):
            assert not suspects.suspect(["a"], REASON)
            assert not suspects.suspect(["a"], REASON)
            suspects.clear(["a"])

    def test_a_file_that_another_worker_answers_about_is_not_given_up(self) -> None:
        """Else the next file of its name would be refused without being tried."""
        suspects = Suspects()
        suspects.give_up("a", REASON)
        suspects.clear(["a"])
        assert suspects.given_up("a") is None


class TestJudge:
    def test_the_time_that_one_file_took_is_its_own(self) -> None:
        suspects = Suspects()
        Judge(suspects, 2.5).judge(worker(["a"], Phase.READING), "costly", "SIGKILL")
        refusal, was_read = suspects.given_up("a") or REASON
        assert (refusal.reason, was_read) == ("too_costly", False)
        assert "reading it took a processor more than 2.5 s" in str(refusal)

    @pytest.mark.parametrize("excess", ["costly", "hanging", None])
    def test_of_several_each_is_tried_alone(self, excess: Excess | None, caplog: pytest.LogCaptureFixture) -> None:
        suspects = Suspects()
        Judge(suspects, 1).judge(worker(["a", "b", "c"], Phase.SCORING), excess, "SIGSEGV")
        assert suspects.given_up("a") is None
        assert suspects.together(["b", "c"]) == 1
        assert "while scoring a and 2 others; tried again alone" in caplog.text

    @pytest.mark.parametrize(("excess", "reason"), [("hanging", "too_costly"), (None, "killed_worker")])
    def test_one_that_ends_workers_alone_is_given_up(self, excess: Excess | None, reason: str) -> None:
        suspects = Suspects()
        judge = Judge(suspects, 1)
        for _ in range(1 + ALONE_TRIES):
            assert suspects.given_up("a") is None
            judge.judge(worker(["a"]), excess, "SIGSEGV")
        refusal, was_read = suspects.given_up("a") or REASON
        assert (refusal.reason, was_read) == (reason, True)

    @pytest.mark.parametrize("scored_between", [False, True])
    def test_workers_that_end_by_one_file_after_the_other_are_to_blame(self, scored_between: bool) -> None:
        judge = Judge(Suspects(), 1)

        def end_by_many() -> None:
            for number in range(MOST_IN_A_ROW):
                for _ in range(1 + ALONE_TRIES):
                    judge.judge(worker([str(number)]), None, "SIGSEGV")
                if scored_between:
                    judge.acquit(["another"])

        if scored_between:
            end_by_many()
        else:
            with pytest.raises(WorkerLostError):
                end_by_many()

    def test_a_worker_without_a_file_blames_none(self, caplog: pytest.LogCaptureFixture) -> None:
        suspects = Suspects()
        judge = Judge(suspects, 1)
        judge.judge(worker([], Phase.IDLE), None, "SIGKILL")
        assert "another one takes its place" in caplog.text
        for _ in range(MOST_IN_A_ROW - 2):
            judge.judge(worker([]), None, "SIGKILL")
        with pytest.raises(WorkerLostError):
            judge.judge(worker([]), None, "SIGKILL")
