"""What each listener does with a committed batch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from monitor.crops.loader import CropReader
from monitor.daemon.aftermath import (
    Aftermath,
    Failures,
    MoveFailed,
    OfferToTidier,
    Progress,
    log_bleed_outs,
    log_unusual,
)
from monitor.errors import CropRefusedError
from monitor.inbox.quarantine import Quarantine
from monitor.inbox.second_looks import SecondLooks
from monitor.logs import FIELDS
from monitor.metrics import Metrics
from monitor.scoring.record import Committed
from monitor.store.decisions import Recorded
from monitor.words import Label
from tests.support.batches import crop_files, decided_batch, model

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAN = float("nan")
DAMAGED = CropRefusedError("undecodable", "it is damaged")
DEFECT = CropRefusedError("detector_error", "the detector failed")
VANISHED = CropRefusedError("vanished", "it is no longer there")


def test_listeners_hear_of_every_batch_in_their_order() -> None:
    heard: list[tuple[str, str]] = []
    listeners = [
        lambda commit, name=name: heard.append((name, commit.batch.files.paths[0])) for name in ("first", "second")
    ]
    batches = [decided_batch(crop_files([path]), [0.5]) for path in ("1.jpg", "2.jpg")]
    Aftermath(cast("Any", listeners)).committed(batches, Recorded({}, set(), {}), 5.0)
    assert heard == [("first", "1.jpg"), ("second", "1.jpg"), ("first", "2.jpg"), ("second", "2.jpg")]


def test_progress_counts_what_was_not_decided_before() -> None:
    progress = Progress(ZoneInfo("Europe/Moscow"))
    batch = decided_batch(crop_files(["1", "2"]), [0.5, 0.5])
    progress.committed(Committed(batch, {}, (), 0.0, {}))
    assert progress.sentence() == "no crop was decided since the start"
    progress.committed(Committed(batch, {1: {1}}, (), 1_772_366_400.0, {}))
    assert progress.sentence() == "1 crops decided since the start, the last at 2026-03-01 15:00:00+03:00"


def test_only_a_new_proliv_is_logged_with_the_scores_that_made_it_one(caplog: pytest.LogCaptureFixture) -> None:
    batch = decided_batch(crop_files(["1.jpg", "2.jpg", "3.jpg"]), [2.0, 0.5, 2.0], [model(1, 1.0), model(2, 3.0)])
    log_bleed_outs(Committed(batch, {0: {1}, 1: {1}}, (), 5.0, {0: 17, 1: 18}))
    assert [record.getMessage() for record in caplog.records] == [
        "proliv: hole 7, crop 17, 1.jpg: score 2 reaches the threshold 1 of made-up-1"
    ]
    # `monitor label` takes the id, and a program that reads the log finds it without parsing sentences.
    (record,) = caplog.records
    assert getattr(record, FIELDS) == {
        "id": 17,
        "hole": 7,
        "camera": "C",
        "path": "1.jpg",
        "score": 2.0,
        "threshold": 1.0,
        "verdict": "proliv",
    }


def test_a_new_unusual_crop_is_told_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    models = [model(1, 3.0), model(2, 1.0), model(3, 2.5)]
    batch = decided_batch(crop_files(["1.jpg", "2.jpg", "3.jpg", "4.jpg"]), [2.0, 0.5, 2.0, 3.0], models)
    with caplog.at_level("INFO"):
        log_unusual(Committed(batch, {0: {1}, 1: {1}, 3: {1}}, (), 5.0, {0: 17, 1: 18}))
        log_unusual(Committed(decided_batch(crop_files(["5.jpg"]), [0.5], models), {0: {1}}, (), 5.0, {}))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "INFO",
            "unusual: hole 7, crop 17, 1.jpg: decided ne_proliv, but made-up-2 calls it proliv (2 >= 1)",
        )
    ]
    assert getattr(caplog.records[0], FIELDS) == {
        "id": 17,
        "hole": 7,
        "camera": "C",
        "path": "1.jpg",
        "score": 2.0,
        "threshold": 3.0,
        "verdict": "ne_proliv",
    }


def test_failures_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    files = crop_files(["new.jpg", "known.jpg", "gone.jpg", "labelled.jpg"], labels=[None, None, None, Label.PROLIV])
    refusals = {0: DAMAGED, 1: DAMAGED, 2: VANISHED, 3: DAMAGED}
    batch = decided_batch(files, [NAN] * 4, refusals=refusals)
    Failures(metrics).committed(Committed(batch, {}, {0, 3}, 5.0, {0: 4, 1: 5}))
    messages = [record.getMessage() for record in caplog.records]
    assert [message.partition(":")[0] for message in messages] == ["new.jpg", "gone.jpg", "labelled.jpg"]
    assert "recorded as failed (undecodable)" in messages[0]
    assert "its label does not count" in messages[2]
    known, gone, labelled = (getattr(record, FIELDS) for record in caplog.records)
    assert known == {"id": 4, "hole": 7, "camera": "C", "path": "new.jpg", "reason": "undecodable"}
    assert (gone["reason"], "id" in gone) == ("vanished", False)
    assert labelled == {"path": "labelled.jpg", "reason": "undecodable"}
    for reason in ("undecodable", "vanished"):
        assert metrics.registry.get_sample_value("monitor_crops_failed_total", {"reason": reason}) == 1


def test_only_content_that_cannot_be_scored_goes_to_the_quarantine(tmp_path: Path) -> None:
    inbox, folder = tmp_path / "inbox", tmp_path / "quarantine"
    inbox.mkdir()
    paths = [inbox / name for name in ("bad.jpg", "defect.jpg", "labelled.jpg", "good.jpg")]
    reader = CropReader(max_bytes=100, max_pixels=100)
    contents = []
    for path in paths:
        path.write_text(path.name)
        contents.append(reader.load(path))
    files = crop_files([str(path) for path in paths], labels=[None, None, Label.PROLIV, None])
    object.__setattr__(files, "looks", [content.looks for content in contents])
    object.__setattr__(files, "digests", [content.sha256 for content in contents])
    batch = decided_batch(files, [NAN, NAN, NAN, 0.5], refusals={0: DAMAGED, 1: DEFECT, 2: DAMAGED})
    take = Quarantine(SecondLooks(inbox, folder, cast("Any", None))).take
    MoveFailed(take).committed(Committed(batch, {}, (), 5.0, {}))
    assert [path.exists() for path in paths] == [False, True, True, True]
    assert (folder / contents[0].sha256[:16] / "bad.jpg").read_text() == "bad.jpg"


def test_the_tidier_is_offered_what_was_decided_in_the_inbox() -> None:
    offered: list[str] = []
    files = crop_files(["1.jpg", "bad.jpg", "labelled.jpg"], labels=[None, None, Label.PROLIV])
    batch = decided_batch(files, [0.5, NAN, 0.5], refusals={1: DAMAGED})
    OfferToTidier(cast("Any", SimpleNamespace(offer=offered.append))).committed(Committed(batch, {}, (), 5.0, {}))
    assert offered == ["1.jpg"]
