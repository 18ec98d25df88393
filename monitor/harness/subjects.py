"""What can be measured, and under which name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from monitor.registry import Registry

VARIANTS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "ae": ("ae", {"variant": "dense-30x50"}),
    "ae-conv": ("ae", {"variant": "conv"}),
}
"""What is measured under another name than the detector's, or with other settings than its defaults."""

TOGETHER: Final = ("patchstats", "ae", "cvae")
"""The detectors that are also measured deciding together."""


def subjects(registry: Registry) -> list[str]:
    """What can be measured: every installed detector, and the variants, the one to begin with first."""
    variants = [name for name in VARIANTS if name not in registry.detectors]
    names = [name for name in registry.detectors for name in (name, *(v for v in variants if VARIANTS[v][0] == name))]
    return list(dict.fromkeys(names))


def detector_of(subject: str) -> tuple[str, dict[str, Any]]:
    """(detector, settings) of a subject; settings that are not named are defaults."""
    return VARIANTS.get(subject, (subject, {}))
