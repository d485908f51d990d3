"""Tests: JSON of any content gives values of bounded number and depth, or one error; and one reader reads it all."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from clip_grid.clip_backend.calibration.calibration import calibration_target, fit_calibration, read_calibration
from clip_grid.errors import InputError, OutputError
from clip_grid.grid.pictures.metadata.columns import load_object
from clip_grid.grid.report import read_report
from clip_grid.grid.table.table import parse_table
from clip_grid.grid.template import GridTemplate, read_template, write_template
from clip_grid.json_text import FINITE, MAX_DEPTH, STRICT, JsonError, next_json, parse_json, parse_object, to_json

from .clip_backend.match_files.toy_match import ToyModel
from .test_architecture import MODULES, ROOT


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_bytes_are_read_in_every_encoding_of_unicode(encoding):
    assert parse_object('{"é": [1, 2.5, null]}'.encode(encoding)) == {"é": [1, 2.5, None]}
    assert parse_json(' \r\n\t"a" \n') == "a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expecting value at line 1, column 1"),
        ("[1,\n 2,]", "line 2"),
        ("{} x", "something follows its end at line 1, column 4"),
        (b'{"a": "\xff"}', "it is not utf-8: invalid start byte at byte 7"),
        ("[" * 100_000, "nested more than 100 levels deep"),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, "nested more than 100 levels deep"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested more than 100 levels deep"),
        ("[" + "[]," * 1_000_000 + "[]]", "more than 2,000,000 names and values"),
        pytest.param(
            "9" * 5000,
            "too many digits",
            marks=pytest.mark.skipif(sys.version_info < (3, 10, 7), reason="older Python reads them"),
        ),
    ],
    ids=["empty", "comma", "rest", "bytes", "lists", "objects", "too deep", "too many", "digits"],
)
def test_other_texts_raise_one_error_that_says_why(text, message):
    with pytest.raises(JsonError) as error:
        parse_json(text)
    assert message in str(error.value)


def test_the_deepest_value_that_is_read_can_be_written_again():
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH

    assert json.dumps(parse_json(text)) == text
    assert next_json("x" + text + "y", 1) == (parse_json(text), len(text) + 1)


def test_names_that_stand_twice_and_numbers_that_are_none_are_refused_where_it_matters():
    assert parse_json('{"a": 1, "a": 2}') == {"a": 2}
    with pytest.raises(JsonError, match="one object holds 'a' twice"):
        parse_json('[{"a": 1, "b": 1, "a": 2}]', STRICT)
    for decoder in (STRICT, FINITE):
        with pytest.raises(JsonError, match="NaN is no number of JSON"):
            parse_json("[NaN]", decoder)
    with pytest.raises(JsonError, match="it holds no object"):
        parse_object("[]")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" + "[]," * 1_000_000 + "[]]", "{", "\0", "3"])
def test_odd_json_is_not_ours_and_no_data(tmp_path, text):
    """Neither for a sidecar, a calibration and a template that stand in the way, nor in a picture or a table."""
    file = tmp_path / "a.json"
    file.write_text(text)

    assert read_report(file) is None
    with pytest.raises(OutputError, match="exists and is not a calibration"):
        calibration_target(file, overwrite=False)
    with pytest.raises(OutputError, match="exists and is not a template"):
        write_template(GridTemplate(), file)
    with pytest.raises(InputError):
        read_calibration(file)
    with pytest.raises(InputError):
        parse_table(text, name="a.json")
    assert load_object(text) == {}


def test_a_report_is_known_however_many_cells_it_has(tmp_path):
    head = {"images_found": 1, "grid_dimensions": "1x1", "pages": [{"path": "a.png"}]}
    cells = [{"values": {"cells": "\n [", "x": [[[0]]]}}] * 30_000
    file = tmp_path / "a.json"
    file.write_text(json.dumps(head | {"cells": cells, "warnings": []}, indent=1))

    assert read_report(file) == head | {"cells": []}
    file.write_text(json.dumps(head | {"cells": cells[:1]}))
    assert read_report(file) == head | {"cells": cells[:1]}


def test_what_no_encoding_can_hold_is_written_as_an_escape():
    value = {"猫\ud800": ["\udcff", "é", 1.5, None]}

    assert to_json(value) == '{"猫\\ud800": ["\\udcff", "é", 1.5, null]}'
    assert parse_json(to_json(value, indent=2).encode()) == value


def test_texts_with_lone_surrogates_are_saved_and_read_again(tmp_path):
    template = GridTemplate(name="n", title="a \ud800", row_headers="\udcff")
    write_template(template, tmp_path / "t.json")
    calibration = fit_calibration([0.1, 0.3, 0.2, 0.4] * 3, [0, 1, 0, 1] * 3, ToyModel(name="m\udcff"))
    calibration.save(tmp_path / "c.json")

    assert read_template(tmp_path / "t.json") == template
    assert read_calibration(tmp_path / "c.json") == calibration


@pytest.mark.parametrize("path", [path for path in MODULES if path != Path("json_text.py")], ids=str)
def test_no_other_module_reads_json(path):
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]

    # what the package itself brings is as it should be
    foreign = [call for call in calls if "Path(__file__).parent" not in call]
    assert not [call for call in foreign if call.startswith(("json.load", "DECODER.", "decoder."))]
    assert "RecursionError" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
