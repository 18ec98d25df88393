"""Renders a page of tables, sentences and pictures as one HTML file that needs nothing else: no script, link or server.

All content is plain text, which is escaped here; HTML is never taken from outside.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from string import Template
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Note:
    """A paragraph; a warning is highlighted."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of text under headings; the first cell of a row names it. ``sentence`` says what the table shows."""

    title: str
    rows: Sequence[Sequence[str]]
    headings: Sequence[str] = ()
    sentence: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture: the content of a PNG or SVG file, a title and a sentence that say what it shows.

    ``wide``: it takes the whole width of the page; ``small``: a quarter.
    """

    title: str
    sentence: str
    content: bytes
    kind: Literal["png", "svg"] = "svg"
    wide: bool = False
    small: bool = False


PagePart: TypeAlias = Note | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in groups; each group begins on a new line."""

    title: str
    groups: Sequence[Sequence[PagePart]]


@dataclass(frozen=True)
class Page:
    """A whole page; ``introduction`` stands above the list of its sections."""

    title: str
    introduction: Sequence[PagePart]
    sections: Sequence[Section]


STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --soft: #5a5a5a; --line: #d4d4d4; --mark: #fff3d6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --paper: #17191c; --soft: #b0b0b0; --line: #44484d; --mark: #4a3b12; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif;
       color: var(--ink); background: var(--paper); overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 1rem; padding-top: 1rem; border-top: 2px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .3rem; }
nav ul { columns: 2 16rem; padding-left: 1.2rem; }
a { color: inherit; }
.note { max-width: 48rem; }
.warning { background: var(--mark); padding: .6rem .8rem; border-radius: .3rem; }
.parts { display: flex; flex-wrap: wrap; gap: 1.6rem 2rem; align-items: flex-start; }
.parts > * { flex: none; width: calc(50% - 1rem); margin: 0; }
.parts > .small { width: calc(25% - 1.5rem); }
.parts > .wide, .parts > .warning, header .parts > * { width: 100%; }
.parts + .parts { margin-top: 1.6rem; }
figure img { display: block; width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line);
             border-radius: .3rem; padding: .4rem; }
figcaption, .sentence { color: var(--soft); font-size: .9rem; margin: .4rem 0 0; max-width: 48rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--line); }
th { overflow-wrap: normal; }
tbody th { font-weight: normal; color: var(--soft); white-space: nowrap; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.wide td { overflow-wrap: normal; }
@media (max-width: 50rem) {
  .parts > * { width: 100%; }
  .parts > .small { width: calc(50% - 1rem); }
}
@media print {
  :root { --ink: #000000; --paper: #ffffff; --soft: #333333; --line: #bbbbbb; --mark: #eeeeee; }
  html { font-size: 8pt; }
  body { max-width: none; padding: 0; }
  .parts > * { width: calc(50% - 1rem); }
  .parts > .small { width: calc(25% - 1.5rem); }
  figure, .table { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  nav { display: none; }
}
"""

# The policy keeps a browser from loading or running anything, even if an escape were missing somewhere.
DOCUMENT: Final = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<nav aria-label="Sections">
<ul>
$contents
</ul>
</nav>
<div class="parts">
$introduction
</div>
</header>
<main>
$sections
</main>
</body>
</html>
""")


def render(page: Page) -> bytes:
    """The page as the content of an HTML file, UTF-8."""
    document = DOCUMENT.substitute(
        title=escape(page.title),
        style=STYLE,
        introduction=_parts(page.introduction),
        contents="\n".join(
            f'<li><a href="#section-{number}">{escape(section.title)}</a></li>'
            for number, section in enumerate(page.sections, 1)
        ),
        sections="\n".join(_section(section, number) for number, section in enumerate(page.sections, 1)),
    )
    # Half of a surrogate pair cannot be encoded as UTF-8, and a setting or a file's name may hold one.
    return document.encode("utf-8", "backslashreplace")


def _section(section: Section, number: int) -> str:
    groups = "\n".join(f'<div class="parts">\n{_parts(group)}\n</div>' for group in section.groups if group)
    return f'<section id="section-{number}">\n<h2>{escape(section.title)}</h2>\n{groups}\n</section>'


def _parts(parts: Sequence[PagePart]) -> str:
    return "\n".join(_part(part) for part in parts)


def _part(part: PagePart) -> str:
    match part:
        case Note():
            return f'<p class="note{" warning" if part.warning else ""}">{escape(part.text)}</p>'
        case Table():
            return _table(part)
        case Picture():
            return _picture(part)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.headings)
    rows = "\n".join(_row(row) for row in table.rows)
    wide = " wide" if len(table.headings) > 3 else ""
    sentence = f'<p class="sentence">{escape(table.sentence)}</p>' if table.sentence else ""
    return (
        f'<div class="table{wide}">\n<h3>{escape(table.title)}</h3>\n<div class="scroll"><table>'
        f"{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>\n{rows}\n</tbody></table></div>\n{sentence}</div>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *others = map(escape, cells)
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'


def _picture(picture: Picture) -> str:
    media = {"png": "image/png", "svg": "image/svg+xml"}[picture.kind]
    data = base64.b64encode(picture.content).decode("ascii")
    size = "wide" if picture.wide else "small" if picture.small else "half"
    return (
        f'<figure class="{size}">\n<h3>{escape(picture.title)}</h3>\n'
        f'<img alt="{escape(picture.title)}" src="data:{media};base64,{data}">\n'
        f"<figcaption>{escape(picture.sentence)}</figcaption>\n</figure>"
    )
