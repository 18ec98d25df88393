"""Writes avatars as PNG files with metadata, on a contact sheet, and on a page to look at them."""

from __future__ import annotations

import html
import json
import math
from io import BytesIO
from string import Template
from typing import TYPE_CHECKING, Any, Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from monitor.api import OutputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONTACT_SHEET: Final = "contact-sheet.png"
PAGE: Final = "index.html"

# The contact sheet shows this many avatars, the first ones; the page shows all.
ON_SHEET: Final = 200

_THUMBNAIL: Final = (264, 280)
_GAP: Final = 8


class Gallery:
    """A folder of ``count`` avatars, made where it is missing.

    ``force``: files of an earlier run may be overwritten. Raises `OutputError` where files are in the way or the
    folder cannot be written.
    """

    def __init__(self, folder: Path, count: int, *, force: bool = False) -> None:
        self.folder = folder
        self._digits = max(4, len(str(count)))
        self._thumbnails: list[Image.Image] = []
        self._figures: list[str] = []
        self._count = count
        try:
            folder.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in folder.iterdir()}
        except FileExistsError:
            raise OutputError(f"{folder}: is a file; name a folder for the avatars with --output") from None
        except OSError as error:
            raise self._refused(folder, error) from None
        wanted = (CONTACT_SHEET, PAGE, *(self._name(number) for number in range(1, count + 1)))
        taken = [name for name in wanted if name in names]
        if taken and not force:
            more = f" and {len(taken) - 1} more of these names are" if len(taken) > 1 else " is"
            raise OutputError(
                f"{folder / taken[0]}{more} there already; name another folder with --output, or overwrite with --force"
            )

    def add(self, image: Image.Image, facts: Mapping[str, Any], caption: str) -> Path:
        """Write the next avatar with ``facts`` as its metadata; returns its path. The page shows ``caption``."""
        number = len(self._figures) + 1
        information = PngInfo()
        for name, fact in facts.items():
            # Pillow writes text that Latin-1 cannot hold as UTF-8.
            information.add_text(name, fact if isinstance(fact, str) else json.dumps(fact, ensure_ascii=False))
        name = self._name(number)
        path = self._write(name, _png(image, information))
        self._figures.append(_FIGURE.substitute(name=name, number=number, caption=html.escape(caption)))
        if number <= ON_SHEET:
            thumbnail = image.copy()
            thumbnail.thumbnail(_THUMBNAIL)
            self._thumbnails.append(thumbnail)
        return path

    def finish(self, sentence: str) -> None:
        """Write the contact sheet and the page, which says ``sentence`` above the avatars."""
        self._write(CONTACT_SHEET, _png(_contact_sheet(self._thumbnails), PngInfo()))
        page = _PAGE.substitute(sentence=html.escape(sentence), figures="\n".join(self._figures))
        self._write(PAGE, page.encode(errors="replace"))

    def _name(self, number: int) -> str:
        return f"avatar-{number:0{self._digits}}.png"

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        try:
            path.write_bytes(content)
        except OSError as error:
            raise self._refused(path, error) from None
        return path

    @staticmethod
    def _refused(path: Path, error: OSError) -> OutputError:
        return OutputError(f"{path}: cannot be written: {error.strerror}; name another folder with --output")


def _png(image: Image.Image, information: PngInfo) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", pnginfo=information)
    return buffer.getvalue()


def _contact_sheet(thumbnails: list[Image.Image]) -> Image.Image:
    """Lay pictures of one size out on white, about as many columns as rows."""
    columns = math.ceil(math.sqrt(len(thumbnails)))
    rows = math.ceil(len(thumbnails) / columns)
    width, height = (side + _GAP for side in thumbnails[0].size)
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), "white")
    for number, thumbnail in enumerate(thumbnails):
        place = (number % columns * width + _GAP, number // columns * height + _GAP)
        sheet.paste(thumbnail, place, thumbnail if thumbnail.mode == "RGBA" else None)
    return sheet


_FIGURE: Final = Template(
    '<figure><img src="$name" alt="Avatar $number" loading="lazy"><figcaption>$caption</figcaption></figure>'
)

_PAGE: Final = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Avatars</title>
<style>
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --soft: #5a5a5a; --line: #d4d4d4; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #17191c; --soft: #b0b0b0; --line: #44484d; } }
body { margin: 0 auto; max-width: 80rem; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif;
       color: var(--ink); background: var(--paper); }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .6rem; border: 1px solid var(--line); border-radius: .4rem; }
img { display: block; width: 100%; height: auto; background: #ffffff; border-radius: .3rem; }
p, figcaption { color: var(--soft); overflow-wrap: anywhere; }
figcaption { font-size: .8rem; margin-top: .4rem; font-variant-numeric: tabular-nums; }
</style>
</head>
<body>
<h1>Avatars</h1>
<p>$sentence</p>
<main>
$figures
</main>
</body>
</html>
""")
