"""Lists labelled crops, by the layouts of their folders: paths and labels; the crops are read elsewhere.

A data set is a folder with up to three parts::

    train/                             crops without proliv, or train/ne_proliv/
    proliv/                            crops with proliv, to choose a threshold from
    test/proliv/  test/ne_proliv/      labelled crops to measure with, or
    test/imgs/  test/test_annotation.txt   a line "<file name> <1|0>" for each crop, 1 = proliv

Only crops that lie directly in these folders count. Every list is sorted by name, so that the same folder
gives the same training on every machine.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from monitor.errors import DataError, InputMissingError
from monitor.files.ignoring import NOTHING
from monitor.files.text import printable
from monitor.files.walking import is_crop_name, unreadable_folder
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.files.ignoring import IgnoredNames

Part = Literal["train", "proliv", "test"]

IMAGES_FOLDER: Final = "imgs"
ANNOTATION_FILE: Final = "test_annotation.txt"

_LOOKED_FOR: Final[dict[Part, str]] = {
    "train": "crops without proliv in train/ or in train/ne_proliv/",
    "proliv": "crops with proliv in proliv/",
    "test": (
        f"labelled crops in test/proliv/ and test/ne_proliv/, or in test/{IMAGES_FOLDER}/ with test/{ANNOTATION_FILE}"
    ),
}


@dataclass(frozen=True, slots=True)
class LabelledPath:
    """A crop's path and its label."""

    path: Path
    label: Label


@dataclass(frozen=True)
class Dataset:
    """A data set's crops by part, each sorted by name; a part that is missing is empty."""

    root: Path
    train: tuple[Path, ...]
    proliv: tuple[Path, ...]
    test: tuple[LabelledPath, ...]


def open_dataset(root: Path, ignored: IgnoredNames = NOTHING) -> Dataset:
    """List a data set in the layout above, of which at least one part must hold a crop.

    Files with ``ignored`` names are left out. Raises `InputMissingError` if ``root`` or something in it cannot be read,
    and `DataError` when nothing fits, a part fits two layouts at once, or the annotation is wrong.
    """
    _check_folder(root)
    proliv = root / "proliv"
    dataset = Dataset(
        root,
        _training_crops(root / "train", ignored),
        tuple(_crops(proliv, ignored)) if _is_folder(proliv) else (),
        _test_crops(root / "test", ignored),
    )
    if not (dataset.train or dataset.proliv or dataset.test):
        raise _missing(root, *_LOOKED_FOR)
    return dataset


def require(dataset: Dataset, *parts: Part) -> None:
    """Raise `DataError` saying what was looked for unless every one of ``parts`` holds a crop."""
    empty = [part for part in parts if not getattr(dataset, part)]
    if empty:
        raise _missing(dataset.root, *empty)


def open_labelled(root: Path, ignored: IgnoredNames = NOTHING) -> tuple[LabelledPath, ...]:
    """List labelled crops, sorted by label (proliv first) or, where annotated, by name.

    ``root`` is a data set, whose ``test/`` is taken, or a folder that is itself laid out as ``test/`` is. Files with
    ``ignored`` names are left out.
    Raises `InputMissingError` when it cannot be read and `DataError` when it fits no layout or two at once,
    holds no crop, or its annotation is wrong.
    """
    _check_folder(root)
    test = root / "test"
    labelled = _test_crops(test, ignored) if _is_folder(test) else _labelled(root, ignored)
    if not labelled:
        raise DataError(
            f"{printable(root)}: no labelled crops; looked for {_LOOKED_FOR['test']}, "
            "and for the same without test/; make one of these"
        )
    return labelled


def _missing(root: Path, *parts: Part) -> DataError:
    wanted = "; for ".join(_LOOKED_FOR[part] for part in parts)
    return DataError(f"{printable(root)}: looked for {wanted}; found none, add them")


def _check_folder(folder: Path) -> None:
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise unreadable_folder(folder, error) from error


