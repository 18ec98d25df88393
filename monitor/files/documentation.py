"""The pages that come with the program: below the environment's share/doc, or in the checkout that it runs from."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

DISTRIBUTION: Final = "proliv-monitor"
# Where the wheel has them, see pyproject.toml.
FOLDER: Final = f"share/doc/{DISTRIBUTION}"
CHECKOUT: Final = Path(__file__).parents[2]


def page(name: str) -> Path | None:
    """The file of a page, such as ``docs/alerts.md``; None if it was not installed with the program."""
    if (CHECKOUT / "pyproject.toml").is_file() and (CHECKOUT / name).is_file():
        return CHECKOUT / name
    try:
        installed = distribution(DISTRIBUTION).files or []
    except PackageNotFoundError:
        return None
    # By the list of what was installed: where share/ is depends on how it was.
    found = (Path(str(file.locate())) for file in installed if str(file).endswith(f"{FOLDER}/{name}"))
    return next((path.resolve() for path in found if path.is_file()), None)
