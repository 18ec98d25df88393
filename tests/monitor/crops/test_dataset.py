from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from monitor.crops import dataset
from monitor.crops.dataset import LabelledPath
from monitor.errors import DataError, InputMissingError
from monitor.words import Label

if TYPE_CHECKING:
    from pathlib import Path


def fill(root: Path, *names: str) -> list[Path]:
    """Make empty files: only their names matter here."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return [root / name for name in names]


def annotate(folder: Path, lines: bytes, *names: str) -> None:
    fill(folder / "imgs", *names)
    (folder / "test_annotation.txt").write_bytes(lines)


class TestOpenDataset:
    def test_all_parts(self, tmp_path: Path) -> None:
        train = fill(tmp_path / "train", "b.jpg", "a.png", "notes.txt", ".hidden.jpg", "deeper/c.jpg")
        proliv = fill(tmp_path / "proliv", "p.jpg")
        caught = fill(tmp_path / "test" / "proliv", "2.jpg", "1.jpg")
        passed = fill(tmp_path / "test" / "ne_proliv", "0.jpg")
        data = dataset.open_dataset(tmp_path)
        assert data.root == tmp_path
        assert data.train == (train[1], train[0])
        assert data.proliv == tuple(proliv)
        assert data.test == (
            LabelledPath(caught[1], Label.PROLIV),
            LabelledPath(caught[0], Label.PROLIV),
            LabelledPath(passed[0], Label.NE_PROLIV),
        )
        dataset.require(data, "train", "proliv", "test")

    def test_training_crops_in_a_labelled_folder(self, tmp_path: Path) -> None:
        crops = fill(tmp_path / "train" / "ne_proliv", "a.jpg")
        fill(tmp_path / "train" / "proliv", "never-to-train-on.jpg")
        assert dataset.open_dataset(tmp_path).train == tuple(crops)

    def test_training_crops_in_both_places(self, tmp_path: Path) -> None:
        fill(tmp_path / "train", "a.jpg", "ne_proliv/b.jpg")
        with pytest.raises(DataError, match="both directly and in ne_proliv/"):
            dataset.open_dataset(tmp_path)

    @pytest.mark.parametrize("part", ["train", "proliv", "test"])
    def test_missing_parts_are_empty_until_required(self, tmp_path: Path, part: dataset.Part) -> None:
        names = {"train": "train/a.jpg", "proliv": "proliv/a.jpg", "test": "test/proliv/a.jpg"}
        fill(tmp_path, *(name for key, name in names.items() if key != part))
        if part != "test":
            (tmp_path / "test" / "ne_proliv").mkdir()
        data = dataset.open_dataset(tmp_path)
        assert getattr(data, part) == ()
        with pytest.raises(DataError, match=f"looked for .*{part}/.*; found none") as caught:
            dataset.require(data, "train", "proliv", "test")
        assert str(caught.value).startswith(f"{tmp_path}: ")

    def test_links_and_pipes_are_listed_so_that_reading_them_can_say_why_not(self, tmp_path: Path) -> None:
        (tmp_path / "train" / "folder.jpg").mkdir(parents=True)
        (tmp_path / "train" / "link.jpg").symlink_to("nowhere")
        os.mkfifo(tmp_path / "train" / "pipe.jpg")
        assert [path.name for path in dataset.open_dataset(tmp_path).train] == ["link.jpg", "pipe.jpg"]

    def test_nothing_fits(self, tmp_path: Path) -> None:
        fill(tmp_path, "a.jpg", "train/notes.txt")
        with pytest.raises(DataError) as caught:
            dataset.open_dataset(tmp_path)
        for folder in ("train/", "train/ne_proliv/", "proliv/", "test/proliv/", "test/imgs/", "test_annotation.txt"):
            assert folder in str(caught.value)

    def test_half_a_test_layout(self, tmp_path: Path) -> None:
        fill(tmp_path, "train/a.jpg", "test/imgs/b.jpg")
        with pytest.raises(DataError, match="complete one of these"):
            dataset.open_dataset(tmp_path)

    def test_missing_folders(self, tmp_path: Path) -> None:
        fill(tmp_path, "file")
        for path in (tmp_path / "none", tmp_path / "file"):
            for opening in (dataset.open_dataset, dataset.open_labelled):
                with pytest.raises(InputMissingError, match=path.name):
                    opening(path)


class TestOpenLabelled:
    def test_the_test_part_of_a_data_set(self, tmp_path: Path) -> None:
        fill(tmp_path, "train/a.jpg", "proliv/b.jpg", "ne_proliv/c.jpg")
        annotate(tmp_path / "test", b"d.jpg 1\n", "d.jpg")
        expected = (LabelledPath(tmp_path / "test" / "imgs" / "d.jpg", Label.PROLIV),)
        assert dataset.open_labelled(tmp_path) == expected
        assert dataset.open_labelled(tmp_path / "test") == expected

    def test_two_folders(self, tmp_path: Path) -> None:
        crops = fill(tmp_path, "proliv/b.jpg", "ne_proliv/a.jpg")
        assert dataset.open_labelled(tmp_path) == (
            LabelledPath(crops[0], Label.PROLIV),
            LabelledPath(crops[1], Label.NE_PROLIV),
        )

    def test_a_data_set_without_a_test_part(self, tmp_path: Path) -> None:
        fill(tmp_path, "train/a.jpg", "proliv/b.jpg")
        with pytest.raises(DataError, match="the same without test/"):
            dataset.open_labelled(tmp_path)

    def test_two_layouts_at_once(self, tmp_path: Path) -> None:
        fill(tmp_path, "proliv/b.jpg", "ne_proliv/a.jpg")
        annotate(tmp_path, b"d.jpg 1\n", "d.jpg")
        with pytest.raises(DataError, match="which of them counts is unclear"):
            dataset.open_labelled(tmp_path)

    def test_no_crops(self, tmp_path: Path) -> None:
        annotate(tmp_path, b"")
        (tmp_path / "imgs").mkdir(exist_ok=True)
        with pytest.raises(DataError, match="no labelled crops"):
            dataset.open_labelled(tmp_path)


class TestAnnotation:
    def test_lines(self, tmp_path: Path) -> None:
        names = ["a.jpg", "b c.jpg", "d 1.jpg", "e.jpg", os.fsdecode(b"\xff.jpg"), "лунка.jpg", "g..jpg"]
        lines = b"\xef\xbb\xbfe.jpg 0\r\n\n \t\nb c.jpg 1\nd 1.jpg\t0  \n\xff.jpg 1\na.jpg   1\na.jpg 1\n"
        annotate(tmp_path, lines + "лунка.jpg 0\ng..jpg 0".encode(), *names)
        found = {labelled.path.name: labelled.label.value for labelled in dataset.open_labelled(tmp_path)}
        assert found == {
            name: "proliv" if name in {"a.jpg", "b c.jpg", os.fsdecode(b"\xff.jpg")} else "ne_proliv" for name in names
        }
        assert list(found) == sorted(names)

    @pytest.mark.parametrize(
        "line", [b"a.jpg", b"a.jpg 2", b"a.jpg 10", b"1", b" 1", b"a.jpg,1", b"a.jpg -1", b"\xff\xfea"]
    )
    def test_malformed_lines(self, tmp_path: Path, line: bytes) -> None:
        annotate(tmp_path, b"a.jpg 1\n\n" + line + b"\n", "a.jpg")
        with pytest.raises(DataError, match=r"test_annotation\.txt:3: not '<file name> <1\|0>'") as caught:
            dataset.open_labelled(tmp_path)
        assert str(caught.value).isprintable()

    def test_a_long_malformed_line_is_shortened(self, tmp_path: Path) -> None:
        annotate(tmp_path, b"x" * 10_000, "a.jpg")
        with pytest.raises(DataError) as caught:
            dataset.open_labelled(tmp_path)
        assert len(str(caught.value)) < 300 + len(str(tmp_path))

    @pytest.mark.parametrize("name", ["/etc/a.jpg", "../a.jpg", "sub/a.jpg", "..", "."])
    def test_paths_are_refused(self, tmp_path: Path, name: str) -> None:
        fill(tmp_path, "a.jpg", "imgs/sub/a.jpg")
        annotate(tmp_path, f"{name} 1\n".encode(), "b.jpg")
        with pytest.raises(DataError, match=r"test_annotation\.txt:1: .* is a path"):
            dataset.open_labelled(tmp_path)

    @pytest.mark.parametrize("name", ["c.jpg", "A.jpg", "notes.txt"])
    def test_missing_images(self, tmp_path: Path, name: str) -> None:
        annotate(tmp_path, f"a.jpg 1\n{name} 1\n".encode(), "a.jpg", "notes.txt")
        with pytest.raises(DataError, match=rf"test_annotation\.txt:2: there is no crop '{name}'"):
            dataset.open_labelled(tmp_path)

    def test_contradicting_lines(self, tmp_path: Path) -> None:
        annotate(tmp_path, b"a.jpg 1\nb.jpg 0\na.jpg 0\n", "a.jpg", "b.jpg")
        with pytest.raises(DataError, match=r"test_annotation\.txt:3: 'a\.jpg' has the other label further up"):
            dataset.open_labelled(tmp_path)

    def test_crops_without_a_line(self, tmp_path: Path) -> None:
        annotate(tmp_path, b"a.jpg 1\n", "a.jpg", "c.jpg", "b.jpg", "notes.txt")
        with pytest.raises(DataError, match=r"no line for 2 of the 3 crops in .*, the first being 'b\.jpg'"):
            dataset.open_labelled(tmp_path)

    def test_an_annotation_that_cannot_be_read(self, tmp_path: Path) -> None:
        fill(tmp_path, "imgs/a.jpg", "test_annotation.txt/x")
        with pytest.raises(InputMissingError, match="the annotation cannot be read"):
            dataset.open_labelled(tmp_path)
