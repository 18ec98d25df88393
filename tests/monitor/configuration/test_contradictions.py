from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.configuration.file import load
from tests.support.configurations import problems, written

if TYPE_CHECKING:
    from pathlib import Path


def test_folders_in_the_inbox_or_in_the_labelled_one_are_refused_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "inbox")
    text = "[paths]\nstate = 'inbox/state'\nquarantine = 'link/bad'"
    assert problems(text, tmp_path) == [
        f"paths.state: must not lie inside the inbox {tmp_path}/inbox (got 'inbox/state')",
        f"paths.quarantine: must not lie inside the inbox {tmp_path}/inbox (got 'link/bad')",
    ]
    moved = "[paths]\nlabelled = 'labelled'\narchive = 'labelled/proliv'\n[inbox]\nafter = 'archive'"
    assert problems(moved, tmp_path) == [
        f"paths.archive: must not lie inside the labelled folder {tmp_path}/labelled (got 'labelled/proliv')"
    ]
    assert "paths.state: must not lie inside the inbox" in problems("paths.state = 'inbox'", tmp_path)[0]
    assert load(written(tmp_path, "paths.state = 'inbox-state'")).state == tmp_path / "inbox-state"
    assert load(written(tmp_path, "paths.inbox = 'state/inbox'")).inbox == tmp_path / "state" / "inbox"


def test_an_archive_needs_a_folder(tmp_path: Path) -> None:
    assert problems("inbox.after = 'archive'", tmp_path) == ['inbox.after: "archive" needs a folder: set paths.archive']


def test_learning_at_night_needs_a_folder(tmp_path: Path) -> None:
    assert problems("learning.enabled = true", tmp_path) == [
        "learning.enabled: learning at night needs the folder that the model was trained on: set learning.data"
    ]
    assert load(written(tmp_path, "learning = {enabled = true, data = 'crops'}")).learning_data == tmp_path / "crops"
    assert (
        "learning.shadow_days looks back 90 days"
        in problems("learning = {enabled = true, data = 'crops', shadow_days = 90}\nstore.keep_days = 40", tmp_path)[0]
    )


def test_decisions_are_kept_as_long_as_something_looks_back(tmp_path: Path) -> None:
    assert problems("store.keep_days = 20", tmp_path) == [
        "store.keep_days: 20 days are too few: quality.window_days looks back 30 days; keep at least as many, or "
        "all (0)"
    ]
