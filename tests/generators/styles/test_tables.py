from __future__ import annotations

import math
import unicodedata

import pytest

from generators.styles.sampling import Attribute, StyleModel, StyleTable, default_table
from monitor.api import DataError
from tests.generators.styles.conftest import model


@pytest.mark.parametrize("smoothing", [-1, math.nan, math.inf, 1e308])
def test_a_smoothing_that_makes_no_distribution_is_refused(smoothing: float) -> None:
    with pytest.raises(DataError, match=r"the smoothing .* must be 0 or more"):
        model(smoothing)


def test_nothing_observed_needs_smoothing() -> None:
    table = StyleTable.of_counts({"a": {"x": 0, "y": 0}})
    assert StyleModel.independent(table).style({"a": "x"}).probability == 0.5
    with pytest.raises(DataError, match="the table: a: nothing was observed"):
        StyleModel.independent(table, 0)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"цвет волос has no value 'чорный'; the nearest: черный"):
        model().style({"цвет волос": "чорный"})
    with pytest.raises(DataError, match=r"no attribute 'Прическа'; the nearest: прическа"):
        model().given({"Прическа": "нет волос"})
    with pytest.raises(DataError, match=r"no value 'xyz'; there are: нет очков, круглые очки"):
        model().style({"аксесуар": "xyz"})


def test_a_name_typed_in_decomposed_letters_is_found() -> None:
    # As macOS may write it: the letter, and then what makes it another one.
    decomposed = unicodedata.normalize("NFD", "синий")
    assert decomposed != "синий"
    assert model().style({"цвет одежды": decomposed}).values == {"цвет одежды": "синий"}


def test_two_letters_that_people_write_for_one_another_are_one() -> None:
    assert model().style({"причёска": "нет волос"}).values == {"прическа": "нет волос"}
    observed = StyleTable.of_observations([{"чёлка": "чёрная"}, {"челка": "черная"}, {"чёлка": "рыжая"}])
    assert observed.attributes == (Attribute("чёлка", ("чёрная", "рыжая"), (2, 1)),)
    assert StyleModel.independent(observed, 0).style({"челка": "черная"}).probability == 2 / 3


def test_tables_with_both_spellings_of_one_name_are_refused() -> None:
    for counts in ({"a": {"чёрный": 1, "черный": 2}}, {"чёлка": {"x": 1}, "челка": {"x": 1}}):
        with pytest.raises(DataError, match="is there twice; keep one of them"):
            StyleTable.of_counts(counts)
    with pytest.raises(DataError, match="is there twice; take one out"):
        StyleTable.of_observations([{"a": "черный"}], {"a": ["чёрный", "черный"]})
    with pytest.raises(DataError, match="the attribute 'челка' is there twice"):
        StyleTable.of_rows(["чёлка", "челка"], [("row", ["x", "y"])])


def test_the_shipped_table_is_the_documented_one() -> None:
    attributes = default_table().attributes
    assert [len(a.values) for a in attributes] == [7, 6, 3, 4, 8]
    assert [sum(a.counts) for a in attributes] == [50] * 5
    assert attributes[0] == Attribute(
        "прическа",
        (
            "нет волос",
            "длинные в пучок",
            "длинные волнистые",
            "длинные прямые",
            "короткая волнистые",
            "короткая прямые",
            "короткая курчавые",
        ),
        (7, 0, 1, 23, 1, 11, 7),
    )
    assert default_table().observations is None
