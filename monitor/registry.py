"""Loads plug-ins from the entry-point group ``monitor`` and keeps who offers what.

A broken plug-in is left out and reported with its traceback; it never stops the program. Two plug-ins that
offer the same name are refused, naming both. Nothing that a provider points to is imported before it is used.
"""

from __future__ import annotations

import importlib
import logging
import traceback
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import pluggy

from monitor.api import PROJECT_NAME, Detector, Provider, ThresholdRule, hookspecs
from monitor.errors import PluginError
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

log = logging.getLogger(__name__)

DISTRIBUTION: Final = "proliv-monitor"
"""The distribution whose plug-ins are the built-in ones."""

Kind = Literal["detector", "rule", "command", "benchmark"]

HOOKS: dict[str, Kind] = {
    "monitor_register_detectors": "detector",
    "monitor_register_rules": "rule",
    "monitor_register_commands": "command",
    "monitor_register_benchmarks": "benchmark",
}


@dataclass(frozen=True, slots=True)
class Registered:
    """One thing that a plug-in offers; ``origin`` names the distribution and the entry point."""

    kind: Kind
    provider: Provider
    origin: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A plug-in that was left out: where it comes from, the sentence, and the traceback."""

    origin: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Registry:
    """Everything that the installed plug-ins offer, by name, in the order of registration: the built-in ones first."""

    detectors: dict[str, Registered] = field(default_factory=dict)
    rules: dict[str, Registered] = field(default_factory=dict)
    commands: dict[str, Registered] = field(default_factory=dict)
    benchmarks: dict[str, Registered] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    @classmethod
    def load(cls) -> Registry:
        """Load every installed plug-in; raises `PluginError` when two offer the same name."""
        registry = cls()
        manager = pluggy.PluginManager(PROJECT_NAME)
        manager.add_hookspecs(hookspecs)
        for entry_point in sorted(entry_points(group=PROJECT_NAME), key=_place):
            registry._add_entry_point(manager, entry_point)
        return registry

    def all(self) -> Iterator[Registered]:
        """All that is registered, by kind, in the order of registration."""
        for offers in self._by_kind.values():
            yield from offers.values()

    @property
    def _by_kind(self) -> dict[Kind, dict[str, Registered]]:
        return {
            "detector": self.detectors,
            "rule": self.rules,
            "command": self.commands,
            "benchmark": self.benchmarks,
        }

    def detector_class(self, name: str) -> type[Detector]:
        """Import the detector ``name``; raises `PluginError` when it is unknown, broken or no detector."""
        return cast("type[Detector]", self._resolve(self.detectors, "detector", name, Detector))

    def rule_class(self, name: str) -> type[ThresholdRule]:
        """Import the threshold rule ``name``; raises `PluginError` likewise."""
        return cast("type[ThresholdRule]", self._resolve(self.rules, "rule", name, ThresholdRule))

    def _add_entry_point(self, manager: pluggy.PluginManager, entry_point: EntryPoint) -> None:
        origin = f"{_distribution(entry_point)}: {entry_point.name}"
        try:
            offers = list(_offers(manager, entry_point, origin))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a third party's code raises, others go on
            self.broken.append(Broken(origin, f"{type(error).__name__}: {error}", traceback.format_exc()))
            log.warning(
                "plug-in %s is left out, because it does not load: %s; what it offers is missing until it is "
                "mended or uninstalled\n%s", origin, error, traceback.format_exc(),
            )  # fmt: skip
            return
        for offer in offers:
            self._add(offer)

    def _add(self, offer: Registered) -> None:
        by_name = self._by_kind[offer.kind]
        name = offer.provider.name
        if name in by_name:
            raise PluginError(
                f"two plug-ins offer the {offer.kind} {name!r}: {by_name[name].origin} and {offer.origin}; "
                "uninstall one of them"
            )
        by_name[name] = offer

    def _resolve(self, offers: dict[str, Registered], kind: Kind, name: str, contract: type[Any]) -> Any:
        if name not in offers:
            known = ", ".join(sorted(offers)) or "none"
            raise PluginError(f"there is no {kind} {name!r}; installed are: {known} (see: monitor plugins)")
        offer = offers[name]
        try:
            found = resolve(offer.provider)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"the {kind} {name!r} of {offer.origin} cannot be imported from {offer.provider.target}: {error}"
            ) from error
        if not (isinstance(found, type) and issubclass(found, contract)):
            raise PluginError(
                f"the {kind} {name!r} of {offer.origin}: {offer.provider.target} is not a class derived from "
                f"monitor.api.{contract.__name__}"
            )
        if getattr(found, "name", None) != name:
            raise PluginError(
                f"the {kind} {name!r} of {offer.origin} calls itself {getattr(found, 'name', None)!r}; "
                "its class attribute 'name' must be the name that it is registered under"
            )
        return found


def resolve(provider: Provider) -> Any:
    """Import what a provider points to."""
    module, _, attribute = provider.target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else "unknown distribution"


def _place(entry_point: EntryPoint) -> tuple[bool, str]:
    return _distribution(entry_point) != DISTRIBUTION, entry_point.name


def _offers(manager: pluggy.PluginManager, entry_point: EntryPoint, origin: str) -> Iterator[Registered]:
    """Register one plug-in and ask it; raises for a misspelt hook or anything but providers."""
    plugin = entry_point.load()
    manager.register(plugin, name=origin)
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():
            raise PluginError(f"{caller.name} is no hook of monitor; the hooks are: {', '.join(HOOKS)}")
    for caller in callers:
        implementation = next(found for found in caller.get_hookimpls() if found.plugin is plugin)
        providers = implementation.function()
        if not isinstance(providers, list) or not all(isinstance(one, Provider) for one in providers):
            raise PluginError(f"{caller.name} must return a list of monitor.api.Provider, got {providers!r}")
        for provider in providers:
            if HOOKS[caller.name] == "detector" and provider.name == DECISION:
                raise PluginError(f"no detector may be called {DECISION!r}: it stands for the final decision of all")
            yield Registered(HOOKS[caller.name], provider, origin)
