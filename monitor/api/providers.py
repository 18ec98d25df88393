"""How a plug-in says what it offers: the marker of its hooks, and where each thing is to be found."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final

import pluggy

# The entry-point group and pluggy's project name.
PROJECT_NAME: Final = "monitor"

# Marks a function of a plug-in as the implementation of a hook.
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a detector, rule, command or benchmark is to be found, imported only when it is used.

    ``name`` is what a person types, ``summary`` one line of help, ``target`` is ``package.module:Object``.
    """

    name: str
    summary: str
    target: str

    def load(self) -> Any:
        """Import what ``target`` points to; raises whatever the import raises."""
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)
