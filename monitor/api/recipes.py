"""A published experiment that a detector can repeat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train a detector as a publication did, for `monitor train --recipe NAME`.

    ``summary``: one line that says whose experiment it is. ``settings``: every setting of the detector that the
    publication says something about; the section of the configuration is left aside, so that a plant's settings do not
    change a published experiment. ``rule`` and ``rule_settings``: how the publication chose the threshold, as a person
    would type it for `monitor calibrate --rule RULE --set KEY=VALUE`.
    """

    name: str
    summary: str
    settings: Mapping[str, Any]
    rule: str
    rule_settings: Mapping[str, Any] = field(default_factory=dict)
