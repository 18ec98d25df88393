from __future__ import annotations

import math

from generators.avatars.models import ChannelModel
from generators.benchmarks import plain_loop
from tests.generators.avatars.conftest import blocks


def test_the_plain_loop_draws_from_the_same_distribution() -> None:
    picture = plain_loop(blocks(), 3)
    assert math.isfinite(ChannelModel(blocks()).log_probability(picture))
