"""Faces: every value of every attribute is drawn, and shows."""

from __future__ import annotations

import numpy as np
import pytest

from generators.avatars import faces
from generators.avatars.sources import EMBEDDED, embedded_sources, embedded_styles
from generators.styles.sampling import default_table
from monitor.api import DataError

VALUES = faces.drawn_values()
PLAIN = {name: values[0] for name, values in VALUES.items()}


def test_what_can_be_drawn_is_what_the_built_in_table_holds() -> None:
    assert {attribute.name: list(attribute.values) for attribute in default_table().attributes} == VALUES


@pytest.mark.parametrize("name", VALUES)
def test_every_value_looks_different(name: str) -> None:
    # Hair and clothes that show each other's colours.
    base = {**PLAIN, faces.HAIR: "длинные прямые"}
    drawn = [np.asarray(faces.draw_face({**base, name: value}, (132, 140)), dtype=int) for value in VALUES[name]]
    for number, one in enumerate(drawn):
        for other in drawn[:number]:
            changed = np.abs(one[30:, 20:110] - other[30:, 20:110]).max(axis=-1) > 40
            assert changed.mean() > 0.02


def test_colours_are_those_of_the_style() -> None:
    style = {**PLAIN, faces.HAIR: "длинные прямые", faces.CLOTHES: "футболка с круглым вырезом"}
    for name, colours in ((faces.HAIR_COLOUR, faces.HAIR_COLOURS), (faces.CLOTHES_COLOUR, faces.CLOTHES_COLOURS)):
        for value, colour in colours.items():
            face = np.asarray(faces.draw_face({**style, name: value}, (132, 140)))
            assert (face[..., :3] == colour).all(axis=-1).mean() > 0.03


def test_a_face_has_its_size_soft_edges_and_a_clear_border() -> None:
    face = faces.draw_face(PLAIN, (132, 140))
    opacity = np.asarray(face)[..., 3]
    assert face.mode == "RGBA"
    assert face.size == (132, 140)
    assert opacity[0].max() == opacity[:, 0].max() == opacity[-1].max() == 0
    assert 0.005 < ((opacity > 0) & (opacity < 255)).mean() < 0.05
    assert (opacity == 255).mean() > 0.5


def test_the_same_style_has_the_same_face_and_others_other_grounds() -> None:
    assert faces.draw_face(PLAIN).tobytes() == faces.draw_face(dict(reversed(PLAIN.items()))).tobytes()
    grounds = {faces.draw_face(style, (66, 70)).getpixel((6, 38)) for style in embedded_styles()}
    assert len(grounds) > 2


def test_a_given_ground() -> None:
    assert faces.draw_face(PLAIN, ground=(1, 2, 3)).getpixel((20, 150)) == (1, 2, 3, 255)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(DataError, match="цвет волос=зеленый cannot be drawn; what can be drawn is: черный, блонд"):
        faces.draw_face({**PLAIN, faces.HAIR_COLOUR: "зеленый"})
    with pytest.raises(DataError, match="lacks 'одежда'"):
        faces.draw_face({name: value for name, value in PLAIN.items() if name != faces.CLOTHES})


def test_the_built_in_faces_show_every_value() -> None:
    styles = embedded_styles()
    assert len(styles) == EMBEDDED == 12
    for name, values in VALUES.items():
        assert {style[name] for style in styles} == set(values)
    pixels = embedded_sources().pixels
    assert pixels.shape == (12, faces.HEIGHT, faces.WIDTH, 4)
    assert len({picture.tobytes() for picture in pixels}) == 12
