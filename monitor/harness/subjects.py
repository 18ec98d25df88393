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
    """The installed detectors, each followed by its variants; imports none of them."""
    variants = [name for name in VARIANTS if name not in registry.detectors]
    names = [name for name in registry.detectors for name in (name, *(v for v in variants if VARIANTS[v][0] == name))]
    return list(dict.fromkeys(names))


def measurable(registry: Registry) -> list[str]:
    """Those of the `subjects` that can be measured, because they can be trained for it."""
    trainable = registry.trainable()
    return [name for name in subjects(registry) if detector_of(name)[0] in trainable]


def detector_of(subject: str) -> tuple[str, dict[str, Any]]:
    """(detector, settings) of a subject; all other settings keep their defaults."""
    return VARIANTS.get(subject, (subject, {}))
