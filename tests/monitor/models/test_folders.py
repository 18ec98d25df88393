from __future__ import annotations

import json
import os
import pickletools
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from monitor.errors import ModelDamagedError, OutputError
from monitor.models import folders
from tests.monitor.models.conftest import HELD_OUT, save_model, train
from tests.support.saved_models import loader_of, row_of

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.models.folders import SavedModel
    from monitor.store.models import ModelRow
    from tests.monitor.models.conftest import Trained


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.process
def test_what_was_saved_with_a_model_is_read_back(saved: SavedModel) -> None:
    assert folders.validation_digests(saved.folder.parent, row_of(saved)) == {"a" * 64, "b" * 64}
    assert folders.training_digests(saved.folder.parent, row_of(saved)) == {"d" * 64}
    (saved.folder / folders.TRAINING_LIST).unlink()  # as in a model of before they were kept
    assert folders.training_digests(saved.folder.parent, row_of(saved)) == frozenset()
    assert saved.name == saved.folder.name == f"ae-{saved.fingerprint[:12]}"
    report = folders.training_report(saved.folder.parent, row_of(saved))
    assert [epoch.epoch for epoch in report.epochs] == [1, 2]


def test_the_same_training_gives_the_same_model(saved: SavedModel, tmp_path: Path) -> None:
    again, other = train(), train(seed=1)
    elsewhere = save_model(tmp_path / "elsewhere", again.detector, validation=HELD_OUT[:2], report=again.report)
    assert elsewhere.fingerprint == saved.fingerprint
    different = save_model(tmp_path / "elsewhere", other.detector, validation=HELD_OUT, report=other.report)
    assert different.fingerprint != saved.fingerprint


def test_other_held_out_crops_make_another_model(trained: Trained, saved: SavedModel) -> None:
    other = save_model(saved.folder.parent, trained.detector, validation=["c" * 64], report=trained.report)
    assert other.fingerprint != saved.fingerprint
    assert other.folder != saved.folder


def test_saving_again_replaces_a_damaged_folder(trained: Trained, saved: SavedModel) -> None:
    (saved.folder / folders.VALIDATION_LIST).unlink()
    (saved.folder / "stray").touch()
    save_model(saved.folder.parent, trained.detector, validation=HELD_OUT, report=trained.report)
    folders.verify(saved.folder, saved.fingerprint)


def test_any_changed_missing_or_added_file_is_named(saved: SavedModel, tmp_path: Path) -> None:
    row = row_of(saved)
    everything = files(saved.folder)
    assert len(everything) >= 4
    for file in everything:
        content = file.read_bytes()
        for position in (0, len(content) // 2, len(content) - 1):
            flipped = bytearray(content)
            flipped[position] ^= 1
            file.write_bytes(flipped)
            refused(row, saved, file, "was changed since the training|is not the file that was trained")
        file.write_bytes(content + b"\0")
        refused(row, saved, file, "was changed since the training|is not the file that was trained")
        file.unlink()
        refused(row, saved, file, "is missing")
        file.write_bytes(content)
        loader_of(saved).load(row)
    for added in (saved.folder / "added", saved.folder / folders.DETECTOR_FOLDER / "added.bin"):
        added.touch()
        refused(row, saved, added, "was added since the training")
        added.unlink()
    shutil.rmtree(saved.folder)
    refused(row, saved, saved.folder / folders.MANIFEST, "is missing")


def refused(row: ModelRow, saved: SavedModel, file: Path, what: str) -> None:
    with pytest.raises(ModelDamagedError, match=f"^{file}: ({what}).*; restore it from a backup, or train again"):
        loader_of(saved).load(row)
    with pytest.raises(ModelDamagedError, match=f"^{file}: "):
        folders.validation_digests(saved.folder.parent, row)


class Interrupted(BaseException):
    """As Ctrl-C is, no error that anything may swallow."""


@pytest.mark.parametrize("error", [Interrupted(), ValueError("a defect of the detector")])
def test_an_interrupted_save_leaves_nothing(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise error

    monkeypatch.setattr(trained.detector, "save", interrupted)
    with pytest.raises(type(error)):
        save_model(tmp_path / "models", trained.detector, validation=HELD_OUT, report=trained.report)
    assert list((tmp_path / "models").iterdir()) == []


def test_an_interrupted_second_save_leaves_the_first_model(
    trained: Trained, saved: SavedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_folder: Path) -> None:
        raise Interrupted

    monkeypatch.setattr(trained.detector, "save", interrupted)
    with pytest.raises(Interrupted):
        save_model(saved.folder.parent, trained.detector, validation=HELD_OUT, report=trained.report)
    assert list(saved.folder.parent.iterdir()) == [saved.folder]
    folders.verify(saved.folder, saved.fingerprint)


def test_a_folder_that_cannot_be_written_is_named(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file/models: the folder cannot be made: "):
        save_model(tmp_path / "file" / "models", trained.detector, validation=HELD_OUT, report=trained.report)


def test_nothing_in_a_model_is_a_pickle_or_tells_of_the_machine(saved: SavedModel) -> None:
    folder = str(saved.folder.parent).encode()
    for file in files(saved.folder):
        content = file.read_bytes()
        assert folder not in content, file
        assert not content.startswith(b"PK"), f"{file}: torch.save's archives hold pickles"
        with pytest.raises((ValueError, EOFError, IndexError)):
            list(pickletools.genops(content))


def test_a_model_can_be_read_by_other_users_of_the_machine(saved: SavedModel) -> None:
    # The daemon and the person who trains may be two users.
    assert saved.folder.stat().st_mode & 0o777 == 0o755


def test_every_builtin_model_file_belongs_to_the_fingerprint(saved: SavedModel) -> None:
    manifest = json.loads((saved.folder / folders.MANIFEST).read_text())
    assert set(manifest["files"]) == {path.relative_to(saved.folder).as_posix() for path in files(saved.folder)} - {
        folders.MANIFEST
    }
    assert manifest["detector"] == "ae"


def test_the_states_owner_can_read_a_model_that_somebody_else_trained(trained: Trained, tmp_path: Path) -> None:
    owner = 61234 if os.geteuid() == 0 else os.geteuid()
    os.chown(tmp_path, owner, -1)
    before = os.umask(0o077)
    try:
        saved = save_model(tmp_path / "models", trained.detector, validation=HELD_OUT, report=trained.report)
    finally:
        os.umask(before)
    paths = [saved.folder, *saved.folder.rglob("*")]
    assert {path.stat().st_uid for path in paths} == {owner}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o755, 0o644}
