"""Distributions of third parties of a single module, as pip leaves them in a folder on Python's path."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def install(
    site: Path, module: str, code: str, *, group: str = "monitor", entry_point: str = "main", target: str | None = None
) -> None:
    """Put a module into ``site`` with the entry point that makes ``target``, or the module itself, a plug-in."""
    (site / f"{module}.py").write_text(code, encoding="utf-8")
    information = site / f"{module}-1.0.dist-info"
    information.mkdir()
    name = module.replace("_", "-")
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{group}]\n{entry_point} = {target or module}\n")
