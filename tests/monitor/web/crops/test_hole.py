"""A hole's scores over time are drawn in one unit, with the threshold as it was, and told in words and a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.store.database.schema import calibrations, score_summaries
from monitor.store.decisions import record
from monitor.store.labels import NewLabel, add_labels
from monitor.store.neighbours import Hole
from monitor.web.crops import hole
from monitor.web.crops.hole import MOST_ROWS, course, thinned
from tests.support.stored_crops import crop, decided, decision, failed, make_active

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from monitor.store.decisions import CropRow
    from monitor.web.site import Site


def store(site: Site, *rows: CropRow) -> None:
    with site.database.write() as connection:
        record(connection, rows)


def crops_of(site: Site, number: int, *, hole: int = 7, camera: str | None = "C", threshold: float = 0.002) -> None:
    """So many crops of a hole, one each minute until a minute ago; every tenth is proliv."""
    now = datetime.now(UTC)
    with site.database.write() as connection:
        model = make_active(connection, "a")
        assert model.calibration_id is not None
        rows = []
        for index in range(number):
            made = decision(model.id, model.calibration_id, mse=0.003 if index % 10 == 9 else 0.001)
            made = made._replace(threshold=threshold, verdict="proliv" if made.score >= threshold else "ne_proliv")
            at: Any = now - timedelta(minutes=number - index)
            row = decided(f"{hole}-{index}.jpg", "a", made)
            rows.append(
                row._replace(sha256=f"{hole:04}{index:060}", hole=hole, camera=camera, captured_at=at, seen_at=at)
            )
        record(connection, rows)


def page(browser: TestClient, address: str, status: int = 200) -> str:
    answer = browser.get(address)
    assert answer.status_code == status, answer.text
    return " ".join(answer.text.split())


def test_the_scores_are_told_in_words_and_in_a_table(browser: TestClient, site: Site) -> None:
    crops_of(site, 30)
    text = page(browser, "/holes/C/7")
    assert "30 crops from" in text
    assert "half of them below 0.50, the highest 1.50 at" in text
    assert "Decided proliv: 3." in text
    assert "The threshold was 0.002." in text
    assert text.count('<td class="over-t">proliv</td>') == 3
    assert text.count('class="fr') == 12
    assert text.count('class="fr hit"') == 2


def test_the_chart_reads_columns_of_one_length(browser: TestClient, site: Site) -> None:
    crops_of(site, 30)
    crops_of_another = browser.get("/holes/C/8/scores.json").json()
    assert (crops_of_another["crops"], crops_of_another["at"]) == (0, [])
    found = browser.get("/holes/C/7/scores.json").json()
    columns = [found[name] for name in ("at", "share", "threshold", "proliv", "unusual", "label", "crop")]
    assert {len(column) for column in columns} == {30}
    assert found["at"] == sorted(found["at"])
    assert [round(share, 2) for share in found["share"][8:10]] == [0.5, 1.5]
    assert found["proliv"].count(True) == 3
    edge = found["at"][20]
    later = browser.get(f"/holes/C/7/scores.json?since={edge}").json()
    assert later["crops"] == 10
    assert browser.get(f"/holes/C/7/scores.json?since={edge}&until={edge + 1}").json()["crops"] == 1


@pytest.mark.parametrize("query", ["since=x", "until=nan", "since=1e400", "since=-1e300", "since=2&until=1", "since="])
def test_times_that_are_none_are_refused(browser: TestClient, query: str) -> None:
    answer = browser.get(f"/holes/C/7/scores.json?{query}")
    assert (answer.status_code, "defect" in answer.text) == (400, False)


def test_the_threshold_is_the_one_of_that_time(browser: TestClient, site: Site) -> None:
    crops_of(site, 5)
    now = datetime.now(UTC)
    with site.database.read() as connection:
        first = course(connection, Hole("C", 7), now - timedelta(hours=1), now)
    assert [value for _, value in first.thresholds] == [0.002]
    made = decision(1, 1, mse=0.001)._replace(threshold=0.004)
    row = decided("new.jpg", "b", made)._replace(hole=7, camera="C", captured_at=now, seen_at=now)
    store(site, row)
    with site.database.read() as connection:
        then = course(connection, Hole("C", 7), now - timedelta(hours=1), now + timedelta(seconds=1))
    assert [value for _, value in then.thresholds] == [0.002, 0.004]
    assert (then.points[-1].share, then.middle, then.highest) == (0.25, 0.5, first.points[0])
    assert "from" in page(browser, "/holes/C/7")


def test_labels_and_failures_are_shown(browser: TestClient, site: Site) -> None:
    crops_of(site, 3)
    now = datetime.now(UTC)
    with site.database.write() as connection:
        add_labels(connection, [NewLabel(2, "proliv", "command", "Petrova", now, None, False)])
    at: Any = now - timedelta(seconds=1)
    store(site, failed(crop("broken.jpg", "c", hole=7, camera="C", captured_at=at, seen_at=at)))
    assert browser.get("/holes/C/7/scores.json").json()["label"] == [None, "proliv", None]
    text = page(browser, "/holes/C/7")
    assert "Could not be scored: 1." in text
    assert "<td>proliv</td>" in text


def test_a_hole_that_is_silent_says_when_its_last_crop_came(browser: TestClient, site: Site) -> None:
    with site.database.write() as connection:
        model = make_active(connection, "a")
        assert model.calibration_id is not None
        record(connection, [decided("old.jpg", "a", decision(model.id, model.calibration_id))])
    text = page(browser, "/holes/C/10")
    assert "No crops of this hole in this time." in text
    assert "The last one came at 2023-03-01 12:39:27" in text
    assert 'id="plot"' not in text


@pytest.mark.parametrize("address", ["/holes/C/8", "/holes/D/7", "/holes/C/-1", f"/holes/C/1{30 * '0'}", "/holes/C/x"])
def test_holes_that_never_gave_a_crop_are_not_found(browser: TestClient, site: Site, address: str) -> None:
    crops_of(site, 1)
    assert "defect" not in page(browser, address, 404)


@pytest.mark.parametrize("hours", ["0", "2", "-1", "x", "1e9"])
def test_other_spans_are_refused(browser: TestClient, site: Site, hours: str) -> None:
    crops_of(site, 1)
    assert "1, 8, 24, 168" in page(browser, f"/holes/C/7?hours={hours}", 400)


def test_the_list_has_every_hole_with_its_last_crop(browser: TestClient, site: Site) -> None:
    assert "No crops are stored." in page(browser, "/holes")
    crops_of(site, 10, hole=7)
    crops_of(site, 2, hole=0, camera=None)
    text = page(browser, "/holes")
    assert 'href="/holes/C/7">7</a>' in text
    assert 'href="/holes/unknown/0">0</a>' in text
    assert ">1.50</td>" in text
    assert "2 crops from" in page(browser, "/holes/unknown/0")


def test_a_camera_may_have_any_name(browser: TestClient, site: Site) -> None:
    crops_of(site, 2, camera="<script>x<!script> №1 ?#&")
    listed = page(browser, "/holes")
    assert "<script>x" not in listed
    address = listed.split('class="strong" href="')[1].split('"')[0]
    text = page(browser, address)
    assert "<script>x" not in text
    assert "2 crops from" in text
    assert page(browser, f"{address}/drift")


def test_many_crops_are_thinned_to_the_highest_of_each_stretch() -> None:
    assert thinned([3, 1, 2], float, 3) == [3, 1, 2]
    found = thinned(list(range(1000)), float, 7)
    assert (len(found), found[-1], found == sorted(found)) == (7, 999, True)


def test_a_long_time_is_cut_where_too_many_crops_lie_in_it(
    browser: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.store.neighbours.WALK", 20)
    monkeypatch.setattr(hole, "MOST_POINTS", 10)
    crops_of(site, 50)
    text = page(browser, "/holes/C/7")
    assert "There are too many crops in this time" in text
    found = browser.get("/holes/C/7/scores.json").json()
    assert (found["crops"], len(found["at"])) == (20, 10)
    assert found["proliv"].count(True) == 2


def test_the_table_has_no_more_rows_than_may_be_read(browser: TestClient, site: Site) -> None:
    crops_of(site, 59)
    assert len(page(browser, "/holes/C/7").split("<tbody>")[1].split("<tr")) - 1 <= MOST_ROWS


def test_drift_is_a_part_that_is_fetched_later(browser: TestClient, site: Site) -> None:
    assert "No model is active." in page(browser, "/holes/C/7/drift")
    crops_of(site, 3)
    assert 'hx-get="/holes/C/7/drift"' in page(browser, "/holes/C/7")
    text = page(browser, "/holes/C/7/drift")
    assert "no finished hour with crops yet" in text
    assert "<html" not in text


def test_hours_stand_for_crops_that_are_too_many(
    browser: TestClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.store.neighbours.WALK", 20)
    crops_of(site, 50)
    now = datetime.now(UTC)
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=4)
    columns = {"model_id": 1, "camera": "C", "hole": 7, "crops": 9, "proliv": 2}
    quantiles = [0.001] * 20 + [0.003]
    with site.database.write() as connection:
        # The threshold was chosen in the second hour.
        connection.execute(calibrations.update().values(created_at=begin + timedelta(minutes=90)))
        for number in range(2):
            hour = begin + timedelta(hours=number)
            connection.execute(score_summaries.insert(), {**columns, "hour": hour, "quantiles": quantiles})
    text = page(browser, "/holes/C/7?hours=8")
    assert "are shown as hours, each with its middle and its highest score" in text
    address = text.split('data-scores="')[1].split('"')[0].replace("&amp;", "&")
    hours = browser.get(address).json()["hours"]
    assert hours == {
        "at": [(begin + timedelta(hours=1)).timestamp()], "middle": [0.5], "highest": [1.5], "crops": [9],
        "proliv": [2],
    }  # fmt: skip
