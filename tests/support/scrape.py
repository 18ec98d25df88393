"""What a scrape of a registry shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import generate_latest

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def shown(registry: CollectorRegistry) -> dict[str, float]:
    """The series of a scrape, by name and labels."""
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, _, value in (one.rpartition(" ") for one in lines if not one.startswith("#"))}
