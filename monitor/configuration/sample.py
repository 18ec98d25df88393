"""The commented sample configuration, with every key."""

from __future__ import annotations

from pathlib import Path

from monitor.errors import ConfigurationError

# Beside this module in an installed wheel, at the root of a checkout.
PLACES = (Path(__file__).with_name("sample.toml"), Path(__file__).parents[2] / "config.toml")


def sample_text() -> str:
    """The text of the sample; raises `ConfigurationError` where the installation lacks it."""
    for place in PLACES:
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise ConfigurationError(f"{PLACES[0]}: the sample configuration is missing; install monitor again")
