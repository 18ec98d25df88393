"""The names under which detectors are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from monitor.registry import Registry

# Measured under another name than the detector's, or with settings other than its defaults.
VARIANTS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "ae": ("ae", {"variant": "dense-30x50"}),
    "ae-conv": ("ae", {"variant": "conv"}),
}

# The detectors that are also measured deciding together: two that measure crops alike, and three that do not.
TOGETHER: Final = (("contrast", "patchstats"), ("patchstats", "ae", "cvae"))


def subjects(registry: Registry) -> list[str]:
    """Everything that can be measured: the detectors that can be trained here, each followed by its variants."""
    variants = [name for name in VARIANTS if name not in registry.detectors]
    names = [name for name in registry.trainable() for name in (name, *(v for v in variants if VARIANTS[v][0] == name))]
    return list(dict.fromkeys(names))


def detector_of(subject: str) -> tuple[str, dict[str, Any]]:
    """(detector, settings) of a subject; all other settings keep their defaults."""
    return VARIANTS.get(subject, (subject, {}))
