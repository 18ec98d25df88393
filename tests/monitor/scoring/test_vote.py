from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.formulas.rates import roc_auc
from monitor.formulas.weights import PERCENTILES
from monitor.scoring.vote import (
    NORMAL_SCORES,
    PROLIV_SCORES,
    FinalDecision,
    ScoreScale,
    combine,
    deciding,
    describe,
    effective,
    unusual,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.configuration.settings import Decide

MODES: tuple[Decide, ...] = ("primary", "any", "all", "majority", "rank-mean")
NORMAL = [number / 100 for number in range(PERCENTILES)]  # 0 to 1
PROLIV = [number / 100 + 3 for number in range(PERCENTILES)]  # 3 to 4


class Vote(NamedTuple):
    """One model's vote on one crop; a score of NaN means that it refused the crop."""

    score: float
    threshold: float
    score_scale: ScoreScale


def decided(decide: Decide, votes: Sequence[Vote]) -> FinalDecision:
    """The final decision on a single crop."""
    scores, thresholds = (np.array([[vote[column] for vote in votes]]) for column in range(2))
    (final,) = combine(decide, scores, thresholds, [vote.score_scale for vote in votes]).listed
    assert final is not None
    return final


finite = st.floats(allow_nan=False, allow_infinity=False)
few = st.integers(-8, 8).map(lambda number: number / 8)
scales = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
votes = st.lists(
    st.builds(Vote, score=finite | few, threshold=finite | few, score_scale=scales.map(ScoreScale)),
    min_size=1,
    max_size=6,
)


def reference(normal: list[float], proliv: list[float]) -> ScoreScale:
    return ScoreScale.of({NORMAL_SCORES: normal, PROLIV_SCORES: proliv})


def says_proliv(vote: Vote) -> bool:
    return vote.score >= vote.threshold


# Votes


@given(votes=votes)
def test_the_verdict_is_exactly_the_vote(votes: list[Vote]) -> None:
    count = sum(map(says_proliv, votes))
    expected = {"any": count > 0, "all": count == len(votes), "majority": 2 * count > len(votes)}
    expected["primary"] = says_proliv(votes[0])
    for decide in MODES[:-1]:
        outcome = decided(decide, votes)
        assert (outcome.verdict == "proliv") == expected[decide]
        assert (outcome.score >= outcome.threshold) == expected[decide]
        assert outcome.decided_by == decide
        if decide != "primary":
            assert abs(outcome.score) < float("inf")
            assert outcome.threshold == 0


@given(votes=votes)
def test_unusual_is_what_is_passed_although_a_model_calls_it_proliv(votes: list[Vote]) -> None:
    scores, thresholds = (np.array([[vote[column] for vote in votes]]) for column in range(2))
    for decide in MODES[:-1]:
        final = combine(decide, scores, thresholds, [vote.score_scale for vote in votes])
        expected = decided(decide, votes).verdict == "ne_proliv" and any(map(says_proliv, votes))
        assert unusual(scores, thresholds, final).tolist() == [expected]
        assert unusual(scores, thresholds[0], final).tolist() == [expected]


def test_the_primary_decides_by_its_own_numbers() -> None:
    assert decided("primary", [Vote(1.0, 2.0, ScoreScale()), Vote(9.0, 2.0, ScoreScale())])[1:3] == (1.0, 2.0)


def test_margins_are_counted_in_the_spread_of_normal_scores() -> None:
    known = reference(NORMAL, PROLIV)
    assert known.scale == pytest.approx(0.99 - 0.5)
    wide = reference([10 * score for score in NORMAL], PROLIV)
    pair = [Vote(2.0 + 0.49, 2.0, known), Vote(20.0 - 4.9, 20.0, wide)]
    assert decided("any", pair).score == pytest.approx(1)
    assert decided("all", pair).score == pytest.approx(-1)
    assert decided("majority", pair).score == pytest.approx(-1)
    assert decided("majority", [*pair, Vote(0.5, 0.0, ScoreScale())]).score == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("evidence", "scale"),
    [
        ({}, 1.0),
        ({NORMAL_SCORES: [], PROLIV_SCORES: PROLIV}, 1.0),
        ({NORMAL_SCORES: [2.0] * PERCENTILES, PROLIV_SCORES: []}, 1.0),
        ({NORMAL_SCORES: [2.0] * (PERCENTILES - 1) + [5.0], PROLIV_SCORES: []}, 3.0),
    ],
)
def test_the_spread_is_positive_whatever_is_known(evidence: dict[str, list[float]], scale: float) -> None:
    known = ScoreScale.of(evidence)
    assert known.scale == scale
    assert known.ranks == ()


ballots = st.integers(1, 4).flatmap(
    lambda models: st.tuples(
        st.lists(st.lists(few | st.just(float("nan")), min_size=models, max_size=models), min_size=1, max_size=8),
        st.lists(few, min_size=models, max_size=models),
    )
)


@given(ballot=ballots, decide=st.sampled_from(MODES))
def test_crops_are_decided_independently_and_a_model_that_refuses_has_no_vote(
    ballot: tuple[list[list[float]], list[float]], decide: Decide
) -> None:
    scores, thresholds = np.array(ballot[0]), np.array(ballot[1])
    scales = [reference(NORMAL, PROLIV)] * len(thresholds)
    together = combine(decide, scores, thresholds, scales)
    assert together.made.tolist() == (~np.isnan(scores)).any(axis=1).tolist()
    for row, final in enumerate(together.listed):
        judged = ~np.isnan(scores[row])
        votes = [Vote(*vote) for vote in zip(scores[row][judged], thresholds[judged], scales, strict=False)]
        assert final == (decided(decide, votes) if votes else None)


