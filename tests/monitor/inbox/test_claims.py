"""No file is lost that comes under the name of a decided one."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from monitor.files import moving
from tests.support.decided_inbox import DAY
from tests.support.disks import below, make_deep_folder, remove_deep_folder, replace_like

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.files.moving import Place
    from tests.monitor.inbox.conftest import MakeInbox


@pytest.mark.parametrize("after", ["delete", "archive"])
@pytest.mark.parametrize("links", [True, False])
def test_what_the_camera_overwrites_survives(
    decided_inbox: MakeInbox, after: str, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file comes after the look at the old one, at every step on the way."""
    here = decided_inbox(after)
    if not links:
        monkeypatch.setattr(moving, "_rename_at_once", refuse_rename)
    before = moving.rename
    step = 0

    def overwrite(source: Place, target: Place) -> None:
        nonlocal step
        step += 1
        if step == 1 and source.name == "1.jpg":
            # As large, and as old.
            replace_like(here.inbox / "1.jpg", b"TWO")
        before(source, target)
        if step == 1 and source.name == "1.jpg":
            here.put("1.jpg", b"three")

    path = here.put("1.jpg", b"one")
    here.decide(path)
    monkeypatch.setattr(moving, "rename", overwrite)
    here.tidy()
    assert sorted(path.read_bytes() for path in below(here.inbox)) == [b"TWO", b"three"]
    assert path.read_bytes() == b"three"
    assert all(one.suffix == ".jpg" and not one.name.startswith(".") for one in below(here.inbox))
    assert here.outcomes == {"changed": 1}
    assert below(here.archive) == []


def refuse_rename(_source: Place, _target: Place) -> None:
    raise OSError(22, "not known here")


def test_a_link_is_neither_followed_nor_taken(decided_inbox: MakeInbox, tmp_path: Path) -> None:
    here = decided_inbox("delete")
    precious = tmp_path / "labelled" / "1.jpg"
    precious.parent.mkdir()
    precious.write_bytes(b"one")
    path = here.put("sub/1.jpg", b"one")
    os.utime(path, ns=(1, precious.stat().st_mtime_ns))
    here.decide(path)
    second = here.put("2.jpg", b"two")
    here.decide(second)
    tidier = here.tidier()
    shutil.rmtree(here.inbox / "sub")
    (here.inbox / "sub").symlink_to(precious.parent)
    second.unlink()
    second.symlink_to(precious)
    tidier._tidy([str(path), str(second)])
    assert precious.read_bytes() == b"one"
    assert second.is_symlink()


def test_claims_that_a_crash_left_are_finished_or_given_back(decided_inbox: MakeInbox) -> None:
    here = decided_inbox("archive")
    for number, content in enumerate([b"one", b"two", b"three"], 1):
        path = here.put(f"sub/{number}.jpg", content)
        assert here.decide(path) == number
        path.rename(path.with_name(f".{number}.monitor-claim"))
    # The second was moved already, the third is not what was decided, and the fourth is of no known crop.
    (here.archive / DAY / "ne_proliv").mkdir(parents=True)
    (here.archive / DAY / "ne_proliv" / "2.jpg").write_bytes(b"two")
    (here.inbox / "sub" / ".3.monitor-claim").write_bytes(b"else")
    (here.inbox / ".77.monitor-claim").write_bytes(b"unknown")
    here.tidy()
    assert here.archived() == {f"{DAY}/ne_proliv/1.jpg": b"one", f"{DAY}/ne_proliv/2.jpg": b"two"}
    assert {path.read_bytes() for path in below(here.inbox)} == {b"else", b"unknown"}
    assert not [path for path in below(here.inbox) if path.name.startswith(".")]


@pytest.mark.parametrize("after", ["delete", "archive"])
def test_a_claim_that_is_no_decided_file_goes_nowhere(decided_inbox: MakeInbox, after: str) -> None:
    """Whoever may write into the inbox may make one of any number."""
    here = decided_inbox(after)
    failed = here.put("1.jpg", b"one")
    number = here.decide(failed, planned=False, reason="truncated", error="e", verdict=None, scores=())
    failed.rename(here.inbox / f".{number}.monitor-claim")
    here.put(f".{'9' * 60}.monitor-claim", b"two")
    here.decide(here.put("3.jpg", b"three"))
    here.tidy()
    assert {path.name: path.read_bytes() for path in below(here.inbox)} == {
        f"{number}.jpg": b"one",
        f".{'9' * 60}.monitor-claim": b"two",
    }
    assert here.outcomes == {"changed": 1, "deleted" if after == "delete" else "archived": 1}


@pytest.mark.parametrize("after", ["delete", "archive"])
@pytest.mark.parametrize("obstacle", ["folder", "link", "another claim"])
def test_whatever_has_the_name_of_a_claim_stops_nothing(decided_inbox: MakeInbox, after: str, obstacle: str) -> None:
    here = decided_inbox(after)
    path = here.put("1.jpg", b"one")
    claim = here.inbox / f".{here.decide(path)}.monitor-claim"
    if obstacle == "folder":
        claim.mkdir()
    elif obstacle == "link":
        claim.symlink_to("nowhere")
    else:
        claim.write_bytes(b"else")
    here.tidier()._tidy([str(path)])
    assert not path.exists()
    assert here.outcomes == {"deleted" if after == "delete" else "archived": 1}
    assert [one for one in here.inbox.iterdir() if one != claim] == []


@pytest.mark.process
def test_claims_are_looked_for_in_folders_of_any_depth(decided_inbox: MakeInbox) -> None:
    here = decided_inbox("delete")
    os.close(make_deep_folder(here.inbox, 1000))
    path = here.put("1.jpg", b"one")
    path.rename(here.inbox / f".{here.decide(path)}.monitor-claim")
    here.tidy()
    assert here.outcomes == {"deleted": 1}
    remove_deep_folder(here.inbox)
