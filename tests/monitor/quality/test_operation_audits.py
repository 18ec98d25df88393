"""What audits add to the quality in operation, and what is missing without them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import insert

from monitor.formulas.rates import interval
from monitor.quality.operation import (
    NOT_AUDITED,
    OTHERS_NOT_AUDITED,
    UNUSUAL_NOT_AUDITED,
    last_days,
)
from monitor.store.database.engine import Database
from monitor.store.database.schema import audit_crops, audits, labels
from tests.support.made_up import store_model
from tests.support.operation_line import CAUGHT, FALSE_ALARM, MISSED, NOW, PASSED, Made, fill, quality, rates, verdict
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def test_without_an_audit_or_a_find_of_it_a_caution_stands_beside_tpr(database: Database) -> None:
    fill(database, [CAUGHT, *[replace(PASSED, drawn=True)] * 60, *[replace(PASSED, labelled=False)] * 40], eligible=100)
    found = quality(database)
    assert found.caution is not None
    # The upper end of the exact interval of 0 of 60.
    assert found.caution.startswith("None of the 60 audited crops is proliv: up to 5.96% of the crops")
    assert quality(database, last_days(0.5, NOW)).caution == NOT_AUDITED


def draw_apart(
    database: Database, made: Sequence[Made], drawn: dict[bool, Sequence[int]], *, unlabelled: bool | None = None
) -> None:
    """Draw crops, by their places, from the unusual ones and from the others, and label them, but not one kind."""
    said = {"source": "command", "author": "Petrov", "at": NOW}
    with database.write() as connection:
        for unusual, places in drawn.items():
            eligible = sum(not one.alarm and one.unusual is unusual for one in made)
            span = {"drawn_at": NOW, "first_crop_id": 1, "last_crop_id": len(made)}
            connection.execute(insert(audits).values(id=1 + unusual, **span, eligible=eligible, unusual=unusual))
            connection.execute(
                insert(audit_crops), [{"audit_id": 1 + unusual, "crop_id": place + 1} for place in places]
            )
            if unusual is not unlabelled:
                answers = [{"crop_id": place + 1, "label": verdict(made[place].proliv), **said} for place in places]
                connection.execute(insert(labels), answers)


QUIET = replace(PASSED, labelled=False)

ODD = replace(QUIET, unusual=True)


@pytest.mark.parametrize(("unlabelled", "caution"), [(True, UNUSUAL_NOT_AUDITED), (False, OTHERS_NOT_AUDITED)])
def test_a_kind_that_was_drawn_and_not_labelled_is_missing(database: Database, unlabelled: bool, caution: str) -> None:
    line = [*[ODD] * 40, *[replace(MISSED, labelled=False, unusual=not unlabelled)] * 2, *[QUIET] * 60]
    fill(database, line)
    draw_apart(database, line, {True: range(20), False: range(40, 100)}, unlabelled=unlabelled)
    assert quality(database).caution == caution


def test_what_may_have_been_missed_is_the_sum_over_both_kinds(database: Database) -> None:
    line = [*[ODD] * 40, *[QUIET] * 60]
    fill(database, line)
    draw_apart(database, line, {True: range(20), False: range(40, 70)})
    found = quality(database)
    assert (found.drawn_unusual, found.audited_unusual, found.audited) == (20, 20, 50)
    ends = [interval(0, 20)[1], interval(0, 30)[1]]
    assert found.missed_high == pytest.approx(0.4 * (ends[0] or 0) + 0.6 * (ends[1] or 0))
    assert found.caution is not None
    assert found.caution.startswith(f"None of the 50 audited crops is proliv: up to {found.missed_high:.2%} of")


def test_drawing_more_of_the_unusual_crops_leaves_the_rates_unbiased(tmp_path: Path) -> None:
    # Half of the missed proliv hide among the unusual crops, of which half are drawn, and of the others a quarter.
    line = [
        *[CAUGHT] * 160,
        *[FALSE_ALARM] * 40,
        *[replace(MISSED, labelled=False, unusual=True)] * 60,
        *[ODD] * 140,
        *[replace(MISSED, labelled=False)] * 60,
        *[QUIET] * 1540,
    ]
    places = {
        kind: [place for place, one in enumerate(line) if not one.alarm and one.unusual is kind]
        for kind in (True, False)
    }
    random = np.random.default_rng(5)
    found = []
    for number in range(30):
        database = Database(f"sqlite:///{tmp_path / str(number)}.db", busy_seconds=30)
        upgrade(database)
        with database.write() as connection:
            store_model(connection, NOW, calibrated_at=NOW - timedelta(days=60))
        fill(database, line)
        drawn = {kind: random.choice(places[kind], size, replace=False).tolist()
                 for kind, size in ((True, 100), (False, 400))}  # fmt: skip
        draw_apart(database, line, drawn)
        found.append(rates(quality(database)))
        database.close()
    tprs, tnrs = [one.tpr for one in found if one.tpr], [one.tnr for one in found if one.tnr]
    assert len(tprs) == len(tnrs) == 30
    # Were all drawn crops taken for one draw, TPR would come out as 0.50.
    assert np.mean([one.rate for one in tprs]) == pytest.approx(160 / 280, abs=0.015)
    assert np.mean([one.rate for one in tnrs]) == pytest.approx(1680 / 1720, abs=0.002)
    assert sum(one.low <= 160 / 280 <= one.high for one in tprs) >= 27


def test_an_audit_removes_the_bias_of_labelling_alarms_alone(database: Database) -> None:
    # Of 400 proliv 80 raise no alarm; 120 of 5,600 others do. People label every alarm and nothing else.
    random = np.random.default_rng(11)
    line = [
        *[CAUGHT] * 320,
        *[replace(MISSED, labelled=False)] * 80,
        *[FALSE_ALARM] * 120,
        *[replace(PASSED, labelled=False)] * 5480,
    ]
    quiet = [index for index, one in enumerate(line) if not one.alarm]
    fill(database, line)
    biased = quality(database)
    assert (biased.audited, biased.caution) == (0, NOT_AUDITED)
    tpr = rates(biased).tpr
    assert tpr is not None
    assert tpr.rate == 1.0
    assert tpr.low > 0.98  # sure of it, and wrong

    drawn = random.choice(quiet, 800, replace=False)
    with database.write() as connection:
        draw = {"id": 1, "drawn_at": NOW, "first_crop_id": 1, "last_crop_id": len(line), "eligible": len(quiet)}
        connection.execute(insert(audits).values(**draw))
        connection.execute(insert(audit_crops), [{"audit_id": 1, "crop_id": int(index) + 1} for index in drawn])
        said = {"source": "command", "author": "Petrov", "at": NOW}
        answers = [{"crop_id": int(index) + 1, "label": verdict(line[index].proliv), **said} for index in drawn]
        connection.execute(insert(labels), answers)
    audited = quality(database)
    assert (audited.drawn, audited.audited) == (800, 800)
    tpr, tnr = rates(audited).tpr, rates(audited).tnr
    assert tpr is not None
    assert tnr is not None
    assert tpr.low < 0.8 < tpr.high
    assert tpr.rate == pytest.approx(0.8, abs=0.06)
    assert tpr.low < tpr.rate < tpr.high < 1
    assert tnr.low < 5480 / 5600 < tnr.high
