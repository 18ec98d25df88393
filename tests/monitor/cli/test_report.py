from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from monitor.report import codes

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed, importing it alone takes longer than all these tests."""
    monkeypatch.setattr(codes, "has_umap", lambda: False)


class Shown(HTMLParser):
    """What the page says: its text, its headings, and how many pictures it has."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.text = ""
        self.feed(file.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] in {"h1", "h2", "h3"} and data.strip():
            self.headings.append(data)
        self.text += data


def written(monitor: Run, home: Path, *arguments: str | Path) -> Shown:
    outcome = monitor("report", *arguments)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout == "report.html\n"
    return Shown(home / "report.html")


def test_without_a_folder_what_is_known_is_shown(trained: Path, monitor: Run, small_dataset: Path) -> None:
    monitor("score", small_dataset / "test", "--exit-zero")
    page = written(monitor, trained)
    name = next((trained / "state" / "models").iterdir()).name
    assert page.headings[:2] == ["How well proliv is found", name]
    for heading in (
        "Loss by epoch",
        "Where the threshold comes from",
        "TPR and TNR by threshold",
        "Decisions in the store",
    ):
        assert heading in page.headings
    assert page.tags.count("img") == 3
    assert "monitor report --data DIR adds what the models do to its crops" in page.text
    assert "The deciding scores of the 40 newest stored decisions" in page.text
    assert f"{name} alone decides, so the decision is its own." in page.text
    assert "Confusion matrix on the test" not in page.headings


def test_the_figures_are_those_of_evaluate(trained: Path, monitor: Run, small_dataset: Path) -> None:
    table = monitor("evaluate", small_dataset).stdout
    found = re.search(r"TPR\s+(\S+)  \(95 % interval (\S+ to \S+)\)  (\d+) caught, (\d+) missed", table)
    assert found is not None
    page = written(monitor, trained, "--data", small_dataset)
    assert f"{found[1]} ({found[2]})" in page.text
    assert "40: 10 proliv, 30 ne_proliv" in page.text
    held_out = len(next((trained / "state" / "models").iterdir()).joinpath("validation.txt").read_text().split())
    assert f"{held_out} of train/ that were held out from training, 20 of proliv/, and 40 of the test." in page.text
    assert page.headings.count("Ten crops with reconstruction and error map") == 1
    assert "Codes: principal components" in page.headings


def test_a_section_for_each_active_model_and_one_for_the_decision(
    pair: Path, monitor: Run, small_dataset: Path
) -> None:
    names = sorted(path.name for path in (pair / "state" / "models").iterdir())
    page = written(monitor, pair, "--data", small_dataset)
    assert [heading for heading in page.headings if heading in {*names, "decision"}] == [*reversed(names), "decision"]
    assert "ROC curves on the test" in page.headings
    assert "use of items" in page.text
    only = written(monitor, pair, "--data", small_dataset, "--model", "ae")
    assert [heading for heading in only.headings if heading in {*names, "decision"}] == [names[0], "decision"]


def test_a_model_that_is_not_active_can_be_named(trained: Path, monitor: Run, small_dataset: Path) -> None:
    active = next((trained / "state" / "models").iterdir()).name
    other = monitor("train", "ae", "--data", small_dataset, "--seed", "7", "--set", "epochs=1").stdout.strip()
    assert monitor("report", "--model", other).returncode == 4
    monitor("calibrate", "--model", other, "--data", small_dataset)
    page = written(monitor, trained, "--model", other, "--model", other)
    assert [heading for heading in page.headings if heading in {active, other}] == [other]
    assert "calibrated, not active" in page.text


def test_names_from_outside_stay_text(trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "<script>alert(1)<"
    for part in ("train", "proliv", "test/ne_proliv"):
        shutil.copytree(small_dataset / part, folder / part)
    (folder / "test" / "proliv").mkdir()
    for number, path in enumerate(sorted((small_dataset / "test" / "proliv").iterdir())[:3]):
        shutil.copy(path, folder / "test" / "proliv" / f"{number}<script>&amp;'\".jpg")
    (folder / "test" / "proliv" / "cut<b>.jpg").write_bytes(b"\xff\xd8\xff")
    page = written(monitor, trained, "--data", folder)
    assert {"script", "b"} & set(page.tags) == set()
    assert "0<script>&amp;'\".jpg" in page.text
    assert "cut<b>.jpg: " in page.text
    assert f"Measured on the crops of {folder}" in page.text


def test_what_a_detector_was_taught_by_made_up_pictures_is_shown(home: Path, monitor: Run, small_dataset: Path) -> None:
    monitor("train", "contrast", "--set", "pool=256", "--set", "epochs=1", "--data", small_dataset)
    monitor("calibrate", "--data", small_dataset)
    page = written(monitor, home, "--data", small_dataset)
    kinds = [heading.removeprefix("Made up: ") for heading in page.headings if heading.startswith("Made up: ")]
    assert {"objects", "other light", "other scenes", "known proliv", "empty holes"} < set(kinds)
    assert "Taught as 'empty', which is proliv." in page.text
    alone = written(monitor, home)
    assert not [heading for heading in alone.headings if heading.startswith("Made up: ")]


def test_a_folder_without_a_test(trained: Path, monitor: Run, small_dataset: Path, tmp_path: Path) -> None:
    for part in ("train", "proliv"):
        shutil.copytree(small_dataset / part, tmp_path / "data" / part)
    page = written(monitor, trained, "--data", tmp_path / "data")
    assert "The folder holds no test/" in page.text
    assert "Confusion matrix on the test" not in page.headings
    assert "Deciding score" in page.headings
    assert "Chosen from the held-out crops and proliv/" in page.text


def test_a_folder_that_the_model_does_not_know(trained: Path, monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "train" / "a.jpg").write_bytes(b"\xff\xd8\xff")
    page = written(monitor, trained, "--data", tmp_path / "data")
    assert "None of the folder's crops concerns this model" in page.text
    assert "Files that could not be read and are not counted: 1; the first is " in page.text


def test_nothing_is_stored(trained: Path, monitor: Run, dump: Callable[[], list[str]], small_dataset: Path) -> None:
    before, files = dump(), sorted((trained / "state").rglob("*"))
    written(monitor, trained, "--data", small_dataset)
    assert dump() == before
    assert sorted((trained / "state").rglob("*")) == files


def test_where_the_page_goes(trained: Path, monitor: Run) -> None:
    outcome = monitor("report", "--output", "other.html")
    assert (outcome.returncode, outcome.stdout) == (0, "other.html\n")
    assert (trained / "other.html").read_bytes().startswith(b"<!DOCTYPE html>")
    refused = monitor("report", "--output", "nowhere/page.html")
    assert refused.returncode == 73
    assert refused.stderr == (
        "monitor: nowhere: there is no such folder; make it, or give another place with --output\n"
    )
    assert monitor("report", "--output", trained).returncode == 73


def test_errors_come_before_anything_is_written(home: Path, monitor: Run, small_dataset: Path) -> None:
    assert monitor("report").returncode == 4
    monitor("train", "ae", "--data", small_dataset, "--limit", "30", "--set", "epochs=1")
    outcome = monitor("report", "--data", small_dataset)
    assert outcome.returncode == 4
    assert "no model is active" in outcome.stderr
    assert not (home / "report.html").exists()


def test_a_folder_that_does_not_exist(trained: Path, monitor: Run) -> None:
    assert monitor("report", "--data", "nowhere").returncode == 66
