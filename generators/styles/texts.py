"""Styles as a person writes them and reads them: conditions and styles from text, and text, JSON and CSV of styles."""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from functools import partial
from typing import TYPE_CHECKING, Final

from generators.styles.tables import alike, clean, clean_keys, unique, unknown
from monitor.api import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from generators.styles.sampling import Style, StyleModel

# Lines are kept for when their style is drawn again, up to this many values in all.
_KEPT: Final = 2**20


def read_condition(assignments: Sequence[str], model: StyleModel) -> dict[str, str]:
    """``attribute=value`` each -> attribute -> value. Raises `DataError` for what ``model`` does not know."""
    condition: dict[str, str] = {}
    for assignment in assignments:
        name, value = _assignment(assignment, model)
        if alike(condition.setdefault(name, value)) != alike(value):
            raise DataError(f"{name} is given twice, as {condition[name]!r} and as {value!r}; a style has one value")
    model.places(condition)
    return condition


def read_style(text: str, model: StyleModel) -> dict[str, str]:
    """A style in one of three ways: ``a, b, c``, ``attribute=value, …`` or JSON ``{"attribute": "value", …}``.

    The first names all values in the order of the attributes; the others may leave attributes out. JSON may also be a
    line that `json_line` wrote. Raises `DataError` for what ``model`` does not know.
    """
    if text.lstrip().startswith("{"):
        return _from_json(text)
    parts = text.split(",")
    if _split(parts[0], model) is not None:
        return read_condition(parts, model)
    names = [attribute.name for attribute in model.attributes]
    if len(parts) == len(names):
        return {name: clean(part, repr(text)) for name, part in zip(names, parts, strict=True)}
    if "=" in parts[0]:
        return read_condition(parts, model)
    raise DataError(
        f"{text!r} has {len(parts)} values, a style has {len(names)}, separated by commas: {_some(names)}; "
        "to leave some out write attribute=value, and where a name holds a comma, JSON"
    )


def text_block(style: Style) -> str:
    """A style on several lines, an attribute a line with its probability."""
    rows = [(name, value, readable(style.probabilities[name])) for name, value in style.values.items()]
    rows += [("probability", "", readable(style.probability)), ("log-probability", "", readable(style.log_probability))]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "".join(f"{name:<{first}}  {value:<{second}}  {number}\n" for name, value, number in rows)


def text_line(style: Style) -> str:
    """A style on one line: its probability, the log of it, and each value with its probability."""
    values = ", ".join(f"{name}={value} {readable(style.probabilities[name])}" for name, value in style.values.items())
    return f"{readable(style.probability):<11}  log {readable(style.log_probability):<8}  {values}\n"


def readable(number: float) -> str:
    """A probability or its logarithm with the digits that a person reads; JSON and CSV have all of them."""
    return f"{number:.6g}"


def json_line(style: Style) -> str:
    """A style as a JSON object on one line; the log of the probability 0 is ``null``, for JSON has no infinity."""
    log = style.log_probability
    document = {
        "style": style.values,
        "probabilities": style.probabilities,
        "probability": style.probability,
        "log_probability": log if math.isfinite(log) else None,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def csv_heading(names: Sequence[str]) -> str:
    """The first line of a CSV table of styles."""
    return _csv_row([*names, *(f"p({name})" for name in names), "probability", "log_probability"])


def csv_line(style: Style, names: Sequence[str]) -> str:
    """A style as a row of that table; cells of attributes that were not asked for are empty."""
    values = [style.values.get(name, "") for name in names]
    factors = [style.probabilities.get(name, "") for name in names]
    return _csv_row([*values, *factors, style.probability, style.log_probability])


def encoded_lines(styles: Iterable[Style], line: Callable[[Style], str], attributes: int) -> Iterator[bytes]:
    """Each style's line in UTF-8; of the same style, as samples repeat them, written once."""
    most = _KEPT // attributes
    # The style stays beside its line, or another one might get its identity.
    kept: dict[int, tuple[Style, bytes]] = {}
    for style in styles:
        entry = kept.get(id(style))
        if entry is None:
            if len(kept) >= most:
                kept.clear()
            entry = kept[id(style)] = (style, line(style).encode())
        yield entry[1]


def _assignment(text: str, model: StyleModel) -> tuple[str, str]:
    found = _split(text, model)
    if found is not None:
        return found
    name, equals, _ = text.partition("=")
    if not equals:
        raise DataError(f"{text.strip()!r} is not ATTRIBUTE=VALUE")
    raise unknown(name.strip(), [attribute.name for attribute in model.attributes], "there is no attribute")


def _split(text: str, model: StyleModel) -> tuple[str, str] | None:
    """A known attribute and the value behind it; names may hold equals signs themselves."""
    names = {alike(attribute.name): attribute.name for attribute in model.attributes}
    pieces = text.split("=")
    for cut in range(1, len(pieces)):
        name = alike(unicodedata.normalize("NFC", "=".join(pieces[:cut])).strip())
        if name in names:
            return names[name], "=".join(pieces[cut:]).strip()
    return None


def _from_json(text: str) -> dict[str, str]:
    try:
        document = json.loads(text, object_pairs_hook=partial(unique, where="the style"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{text!r:.200} is not valid JSON: {error}") from error
    style = document.get("style", document)
    if not isinstance(style, dict):
        # An attribute may be called "style" as well.
        style = document
    return clean_keys(style, repr(text))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")


def _csv_row(cells: Sequence[str | float]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(cells)
    return row.getvalue()
