"""Loads plug-ins from the entry-point group ``monitor`` and keeps who offers what.

A broken plug-in is left out and reported with its traceback; it never stops the program. Two plug-ins that
offer the same name are refused, naming both. Nothing that a provider points to is imported before it is used.
"""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakKeyDictionary

import pluggy

from monitor.api import Detector, Provider, Sink, ThresholdRule, hookspecs
from monitor.api.providers import PROJECT_NAME
from monitor.errors import MonitorError, PluginError
from monitor.files.packages import import_ours
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from importlib.metadata import EntryPoint

    from pydantic import BaseModel

    from monitor.configuration.resolved import Configuration

log = logging.getLogger(__name__)

# The distribution whose plug-ins are the built-in ones.
DISTRIBUTION: Final = "proliv-monitor"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that plug-ins offer.

    ``name`` is how sentences and `monitor plugins` call it, ``hook`` the function by which a plug-in names its own.
    ``contract``: the class that each is derived from. ``section``: where the configuration holds the settings of each
    under its name. Both are None where there is none.
    """

    name: str
    hook: str
    contract: type[Any] | None = None
    section: str | None = None


DETECTOR: Final = Kind("detector", "monitor_register_detectors", Detector, "detectors")
RULE: Final = Kind("rule", "monitor_register_rules", ThresholdRule, "rules")
COMMAND: Final = Kind("command", "monitor_register_commands")
BENCHMARK: Final = Kind("benchmark", "monitor_register_benchmarks")
SINK: Final = Kind("sink", "monitor_register_sinks", Sink)

# All of them, in the order in which `monitor plugins` lists them.
KINDS: Final = (DETECTOR, RULE, COMMAND, BENCHMARK, SINK)

_BY_HOOK: Final = {kind.hook: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Registered:
    """One thing that a plug-in offers; ``origin`` names the distribution and the entry point."""

    kind: Kind
    provider: Provider
    origin: str

    @property
    def distribution(self) -> str:
        """The name of the package that it was installed with."""
        return self.origin.partition(":")[0]

    @property
    def whose(self) -> str:
        """For sentences about its faults: " of PACKAGE: PLUG-IN", or "" for one of our own."""
        return "" if self.distribution == DISTRIBUTION else f" of {self.origin}"


# Who offers each class that was imported, for sentences about what its objects do.
_OFFERED: Final[WeakKeyDictionary[type, Registered]] = WeakKeyDictionary()


def whose(plugged: object) -> str:
    """`Registered.whose` of a detector, of a rule, or of a class of them; "" for one that nobody offers."""
    offer = _OFFERED.get(plugged if isinstance(plugged, type) else type(plugged))
    return "" if offer is None else offer.whose


@dataclass(frozen=True, slots=True)
class Broken:
    """A plug-in that was left out: where it comes from, the sentence, and the traceback."""

    origin: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Registry:
    """Everything that the installed plug-ins offer, by kind and name, in the order of registration.

    The built-in ones come first. ``broken``: the plug-ins that were left out.
    """

    offers: dict[Kind, dict[str, Registered]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
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
        for by_name in self.offers.values():
            yield from by_name.values()

    @property
    def detectors(self) -> dict[str, Registered]:
        """The detectors by name, the one to begin with first."""
        return self.offers[DETECTOR]

    def trainable(self) -> list[str]:
        """The names of the detectors that `monitor train` trains, and of those that cannot be imported from Python.

        Whoever uses one of the latter gets the error.
        """
        return [name for name in self.detectors if not self._is_imported(name)]

    def imported(self) -> list[str]:
        """The names of the detectors whose models come from outside: `monitor models import`."""
        return [name for name in self.detectors if self._is_imported(name)]

    def _is_imported(self, name: str) -> bool:
        try:
            return self.detector_class(name).imported
        except PluginError:
            return False

    @property
    def rules(self) -> dict[str, Registered]:
        """The threshold rules by name, the one to begin with first."""
        return self.offers[RULE]

    @property
    def commands(self) -> dict[str, Registered]:
        """The commands by name."""
        return self.offers[COMMAND]

    @property
    def benchmarks(self) -> dict[str, Registered]:
        """The benchmarks by name."""
        return self.offers[BENCHMARK]

    def detector_class(self, name: str) -> type[Detector]:
        """Import the detector ``name``; raises `PluginError` when it is unknown, broken or no detector."""
        return cast("type[Detector]", self.class_of(DETECTOR, name))

    def rule_class(self, name: str) -> type[ThresholdRule]:
        """Import the threshold rule ``name``; raises `PluginError` likewise."""
        return cast("type[ThresholdRule]", self.class_of(RULE, name))

    def new_detector(
        self, name: str, configuration: Configuration, overrides: Mapping[str, Any] | None = None
    ) -> Detector:
        """Make the untrained detector ``name`` as configured, with ``overrides`` over its settings.

        Raises `PluginError` likewise, and `ConfigurationError` for every setting that is wrong.
        """
        settings = self.settings_of(DETECTOR, name, configuration, overrides)
        device = configuration.settings.pipeline.device
        return cast("Detector", self.made(DETECTOR, name, lambda kind: kind(settings, device)))

    def new_rule(
        self, name: str, configuration: Configuration, overrides: Mapping[str, Any] | None = None
    ) -> ThresholdRule:
        """Make the threshold rule ``name`` as configured, with ``overrides`` over its settings; raises likewise."""
        settings = self.settings_of(RULE, name, configuration, overrides)
        return cast("ThresholdRule", self.made(RULE, name, lambda kind: kind(settings)))

    def made(self, kind: Kind, name: str, make: Callable[[Any], Any]) -> Any:
        """Make one of a class; the nightly run does so as well, and tells of a `PluginError` alone in a sentence."""
        found = self.class_of(kind, name)
        try:
            return make(found)
        except MonitorError:
            raise
        except Exception as error:
            offer = self.offers[kind][name]
            raise PluginError(
                f"the {kind.name} {name!r} of {offer.origin} cannot be made: {type(error).__name__}: {error}; update "
                f"the package {offer.distribution}, or uninstall it"
            ) from error

    def settings_of(
        self, kind: Kind, name: str, configuration: Configuration, overrides: Mapping[str, Any] | None = None
    ) -> BaseModel:
        """The settings of what is offered under ``name``: those of its section, with ``overrides`` over them."""
        from monitor.configuration.problems import plugin_settings

        assert kind.section is not None
        sections: Mapping[str, Mapping[str, Any]] = getattr(configuration.settings, kind.section)
        settings = getattr(self.class_of(kind, name), "Settings", None)
        if settings is None:
            raise PluginError(
                f"the {kind.name} {name!r} of {self.offers[kind][name].origin} has no class attribute 'Settings', a "
                "pydantic model of its settings"
            )
        return plugin_settings(
            settings,
            sections.get(name, {}),
            section=f"{kind.section}.{name}",
            origins=configuration.origins,
            overrides=overrides,
        )

    def class_of(self, kind: Kind, name: str) -> Any:
        """Import the class of a kind with a contract; raises `PluginError` when it is unknown, broken or another."""
        assert kind.contract is not None
        by_name = self.offers[kind]
        if name not in by_name:
            known = ", ".join(sorted(by_name)) or "none"
            raise PluginError(f"there is no {kind.name} {name!r}; installed are: {known} (see: monitor plugins)")
        offer = by_name[name]
        what = f"the {kind.name} {name!r} of {offer.origin}"
        try:
            found = offer.provider.load()
        except (Exception, SystemExit) as error:
            raise PluginError(f"{what} cannot be imported from {offer.provider.target}: {error}") from error
        if not (isinstance(found, type) and issubclass(found, kind.contract)):
            raise PluginError(
                f"{what}: {offer.provider.target} is not a class derived from monitor.api.{kind.contract.__name__}"
            )
        if getattr(found, "name", None) != name:
            raise PluginError(
                f"{what} calls itself {getattr(found, 'name', None)!r}; "
                "its class attribute 'name' must be the name that it is registered under"
            )
        if missing := sorted(getattr(found, "__abstractmethods__", ())):
            raise PluginError(f"{what} lacks what every {kind.name} has to define: {', '.join(missing)}")
        _OFFERED[found] = offer
        return found

    def _add_entry_point(self, manager: pluggy.PluginManager, entry_point: EntryPoint) -> None:
        origin = f"{_distribution(entry_point)}: {entry_point.name}"
        try:
            offers = list(_offers(manager, entry_point, origin))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a third party's code raises, others go on
            self.broken.append(Broken(origin, f"{type(error).__name__}: {error}", traceback.format_exc()))
            log.warning(
                "plug-in %s is left out, because it does not load: %s; what it offers is missing until it is "
                "fixed or uninstalled\n%s", origin, error, traceback.format_exc(),
            )  # fmt: skip
            return
        for offer in offers:
            self._add(offer)

    def _add(self, offer: Registered) -> None:
        by_name = self.offers[offer.kind]
        name = offer.provider.name
        if name in by_name:
            raise PluginError(
                f"two plug-ins offer the {offer.kind.name} {name!r}: {by_name[name].origin} and {offer.origin}; "
                "uninstall one of them"
            )
        by_name[name] = offer


def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else "unknown distribution"


def _place(entry_point: EntryPoint) -> tuple[bool, str]:
    return _distribution(entry_point) != DISTRIBUTION, entry_point.name


def _offers(manager: pluggy.PluginManager, entry_point: EntryPoint, origin: str) -> Iterator[Registered]:
    """Register one plug-in and ask it; raises for a misspelt hook or anything but providers."""
    if _distribution(entry_point) == DISTRIBUTION:
        import_ours(entry_point.module.partition(".")[0])
    plugin = entry_point.load()
    manager.register(plugin, name=origin)
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():
            raise PluginError(f"{caller.name} is no hook of monitor; the hooks are: {', '.join(_BY_HOOK)}")
    for caller in callers:
        kind = _BY_HOOK[caller.name]
        implementation = next(found for found in caller.get_hookimpls() if found.plugin is plugin)
        providers = implementation.function()
        if not isinstance(providers, list) or not all(isinstance(one, Provider) for one in providers):
            raise PluginError(f"{caller.name} must return a list of monitor.api.Provider, got {providers!r}")
        for provider in providers:
            if kind is DETECTOR and provider.name == DECISION:
                raise PluginError(f"no detector may be called {DECISION!r}: it stands for the final decision of all")
            yield Registered(kind, provider, origin)
