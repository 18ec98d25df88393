"""Finds out whose fault an unexpected exception is: the program's, or that of a plug-in that it called."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Final

from monitor.registry import DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from monitor.registry import Registered, Registry

# What plug-ins derive their classes from: its methods work with what theirs say, such as `Detector.input_size`.
INTERFACE: Final = "monitor.api"


def culprit(error: BaseException, registry: Registry) -> Registered | None:
    """The third party's plug-in in whose code, or in a library that it called, an exception was raised; None for ours.

    It is the one that was entered last: everything below it was called by it.
    """
    others = [offer for offer in registry.all() if offer.distribution != DISTRIBUTION]
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [name for frame in reversed(frames) for name in _modules(frame)]
    if isinstance(error, TypeError) and frames:
        # A method that does not take what it is called with is never entered; the message begins with its class.
        kinds = {kind for value in frames[-1].f_locals.values() for kind in type(value).__mro__}
        modules += [kind.__module__ for kind in kinds if str(error).startswith(f"{kind.__qualname__}.")]
    for module in modules:
        found = max(others, key=lambda offer: _shared(module, offer), default=None)
        if found is not None and _shared(module, found):
            return found
    return None


def _modules(frame: FrameType) -> Iterator[str]:
    """The module whose code a frame runs, and, for a default method of the interface, that of the object it is for."""
    module = str(frame.f_globals.get("__name__", ""))
    yield module
    if module.startswith(f"{INTERFACE}."):
        yield from (kind.__module__ for kind in type(frame.f_locals.get("self")).__mro__)


def sentence(found: Registered, error: BaseException) -> str:
    """What failed, whose it is, and what to do."""
    return (
        f"the plug-in {found.origin} failed: {type(error).__name__}: {error}; this is a fault of the package "
        f"{found.distribution}: report the lines above to its authors, update it, or uninstall it: pip uninstall "
        f"{found.distribution}"
    )


def _shared(module: str, offer: Registered) -> int:
    """How many names of a module's path, from the left, are those of the module that an offer's target is in."""
    target = offer.provider.target.partition(":")[0]
    count = 0
    for one, other in zip(module.split("."), target.split("."), strict=False):
        if one != other:
            break
        count += 1
    return count
