from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from PIL import Image

from monitor.report import curves, style
from monitor.report.page import Note, Page, Picture, Section, Table, render

EVIL = "<script>alert('\"&')</script>"
PICTURE = Picture(f"picture {EVIL}", f"sentence {EVIL}", style.as_png(curves.confusion(1, 2, 3, 4)), "png", wide=True)
DRAWING = Picture("drawing", "what it shows", style.as_svg(curves.confusion(1, 2, 3, 4)))
PAGE = Page(
    f"title {EVIL}",
    [Note(f"note {EVIL}"), Note(f"warning {EVIL}", warning=True)],
    [
        Section(f"section {EVIL}", [[PICTURE, DRAWING], []]),
        Section("second", [[Table(f"table {EVIL}", [[EVIL, EVIL]], [EVIL, EVIL], EVIL)]]),
    ],
)


class Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that every tag is closed where it should be."""

    EMPTY = frozenset({"meta", "img"})

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page.decode("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_whatever_is_written_stays_text() -> None:
    page = Reader(render(PAGE))
    assert "script" not in page.tags
    # The title twice, the section's name in the list as well, and a picture's title once more as its alternative text.
    assert page.text.count(EVIL) == 2 + 2 + 2 + 1 + 1 + 1 + 5
    assert ("img", "alt", f"picture {EVIL}") in page.attributes


def test_the_page_needs_nothing_else() -> None:
    page = Reader(render(PAGE))
    sources = [value for _, name, value in page.attributes if name in {"src", "href"}]
    assert all(value.startswith(("data:image/", "#section-")) for value in sources)
    assert not re.search(rb"url\(|@import|https?://", render(Page("a", [], [])))
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert set(page.tags) & {"script", "link", "iframe", "object", "base", "form"} == set()
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []


def test_links_lead_to_sections() -> None:
    page = Reader(render(PAGE))
    targets = {f"#{value}" for tag, name, value in page.attributes if (tag, name) == ("section", "id")}
    assert {value for tag, name, value in page.attributes if (tag, name) == ("a", "href")} == targets
    assert len(targets) == 2


def test_pictures_are_whole() -> None:
    page = Reader(render(PAGE))
    png, svg = (value for tag, name, value in page.attributes if (tag, name) == ("img", "src"))
    Image.open(io.BytesIO(base64.b64decode(png.removeprefix("data:image/png;base64,")))).verify()
    content = base64.b64decode(svg.removeprefix("data:image/svg+xml;base64,"))
    assert content == DRAWING.content
    assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
    # It asks for nothing from outside either: what it refers to lies in itself.
    assert all(link.startswith((b"#", b"data:image/png")) for link in re.findall(rb'href="([^"]*)"', content))


@pytest.mark.parametrize("text", ["\ud800", "пролив", "\u202e", "$title ${style} $$"])
def test_odd_texts_are_written(text: str) -> None:
    page = Reader(render(Page(text, [Note(text)], [])))
    shown = text.encode("utf-8", "backslashreplace").decode()
    assert page.text.count(shown) >= 2
