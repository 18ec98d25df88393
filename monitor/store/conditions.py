"""Conditions on crops that several queries share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, exists, false, func, literal_column, select

from monitor.store.database.schema import crops, labels

if TYPE_CHECKING:
    from sqlalchemy import FromClause, Select
    from sqlalchemy.sql.elements import ColumnElement


def is_alarm(crop: FromClause = crops) -> ColumnElement[bool]:
    """The final verdict is proliv; null for a crop without a verdict."""
    # Written out: SQLite uses the index on alarms only for the words of its own condition, never for a parameter.
    return crop.c.verdict == literal_column("'proliv'")


def is_alarm_else_false(crop: FromClause = crops) -> ColumnElement[bool]:
    """The same, but false for a crop without a verdict, so that it can be negated; no index serves this form."""
    return func.coalesce(is_alarm(crop), false())


def in_operation(crop: FromClause = crops) -> ColumnElement[bool]:
    """The crop came by itself, through the inbox; not in a folder that was scored by hand, and not with a label."""
    return crop.c.source == "inbox"


def rank_of_source(crop: FromClause = crops) -> ColumnElement[int]:
    """0 for crops in operation, 1 for those scored by hand, 2 for those that came with a label.

    Of the crops of one content, the first one of the lowest rank stands for it.
    """
    return case((crop.c.source == "inbox", 0), (crop.c.source == "folder", 1), else_=2)


def repeats_earlier() -> ColumnElement[bool]:
    """A crop with the same content was scored in operation before, so that this one does not count again."""
    earlier = crops.alias("earlier")
    return exists().where(
        *(earlier.c.sha256 == crops.c.sha256, earlier.c.id < crops.c.id, earlier.c.state == "scored"),
        in_operation(earlier),
    )


def is_taken_back() -> ColumnElement[bool]:
    """The label was taken back by a later row."""
    later = labels.alias("later")
    return exists().where(later.c.undoes == labels.c.id)


def stands() -> ColumnElement[bool]:
    """The label was not taken back, nor is it a row that takes another one back."""
    return labels.c.undoes.is_(None) & ~is_taken_back()


def labelled_contents() -> Select[tuple[str]]:
    """The sha256 of every content that has a label which was not taken back, as a sub-query."""
    return select(crops.c.sha256).join(labels, labels.c.crop_id == crops.c.id).where(stands())
