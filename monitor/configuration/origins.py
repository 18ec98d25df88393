"""Where values come from: a line of the file, an environment variable, or nowhere, so that the default applies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.configuration.environment import variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.configuration.positions import Location


@dataclass(frozen=True)
class Origins:
    """``source`` names the file, or says that there is none; ``lines``: of each section and key in it."""

    source: str
    lines: Mapping[Location, int] = field(default_factory=dict)

    def variable_of(self, location: Location) -> str | None:
        """The environment variable that gives a key, or the whole section around it."""
        around = [one for one in variables() if location[: len(one.location)] == one.location]
        return max(around, key=lambda one: len(one.location)).name if around else None

    def line_of(self, location: Location) -> int | None:
        """The line of a key; of what is not there itself, the line of the section around it."""
        for length in range(len(location), 0, -1):
            if (line := self.lines.get(location[:length])) is not None:
                return line
        return None

    def place(self, location: Location) -> str:
        """How a message begins that is about a key or section: ``file:12: section.key`` or ``environment: NAME``."""
        name = self.variable_of(location)
        if name is None and location not in self.lines:
            # A variable that gives more than the key can hold, such as MONITOR__METRICS__PORT__X.
            inside = [one.name for one in variables() if one.location[: len(location)] == location]
            name = inside[0] if inside else None
        if name is not None:
            return f"environment: {name}"
        line = self.line_of(location)
        return f"{self.source}{'' if line is None else f':{line}'}: {'.'.join(location)}"
