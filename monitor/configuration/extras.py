"""Packages that only some commands need, and the extras that install them."""

from __future__ import annotations

from importlib.util import find_spec

from monitor.errors import ConfigurationError


def is_installed(package: str) -> bool:
    """Whether a package can be imported."""
    found = find_spec(package)
    # A folder of that name in the working directory, such as W&B makes, is a package without a file.
    return found is not None and found.origin is not None


def require_package(package: str, *, extra: str, needed_by: str) -> None:
    """Raise `ConfigurationError`, naming the extra, unless the package is installed."""
    if not is_installed(package):
        raise ConfigurationError(f"{needed_by}: the package {package} is not installed; {how_to_install(extra)}")


def how_to_install(extra: str) -> str:
    """What a person has to do to get an extra."""
    return f"install the extra: pip install 'proliv-monitor[{extra}]'"
