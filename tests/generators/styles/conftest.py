"""Models and tables that the tests of several modules draw from."""

from __future__ import annotations

import math
import random
from itertools import product

from generators.styles.sampling import StyleModel, StyleTable, default_table


def model(smoothing: float = 1.0) -> StyleModel:
    return StyleModel.independent(default_table(), smoothing)


def named(values: str) -> dict[str, str]:
    return dict(zip((a.name for a in default_table().attributes), values.split(", "), strict=True))


def dependent_table(observations: int = 300, seed: int = 4) -> StyleTable:
    """`hat` goes by the hair, which goes by the age; nothing goes by the pet. The ages come first and last."""
    generator = random.Random(seed)
    rows = []
    for _ in range(observations):
        age = generator.choice(["old", "old", "young"])
        hair = "grey" if age == "old" and generator.random() < 0.8 else generator.choice(["black", "red"])
        hat = generator.choice(["cap", "none"]) if hair == "red" else "none"
        rows.append({"hat": hat, "age": age, "pet": generator.choice(["cat", "dog"]), "hair": hair})
    return StyleTable.of_observations(rows, {"hair": ["black", "grey", "red", "green"]})


def every_style(of: StyleModel) -> dict[tuple[str, ...], float]:
    """The probability of every style, multiplied out from the model's tables alone."""
    everything = {}
    for places in product(*(range(len(a.values)) for a in of.attributes)):
        factors = (
            of.tables[number][0 if parent is None else places[parent]][places[number]]
            for number, parent in enumerate(of.parents)
        )
        values = tuple(a.values[place] for a, place in zip(of.attributes, places, strict=True))
        everything[values] = math.prod(factors)
    return everything


def of_values(of: StyleModel, values: tuple[str, ...]) -> dict[str, str]:
    return {a.name: value for a, value in zip(of.attributes, values, strict=True)}
