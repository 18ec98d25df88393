"""Reading batches of files: what a lack of memory does to them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from monitor.configuration.file import load
from monitor.crops import decoder, loader
from monitor.crops.reader import Reader
from tests.support.pictures import VALID

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.crops.refusals import Limits


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Four files, of which the third needs more memory than there is while others are kept."""
    monkeypatch.chdir(tmp_path)
    kinds = ["PNG", "BMP", "TIFF", "WEBP"]
    found = [tmp_path / f"{number}.png" for number in range(4)]
    for path, kind in zip(found, kinds, strict=True):
        path.write_bytes(VALID[kind])
    return found


def without_memory_for(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode_rgb(data: bytes, image_format: str, limits: Limits) -> Any:
        if image_format == kind:
            raise MemoryError
        return decoder.decode_rgb(data, image_format, limits)

    monkeypatch.setattr(loader, "decode_rgb", decode_rgb)


def test_a_part_of_a_batch_ends_before_a_file_that_there_is_no_memory_for(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(load())
    without_memory_for("TIFF", monkeypatch)
    first = reader.read(paths, most_pixels=10_000_000)
    assert len(first.files) == len(first.pixels) == len(first.files.digests) == 2
    assert first.refusals == {}
    rest = reader.read(paths[2:], most_pixels=10_000_000)
    assert [pixels is None for pixels in rest.pixels] == [True, False]
    assert (rest.refusals[0].reason, rest.refusals[0].transient) == ("out_of_memory", True)


def test_a_batch_that_has_to_be_whole_goes_on_behind_it(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    without_memory_for("TIFF", monkeypatch)
    read = Reader(load()).read(paths)
    assert [pixels is None for pixels in read.pixels] == [False, False, True, False]
    assert read.refusals[2].reason == "out_of_memory"


@pytest.mark.parametrize("error", [MemoryError(), OSError(12, "Cannot allocate memory")])
def test_memory_that_is_missing_for_the_bytes(
    error: Exception, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(load())

    def read(descriptor: int, size: int) -> bytes:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", read)
        batch = reader.read(paths[:1])
    assert batch.refusals[0].reason == "out_of_memory"
    assert reader.read(paths[:1]).refusals == {}