# Ranks


def percentiles_of(scores: list[float]) -> list[float]:
    ordered = sorted(scores)
    return [ordered[number * (len(ordered) - 1) // (PERCENTILES - 1)] for number in range(PERCENTILES)]


classes = st.lists(few | st.floats(-1e6, 1e6), min_size=1, max_size=30).map(percentiles_of)
moderate = few | st.floats(-1e7, 1e7)


@given(normal=classes, proliv=classes, scores=st.lists(moderate, min_size=2, max_size=20))
def test_ranks_lie_between_0_and_1_and_grow_with_the_score(
    normal: list[float], proliv: list[float], scores: list[float]
) -> None:
    known = reference(normal, proliv)
    ranks = known.rank(sorted([*scores, *normal, *proliv]))
    assert all(0 <= rank <= 1 for rank in ranks)
    assert all(low <= high for low, high in pairwise(ranks))


def test_the_rank_is_the_mean_of_the_ranks_in_both_classes() -> None:
    known = reference(NORMAL, PROLIV)
    assert known.rank(0.5) == pytest.approx(0.5 * 0.5)
    assert known.rank(3.5) == pytest.approx(0.5 * (1 + 0.5))
    # Half-way through the gap between classes that do not overlap.
    assert known.rank(2.0) == pytest.approx(0.5)
    assert known.rank(1.5) < known.rank(2.0) < known.rank(2.5)
    overlapping = reference(NORMAL, NORMAL)
    assert overlapping.rank(0.25) == pytest.approx(0.25, abs=0.005)


def test_ranks_go_on_growing_beyond_what_was_seen() -> None:
    known = reference(NORMAL, PROLIV)
    scores = [-1e9, -5.0, -0.1, 0.0, 4.0, 4.1, 9.0, 1e9]
    ranks = known.rank(scores)
    assert all(low < high for low, high in pairwise(ranks))
    assert 0 < ranks[0] < 0.001
    assert 0.999 < ranks[-1] < 1


@given(
    normal=classes,
    proliv=classes,
    pairs=st.lists(st.tuples(few, few), min_size=1, max_size=5),
)
def test_the_mean_rank_agrees_with_models_that_agree(
    normal: list[float], proliv: list[float], pairs: list[tuple[float, float]]
) -> None:
    known = reference(normal, proliv)
    # Among percentiles that all but coincide, floating point gives scores far away one and the same rank.
    assume(known.scores[-1] - known.scores[0] > 1e-6 or len(known.scores) == 1)
    ballot = [Vote(score, threshold, known) for score, threshold in pairs]
    outcome = decided("rank-mean", ballot)
    assert 0 <= outcome.threshold <= 1
    assert (outcome.verdict == "proliv") == (outcome.score >= outcome.threshold)
    if len({says_proliv(vote) for vote in ballot}) == 1:
        assert (outcome.verdict == "proliv") == says_proliv(ballot[0])


def test_one_sure_model_carries_two_that_hesitate() -> None:
    known = reference(NORMAL, PROLIV)
    hesitating = Vote(1.9, 2.0, known)
    assert decided("majority", [Vote(3.9, 2.0, known), hesitating, hesitating]).verdict == "ne_proliv"
    assert decided("rank-mean", [Vote(3.9, 2.0, known), hesitating, hesitating]).verdict == "proliv"
    assert decided("rank-mean", [Vote(0.1, 2.0, known), Vote(2.1, 2.0, known)]).verdict == "ne_proliv"


def test_mean_ranks_tell_apart_what_each_model_alone_confuses() -> None:
    known = reference(NORMAL, NORMAL)
    normal = [[0.1, 0.2, 0.6], [0.6, 0.2, 0.1]]
    proliv = [[0.5, 0.7], [0.7, 0.5]]

    def together(scores: list[list[float]]) -> list[float]:
        return [decided("rank-mean", [Vote(one, 0.5, known) for one in row]).score for row in zip(*scores, strict=True)]

    alone = roc_auc(np.array(normal[0]), np.array(proliv[0]))
    both = roc_auc(np.array(together(normal)), np.array(together(proliv)))
    assert alone is not None
    assert both is not None
    assert alone < 1
    assert both == 1


# Who decides


@dataclass(frozen=True)
class Row:
    detector: str


def test_the_named_detectors_decide_in_their_order() -> None:
    active = [Row("c"), Row("a"), Row("b")]
    assert deciding(active, []) == active
    assert deciding(active, ["b", "absent", "c"]) == [Row("b"), Row("c")]
    assert deciding(active, ["absent"]) == []


def test_one_model_alone_decides_by_its_own_score() -> None:
    assert {effective(decide, 1) for decide in MODES} == {"primary"}
    assert [effective(decide, 2) for decide in MODES] == list(MODES)


def test_how_it_is_decided_is_said_in_words() -> None:
    names = ["a-1", "b-2"]
    assert [describe(decide, names) for decide in MODES] == [
        "that of the primary, a-1",
        "any of a-1, b-2",
        "all of a-1, b-2",
        "the majority of a-1, b-2",
        "the mean rank of a-1, b-2",
    ]
