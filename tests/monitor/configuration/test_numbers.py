from __future__ import annotations

import pytest
from pydantic import BaseModel, FiniteFloat

from monitor.configuration.numbers import fraction, with_fractions


class Settings(BaseModel):
    threshold: FiniteFloat | None = None
    share: float = 0.5
    count: int = 1
    name: str = ""


@pytest.mark.parametrize(
    ("text", "value"),
    [("12/4500", 12 / 4500), (" 1 / 4 ", 0.25), ("1.5e1/3", 5.0), ("-1/2", -0.5), ("1/0", None), ("1/", None),
     ("0.5", None), ("a/b", None), ("1/2/3", None), ("", None), ("inf/2", None), ("nan/1", None)],
)  # fmt: skip
def test_a_fraction_is_worked_out(text: str, value: float | None) -> None:
    assert fraction(text) == value


def test_only_where_a_number_with_a_point_is_expected() -> None:
    given = {"threshold": "12/4500", "share": "1/4", "count": "4/2", "name": "1/2", "nix": "1/2"}
    assert with_fractions(Settings, given) == {**given, "threshold": 12 / 4500, "share": 0.25}
    assert with_fractions(Settings, {"share": 0.25, "threshold": None}) == {"share": 0.25, "threshold": None}
