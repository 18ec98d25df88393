"""The wheel of this checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[2]


def build_wheel(folder: Path) -> Path:
    """Build it in ``folder``, from a copy, so that nothing is left in the checkout."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    copy = folder / "copy"
    copy.mkdir(parents=True)
    target = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    names = ("pyproject.toml", project["project"]["readme"], *project["project"]["license-files"])
    for name in {*names, *target["force-include"], *target["shared-data"], *target["packages"]}:
        if (CHECKOUT / name).is_dir():
            # The manual pages are a folder of their own within that of the documentation.
            without = shutil.ignore_patterns("__pycache__")
            shutil.copytree(CHECKOUT / name, copy / name, ignore=without, dirs_exist_ok=True)
        else:
            shutil.copy(CHECKOUT / name, copy)
    built = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(copy)]
    ended = subprocess.run(built, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    (wheel,) = folder.glob("*.whl")
    return wheel
