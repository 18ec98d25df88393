"""Brings the catalogues of the page up to date with its texts and compiles them: ``make catalogues``.

The texts are those of the templates and the code of `monitor.web`. What has no translation is listed, and what is used
nowhere any more goes. A test compiles the catalogues again and compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

WEB: Final = Path(__file__).parents[1] / "monitor" / "web"
FOLDER: Final = WEB / "catalogues"
METHODS: Final = [("**.py", "python"), ("**.html", "jinja2.ext.babel_extract")]
OPTIONS: Final = {"**.html": {"trimmed": "true"}}


def main() -> None:
    """Update and compile all catalogues in place."""
    for file in sorted(FOLDER.glob("*.po")):
        catalogue = updated(file)
        with file.open("wb") as output:
            write_po(output, catalogue, width=120, omit_header=False, include_lineno=False)
        with file.with_suffix(".mo").open("wb") as output:
            write_mo(output, catalogue)
        for text in missing(catalogue):
            print(f"{file.name}: no translation: {text!r}")


def updated(file: Path) -> Catalog:
    """A catalogue with the texts as they are now; new ones have an empty translation."""
    with file.open("rb") as source:
        old = read_po(source, locale=file.stem)
    new = Catalog(locale=file.stem, creation_date=old.creation_date, revision_date=old.revision_date)
    new.header_comment = old.header_comment
    for path, _line, text, comments, context in extract_from_dir(WEB, METHODS, OPTIONS, keywords=_keywords()):
        known = old.get(text if isinstance(text, str) else text[0], context)
        new.add(text, known.string if known else "", locations=[(path, 0)], auto_comments=comments, context=context)
    return new


def missing(catalogue: Catalog) -> list[str]:
    """The texts without a translation."""
    without = []
    for message in catalogue:
        texts = message.string if isinstance(message.string, (tuple, list)) else [message.string]
        if message.id and not all(texts):
            without.append(str(message.id))
    return without


def _keywords() -> dict[str, tuple[int, ...] | None]:
    return {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}


if __name__ == "__main__":
    main()
