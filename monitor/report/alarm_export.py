"""Puts the evidence of an alarm together as one ZIP file: crops as they were, pictures, numbers, and a page to read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from monitor import __version__
from monitor.alarms.bundle import made
from monitor.alarms.wording import about_row
from monitor.report.alarm_page import alarm_page
from monitor.report.alarm_pictures import Drawer, DrawnCrop, file_name, suffix_of
from monitor.report.page import render

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo

    from monitor.report.alarm_facts import AlarmFacts


def evidence_of(
    facts: AlarmFacts,
    drawer: Drawer | None,
    *,
    now: datetime,
    zone: tzinfo,
    on_drawn: Callable[[], None] = lambda: None,
) -> bytes:
    """The content of the ZIP file; without a ``drawer`` it has no pictures, but the crops themselves.

    ``now`` is in UTC, ``zone`` the plant's. ``on_drawn`` is called after each crop. Raises `DataError` where it is too
    much.
    """
    members: dict[str, bytes] = {}
    files: dict[int, str] = {}
    drawn: dict[int, DrawnCrop] = {}
    for crop in facts.evidence:
        if crop.content is not None:
            files[crop.row.id] = f"crops/{crop.row.id}{suffix_of(crop.content)}"
            members[files[crop.row.id]] = crop.content
        if drawer is not None:
            drawn[crop.row.id] = drawer.draw(crop)
            for model, what, content in drawn[crop.row.id].pictures:
                name = "-".join(part for part in (str(crop.row.id), file_name(model) if model else "", what) if part)
                members[f"pictures/{name}.png"] = content
        on_drawn()
    problems = drawer.problems if drawer is not None else {}
    page = alarm_page(facts, files, drawn, problems, now=now, zone=zone)
    values = {**facts.as_dict(), "files": {str(crop_id): name for crop_id, name in files.items()}}
    numbers = json.dumps(values, indent=1, ensure_ascii=False, default=str)
    # The page first, which is what a person looks for.
    parts = {"index.html": render(page), "alarm.json": numbers.encode("utf-8", "backslashreplace"), **members}
    return made(
        parts,
        made_by=f"proliv-monitor {__version__}",
        made_at=now,
        alarm=facts.alarm.id,
        about=about_row(facts.alarm),
    )
