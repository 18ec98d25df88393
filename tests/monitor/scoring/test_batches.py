"""No crop can be carried on with neither a result nor a reason."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.crops.batch import ReadBatch
from monitor.errors import CropRefusedError
from monitor.scoring.batches import DecidedBatch, ScoredBatch
from monitor.scoring.ensemble import Ensemble
from monitor.scoring.pipeline import decide
from monitor.scoring.record import rows
from monitor.scoring.vote import FinalDecisions
from tests.support.batches import SEEN, crop_files, decided_batch, model

REFUSAL = CropRefusedError("undecodable", "it is damaged")
DECLINED = CropRefusedError("detector_refused", "the detector refuses it")
NAN = float("nan")
PIXELS = np.zeros((9, 9, 3), dtype=np.uint8)


def scored(scores: list[list[float]], **refused: object) -> ScoredBatch:
    values = np.array(scores)
    reasons = {"refusals": {}, "declined": {}} | refused
    ids = tuple(range(values.shape[1]))
    return ScoredBatch(crop_files([f"{row}.jpg" for row in range(len(scores))]), ids, values, values, **reasons)  # type: ignore[arg-type]


def test_a_file_that_was_read_has_pixels_or_a_refusal() -> None:
    files = crop_files(["1.jpg", "2.jpg"])
    assert ReadBatch(files, [PIXELS, None], {1: REFUSAL}).readable == [0]
    with pytest.raises(ValueError, match=r"'2\.jpg'"):
        ReadBatch(files, [PIXELS, None], {})
    with pytest.raises(ValueError, match=r"'1\.jpg'"):
        ReadBatch(files, [PIXELS, None], {0: REFUSAL, 1: REFUSAL})


def test_every_model_scored_or_refused_every_crop() -> None:
    scored([[1.0, 2.0], [NAN, 3.0], [NAN, NAN]], refusals={2: REFUSAL}, declined={(1, 0): DECLINED})
    with pytest.raises(ValueError, match=r"'1\.jpg'"):
        scored([[1.0, 2.0], [NAN, 3.0]])
    with pytest.raises(ValueError, match=r"'0\.jpg'"):
        scored([[1.0, 2.0]], declined={(0, 1): DECLINED})
    files = crop_files(["1.jpg", "2.jpg"])
    with pytest.raises(ValueError, match="2 crops and 1 models"):
        ScoredBatch(files, (1,), np.zeros((1, 1)), np.zeros((1, 1)), {}, {})


def test_a_decided_crop_has_a_final_decision_or_a_refusal() -> None:
    files = crop_files(["1.jpg", "2.jpg"])
    assert decided_batch(files, [1.0, NAN], refusals={1: REFUSAL}).final.made.tolist() == [True, False]
    with pytest.raises(ValueError, match=r"'2\.jpg'"):
        decided_batch(files, [1.0, NAN])
    with pytest.raises(ValueError, match=r"'1\.jpg'"):
        decided_batch(files, [1.0, 2.0], refusals={0: REFUSAL})


def test_other_models_than_those_that_were_asked_cannot_decide() -> None:
    with pytest.raises(ValueError, match="cannot decide"):
        decide(scored([[1.0]]), Ensemble((model(7),), "primary"))


def test_a_crop_that_one_model_refuses_is_decided_by_the_others() -> None:
    ensemble = Ensemble((model(0, 1.0), model(1, 2.0)), "primary")
    other = CropRefusedError("detector_error", "the other failed")
    batch = scored(
        [[1.5, 0.0], [NAN, 1.5], [NAN, NAN], [NAN, NAN]],
        refusals={3: REFUSAL},
        declined={(1, 0): DECLINED, (2, 0): DECLINED, (2, 1): other},
    )
    decided = decide(batch, ensemble)
    assert [final and (final.verdict, final.threshold) for final in decided.final.listed] == [
        ("proliv", 1.0),
        ("ne_proliv", 2.0),
        None,
        None,
    ]
    assert decided.refusals == {2: other, 3: REFUSAL}
    assert [[one.model.id for one in row] for row in decided.decisions] == [[0, 1], [1], [], []]


def test_a_crop_is_unusual_if_a_model_that_judged_it_is_outvoted() -> None:
    models = (model(0, 1.0), model(1, 2.0))
    batch = scored(
        [[0.5, 2.0], [0.5, 1.9], [1.0, 2.0], [1.0, 0.0], [NAN, 2.0], [0.5, NAN], [NAN, NAN]],
        refusals={6: REFUSAL},
        declined={(4, 0): DECLINED, (5, 1): DECLINED},
    )
    found = {decide_by: decide(batch, Ensemble(models, decide_by)).unusual for decide_by in ("primary", "any", "all")}
    assert np.flatnonzero(found["primary"]).tolist() == [0]
    assert np.flatnonzero(found["any"]).tolist() == []
    assert np.flatnonzero(found["all"]).tolist() == [0, 3]
    assert decide(batch, Ensemble(models, "primary")).take([1, 0]).unusual.tolist() == [False, True]


def test_a_model_in_the_shadow_scores_and_decides_nothing() -> None:
    ensemble = Ensemble((model(0, 1.0),), "primary", shadows=(model(1, 2.0),))
    other = CropRefusedError("detector_error", "the one in the shadow failed")
    batch = scored([[0.5, 9.0], [1.5, NAN], [NAN, 9.0]], declined={(1, 1): other, (2, 0): DECLINED})
    decided = decide(batch, ensemble)
    assert [final and (final.verdict, final.score) for final in decided.final.listed] == [
        ("ne_proliv", 0.5), ("proliv", 1.5), None,
    ]  # fmt: skip
    assert decided.refusals == {2: DECLINED}
    assert [[one.model.id for one in row] for row in decided.decisions] == [[0], [0], []]
    assert [[(one.model.id, one.score, one.verdict) for one in row] for row in decided.trials] == [
        [(1, 9.0, "proliv")], [], [(1, 9.0, "proliv")],
    ]  # fmt: skip
    # Nor does it make a crop unusual.
    assert not decided.unusual.any()
    assert [len(row.scores) for row in rows(decided)] == [1, 1, 0]
    assert [[one.model_id for one in row.trials] for row in rows(decided.take([2, 0]))] == [[1], [1]]


def test_some_crops_of_a_batch_keep_what_is_theirs() -> None:
    ensemble = Ensemble((model(0, 1.0), model(1, 2.0)), "primary")
    batch = scored([[1.0, 2.0], [NAN, NAN], [NAN, 3.0]], refusals={1: REFUSAL}, declined={(2, 0): DECLINED})
    some = batch.take([2, 1])
    assert list(some.files.paths) == ["2.jpg", "1.jpg"]
    assert some.refusals == {1: REFUSAL}
    assert some.declined == {(0, 0): DECLINED}
    decided = decide(batch, ensemble).take([1, 0])
    assert list(decided.files.paths) == ["1.jpg", "0.jpg"]
    assert decided.refusals == {0: REFUSAL}
    assert decided.final.made.tolist() == [False, True]


def test_a_batch_may_be_empty() -> None:
    batch = decided_batch(crop_files(["1.jpg"]), [1.0]).take([])
    assert len(batch.files) == 0
    empty = FinalDecisions(np.empty(0), np.empty(0), "primary")
    assert DecidedBatch(batch.files, (), np.empty((0, 0)), np.empty((0, 0)), empty, {}, SEEN).decisions == []
