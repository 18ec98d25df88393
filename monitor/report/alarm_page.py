"""The page about one alarm, in its evidence: what it was decided on, in pictures and numbers, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor import __version__
from monitor.alarms.bundle import MANIFEST
from monitor.alarms.wording import about_row, state, untold
from monitor.report.alarm_pictures import MEANINGS
from monitor.report.page import Note, Page, Picture, Section, Table
from monitor.report.wording import number, plain
from monitor.times import on_clock
from monitor.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime, tzinfo

    from monitor.report.alarm_facts import AlarmFacts, EvidenceCrop
    from monitor.report.alarm_pictures import DrawnCrop
    from monitor.report.page import PagePart
    from monitor.store.alarms import AlarmRow
    from monitor.store.calibrations import CalibrationRow

ROLES: Final = {"opened": "opened the alarm", "highest": "joined with the highest margin", "before": "came before it"}
# The newest crops in the page; alarm.json has more.
LISTED: Final = 200
# The crops that are shown at a glance; each has a section of its own below.
GLANCE: Final = 60


def alarm_page(
    facts: AlarmFacts,
    files: Mapping[int, str],
    drawn: Mapping[int, DrawnCrop],
    problems: Mapping[str, str],
    *,
    now: datetime,
    zone: tzinfo,
) -> Page:
    """The page; ``files`` and ``drawn``: by crop id, where its file lies beside the page, and its pictures.

    ``problems``: why models cannot show anything, by their names.
    """
    alarm = facts.alarm
    sections = [
        _course(facts, zone),
        *_overview(facts, drawn, zone),
        *(_crop(alarm, crop, files.get(crop.row.id), drawn.get(crop.row.id), zone) for crop in facts.evidence),
        Section("Models and thresholds", list(_models(facts, problems, zone))),
        Section("All crops of the alarm", [[_all_crops(facts, zone)]]),
        Section("Who was told", [[_told(facts, zone)]]),
    ]
    introduction: list[PagePart] = [
        Note(f"Alarm {alarm.id}: {about_row(alarm)}."),
        *_incomplete(facts),
        Note(
            f"Written by monitor {__version__} on {on_clock(now, zone)}. The files beside this page are the crops byte "
            f"for byte as they were decided on (crops/), their pictures (pictures/) and all numbers (alarm.json); "
            f"{MANIFEST} has the checksum of each. monitor alarms verify FILE.zip checks them."
        ),
    ]
    return Page(f"Evidence of alarm {alarm.id}", introduction, sections)


def _incomplete(facts: AlarmFacts) -> Iterator[Note]:
    if not facts.evidence:
        yield Note(
            "Nothing that the alarm was decided on is kept: it opened before schema 0014, or retention has deleted it.",
            warning=True,
        )
    missing = [crop for crop in facts.evidence if crop.content is None]
    if missing:
        listed = "; ".join(f"crop {crop.row.id}: {crop.why}" for crop in missing[:10])
        yield Note(f"Not all that the alarm was decided on is kept. {listed}.", warning=True)


def _course(facts: AlarmFacts, zone: tzinfo) -> Section:
    alarm = facts.alarm
    rows = [
        ("about", about_row(alarm)),
        ("state", state(alarm)),
        ("opened at", f"{on_clock(alarm.opened_at, zone)}, by a crop of {on_clock(alarm.opened_on, zone)}"),
        ("crops", f"{alarm.crops:,}, from {on_clock(alarm.first_at, zone)} to {on_clock(alarm.last_at, zone)}"),
        ("highest score", f"{number(alarm.score)}, threshold {number(alarm.threshold)}, crop {alarm.highest_crop_id}"),
        ("acknowledged", _acknowledged(alarm, zone)),
        ("closed", _closed(alarm, zone)),
    ]
    groups: list[list[PagePart]] = [[Table("The alarm", rows, sentence="Times are on the plant's clock.")]]
    if facts.parts:
        parts = [
            (str(part.id), about_row(part), on_clock(part.opened_at, zone), f"{part.crops:,}") for part in facts.parts
        ]
        groups.append(
            [Table("Alarms of holes that became part of it", parts, ("alarm", "about", "opened at", "crops"))]
        )
    return Section("The alarm", groups)


def _overview(facts: AlarmFacts, drawn: Mapping[int, DrawnCrop], zone: tzinfo) -> Iterator[Section]:
    """The crops side by side, in the order of their times; nothing without pictures."""
    parts: list[PagePart] = []
    for crop in facts.evidence:
        for model, _, content in drawn[crop.row.id].pictures if crop.row.id in drawn else ():
            if not model:
                title = f"Crop {crop.row.id}, {crop.row.verdict}"
                moment = on_clock(crop.row.captured_at or crop.row.seen_at, zone)
                numbers = f"score {number(crop.row.decision_score)}, threshold {number(crop.row.decision_threshold)}"
                parts.append(Picture(title, f"{ROLES[crop.role]}; {moment}; {numbers}", content, "png", small=True))
    if parts:
        yield Section("What it was decided on, at a glance", [parts[:GLANCE]])


def _acknowledged(alarm: AlarmRow, zone: tzinfo) -> str:
    if alarm.acknowledged_at is None:
        return "by nobody"
    note = f": {alarm.acknowledged_note}" if alarm.acknowledged_note else ""
    return f"by {alarm.acknowledged_by} at {on_clock(alarm.acknowledged_at, zone)}{note}"


def _closed(alarm: AlarmRow, zone: tzinfo) -> str:
    if alarm.closed_at is None:
        return "not yet"
    note = f": {alarm.closed_note}" if alarm.closed_note else ""
    how = f"by {alarm.closed_by}" if alarm.closed_by else f"by itself ({alarm.ended_by})"
    if alarm.part_of is not None:
        how = f"as part of alarm {alarm.part_of}"
    return f"{how} at {on_clock(alarm.closed_at, zone)}{note}"


def _crop(alarm: AlarmRow, crop: EvidenceCrop, file: str | None, drawn: DrawnCrop | None, zone: tzinfo) -> Section:
    row = crop.row
    role = ROLES[crop.role]
    if row.id == alarm.highest_crop_id and crop.role == "opened":
        role = f"{role}, and has the highest margin"
    hole = UNKNOWN if row.hole is None else row.hole
    facts = [
        ("crop", f"{row.id}, {role}"),
        ("hole, camera", f"{hole}, {row.camera or UNKNOWN}"),
        ("captured", on_clock(row.captured_at, zone) if row.captured_at else UNKNOWN),
        ("seen", on_clock(row.seen_at, zone)),
        ("decision", _decision(crop)),
        ("label", _label(crop, zone)),
        ("file in the inbox", row.path),
        ("file here", file or f"not kept: {crop.why}"),
        ("size", f"{row.width}x{row.height} pixels, {row.size_bytes:,} bytes"),
        ("sha256", row.sha256),
    ]
    pictures = drawn.pictures if drawn else []
    first: list[PagePart] = [
        Picture("The crop", "enlarged, each pixel as a square", content, "png")
        for model, _, content in pictures
        if not model
    ]
    groups: list[list[PagePart]] = [[*first, Table("What is known of it", facts)]]
    groups += [
        [
            Picture(f"{model}: {what}", MEANINGS.get(what, ""), content, "png", small=True)
            for of, what, content in pictures
            if of == model
        ]
        for model in dict.fromkeys(model for model, *_ in pictures if model)
    ]
    if crop.decisions:
        groups.append([_decisions(crop)])
    if drawn and drawn.missing:
        groups.append([Note(sentence, warning=True) for sentence in drawn.missing])
    return Section(f"Crop {row.id}, which {role}", groups)


def _decision(crop: EvidenceCrop) -> str:
    row = crop.row
    numbers = f"score {number(row.decision_score)}, threshold {number(row.decision_threshold)}"
    return f"{row.verdict}: {numbers} ({row.decided_by})"


def _label(crop: EvidenceCrop, zone: tzinfo) -> str:
    given = (
        f"{one.label} by {one.author or f'the {one.source}'} at {on_clock(one.at, zone)}"
        + (f": {one.note}" if one.note else "")
        for one in crop.labels
    )
    return "; then ".join(given) or "none"


def _decisions(crop: EvidenceCrop) -> Table:
    rows = [
        (
            f"{one.model} (in the shadow)" if one.in_shadow else one.model,
            *(one.verdict, number(one.score), number(one.threshold), f"{one.score - one.threshold:+.6g}"),
            *(number(one.mse), f"#{one.calibration} by {one.rule} ({one.origin})"),
        )
        for one in crop.decisions
    ]
    headings = ("model", "verdict", "score", "threshold", "margin", "mse", "threshold chosen")
    return Table("What each model decided", rows, headings)


def _models(facts: AlarmFacts, problems: Mapping[str, str], zone: tzinfo) -> Iterator[list[PagePart]]:
    if not facts.models:
        yield [Note("The models' decisions were deleted by retention.")]
    for model in facts.models:
        rows = [
            ("name", model.name),
            ("detector", model.detector),
            ("fingerprint", model.fingerprint),
            ("trained at", on_clock(model.trained_at, zone)),
            ("settings", plain(model.settings)),
        ]
        if model.name in problems:
            rows.append(("pictures", f"none: {problems[model.name]}"))
        chosen = [row for row in facts.calibrations if row.model_id == model.id]
        yield [Table(f"Model {model.name}", rows), *(_calibration(row, zone) for row in chosen)]


def _calibration(row: CalibrationRow, zone: tzinfo) -> Table:
    values: list[tuple[str, str]] = [
        ("threshold", number(row.threshold)),
        ("rule", f"{row.rule}{' (fallback: too little proliv)' if row.fallback else ''}"),
        ("its settings", plain(row.settings)),
        ("made", f"{on_clock(row.created_at, zone)}, by {row.origin}{f' ({row.author})' if row.author else ''}"),
        ("reason", row.reason or "none given"),
        *((name.replace("_", " "), plain(value)) for name, value in row.evidence.items() if _adds(name, value)),
    ]
    return Table(f"Calibration #{row.id}", values, sentence="The threshold, and what it was chosen from.")


def _adds(name: str, value: object) -> bool:
    """Percentiles and lists are left to alarm.json, and so is what says nothing or is said above."""
    return isinstance(value, str | int | float | bool) and name != "threshold"


def _all_crops(facts: AlarmFacts, zone: tzinfo) -> Table:
    crops: Sequence[tuple[str, ...]] = [
        (str(one.id), on_clock(one.at, zone), number(one.score), number(one.threshold), one.path)
        for one in facts.crops[-LISTED:]
    ]
    left = facts.alarm.crops - len(crops)
    sentence = f"The newest {len(crops)}; {left:,} more are not listed here." if left > 0 else ""
    return Table("Proliv that belong to it", crops, ("crop", "time", "score", "threshold", "file"), sentence)


def _told(facts: AlarmFacts, zone: tzinfo) -> PagePart:
    if not facts.deliveries:
        if facts.alarm.withheld is not None:
            return Note(f"Nobody was told by the program: {untold(facts.alarm.withheld, facts.alarm.pause_id)}.")
        return Note(
            "No message about it is stored: no receiver was configured while it was open, or retention has deleted it."
        )
    rows = [
        (
            *(str(one.id), str(one.alarm_id), one.kind, on_clock(one.at, zone), one.sink, str(one.attempts)),
            on_clock(one.delivered_at, zone) if one.delivered_at else "not yet",
            one.error or "",
        )
        for one in facts.deliveries
    ]
    headings = ("message", "alarm", "kind", "written at", "sink", "attempts", "delivered at", "last error")
    return Table("Messages to receivers", rows, headings)
