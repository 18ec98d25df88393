"""What people write beside a label or a threshold: an author, a note, a reason."""

from __future__ import annotations

from monitor.files.text import printable


def remark(text: str, longest: int, *, escaped: bool = False) -> str | None:
    """The text in printable form, None when it is empty; raises `ValueError` when that is longer than ``longest``.

    ``escaped``: the text may be one that we wrote, which is printable with its backslashes doubled and stays as it is.
    """
    plain = text.replace("\\", "")
    shown = text if escaped and printable(plain) == plain else printable(text)
    if len(shown) > longest:
        raise ValueError(f"has {len(shown)} characters, and at most {longest} are kept")
    return shown or None
