"""Style tables from files: every shape gives the same table, and what is wrong is named with its place."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from generators.styles.sampling import Attribute, read_table
from monitor.api import DataError, InputMissingError

if TYPE_CHECKING:
    from pathlib import Path

HAIR = Attribute("волосы", ("нет", "рыжие"), (1, 2))
HAT = Attribute("шляпа", ("да", "нет"), (2, 1))

COUNTS = {
    "counts.toml": '[counts."волосы"]\n"нет" = 1\n"рыжие" = 2\n[counts."шляпа"]\n"да" = 2\n"нет" = 1\n',
    "counts.json": '{"counts": {"волосы": {"нет": 1, "рыжие": 2}, "шляпа": {"да": 2, "нет": 1}}}',
    "counts.csv": "attribute,value,count\nволосы,нет,1\nволосы,рыжие,2\nшляпа,да,2\nшляпа,нет,1\n",
    "other-order.CSV": "count,attribute,value\n1,волосы,нет\n\n2,шляпа,да\n2,волосы,рыжие\n1,шляпа,нет\n",
    "spreadsheet.csv": "\ufeffattribute;value;count\r\nволосы;нет;1\r\nволосы; рыжие ;2\r\n"
    "шляпа;да;2\r\nшляпа;нет;1\r\n",
}

OBSERVATIONS = {
    "observed.toml": "[[observations]]\n'волосы' = 'нет'\n'шляпа' = 'да'\n"
    "[[observations]]\n'шляпа' = 'да'\n'волосы' = 'рыжие'\n[[observations]]\n'волосы' = 'рыжие'\n'шляпа' = 'нет'\n",
    "observed.json": '{"observations": [{"волосы": "нет", "шляпа": "да"}, {"шляпа": "да", "волосы": "рыжие"}, '
    '{"волосы": "рыжие", "шляпа": "нет"}]}',
    "list.json": '[{"волосы": "нет", "шляпа": "да"}, {"волосы": "рыжие", "шляпа": "да"}, '
    '{"волосы": "рыжие", "шляпа": "нет"}]',
    "observed.csv": "волосы,шляпа\nнет,да\nрыжие,да\n\nрыжие,нет\n",
}

BAD = [
    ("empty.toml", "", "holds no style table; give it either 'counts' or 'observations'"),
    ("empty.json", "{}", "holds no style table"),
    ("word.json", '"x"', "holds no style table"),
    ("empty.csv", "", "there is no observation"),
    ("heading.csv", "a,b\n", "there is no observation"),
    ("no-counts.csv", "attribute,value,count\n", "there is no attribute"),
    ("list.json", "[]", "there is no observation"),
    ("blank.json", "[{}]", "there is no observation"),
    ("none.toml", "[counts]\n", "there is no attribute"),
    ("valueless.toml", "[counts.a]\n", ": a: the attribute has no value"),
    ("both.toml", "[counts.a]\nx = 1\n[[observations]]\na = 'x'\n", "holds no style table"),
    ("typo.toml", "[count.a]\nx = 1\n", "holds no style table"),
    ("more.json", '{"counts": {"a": {"x": 1}}, "values": {}}', "the key 'values' means nothing here"),
    ("flat.json", '{"counts": {"a": 1}}', ": counts: a: must hold each value with its count, not 1"),
    ("listed.json", '{"counts": []}', ": counts: must hold each attribute"),
    ("mapped.json", '{"observations": {}}', ": observations: must be a list"),
    ("words.json", '["x"]', ": observation 1: must hold a value of each attribute, not 'x'"),
    ("negative.toml", "[counts.a]\nx = -1\n", ": a: x: the count -1 is below zero"),
    ("negative.csv", "attribute,value,count\na,x,1\na,y,-1\n", ": line 3: the count -1 is below zero"),
    ("nan.toml", "[counts.a]\nx = nan\n", ": a: x: nan is no count"),
    ("nan.json", '{"counts": {"a": {"x": NaN}}}', ": a: x: nan is no count"),
    ("nan.csv", "attribute,value,count\na,x,nan\n", ": line 2: 'nan' is no count"),
    ("part.json", '{"counts": {"a": {"x": 1.5}}}', ": a: x: 1.5 is no count"),
    ("part.csv", "attribute,value,count\na,x,1.5\n", ": line 2: '1.5' is no count"),
    ("true.json", '{"counts": {"a": {"x": true}}}', ": a: x: True is no count"),
    ("many.toml", f"[counts.a]\nx = {2**53 + 1}\n", ": a: x: the count 9007199254740993 is more than"),
    ("digits.json", '{"counts": {"a": {"x": ' + "9" * 5000 + "}}}", ": a: x: '999"),
    ("digits.toml", f"[counts.a]\nx = {'9' * 4000}", ": a: x: the count of over 20 digits is more than"),
    ("digits.csv", f"attribute,value,count\na,x,{'9' * 5000}\n", ": line 2: '999"),
    ("twice.toml", "[counts.a]\nx = 1\n[counts.a]\ny = 2\n", "twice (at line 3"),
    ("twice.json", '{"counts": {"a": {"x": 1}, "a": {"x": 2}}}', "'a' is there twice"),
    ("twice.csv", "attribute,value,count\na,x,1\na,x,2\n", ": line 3: 'x' of 'a' is there twice"),
    ("heading-twice.csv", "a,a\nx,y\n", "the attribute 'a' is there twice"),
    ("blanks.json", '{"counts": {"a": {"x": 1}, "a ": {"x": 2}}}', "'a' is there twice"),
    ("ragged.csv", "a,b\nx,y\nx\n", ": line 3: has 1 cells, the heading has 2"),
    ("quote.csv", 'a,b\n"x,y\n', "is not valid CSV"),
    ("broken.toml", "[counts.a]\nx = \n", "at line 2"),
    ("broken.json", '{"counts": \n{', "line 2 column"),
    ("deep.json", "[" * 100_000, "is not valid JSON"),
    ("other.json", '[{"a": "x", "b": "y"}, {"a": "x"}]', ": observation 2: the attribute 'b' is missing"),
    ("more.json", '[{"a": "x"}, {"a": "x", "c": "y"}]', ": observation 2: the attribute 'c' is not in observation 1"),
    ("number.json", '[{"a": 1}]', ": observation 1: a: 1 is no name"),
    ("hole.csv", "a,b\nx,\n", ": line 2: b: a name is empty"),
    ("nameless.csv", "a,\nx,y\n", ": line 1: a name is empty"),
    ("escape.json", '{"counts": {"a\\u001b[31m": {"x": 1}}}', "cannot be printed"),
    (
        "other-value.toml",
        "values = {a = ['red', 'blue']}\n[[observations]]\na = 'rad'\n",
        ": observation 1: a has no value 'rad'; the nearest: red",
    ),
    ("value-twice.toml", "values = {a = ['x', 'x']}\n[[observations]]\na = 'x'\n", ": values: a: 'x' is there twice"),
    ("values.toml", "values = {a = 'x'}\n[[observations]]\na = 'x'\n", ": values: a: must be a list"),
    ("of-what.toml", "values = {b = ['x']}\n[[observations]]\na = 'x'\n", ": values: there is no attribute 'b'"),
    ("table.yaml", "counts:", "the name must end in .toml, .json or .csv"),
]


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("name", COUNTS)
def test_counts_in_every_shape(tmp_path: Path, name: str) -> None:
    table = read_table(write(tmp_path, name, COUNTS[name]))
    assert table.attributes == (HAIR, HAT)
    assert table.observations is None


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_observations_in_every_shape(tmp_path: Path, name: str) -> None:
    table = read_table(write(tmp_path, name, OBSERVATIONS[name]))
    assert table.attributes == (HAIR, HAT)
    assert table.observations == ((0, 0), (1, 0), (1, 1))


def test_values_that_nobody_observed_can_be_named(tmp_path: Path) -> None:
    observations = [{"a": "x", "b": "u"}, {"a": "y", "b": "v"}]
    document = {"values": {"a": ["z", "y", "x"]}, "observations": observations}
    table = read_table(write(tmp_path, "observed.json", json.dumps(document)))
    assert table.attributes == (Attribute("a", ("z", "y", "x"), (0, 1, 1)), Attribute("b", ("u", "v"), (1, 1)))
    assert table.observations == ((2, 0), (1, 1))


@pytest.mark.parametrize(
    ("name", "content", "sentence"), BAD, ids=[f"{name}-{index}" for index, (name, *_) in enumerate(BAD)]
)
def test_a_bad_table_is_named_with_its_place(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(DataError, match=re.escape(sentence)) as raised:
        read_table(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert len(str(raised.value)) < len(str(path)) + 200


def test_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("attribute,value,count\nволосы,нет,1\n".encode("cp1251"))
    with pytest.raises(DataError, match="line 2: the text is not UTF-8; save the file in UTF-8"):
        read_table(path)


def test_what_cannot_be_read_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"missing\.toml: cannot be read: No such file"):
        read_table(tmp_path / "missing.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputMissingError, match=r"folder\.toml: cannot be read: Is a directory"):
        read_table(tmp_path / "folder.toml")
