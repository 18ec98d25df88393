"""The clothes, hair and glasses of the faces that `generators.avatars.faces` draws, each by the value of a style."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from generators.avatars.sheet import Sheet, curve, darker, lighter, mix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from generators.avatars.sheet import Colour, Point

    Draw: TypeAlias = Callable[["Sheet", "Look"], None]

# The sheet's size in units, in which everything here is laid out.
WIDTH: Final = 264
HEIGHT: Final = 280

_WHITE: Final = (255, 255, 255)


@dataclass(frozen=True)
class Look:
    """The colours of a face, and a number from which its smile follows."""

    hair: Colour
    clothes: Colour
    skin: Colour
    number: int


def mirrored(points: Sequence[Point]) -> list[Point]:
    """Close an outline: the points go down the right side, and their mirror images back up on the left."""
    return [*points, *((WIDTH - x, y) for x, y in reversed(points) if x != WIDTH / 2)]


# Clothes

_SHOULDERS: Final = mirrored([(132, 212), (156, 212), (182, 220), (210, 232), (226, 252), (232, 300), (132, 310)])


def _neck(sheet: Sheet, look: Look) -> None:
    sheet.box((111, 160), (153, 226), 18, look.skin)
    sheet.ellipse((132, 187), 21, darker(look.skin, 0.16), 13)
    sheet.box((111, 160), (153, 187), 0, darker(look.skin, 0.16))


def _crew(sheet: Sheet, look: Look) -> None:
    sheet.shape(_SHOULDERS, look.clothes)
    sheet.shape(mirrored([(132, 232), (146, 229), (158, 220), (163, 207), (132, 200)]), darker(look.clothes, 0.14))
    sheet.shape(mirrored([(132, 226), (144, 223), (153, 215), (156, 204), (132, 198)]), look.skin)
    _neck(sheet, look)


def _v_neck(sheet: Sheet, look: Look) -> None:
    sheet.shape(_SHOULDERS, look.clothes)
    sheet.polygon([(107, 198), (157, 198), (166, 210), (132, 259), (98, 210)], darker(look.clothes, 0.14))
    sheet.polygon([(111, 196), (153, 196), (159, 208), (132, 247), (105, 208)], look.skin)
    _neck(sheet, look)


def _hoodie(sheet: Sheet, look: Look) -> None:
    colour, inside = look.clothes, darker(look.clothes, 0.22)
    sheet.shape(mirrored([(132, 186), (166, 190), (184, 206), (182, 224), (132, 236)]), darker(colour, 0.1))
    sheet.shape(mirrored([(132, 192), (158, 194), (168, 206), (160, 224), (132, 234)]), inside)
    sheet.shape(_SHOULDERS, colour)
    sheet.shape(mirrored([(132, 240), (152, 234), (166, 220), (168, 204), (132, 196)]), inside)
    _neck(sheet, look)
    for side in (-1, 1):
        edge = [(132 + side * 2, 246), (132 + side * 26, 236), (132 + side * 42, 218), (132 + side * 44, 202)]
        sheet.line(edge, 11, lighter(colour, 0.12))
        sheet.line([(132 + side * 16, 240), (132 + side * 17, 252), (132 + side * 16, 266)], 3.4, _string(colour))
    sheet.line([(98, 276), (132, 272), (166, 276)], 2.6, darker(colour, 0.16))


def _string(colour: Colour) -> Colour:
    return _WHITE if sum(colour) < 690 else (186, 188, 196)


def _overalls(sheet: Sheet, look: Look) -> None:
    pale = sum(look.clothes) > 690
    shirt = (150, 178, 206) if pale else (250, 246, 236)
    sheet.shape(_SHOULDERS, shirt)
    sheet.shape(mirrored([(132, 230), (145, 227), (156, 218), (160, 206), (132, 199)]), darker(shirt, 0.1))
    sheet.shape(mirrored([(132, 225), (144, 222), (153, 214), (156, 204), (132, 198)]), look.skin)
    _neck(sheet, look)
    colour, seam = look.clothes, darker(look.clothes, 0.2)
    for side in (-1, 1):
        edge = [(132 + side * x, y) for x, y in ((50, 212), (64, 218), (48, 250), (34, 250))]
        sheet.polygon(edge, colour)
    sheet.box((92, 240), (172, 300), 8, colour)
    sheet.box((117, 256), (147, 300), 5, seam)
    sheet.box((119, 258), (145, 300), 4, lighter(colour, 0.1))
    for side in (-1, 1):
        sheet.ellipse((132 + side * 33, 248), 4.6, (246, 214, 120))
        sheet.ellipse((132 + side * 33, 248), 2, (206, 164, 70))


# Hair


@dataclass(frozen=True)
class Hair:
    """What hangs behind the head, and what lies on it."""

    behind: Draw
    before: Draw


def _nothing(sheet: Sheet, look: Look) -> None:
    """Draw nothing."""


def _bald(sheet: Sheet, look: Look) -> None:
    sheet.line([(152, 70), (162, 77), (168, 86)], 5, lighter(look.skin, 0.5))


def _short_straight(sheet: Sheet, look: Look) -> None:
    outline = [(78, 120), (74, 94), (82, 62), (106, 42), (138, 36), (170, 46), (188, 70), (190, 98), (186, 120)]
    fringe = [(178, 118), (173, 98), (160, 86), (134, 90), (112, 82), (98, 92), (90, 104), (86, 118)]
    sheet.polygon(curve(outline, closed=False) + curve(fringe, closed=False), look.hair)
    sheet.line([(108, 60), (128, 52), (152, 54)], 4.5, lighter(look.hair, 0.22))


def _short_wavy(sheet: Sheet, look: Look) -> None:
    for x, y, radius in (
        *((82, 98, 14), (80, 78, 16), (90, 60, 18), (108, 46, 19), (132, 40, 20), (156, 44, 19)),
        *((174, 60, 18), (184, 78, 16), (182, 98, 14), (86, 112, 9), (178, 112, 9)),
    ):
        sheet.ellipse((x, y), radius, look.hair)
    sheet.shape([(84, 92), (100, 62), (132, 50), (164, 62), (180, 92), (164, 84), (132, 78), (100, 84)], look.hair)
    for x, y, radius in ((100, 82, 13), (120, 80, 14), (142, 80, 14), (163, 82, 13)):
        sheet.ellipse((x, y), radius, look.hair)
    shine = lighter(look.hair, 0.22)
    sheet.line([(98, 66), (108, 58), (118, 62), (128, 54)], 4, shine)
    sheet.line([(140, 56), (150, 60), (160, 56), (168, 66)], 4, shine)


def _short_curly(sheet: Sheet, look: Look) -> None:
    middle, rows = (132, 108), ((62, 15, 17), (48, 14, 15), (33, 14, 12))
    for distance, radius, count in rows:
        for number in range(count):
            angle = math.pi * (1.04 - 1.08 * number / (count - 1)) + math.pi
            x, y = middle[0] + distance * math.cos(angle), middle[1] + distance * 1.04 * math.sin(angle)
            if y < 84 or abs(x - 132) > 44:
                sheet.ellipse((x, y), radius, look.hair)
    shine = lighter(look.hair, 0.18)
    for x, y in ((96, 72), (112, 54), (134, 60), (156, 52), (170, 74), (120, 74), (148, 76)):
        sheet.line([(x - 6, y + 2), (x, y - 4), (x + 6, y + 2)], 3, shine)


def _straight_behind(sheet: Sheet, look: Look) -> None:
    back = [(132, 36), (170, 44), (194, 76), (200, 130), (202, 180), (202, 224), (176, 230), (132, 232)]
    sheet.shape(mirrored(back), darker(look.hair, 0.14))


def _straight_before(sheet: Sheet, look: Look) -> None:
    for side in (-1, 1):
        strand = [(x if side > 0 else WIDTH - x, y) for x, y in _STRAND]
        sheet.shape(strand, look.hair)
    sheet.line([(150, 58), (166, 72), (176, 94)], 4.5, lighter(look.hair, 0.24))
    sheet.line([(114, 58), (98, 72), (88, 94)], 4.5, lighter(look.hair, 0.24))


_STRAND: Final[list[Point]] = [
    *((130, 36), (162, 40), (186, 62), (196, 100), (200, 150), (201, 200), (194, 226)),
    *((180, 222), (182, 180), (182, 140), (178, 110), (162, 90), (140, 72), (128, 62)),
]


def _wavy_behind(sheet: Sheet, look: Look) -> None:
    back = [
        *((132, 36), (166, 42), (190, 70), (194, 100), (206, 118), (203, 142), (215, 160), (208, 184)),
        *((217, 204), (202, 226), (182, 222), (166, 232), (132, 222)),
    ]
    sheet.shape(mirrored(back), darker(look.hair, 0.16))


_LOCK: Final[list[Point]] = [
    *((176, 66), (190, 84), (190, 104), (202, 122), (197, 142), (209, 162), (201, 184), (207, 204)),
    *((192, 214), (184, 198), (190, 180), (182, 162), (188, 144), (180, 124), (180, 100)),
]


def _wavy_before(sheet: Sheet, look: Look) -> None:
    for side in (-1, 1):
        sheet.shape([(x if side > 0 else WIDTH - x, y) for x, y in _LOCK], look.hair)
    # A parting on the one side, and a wave over the forehead.
    sheet.shape(
        [
            *((100, 44), (130, 33), (164, 40), (188, 62), (197, 94), (192, 112), (182, 110)),
            *((174, 96), (150, 92), (122, 80), (106, 64), (98, 76), (88, 92), (82, 112), (70, 108), (70, 84), (80, 58)),
        ],
        look.hair,
    )
    shine = lighter(look.hair, 0.24)
    sheet.line([(122, 54), (142, 66), (166, 70), (180, 84)], 4.5, shine)
    sheet.line([(92, 64), (82, 80), (78, 98)], 4.5, shine)
    for side in (-1, 1):
        sheet.line([(132 + side * x, y) for x, y in ((62, 128), (60, 144), (68, 160), (64, 178), (68, 194))], 3, shine)


def _bun_behind(sheet: Sheet, look: Look) -> None:
    sheet.ellipse((132, 28), 24, look.hair, 22)
    sheet.line([(118, 22), (130, 16), (144, 22)], 4, lighter(look.hair, 0.24))


def _bun_before(sheet: Sheet, look: Look) -> None:
    outline = [(79, 118), (75, 94), (84, 62), (108, 44), (132, 40), (156, 44), (180, 62), (189, 94), (185, 118)]
    hairline = [(178, 112), (170, 88), (152, 76), (132, 73), (112, 76), (94, 88), (86, 112)]
    sheet.polygon(curve(outline, closed=False) + curve(hairline, closed=False), look.hair)
    sheet.line([(112, 47), (132, 51), (152, 47)], 5, mix(darker(look.hair, 0.3), (214, 84, 104), 0.55))
    shine = lighter(look.hair, 0.24)
    for x in (-1, 1):
        sheet.line([(132 + x * 20, 58), (132 + x * 34, 66), (132 + x * 44, 80)], 4, shine)


# Glasses


def _round_glasses(sheet: Sheet, look: Look) -> None:  # noqa: ARG001 - drawn like all else
    frame = (66, 58, 70)
    for side in (-1, 1):
        middle = (132 + side * 23, 122)
        sheet.ring(middle, 20, 4, frame)
        sheet.line([(132 + side * 43, 118), (132 + side * 51, 117)], 4, frame)
    sheet.line([(128.5, 118), (132, 116), (135.5, 118)], 4, frame)


def _sunglasses(sheet: Sheet, look: Look) -> None:  # noqa: ARG001
    frame, glass = (40, 40, 48), (64, 70, 88)
    for side in (-1, 1):
        rim = ((7, 110), (24, 107), (45, 110), (46, 122), (37, 139), (20, 140), (9, 130))
        lens = ((11, 114), (25, 111), (41, 114), (41, 122), (34, 134), (21, 135), (13, 127))
        sheet.shape([(132 + side * x, y) for x, y in rim], frame)
        sheet.shape([(132 + side * x, y) for x, y in lens], glass)
        x = 132 + side * 26
        sheet.line([(x - 8, 128), (x - 1, 121), (x + 5, 114.5)], 3.4, lighter(glass, 0.4))
        sheet.line([(x + 1, 130), (x + 6, 124.5), (x + 10, 119)], 2, lighter(glass, 0.4))
        sheet.line([(132 + side * 43, 114), (132 + side * 52, 116)], 5, frame)
    sheet.line([(122, 113), (132, 111), (142, 113)], 5, frame)


HAIR: Final[Mapping[str, Hair]] = {
    "нет волос": Hair(_nothing, _bald),
    "длинные в пучок": Hair(_bun_behind, _bun_before),
    "длинные волнистые": Hair(_wavy_behind, _wavy_before),
    "длинные прямые": Hair(_straight_behind, _straight_before),
    "короткая волнистые": Hair(_nothing, _short_wavy),
    "короткая прямые": Hair(_nothing, _short_straight),
    "короткая курчавые": Hair(_nothing, _short_curly),
}
GLASSES: Final[Mapping[str, Draw]] = {
    "нет очков": _nothing,
    "круглые очки": _round_glasses,
    "солнцезащитные очки": _sunglasses,
}
CLOTHES: Final[Mapping[str, Draw]] = {
    "худи": _hoodie,
    "комбинезон": _overalls,
    "футболка с круглым вырезом": _crew,
    "футболка с V-вырезом": _v_neck,
}
