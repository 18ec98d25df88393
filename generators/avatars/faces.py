"""Faces drawn from styles: hair, glasses and clothes as a style says, in flat colours with soft edges.

Everything is laid out on a sheet of `WIDTH` x `HEIGHT` units. What a style does not say (skin, ground, smile) follows
from a checksum of the style, so that a style always has the same face.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

from generators.avatars import wardrobe
from generators.avatars.sheet import Sheet, darker, mix
from generators.avatars.wardrobe import HEIGHT, WIDTH, Look, mirrored
from generators.styles.tables import alike
from monitor.api import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL.Image import Image

    from generators.avatars.sheet import Colour

__all__ = ["HEIGHT", "WIDTH", "draw_face", "drawn_values"]

# The attributes of a style that a face shows.
HAIR: Final = "прическа"
HAIR_COLOUR: Final = "цвет волос"
GLASSES: Final = "аксесуар"
CLOTHES: Final = "одежда"
CLOTHES_COLOUR: Final = "цвет одежды"

HAIR_COLOURS: Final[Mapping[str, Colour]] = {
    "черный": (48, 42, 50),
    "блонд": (234, 192, 98),
    "каштановый": (122, 74, 46),
    "пастельный розовый": (246, 170, 194),
    "рыжий": (210, 96, 42),
    "серебристо серый": (182, 188, 200),
}
CLOTHES_COLOURS: Final[Mapping[str, Colour]] = {
    "черный": (54, 56, 66),
    "синий": (60, 110, 196),
    "серый": (140, 148, 160),
    "зеленый": (64, 152, 104),
    "оранжевый": (242, 144, 56),
    "розовый": (242, 126, 166),
    "красный": (214, 66, 68),
    "белый": (246, 246, 242),
}
# A quiet ground that suits every face.
GROUND: Final = (214, 226, 240)

_SKINS: Final = ((252, 220, 192), (242, 196, 158), (216, 158, 114), (162, 108, 74))
_GROUNDS: Final = ((168, 216, 232), (252, 222, 152), (198, 226, 180), (214, 200, 240), (250, 200, 182), (176, 220, 208))
_INK: Final = (52, 44, 52)
_WHITE: Final = (255, 255, 255)

# From this many pixels a side, soft edges need less oversampling.
_LARGE: Final = 400


def draw_face(
    style: Mapping[str, str], size: tuple[int, int] = (WIDTH, HEIGHT), *, ground: Colour | None = None
) -> Image:
    """Draw a style's face: an RGBA picture of ``size`` (width, height) pixels, transparent around its ground.

    ``ground``: the colour of the disc behind the person; without, one that follows from the style.
    ``style``: the attributes of the built-in table, such as ``{"прическа": "нет волос", ...}``; others are left
    out. Raises `DataError` for an attribute that is missing and for a value that cannot be drawn.
    """
    style = {alike(attribute): alike(value) for attribute, value in style.items()}
    hair = _drawn(style, HAIR, wardrobe.HAIR)
    glasses = _drawn(style, GLASSES, wardrobe.GLASSES)
    clothes = _drawn(style, CLOTHES, wardrobe.CLOTHES)
    hair_colour = _drawn(style, HAIR_COLOUR, HAIR_COLOURS)
    clothes_colour = _drawn(style, CLOTHES_COLOUR, CLOTHES_COLOURS)
    said = (style[name] for name in (HAIR, HAIR_COLOUR, GLASSES, CLOTHES, CLOTHES_COLOUR))
    number = zlib.crc32("\n".join(said).encode())
    skin = _SKINS[number % len(_SKINS)]
    look = Look(hair_colour, clothes_colour, skin, number // 64)

    finer = 4 if max(size) < _LARGE else 3

    def sheet() -> Sheet:
        return Sheet(size, (WIDTH, HEIGHT), finer)

    picture, person, window = sheet(), sheet(), sheet()
    picture.ellipse((132, 154), 122, ground or _GROUNDS[number // 8 % len(_GROUNDS)])
    for draw in (hair.behind, clothes, _head, hair.before, glasses):
        draw(person, look)
    # Shoulders end at the ground's rim, hair may stand out above it.
    window.ellipse((132, 154), 122, _WHITE)
    window.box((0, 0), (WIDTH, 154), 0, _WHITE)
    person.keep(window)
    picture.lay(person)
    return picture.finished()


def _drawn(style: Mapping[str, str], attribute: str, known: Mapping[str, Any]) -> Any:
    """Look up how the style's value of an attribute is drawn."""
    if attribute not in style:
        raise DataError(f"the style lacks {attribute!r}, so no face can be drawn; take a table that has it")
    if style[attribute] not in known:
        raise DataError(f"{attribute}={style[attribute]} cannot be drawn; what can be drawn is: {', '.join(known)}")
    return known[style[attribute]]


# The head


def _head(sheet: Sheet, look: Look) -> None:
    skin, shade = look.skin, darker(look.skin, 0.16)
    for x in (82, 182):
        sheet.ellipse((x, 128), 11, skin, 14)
        sheet.ellipse((x, 129), 5, shade, 8)
    sheet.shape(mirrored([(132, 58), (164, 66), (181, 92), (183, 126), (174, 160), (155, 182), (132, 189)]), skin)
    for side in (-1, 1):
        _eye(sheet, look, side)
        sheet.ellipse((132 + side * 33, 147), 9, mix(skin, (240, 96, 96), 0.28), 6)
    sheet.line([(126, 139), (131, 143), (138, 139)], 3.2, darker(skin, 0.26))
    _mouth(sheet, look)


def _eye(sheet: Sheet, look: Look, side: int) -> None:
    x = 132 + side * 22
    if look.number % 5 == 0:
        # A smiling eye.
        sheet.line([(x - 8, 123), (x, 117), (x + 8, 123)], 4, _INK)
    else:
        sheet.ellipse((x, 121), 5.6, _INK, 7)
        sheet.ellipse((x + 2, 118), 1.9, _WHITE)
    brow = mix(darker(look.hair, 0.25), _INK, 0.35)
    sheet.line([(x - 10, 104 - 1.5 * side), (x, 100), (x + 10, 104 + 1.5 * side)], 3.6, brow)


def _mouth(sheet: Sheet, look: Look) -> None:
    match look.number % 3:
        case 0:
            sheet.line([(116, 159), (123, 165), (132, 167), (141, 165), (148, 159)], 3.8, darker(look.skin, 0.55))
        case 1:
            sheet.shape([(114, 157), (132, 159), (150, 157), (146, 169), (132, 175), (118, 169)], (138, 46, 56))
            sheet.shape([(117, 158), (132, 160), (147, 158), (145, 163), (132, 164), (119, 163)], _WHITE)
            sheet.ellipse((132, 171), 8, (228, 104, 108), 3.4)
        case _:
            sheet.line([(120, 162), (132, 166), (148, 158)], 3.8, darker(look.skin, 0.55))


def drawn_values() -> dict[str, list[str]]:
    """Every attribute that a face shows, with all values that can be drawn."""
    tables: dict[str, Mapping[str, object]] = {
        HAIR: wardrobe.HAIR,
        HAIR_COLOUR: HAIR_COLOURS,
        GLASSES: wardrobe.GLASSES,
        CLOTHES: wardrobe.CLOTHES,
        CLOTHES_COLOUR: CLOTHES_COLOURS,
    }
    return {name: list(table) for name, table in tables.items()}
