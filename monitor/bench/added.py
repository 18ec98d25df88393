"""Runs the benchmarks that plug-ins add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.bench.figures import of_rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.registry import Registry


def measure(registry: Registry, name: str, seed: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any] | None:
    """The figures of one plug-in's benchmark, or None if it fails; that is reported and does not stop the others."""
    say(f"measuring: {name}")
    offer = registry.benchmarks[name]
    try:
        benchmark = offer.provider.load()
        return of_rounds([benchmark(seed) for _ in range(rounds)])
    except Exception as error:  # noqa: BLE001 - whatever a third party's code raises, the others go on
        say(f"the benchmark {name!r} of {offer.origin} is left out: {type(error).__name__}: {error}")
        return None