def _crops(folder: Path, ignored: IgnoredNames) -> list[Path]:
    """Everything in a folder that has a crop's name, is not ignored and is no folder, sorted by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                folder / entry.name
                for entry in entries
                if is_crop_name(entry.name) and entry.name not in ignored and not entry.is_dir(follow_symlinks=False)
            )
    except OSError as error:
        raise unreadable_folder(folder, error) from error


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unreadable_folder(path, error) from error


def _training_crops(train: Path, ignored: IgnoredNames) -> tuple[Path, ...]:
    if not _is_folder(train):
        return ()
    flat = _crops(train, ignored)
    labelled = train / Label.NE_PROLIV.value
    if not _is_folder(labelled):
        return tuple(flat)
    if flat:
        raise DataError(
            f"{printable(train)}: holds crops both directly and in {labelled.name}/; "
            "whether the first have no proliv is unclear, move them into one of the two"
        )
    return tuple(_crops(labelled, ignored))


def _test_crops(test: Path, ignored: IgnoredNames) -> tuple[LabelledPath, ...]:
    if not _is_folder(test):
        return ()
    labelled = _labelled(test, ignored)
    if labelled is None:
        raise DataError(f"{printable(test)}: looked for {_LOOKED_FOR['test']}; complete one of these, or remove test/")
    return labelled


def _labelled(folder: Path, ignored: IgnoredNames) -> tuple[LabelledPath, ...] | None:
    """List a folder laid out as ``test/`` is; None when it is laid out otherwise."""
    by_label = [folder / label.value for label in Label]
    images = folder / IMAGES_FOLDER
    annotation = folder / ANNOTATION_FILE
    has_folders = all(_is_folder(part) for part in by_label)
    if not _is_folder(images) or not annotation.exists():
        if not has_folders:
            return None
        return tuple(
            LabelledPath(path, label)
            for label, part in zip(Label, by_label, strict=True)
            for path in _crops(part, ignored)
        )
    if has_folders:
        raise DataError(
            f"{printable(folder)}: holds both proliv/ with ne_proliv/ and {IMAGES_FOLDER}/ with "
            f"{ANNOTATION_FILE}; which of them counts is unclear, move one away"
        )
    return _annotated(images, annotation, ignored)


def _annotated(images: Path, annotation: Path, ignored: IgnoredNames) -> tuple[LabelledPath, ...]:
    crops = {path.name: path for path in _crops(images, ignored)}
    labels: dict[str, Label] = {}
    for where, name, label in _annotation_lines(annotation):
        if name not in crops:
            raise DataError(f"{where} there is no crop '{printable(name)}' in {printable(images)}; correct the name")
        if labels.setdefault(name, label) is not label:
            raise DataError(f"{where} '{printable(name)}' has the other label further up; delete the wrong line")
    unlabelled = [name for name in crops if name not in labels]
    if unlabelled:
        # Leaving them out silently would measure on less than the folder holds.
        raise DataError(
            f"{printable(annotation)}: has no line for {len(unlabelled)} of the {len(crops)} crops in "
            f"{printable(images)}, the first being '{printable(unlabelled[0])}'; add the lines or move the crops away"
        )
    return tuple(LabelledPath(path, labels[name]) for name, path in crops.items())


_LINE: Final = re.compile(rb"(?P<name>.*\S)[ \t]+(?P<proliv>[01])[ \t\r]*", re.DOTALL)


def _annotation_lines(annotation: Path) -> Iterator[tuple[str, str, Label]]:
    """``file:line:``, file name and label of every line that is not blank."""
    try:
        data = annotation.read_bytes()
    except OSError as error:
        raise InputMissingError(f"{printable(annotation)}: the annotation cannot be read: {error.strerror}") from error
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{printable(annotation)}:{number}:"
        match = _LINE.fullmatch(line)
        if match is None:
            raise DataError(f"{where} not '<file name> <1|0>' (1 = proliv) but '{_shown(line)}'")
        name = os.fsdecode(match["name"])
        if "/" in name or name in {".", ".."}:
            raise DataError(f"{where} '{printable(name)}' is a path; write the bare name of a file in {IMAGES_FOLDER}/")
        yield where, name, Label.PROLIV if match["proliv"] == b"1" else Label.NE_PROLIV


def _shown(line: bytes) -> str:
    text = printable(os.fsdecode(line.strip()))
    return text if len(text) <= 80 else f"{text[:77]}..."
