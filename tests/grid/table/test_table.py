"""CSV and JSON as people write them give the same rows, and what is doubtful is noted."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.table.matching import match_table
from clip_grid.grid.table.table import parse_table, read_table

BASE = 'filename,seed,prompt\r\na.png,9007199254740993,"a cat, ""sitting""\nby the sea"\r\nsub/b.png,042,café\r\n'


ROWS = ({"seed": "9007199254740993", "prompt": 'a cat, "sitting"\nby the sea'}, {"seed": "042", "prompt": "café"})


VARIATIONS = {
    "utf-8": BASE.encode(),
    "utf-8 with byte order mark": BASE.encode("utf-8-sig"),
    "utf-16 little": b"\xff\xfe" + BASE.encode("utf-16-le"),
    "utf-16 big": b"\xfe\xff" + BASE.encode("utf-16-be"),
    "utf-32": BASE.encode("utf-32"),
    "windows encoding": BASE.encode("cp1252"),
    "semicolons": BASE.replace("filename,seed,", "filename;seed;")
    .replace("a.png,9007199254740993,", "a.png;9007199254740993;")
    .replace("b.png,042,", "b.png;042;")
    .encode(),
    "tabs": BASE.replace(",", "\t").replace("cat\t", "cat,").encode(),
    "bars": BASE.replace(",", "|").replace("cat|", "cat,").encode(),
    "excel hint": b"sep=,\r\n" + BASE.encode(),
    "unix line ends": BASE.replace("\r\n", "\n").encode(),
    "old mac line ends": BASE.replace("\r\n", "\r").encode(),
    "no line end at the end": BASE.rstrip().encode(),
    "header in capitals": BASE.replace("filename", "File Name").encode(),
    "header with underscore": BASE.replace("filename", " IMAGE_PATH ").encode(),
    "key called file": BASE.replace("filename", "file").encode(),
    "key called image": BASE.replace("filename", "Image").encode(),
    "key called path": BASE.replace("filename", "path").encode(),
    "key called name": BASE.replace("filename", "Name").encode(),
    "blanks after the commas": BASE.replace(",", ", ").replace("cat,  ", "cat, ").encode(),
    "blank lines": BASE.replace("\r\n", "\r\n\r\n").encode(),
    "empty columns at the end": BASE.replace("\r\n", ",,\r\n").encode(),
}


def write(folder: Path, content: bytes | str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("content", VARIATIONS.values(), ids=VARIATIONS)
def test_every_dialect_and_encoding_gives_the_same_rows(tmp_path: Path, content: bytes):
    table = read_table(write(tmp_path, content))

    assert table.columns == ("seed", "prompt")
    assert table.keys == ("a.png", "sub/b.png")
    assert table.rows == ROWS
    assert table.keyed


JSON_FORMS = {
    "objects": '[{"filename": "a.png", "seed": 9007199254740993, "cfg": 7.0}, '
    '{"filename": "b.png", "seed": 2, "cfg": 1e2}]',
    "lines": '{"file_name": "a.png", "seed": 9007199254740993, "cfg": 7.0}\n'
    '{"file_name": "b.png", "seed": 2, "cfg": 1e2}\n',
    "columns": '{"filename": ["a.png", "b.png"], "seed": [9007199254740993, 2], "cfg": [7.0, 1e2]}',
    "files": '{"a.png": {"seed": 9007199254740993, "cfg": 7.0}, "b.png": {"seed": 2, "cfg": 1e2}}',
}


@pytest.mark.parametrize("text", JSON_FORMS.values(), ids=JSON_FORMS)
def test_every_json_form_gives_the_same_rows_with_numbers_as_written(tmp_path: Path, text: str):
    table = read_table(write(tmp_path, text, "labels.json"))

    assert table.columns == ("seed", "cfg")
    assert table.keys == ("a.png", "b.png")
    assert table.rows == ({"seed": "9007199254740993", "cfg": "7.0"}, {"seed": "2", "cfg": "1e2"})
    assert table.keyed


def test_json_columns_without_names_go_by_position_and_scalars_hold_for_all():
    table = parse_table('{"seed": [1, 2], "model": "sdxl", "steps": 20}', name="metadata")

    assert not table.keyed
    assert table.columns == ("seed", "model", "steps")
    assert match_table(table, ["a", "b", "c"]).rows == (
        {"seed": "1", "model": "sdxl", "steps": "20"},
        {"seed": "2", "model": "sdxl", "steps": "20"},
        {"model": "sdxl", "steps": "20"},
    )


def test_json_scalars_alone_hold_for_every_picture():
    match = match_table(parse_table('{"model": "sdxl"}', name="metadata"), ["a", "b"])

    assert match.rows == ({"model": "sdxl"}, {"model": "sdxl"})
    assert match.unmatched == ()


def test_json_columns_of_different_length_are_noted_and_keep_their_places():
    table = parse_table('{"seed": [1, null, 3], "cfg": [7]}', name="metadata")

    assert table.rows == ({"seed": "1", "cfg": "7"}, {}, {"seed": "3"})
    assert "seed 3, cfg 1" in table.notes[0]


def test_json_values_of_every_kind_become_text():
    table = parse_table('[{"a": true, "b": null, "c": [512, 768], "d": {"w": 1.5}, "e": NaN, "f": " x "}]', name="m")

    assert table.rows == ({"a": "true", "c": "512, 768", "d": "w: 1.5", "e": "NaN", "f": "x"},)


def test_one_json_object_that_names_a_picture_is_one_row():
    table = parse_table('{"file_name": "a.png", "text": "a cat"}', name="metadata.jsonl")

    assert (table.keys, table.rows) == (("a.png",), ({"text": "a cat"},))


def test_a_name_that_json_repeats_is_noted():
    table = parse_table('{"a.png": {"n": 1}, "a.png": {"n": 2}}', name="metadata")

    assert table.rows == ({"n": "2"},)
    assert "a.png" in table.notes[0]


def test_empty_json_is_an_empty_table():
    for text in ("{}", "[]"):
        table = parse_table(text, name="metadata")
        assert match_table(table, ["a.png"]).rows == (None,)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1,', "line 1, column"),
        ('["a", "b"]', "item 1"),
        ("[[1, 2]]", "item 1"),
        ("[" * 100_000, "nested more than 100 levels deep"),
    ],
)
def test_json_that_is_no_table_is_refused_by_name(text: str, reason: str):
    with pytest.raises(InputError, match=rf"(?s)metadata.*{reason}|{reason}.*metadata"):
        parse_table(text, name="metadata")


def test_a_json_file_with_a_single_value_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="single value"):
        read_table(write(tmp_path, "5", "labels.json"))


def test_decimal_commas_survive_semicolons():
    table = parse_table("filename;cfg;steps\na.png;7,5;20\nb.png;3,0;20\n", name="t")

    assert table.rows == ({"cfg": "7,5", "steps": "20"}, {"cfg": "3,0", "steps": "20"})


def test_semicolons_in_prompts_do_not_fool_the_delimiter():
    table = parse_table("seed,prompt\n1,a; b; c\n2,d; e; f\n", name="t")

    assert table.rows == ({"seed": "1", "prompt": "a; b; c"}, {"seed": "2", "prompt": "d; e; f"})


def test_a_single_column_of_labels_goes_by_position_with_its_blank_lines():
    table = parse_table("label\na cat\n\na dog\n\n", name="t")

    assert table.rows == ({"label": "a cat"}, {}, {"label": "a dog"})


def test_the_splitting_agrees_with_the_csv_module_on_regular_text():
    text = '"x ""y""",plain,\r\n,"two\r\nlines","a,b"\n"",5" pipe,"""q"""\n'
    expected = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(keepends=True))]

    table = parse_table("a,b,c\n" + text, name="t")

    assert [[row.get(column, "") for column in "abc"] for row in table.rows] == expected


def test_a_quote_that_is_never_closed_costs_no_other_row():
    table = parse_table('filename,label\na.png,"open\nb.png,two\n', name="t")

    assert table.rows == ({"label": '"open'}, {"label": "two"})


def test_line_separators_inside_a_cell_do_not_end_the_row():
    table = parse_table("filename,label\na.png,one\u2028two\x0bthree\x85four\n", name="t")

    assert table.rows == ({"label": "one\u2028two\x0bthree\x85four"},)


def test_a_cell_may_be_longer_than_the_csv_modules_limit():
    prompt = "long " * 100_000
    limit = csv.field_size_limit()

    table = parse_table(f'filename,prompt\na.png,"{prompt}"\n', name="t")

    assert table.rows == ({"prompt": prompt.strip()},)
    assert csv.field_size_limit() == limit


def test_ragged_rows_are_read_and_noted_by_line():
    table = parse_table('filename,seed,cfg\na.png,1\n"b.png",2,7,surplus\nc.png,3,8,\n', name="t")

    assert table.rows == ({"seed": "1"}, {"seed": "2", "cfg": "7"}, {"seed": "3", "cfg": "8"})
    assert [note.split(";")[0] for note in table.notes] == [
        "fewer cells than the header in line 2",
        "more cells than the header in line 3",
    ]


def test_line_numbers_count_the_lines_inside_cells():
    table = parse_table('filename,seed,cfg\na.png,"1\n1",2\nb.png,1\n', name="t")

    assert "line 4" in table.notes[0]


def test_repeated_and_missing_column_names_lose_nothing():
    table = parse_table("filename,Seed,seed,\na.png,1,2,3\n", name="t")

    assert table.columns == ("Seed", "seed (2)", "column 4")
    assert table.rows == ({"Seed": "1", "seed (2)": "2", "column 4": "3"},)
    assert len(table.notes) == 2


def test_the_best_key_column_is_taken_and_the_others_stay_values():
    table = parse_table("name,path,filename\nx,y,a.png\n", name="t")

    assert table.keys == ("a.png",)
    assert table.columns == ("name", "path")


def test_rows_without_a_file_name_are_noted():
    table = parse_table("filename,seed\n,1\nb.png,2\n", name="t")

    assert table.keys == ("b.png",)
    assert "row 1" in table.notes[0]


def test_a_code_page_is_noted_and_one_that_nobody_knows_is_refused_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    noted = read_table(write(tmp_path, "filename,a\nx.png,café\n".encode("cp1252"))).notes

    assert noted == (
        f"{tmp_path / 'labels.csv'} is not UTF-8; by its letters it was read as cp1252; "
        "if they are wrong, save it as UTF-8",
    )
    with pytest.raises(InputError, match=r"labels\.csv is not UTF-8, and no code page .*CSV UTF-8.*charset-normalizer"):
        read_table(write(tmp_path, b"filename,a\nx.png,\x81\xff\x8d\xfd\n"))


def test_charset_normalizer_is_asked_for_other_code_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = SimpleNamespace(best=lambda: SimpleNamespace(encoding="cp437"))
    monkeypatch.setitem(sys.modules, "charset_normalizer", SimpleNamespace(from_bytes=lambda raw: found))

    table = read_table(write(tmp_path, b"filename,a\nx.png,\x81\xff\x8d\xfd\n"))

    assert table.rows == ({"a": b"\x81\xff\x8d\xfd".decode("cp437").strip()},)
    assert "read as cp437" in table.notes[0]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_with_and_without_mark(tmp_path: Path, encoding: str, mark: str):
    table = read_table(write(tmp_path, f"{mark}filename,label\na.png,cat Ωж\nb.png,dog\n".encode(encoding)))

    assert (table.keys, table.rows, table.notes) == (("a.png", "b.png"), ({"label": "cat Ωж"}, {"label": "dog"}), ())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n", "is empty"),
        (b'""\n', "only empty cells"),
        (b"PK\x03\x04\x00\x00", "NUL"),
        (b"filename,a\nb\0.png,1\n", "NUL"),
        (b"\xff\xfef", "utf-16"),
        (b"seed,cfg\n1,2\n", "only seed, cfg;.*filename, file, file path, image, image path, path or name"),
    ],
)
def test_files_that_are_no_table_are_refused_by_name(tmp_path: Path, content: bytes, reason: str):
    with pytest.raises(InputError, match=rf"(?s)labels\.csv.*{reason}"):
        read_table(write(tmp_path, content))


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path):
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(InputError, match=path.name):
            read_table(path)


def test_a_header_alone_is_a_table_without_rows():
    table = parse_table("filename,seed\n", name="t")

    assert match_table(table, ["a.png"]).rows == (None,)


def test_invisible_marks_are_no_part_of_headers_names_and_numbers():
    header = "\ufeff\u200efile\u00adname,\u200bweight\u202c,note\n"
    text = f"{header}\u202aC:\\out\\a.png,0.5\u202c,x\u200b\nb\u200b.png,\u200e1,\u200b\n"
    table = parse_table(text, name="t")

    assert table.columns == ("weight", "note")
    assert match_table(table, ["a.png", "b.png", "C.PNG"]).rows == (
        {"weight": "0.5", "note": "x"},
        {"weight": "1"},
        None,
    )


def test_invisible_marks_in_json_are_no_part_of_names_and_numbers():
    table = parse_table('{"\\u202aa.png": {" seed\\u00a0": "7\\u2069"}}', name="t.json")

    assert match_table(table, ["a.png"]).rows == ({"seed": "7"},)


def test_marks_that_set_the_order_of_a_text_are_kept():
    hebrew, joined = "\u05e9\u05dc\u05d5\u05dd!\u200f", "\U0001f469\u200d\U0001f680 x"
    table = parse_table(f"filename,label\na.png,{hebrew}\nb.png,{joined}\n", name="t")

    assert table.rows == ({"label": hebrew}, {"label": joined})


def test_a_first_line_that_names_a_picture_is_a_row():
    table = parse_table("b.png,a dog\na.png,a cat\n", name="t")

    assert (table.keys, table.rows) == (("b.png", "a.png"), ({"label": "a dog"}, {"label": "a cat"}))
    assert table.notes == ("the first line names a picture, so it is taken for a row and not for the header",)


def test_a_column_of_file_names_names_the_pictures_whatever_it_is_called():
    table = parse_table("bild;seed\nb.png;1\na.png;2\n", name="t")

    assert (table.keys, table.columns) == (("b.png", "a.png"), ("seed",))


def test_a_cell_of_twenty_megabytes_is_cut_at_once_and_noted():
    table = parse_table("filename,prompt\na.png,x\nb.png," + "word " * 4_000_000 + "\n", name="t")

    assert [len(row["prompt"]) for row in table.rows] == [1, 1_000_000]
    assert table.notes == ("a cell of row 2 has more than 1000000 characters; only these many are read",)


@pytest.mark.parametrize("depth", [300, 450, 900, 5000, 100_000])
def test_deep_json_is_read_or_refused_whatever_its_depth(depth: int):
    for opening, closing in (("[", "]"), ('{"a":', "}"), ('[{"a.png":', "}]")):
        try:
            parse_table(opening * depth + "1" + closing * depth, name="t.json")
        except InputError as error:
            assert "t.json" in str(error)


def test_a_huge_number_keeps_its_digits():
    digits = "9" * 100_000

    assert parse_table(f'{{"a.png": {{"seed": {digits}}}}}', name="t.json").rows == ({"seed": digits},)
