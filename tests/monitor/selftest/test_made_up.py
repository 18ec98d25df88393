"""Made-up crops: pictures that the program reads, with metal that is there."""

from __future__ import annotations

import hashlib

import numpy as np

from monitor.crops.loader import CropReader, FileContent
from monitor.files.looks import Looks
from monitor.selftest import made_up


def test_they_are_read_as_they_were_drawn_and_need_no_waiting() -> None:
    reader = CropReader(max_bytes=10**6, max_pixels=10**6)
    for picture in made_up.holes():
        decoded = reader.decode(FileContent(made_up.png(picture), "", Looks(0, 0, 0, 0)))
        assert (decoded.pixels == picture).all()
        assert decoded.ended


def test_metal_is_brighter_than_what_it_runs_over_and_every_picture_is_another() -> None:
    dark = np.full((30, 50, 3), 60, np.uint8)
    found = list(made_up.bleed_outs(dark))
    assert all(picture[15, 25].mean() > 150 for picture in found)
    assert all((picture[2, 2] == 60).all() for picture in found)
    assert len({hashlib.sha256(picture.tobytes()).digest() for picture in found}) == len(found)


def test_the_smallest_pictures_can_be_drawn_on() -> None:
    assert all(picture.shape == (8, 8, 3) for picture in made_up.bleed_outs(np.zeros((8, 8, 3), np.uint8)))
