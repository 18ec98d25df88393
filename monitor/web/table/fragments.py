"""The parts of the start page that change, rendered for those who look at it: whole, or only what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.web import words
from monitor.web.templating import clocks, environment

if TYPE_CHECKING:
    from monitor.web.navigation import Page
    from monitor.web.site import Site
    from monitor.web.table.scene import Scene


class Audience(NamedTuple):
    """Those who see the same: by their language, and by whether they may acknowledge alarms."""

    language: str
    may_acknowledge: bool
    pages: tuple[Page, ...]


def values_of(site: Site, scene: Scene, audience: Audience) -> dict[str, Any]:
    """What the templates of the start page need."""
    return {
        "scene": scene,
        "now": scene.now,
        "may": audience.may_acknowledge,
        "pages": audience.pages,
        "pause": site.configuration.settings.alarms.pause_seconds,
        "with_cast": scene.cast.number is not None,
        "several": len(scene.tables) > 1,
        "clock_of": words.clock,
    }


def whole(site: Site, scene: Scene, audience: Audience) -> str:
    """All parts."""
    return _rendered(site, scene, audience, None)


def changed(site: Site, before: Scene, scene: Scene, audience: Audience) -> str:
    """The parts that differ from what was shown before; empty where none does."""
    return _rendered(site, scene, audience, before)


def _rendered(site: Site, scene: Scene, audience: Audience, before: Scene | None) -> str:
    made = environment(audience.language)
    values = {**values_of(site, scene, audience), **clocks(site)}
    table = made.get_template("table_parts.html").make_module(values)
    frame = made.get_template("frame_parts.html").make_module(values)

    def call(module: Any, name: str, *arguments: Any) -> str:
        return str(getattr(module, name)(*arguments))

    parts = []
    if before is None or _places(before) != _places(scene):
        parts.append(call(table, "tables", scene.tables, scene.counts))
    else:
        shown = {tile.key: tile for one in before.tables for tile in one.tiles}
        new = [tile for one in scene.tables for tile in one.tiles if shown[tile.key] != tile]
        parts += [call(table, "tile", tile) for tile in new]
        if before.counts != scene.counts:
            parts.append(call(table, "legend", scene.counts))
    if before is None or before.cards != scene.cards:
        parts.append(call(table, "cards", scene.cards))
        parts.append(call(frame, "badge", scene.cards.open))
    if before is None or before.cast != scene.cast:
        parts.append(call(frame, "cast_facts", scene.cast, scene.now))
    if before is None or before.troubles != scene.troubles:
        parts.append(call(frame, "banner", scene.troubles, scene.now))
    if before is None or before.figures != scene.figures:
        parts.append(call(table, "figures", scene.figures))
    return "".join(parts)


def _places(scene: Scene) -> list[Any]:
    """Which tiles lie where; as long as that stays, they are exchanged one by one."""
    cast = scene.cast.number is not None
    return [
        cast,
        *((one.width, one.left_out, [[tile.key for tile in row.tiles] for row in one.rows]) for one in scene.tables),
    ]
