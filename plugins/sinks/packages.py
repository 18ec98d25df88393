"""Packages that only some sinks need."""

from __future__ import annotations

from importlib.util import find_spec

from monitor.api import ConfigurationError


def require_package(module: str, package: str, kind: str) -> None:
    """Raise `ConfigurationError` unless the module can be found; the extra has the name of the kind of sink."""
    try:
        found = find_spec(module) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        raise ConfigurationError(
            f"sinks of the kind {kind!r} need the package {package}, which is not installed; install the extra: pip "
            f"install 'proliv-monitor[{kind}]'"
        )
