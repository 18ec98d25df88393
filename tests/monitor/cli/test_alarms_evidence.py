"""What an alarm was decided on is exported as one file with a page to read, which can be checked."""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import shutil
import sqlite3
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Rows = Callable[[str], list[tuple[Any, ...]]]

ATTACK = "<script>alert(1)</script> & \"quotes\" <img src=x onerror='alert(2)'>"


@pytest.fixture
def alarmed(trained: Path, small_dataset: Path, monitor: Run) -> Path:
    """The home in which proliv of a folder of its own were decided as if by the daemon."""
    (trained / "crops").mkdir()
    (trained / "inbox").mkdir()
    for path in sorted((small_dataset / "proliv").glob("*.jpg"))[:3]:
        shutil.copyfile(path, trained / "crops" / path.name)
    assert monitor("score", "crops", "--as-inbox", "--exit-zero").returncode == 0
    return trained


class Seen(HTMLParser):
    """What a browser would see in a page: its text, its tags, and where they lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.places: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.places += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def opened(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_evidence_of_an_alarm(alarmed: Path, monitor: Run, rows: Rows, small_dataset: Path) -> None:
    assert monitor("label", "crops/*", "--as", "proliv", "--author", "anna", "--note", ATTACK, "--yes").returncode == 0
    monitor("alarms", "close", "1", "--author", "bob", "--note", ATTACK)
    done = monitor("alarms", "export", "1", "--output", "a.zip")
    assert done.returncode == 0, done.stderr
    file = alarmed / "a.zip"
    assert f"sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}" in done.stdout
    checked = monitor("alarms", "verify", "a.zip", "--format", "json")
    assert checked.returncode == 0
    assert json.loads(checked.stdout)["alarm"] == 1

    members = opened(file)
    numbers = json.loads(members["alarm.json"])
    (crop, *_) = [one for one in numbers["evidence"] if one["role"] == "opened"]
    name = numbers["files"][str(crop["id"])]
    assert members[name] == (alarmed / "crops" / Path(crop["path"]).name).read_bytes()
    assert numbers["alarm"]["closed_by"] == "bob"
    (model,) = numbers["models"]
    assert [(model["fingerprint"],)] == rows("select fingerprint from models")
    assert crop["models"][0]["threshold"] == numbers["calibrations"][0]["threshold"]
    assert crop["labels"][-1]["author"] == "anna"
    for what in ("view", "reconstruction", "heatmap"):
        picture = Image.open(io.BytesIO(members[f"pictures/{crop['id']}-{model['name']}-{what}.png"]))
        assert max(picture.size) >= 300

    page = Seen(members["index.html"].decode())
    assert "script" not in page.tags
    assert not any(name.startswith("on") for name in page.attributes)
    assert all(place.startswith(("data:image/png;base64,", "#section-")) for place in page.places)
    assert page.text.count(ATTACK) == 2
    assert html.escape(ATTACK) in members["index.html"].decode()
    for said in (model["fingerprint"], crop["sha256"], f"crops/{crop['id']}.jpg", "opened the alarm"):
        assert said in page.text


def test_nothing_is_overwritten_but_an_earlier_export_if_asked_for(alarmed: Path, monitor: Run) -> None:
    assert monitor("alarms", "export", "1", "-o", "a.zip", "--no-pictures").returncode == 0
    assert not any(name.startswith("pictures/") for name in opened(alarmed / "a.zip"))
    before = (alarmed / "a.zip").read_bytes()
    refused = monitor("alarms", "export", "1", "-o", "a.zip")
    assert (refused.returncode, "--force" in refused.stderr) == (73, True)
    assert (alarmed / "a.zip").read_bytes() == before
    assert monitor("alarms", "export", "1", "-o", "a.zip", "--force").returncode == 0
    (alarmed / "b.zip").write_bytes(b"PK\x03\x04 of somebody else")
    refused = monitor("alarms", "export", "1", "-o", "b.zip", "--force")
    assert (refused.returncode, "is not the evidence of an alarm" in refused.stderr) == (73, True)
    assert monitor("alarms", "export", "1", "-o", "nowhere/a.zip").returncode == 73
    assert sorted(path.name for path in alarmed.glob("*.zip")) == ["a.zip", "b.zip"]


def test_a_model_that_does_not_load_and_a_file_that_is_gone_are_said_so(
    alarmed: Path, monitor: Run, rows: Rows
) -> None:
    shown = json.loads(monitor("alarms", "show", "1", "--format", "json").stdout)
    (first, *_) = shown["evidence"]
    assert (first["role"], first["state"]) == ("opened", "due")
    ((path,),) = rows(f"select path from crops where id = {first['crop_id']}")
    Path(path).unlink()
    ((folder,),) = rows("select folder from models")
    (alarmed / "state" / "models" / folder / "model.json").unlink()
    assert monitor("alarms", "export", "1", "-o", "a.zip").returncode == 0
    members = opened(alarmed / "a.zip")
    page = Seen(members["index.html"].decode()).text
    assert "Not all that the alarm was decided on is kept" in page
    assert "its file was deleted, moved away or overwritten" in page
    assert f"crops/{first['crop_id']}.jpg" not in members
    assert "pictures" in page
    assert "none: " in page
    assert f"crop {first['crop_id']}: its file was deleted" in monitor("alarms", "show", "1").stdout


def test_status_counts_what_is_not_kept(alarmed: Path, monitor: Run, rows: Rows) -> None:
    def counts() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(monitor("status", "--format", "json").stdout)["evidence"]
        return found

    ((due,),) = rows("select count(*) from kept_crops where state = 'due'")
    before = counts()
    assert (before["due"], before["missing"], before["due"] > 0) == (due, 0, True)
    assert re.search(rf"^evidence +{due} crops? to be kept, since \d{{4}}-", monitor("status").stdout, re.MULTILINE)
    ((crop_id, path),) = rows("select id, path from crops where id in (select crop_id from alarm_evidence) limit 1")
    Path(path).unlink()
    with sqlite3.connect(alarmed / "state" / "monitor.db") as connection:
        # It was due for more than a minute.
        connection.execute("update kept_crops set since = '2026-01-01 00:00:00' where crop_id = ?", (crop_id,))
    connection.close()
    assert monitor("alarms", "export", "1", "-o", "a.zip", "--no-pictures").returncode == 0
    assert counts() == {"due": 0, "due_since": None, "missing": 1}
    said = monitor("status").stdout
    assert "1 crop of alarms that are not closed cannot be kept; why: monitor alarms show ALARM" in said
    for (alarm,) in rows("select id from alarms"):
        assert monitor("alarms", "close", str(alarm), "--author", "bob").returncode == 0
    assert counts()["missing"] == 0
    assert "evidence" not in monitor("status").stdout


def test_why_nobody_was_told_is_said(alarmed: Path, monitor: Run, change: Callable[[str], None]) -> None:
    assert monitor("alarms", "export", "1", "-o", "a.zip", "--no-pictures").returncode == 0
    page = Seen(opened(alarmed / "a.zip")["index.html"].decode()).text
    assert "No message about it is stored: no receiver was configured while it was open, or" in page
    assert "null" not in page
    change("update alarms set withheld = 'pause', pause_id = 3")
    assert monitor("alarms", "export", "1", "-o", "b.zip", "--no-pictures").returncode == 0
    page = Seen(opened(alarmed / "b.zip")["index.html"].decode()).text
    assert "open, not told: pause 3" in page
    assert "Nobody was told by the program: pause 3." in page
    assert "receiver" not in page.partition("Who was told")[2]


def test_what_retention_has_deleted_is_said_so(alarmed: Path, monitor: Run, change: Callable[[str], None]) -> None:
    change("delete from alarm_evidence")
    assert "nothing is kept" in monitor("alarms", "show", "1").stdout
    assert monitor("alarms", "export", "1", "-o", "a.zip").returncode == 0
    assert "Nothing that the alarm was decided on is kept" in opened(alarmed / "a.zip")["index.html"].decode()
    assert monitor("alarms", "verify", "a.zip").returncode == 0


def test_wrong_alarms_and_files(alarmed: Path, monitor: Run) -> None:
    unknown = monitor("alarms", "export", "999", "-o", "a.zip")
    assert (unknown.returncode, "there is no alarm 999" in unknown.stderr) == (65, True)
    assert not (alarmed / "a.zip").exists()
    (alarmed / "b.zip").write_bytes(b"something else")
    wrong = monitor("alarms", "verify", "b.zip")
    assert (wrong.returncode, wrong.stdout) == (65, "")
    assert "b.zip: is no ZIP file" in wrong.stderr
    assert monitor("alarms", "verify", "none.zip").returncode == 66
