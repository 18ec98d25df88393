from __future__ import annotations

import json
import logging
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from monitor.api import hookspecs
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.errors import ConfigurationError, PluginError
from monitor.registry import KINDS, Kind, Registry
from tests.support import distributions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import RunMonitor

BUILTIN = "proliv-monitor: builtin-plugins"
HEAD = """
from monitor.api import Detector, Provider, ThresholdRule, hookimpl
"""
RULE = """
class Rule(ThresholdRule):
    name = "{name}"

    def choose(self, evidence):
        return 1.0

@hookimpl
def monitor_register_rules():
    return [Provider("{name}", "a rule of a third party", "{module}:Rule")]
"""
REGISTER = """
@hookimpl
def {hook}():
    return [Provider("{name}", "summary", "{target}")]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Install a distribution of one module, as pip leaves it, into a folder on Python's path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    known = set(sys.modules)

    def write(module: str, code: str, *, group: str = "monitor", entry_point: str = "main", target: str = "") -> Path:
        distributions.install(
            site, module, HEAD + dedent(code), group=group, entry_point=entry_point, target=target or module
        )
        return site

    yield write
    for module in set(sys.modules) - known:
        if str(site) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


def rule(name: str, module: str) -> str:
    return RULE.format(name=name, module=module)


def register(hook: str, name: str, target: str) -> str:
    return REGISTER.format(hook=hook, name=name, target=target)


def test_the_built_in_plugins_come_by_the_hooks_that_all_use() -> None:
    registry = Registry.load()
    assert registry.broken == []
    offers = {(offer.kind.name, offer.provider.name): offer.origin for offer in registry.all()}
    assert offers["detector", "ae"] == BUILTIN
    assert offers["rule", "balanced"] == BUILTIN
    assert offers["command", "gen"] == "proliv-monitor: builtin-generators"
    for name in registry.detectors:
        assert registry.detector_class(name).name == name
    for name in registry.rules:
        assert registry.rule_class(name).name == name


def test_every_kind_has_a_hook_that_is_specified_and_no_other_hook_is() -> None:
    specified = {name for name in vars(hookspecs) if name.startswith("monitor_register_")}
    assert [kind.hook for kind in KINDS] == list(dict.fromkeys(kind.hook for kind in KINDS))
    assert {kind.hook for kind in KINDS} == specified


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.section], ids=lambda kind: kind.name)
def test_a_kind_with_settings_has_a_section_of_the_configuration(kind: Kind) -> None:
    registry = Registry.load()
    configuration = Configuration(settings=Settings(), file=None)
    for name in registry.offers[kind]:
        assert registry.settings_of(kind, name, configuration) == registry.class_of(kind, name).Settings()


def test_a_plugin_is_made_with_its_section_and_what_is_set_over_it() -> None:
    settings = Settings(detectors={"ae": {"epochs": 3, "cell": 8}}, rules={"fixed": {"threshold": 2.0}})
    configuration, registry = Configuration(settings=settings, file=None), Registry.load()
    detector = registry.new_detector("ae", configuration, {"epochs": 4})
    assert (detector.settings.epochs, detector.settings.cell, detector.device) == (4, 8, "cpu")
    assert registry.new_rule("fixed", configuration).settings.threshold == 2.0
    assert registry.new_rule("fixed", configuration, {"threshold": 3.0}).settings.threshold == 3.0
    with pytest.raises(ConfigurationError, match=r"^--set: detectors\.ae\.eepochs: unknown key; the keys of detectors"):
        registry.new_detector("ae", configuration, {"eepochs": 4})


def test_a_third_partys_plugin_is_listed_with_its_origin(install: Callable[..., Path]) -> None:
    install("acme_rules", rule("acme", "acme_rules"))
    registry = Registry.load()
    assert registry.rules["acme"].origin == "acme-rules: main"
    assert registry.rules["acme"].provider.summary == "a rule of a third party"
    assert registry.rule_class("acme").name == "acme"


def test_the_built_in_ones_come_first_whatever_the_others_are_called(install: Callable[..., Path]) -> None:
    install("acme_rules", rule("acme", "acme_rules"), entry_point="aardvark")
    registry = Registry.load()
    assert list(registry.rules)[-1] == "acme"
    assert [offer.provider.name for offer in registry.all() if offer.kind.name == "rule"] == list(registry.rules)


def test_an_entry_point_may_name_an_object_with_methods(install: Callable[..., Path]) -> None:
    code = """
        class Plugin:
            @hookimpl
            def monitor_register_rules(self):
                return [Provider("acme", "", "acme_rules:Plugin")]

            def monitor_register_detectors(self):
                raise RuntimeError("this one is not marked, so nobody calls it")

        plugin = Plugin()
    """
    install("acme_rules", code, target="acme_rules:plugin")
    registry = Registry.load()
    assert registry.broken == []
    assert "acme" in registry.rules


def test_another_group_of_entry_points_is_none_of_ours(install: Callable[..., Path]) -> None:
    install("acme_rules", "raise RuntimeError('must not be imported')", group="monitors")
    assert Registry.load().broken == []


BREAKAGES = {
    "raises at import": ("1 / 0", "ZeroDivisionError: division by zero"),
    "needs what is not installed": ("import acme_absent", "ModuleNotFoundError: No module named 'acme_absent'"),
    "wants to end the program": ("raise SystemExit(3)", "SystemExit: 3"),
    "is no Python": ("def :", "SyntaxError: invalid syntax"),
    "misspells a hook": (
        register("monitor_register_detector", "acme", "a:B"),
        "PluginError: monitor_register_detector is no hook of monitor; the hooks are: monitor_register_detectors, "
        "monitor_register_rules, monitor_register_commands",
    ),
    "hook takes an unknown argument": (
        "@hookimpl\ndef monitor_register_rules(registry):\n    return []",
        "PluginValidationError: ",
    ),
    "hook raises": ("@hookimpl\ndef monitor_register_rules():\n    1 / 0", "ZeroDivisionError: division by zero"),
    "hook returns no list": (
        "@hookimpl\ndef monitor_register_rules():\n    return Provider('acme', '', 'a:B')",
        "PluginError: monitor_register_rules must return a list of monitor.api.Provider, got Provider(",
    ),
    "hook returns something else": (
        "@hookimpl\ndef monitor_register_rules():\n    return [('acme', '', 'a:B')]",
        "PluginError: monitor_register_rules must return a list of monitor.api.Provider, got [('acme'",
    ),
    "calls a detector what stands for all": (
        register("monitor_register_detectors", "decision", "a:B"),
        "PluginError: no detector may be called 'decision': it stands for the final decision of all",
    ),
    "second hook fails": (
        rule("acme-half", "acme_broken") + "\n@hookimpl\ndef monitor_register_detectors():\n    1 / 0",
        "ZeroDivisionError: division by zero",
    ),
}


@pytest.mark.parametrize(("code", "reason"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_plugin_is_left_out_whole_and_the_others_stay(
    install: Callable[..., Path], caplog: pytest.LogCaptureFixture, code: str, reason: str
) -> None:
    install("acme_broken", code)
    install("acme_rules", rule("acme", "acme_rules"), entry_point="zz-after-the-broken-one")
    registry = Registry.load()

    (broken,) = registry.broken
    assert broken.origin == "acme-broken: main"
    assert broken.reason.startswith(reason)
    assert "Traceback" in broken.detail
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert message.startswith("plug-in acme-broken: main is left out, because it does not load: ")
    assert broken.detail in message
    assert {"acme", "balanced"} <= registry.rules.keys()
    assert not any(offer.origin == broken.origin for offer in registry.all())


def test_a_persons_interruption_is_no_broken_plugin(install: Callable[..., Path]) -> None:
    install("acme_broken", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Registry.load()


def test_two_plugins_of_one_name_are_refused_naming_both(install: Callable[..., Path]) -> None:
    install("acme_one", rule("acme", "acme_one"))
    install("acme_two", rule("acme", "acme_two"), entry_point="other")
    sentence = "^two plug-ins offer the rule 'acme': acme-one: main and acme-two: other; uninstall one of them$"
    with pytest.raises(PluginError, match=sentence) as caught:
        Registry.load()
    assert caught.value.exit_code == 78


def test_one_name_may_stand_for_a_rule_and_for_a_detector(install: Callable[..., Path]) -> None:
    install("acme_rules", rule("ae", "acme_rules"))
    registry = Registry.load()
    assert registry.detectors["ae"].origin == BUILTIN
    assert registry.rules["ae"].origin == "acme-rules: main"


def test_an_unknown_name_lists_those_that_exist() -> None:
    registry = Registry.load()
    known = ", ".join(sorted(registry.rules))
    with pytest.raises(PluginError, match=f"^there is no rule 'best'; installed are: {known} \\(see: monitor plugins"):
        registry.rule_class("best")
    with pytest.raises(PluginError, match="there is no detector 'ae'; installed are: none"):
        Registry().detector_class("ae")


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("acme_rules:Absent", "cannot be imported from acme_rules:Absent: .*has no attribute 'Absent'"),
        ("acme_absent:Rule", "cannot be imported from acme_absent:Rule: No module named 'acme_absent'"),
        ("acme_rules", "cannot be imported from acme_rules: "),
        ("", "cannot be imported from : "),
        ("acme_rules:Provider", "acme_rules:Provider is not a class derived from monitor.api.Detector"),
        ("acme_rules:HEAD", "acme_rules:HEAD is not a class derived from monitor.api.Detector"),
        ("plugins.rules:Balanced", "plugins.rules:Balanced is not a class derived from monitor.api.Detector"),
        ("acme_rules:Misnamed", "calls itself 'other'; its class attribute 'name' must be the name that it is"),
        ("acme_rules:Nameless", "calls itself None; its class attribute 'name' must be the name that it is"),
    ],
)
def test_a_target_that_is_no_detector_of_that_name_is_refused_on_use(
    install: Callable[..., Path], target: str, sentence: str
) -> None:
    code = """
        HEAD = 3

        class Misnamed(Detector):
            name = "other"

        class Nameless(Detector):
            pass
    """
    install("acme_rules", dedent(code) + register("monitor_register_detectors", "acme", target))
    registry = Registry.load()
    assert registry.broken == []
    with pytest.raises(PluginError, match=f"^the detector 'acme' of acme-rules: main:? {sentence}"):
        registry.detector_class("acme")


# The real command


def test_the_command_lists_what_is_there_and_names_what_is_left_out(
    install: Callable[..., Path], run_monitor: RunMonitor
) -> None:
    install("acme_rules", rule("acme", "acme_rules"))
    site = install("acme_broken", "1 / 0")
    ended = run_monitor("plugins", "--format", "json", environment={"PYTHONPATH": str(site)})
    assert ended.returncode == 0
    listed = json.loads(ended.stdout)
    row = {"name": "acme", "kind": "rule", "from": "acme-rules: main", "summary": "a rule of a third party"}
    assert row in listed["plugins"]
    assert {"ae", "balanced", "gen"} <= {row["name"] for row in listed["plugins"]}
    assert listed["broken"] == [{"from": "acme-broken: main", "reason": "ZeroDivisionError: division by zero"}]
    assert "plug-in acme-broken: main is left out" in ended.stderr
    assert "Traceback" in ended.stderr

    table = run_monitor("plugins", environment={"PYTHONPATH": str(site)})
    assert "acme-rules: main" in table.stdout
    assert "left out: acme-broken: main: ZeroDivisionError: division by zero" in table.stderr


def test_the_command_refuses_two_plugins_of_one_name(install: Callable[..., Path], run_monitor: RunMonitor) -> None:
    site = install("acme_rules", rule("balanced", "acme_rules"))
    ended = run_monitor("plugins", environment={"PYTHONPATH": str(site)})
    assert (ended.returncode, ended.stdout) == (78, "")
    assert ended.stderr == (
        f"monitor: two plug-ins offer the rule 'balanced': {BUILTIN} and acme-rules: main; uninstall one of them\n"
    )
