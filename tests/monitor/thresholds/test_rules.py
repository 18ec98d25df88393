from __future__ import annotations

import pytest

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Calibration, Settings
from monitor.errors import ConfigurationError
from monitor.registry import Registry
from monitor.thresholds.rules import Rules


def test_a_fallback_that_needs_proliv_is_refused_before_it_is_needed() -> None:
    settings = Settings(calibration=Calibration(fallback_rule="stump"))
    configuration = Configuration(settings=settings, file=None)
    with pytest.raises(ConfigurationError, match=r"calibration.fallback_rule: 'stump' cannot choose without proliv"):
        Rules.of(Registry.load(), configuration)
