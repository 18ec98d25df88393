"""The catalogues of the page have every text, and are compiled from what stands in them."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from babel.messages.mofile import write_mo

from docs.write_catalogues import FOLDER, missing, updated
from monitor.web.languages import DEFAULT, LANGUAGES

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(FOLDER.glob("*.po"))


def test_every_language_has_a_catalogue() -> None:
    assert {file.stem for file in FILES} == LANGUAGES.keys() - {DEFAULT}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_catalogue_has_all_texts_and_is_compiled(file: Path) -> None:
    catalogue = updated(file)
    assert missing(catalogue) == []
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    assert compiled.getvalue() == file.with_suffix(".mo").read_bytes()
