from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from monitor.api import Provider
from monitor.bench import added
from monitor.registry import BENCHMARK, Registered, Registry

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Benchmarks of a third party: one that takes longer each time, one that fails, one that is not there."""
    module = ModuleType("a_third_party")
    seconds = iter([1.0, 5.0, 2.0])

    def growing(seed: int) -> Mapping[str, float]:
        return {"seconds": next(seconds), "seed_share": seed / 10}

    def failing(seed: int) -> Mapping[str, float]:
        raise ZeroDivisionError("no luck")

    module.growing, module.failing = growing, failing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_third_party", module)
    names = ("growing", "failing", "missing")
    offers = {name: Provider(name, "", f"a_third_party:{name}") for name in names}
    registry = Registry()
    registry.benchmarks.update({name: Registered(BENCHMARK, offer, "someone") for name, offer in offers.items()})
    return registry


def test_a_plug_in_is_measured_in_every_round(registry: Registry) -> None:
    told = added.measure(registry, "growing", 7, 3, lambda _: None)
    assert told == {"seconds": 2.0, "seed_share": 0.7, "spread": {"seconds": [1.0, 5.0], "seed_share": [0.7, 0.7]}}


@pytest.mark.parametrize(("name", "error"), [("failing", "no luck"), ("missing", "no attribute 'missing'")])
def test_one_that_fails_stops_nothing(registry: Registry, name: str, error: str) -> None:
    said: list[str] = []
    assert added.measure(registry, name, 7, 3, said.append) is None
    assert f"the benchmark '{name}' of someone is left out" in said[-1]
    assert error in said[-1]


def test_the_generators_measure_themselves() -> None:
    registry = Registry.load()
    assert {"styles", "avatars"} <= registry.benchmarks.keys()
    assert registry.benchmarks["styles"].provider.load().__name__ == "styles"
    assert registry.benchmarks["avatars"].provider.load().__name__ == "avatars"
