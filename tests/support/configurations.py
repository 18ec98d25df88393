"""Configuration files of tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from monitor.configuration.file import load
from monitor.errors import ConfigurationError

SAMPLE: Final = Path(__file__).parents[2] / "config.toml"


def written(folder: Path, text: str) -> Path:
    """A configuration file in a folder."""
    folder.mkdir(exist_ok=True)
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(text: str, folder: Path) -> list[str]:
    """What is said of a file, without its name and the numbers of lines."""
    file = written(folder, text)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    return [re.sub(rf"^{re.escape(str(file))}(:[0-9]+)?: ", "", line) for line in str(caught.value).splitlines()]
