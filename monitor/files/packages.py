"""The packages of this distribution, found beside `monitor` and nowhere else.

Their names are plain words. A folder of the same name in the working folder or on ``PYTHONPATH`` would come first if
Python searched for them.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

# The checkout, or site-packages.
HOME: Final = Path(__file__).parents[2]


def folder_of(package: str) -> Path:
    """The folder of one of our packages; raises `ModuleNotFoundError` where there is none of the name."""
    origin = _found(package).origin
    assert origin is not None
    return Path(origin).parent


def import_ours(package: str) -> None:
    """Import one of our packages; from then on its name stands for it, and so do names below it.

    Raises `ModuleNotFoundError` where there is none of the name, and what the import raises.
    """
    specification = _found(package)
    known = sys.modules.get(package)
    if known is not None and getattr(known.__spec__, "origin", None) == specification.origin:
        return
    module = module_from_spec(specification)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    sys.modules[package] = module
    assert specification.loader is not None
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[package]
        raise


def _found(package: str) -> ModuleSpec:
    specification = PathFinder.find_spec(package, [str(HOME)])
    if specification is None or specification.origin is None:
        raise ModuleNotFoundError(f"{HOME}: the package {package} is missing; install monitor again", name=package)
    return specification
