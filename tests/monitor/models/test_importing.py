"""What an imported model may be called, which crops are held out, and what reaches the detector."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from monitor.crops.in_memory import ReadCrops
from monitor.errors import ConfigurationError, DataError, InputMissingError, PluginError
from monitor.models import importing
from monitor.models.importing import import_model, importer, listed_digests, require_name, split_as_listed
from monitor.models.training import TrainingData
from monitor.registry import Registry
from monitor.store.database.engine import Database
from monitor.store.database.upgrade import upgrade
from monitor.store.models import all_models
from monitor.words import Identity
from tests.support.neighbours_detector import Neighbours, NeighboursSettings

if TYPE_CHECKING:
    from monitor.api import Detector, FitReport, Pixels, Progress


def digest(number: int) -> str:
    return f"{number:064x}"


def read(count: int, first: int = 0) -> ReadCrops:
    pixels = np.random.default_rng(first).integers(0, 256, size=(count, 28, 48, 3), dtype=np.uint8)
    return ReadCrops(
        list(pixels), [Identity(None, None, None)] * count, [digest(first + number) for number in range(count)]
    )


def test_the_digests_of_a_list_are_those_that_its_lines_begin_with(tmp_path: Path) -> None:
    file = tmp_path / "held-out.txt"
    lines = [
        digest(1),
        f"{digest(2).upper()}  crop.jpg",
        "",
        f"\\{digest(3)}  odd\\nname.jpg",
        f"{digest(4)}\tcrop.jpg",
    ]
    for encoding in ("utf-8", "utf-8-sig"):
        file.write_text("\n".join(lines), encoding=encoding)
        assert listed_digests(file) == {digest(1), digest(2), digest(3), digest(4)}


def test_a_list_that_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(InputMissingError, match="is no regular file; write the list into one"):
            listed_digests(path)


def test_a_list_of_something_else_is_refused_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "held-out.txt"
    file.write_text(f"{digest(1)}\ncrop.jpg\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"held-out\.txt:2: begins with no sha256 of a crop; .* sha256sum"):
        listed_digests(file)
    with pytest.raises(InputMissingError, match=r"nix: cannot be read: No such file .* one sha256 a line"):
        listed_digests(tmp_path / "nix")
    with file.open("wb") as opened:
        opened.truncate(1 << 40)
    with pytest.raises(DataError, match="is too large for a list of crops"):
        listed_digests(file)


def test_the_listed_crops_are_held_out_and_no_others() -> None:
    parts = split_as_listed(read(5), {digest(1), digest(3), digest(99)}, Path("list"))
    assert parts.validation.digests == [digest(1), digest(3)]
    assert parts.train.digests == [digest(0), digest(2), digest(4)]
    assert parts.groups.shape == (3,)


def test_how_many_of_the_listed_are_there_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    split_as_listed(read(5), {digest(1), digest(3), digest(99)}, Path("list"))
    split_as_listed(read(5), {digest(1), digest(3)}, Path("list"))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "list: 2 of 3 listed digests are crops of train/"),
        ("INFO", "list: 2 of 2 listed digests are crops of train/"),
    ]


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([0, 1, 2, 3, 4], "all of the 5 crops of train/ are listed as held out"),
        ([7, 8], "0 of 2 listed digests are crops of train/, and at least 2 and half of them have to be"),
        ([1], "1 of 1 listed digests are crops"),
        ([1, 2, 95, 96, 97], "2 of 5 listed digests are crops"),
        ([], "0 of 0 listed digests are crops"),
    ],
)
def test_a_list_that_holds_out_all_or_hardly_any_is_refused(listed: list[int], words: str) -> None:
    with pytest.raises(DataError, match=f"^list: {words}"):
        split_as_listed(read(5), {digest(number) for number in listed}, Path("list"))


@pytest.mark.parametrize("name", [None, "padim", "reverse-distillation_2", "onnx"])
def test_names_that_a_model_may_have(name: str | None) -> None:
    require_name(Registry.load(), name, "onnx")


@pytest.mark.parametrize("name", ["", "../padim", "PaDiM", "-x", "a" * 41, "new\nline", "a b"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="a name has at most 40 small letters, digits, dashes"):
        require_name(Registry.load(), name, "onnx")


def test_the_name_of_another_detector_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--name ae: is the name of a detector"):
        require_name(Registry.load(), "ae", "onnx")


def test_the_detector_that_takes_a_file_is_the_one_that_imports() -> None:
    registry = Registry.load()
    assert importer(registry, None).name == importer(registry, "onnx").name == "onnx"
    assert registry.imported() == ["onnx"]
    assert [*registry.trainable(), "onnx"] == list(registry.detectors)
    with pytest.raises(PluginError, match="the detector 'ae' imports no models; those that do: onnx"):
        importer(registry, "ae")
    with pytest.raises(PluginError, match="there is no detector 'nix'"):
        importer(registry, "nix")


def test_where_no_detector_imports_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry.load()
    original = Registry.detector_class

    def broken(self: Registry, name: str) -> type[Detector]:
        if name == "onnx":
            raise PluginError("the detector 'onnx' cannot be imported: odd")
        return original(self, name)

    monkeypatch.setattr(Registry, "detector_class", broken)
    for name in (None, "onnx"):
        with pytest.raises(PluginError, match=r"^the detector 'onnx' cannot be imported: odd$"):
            importer(registry, name)
    monkeypatch.setattr(Registry, "detector_class", lambda _self, _name: Neighbours)
    with pytest.raises(PluginError, match=r"^no detector that is installed imports models; install a plug-in"):
        importer(registry, None)


class Counting(Neighbours):
    """It says how many crops it was given."""

    seen: ClassVar[list[int]] = []

    def fit(self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress) -> FitReport:
        self.seen.extend((len(crops), len(validation)))
        return super().fit(crops, validation=validation, seed=seed, progress=progress)


def test_it_learns_from_a_part_and_knows_all_of_the_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_CROPS", 4)
    monkeypatch.setattr(Counting, "seen", [])
    database = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=5)
    upgrade(database)
    data = TrainingData(read(9), read(3, first=100), np.arange(9))
    names = [
        import_model(
            Counting(NeighboursSettings()),
            data,
            name=name,
            seed=0,
            database=database,
            models_folder=tmp_path / "models",
        ).name
        for name in ("mine", None, "mine")
    ]
    assert Counting.seen == [4, 3] * 3
    assert names[0] == names[2] != names[1]
    assert [name.rpartition("-")[0] for name in names[:2]] == ["mine", Counting.name]
    folder = tmp_path / "models" / names[0]
    assert (folder / "training.txt").read_text(encoding="ascii").split() == [digest(number) for number in range(9)]
    assert (folder / "validation.txt").read_text(encoding="ascii").split() == [digest(100 + n) for n in range(3)]
    with database.read() as connection:
        assert {row.name for row in all_models(connection)} == set(names)
    database.close()
