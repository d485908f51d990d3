from __future__ import annotations

import json
from pathlib import Path

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.template import (
    FORMATS,
    GridTemplate,
    built_in_templates,
    find_template,
    parse_sources,
    read_template,
    saved_templates,
    split_columns,
    split_headers,
    template_path,
)
from clip_grid.options import options_of

from .samples import flats, plan

#: rows, columns, cell width, cell height, margin, font size of the eight that older files may name.
EIGHT = {
    "default": (3, 3, 256, 256, 10, 16),
    "compact": (4, 4, 200, 200, 5, 12),
    "large": (2, 2, 400, 400, 20, 20),
    "presentation": (3, 3, 300, 300, 15, 18),
    "comparison": (2, 2, 350, 350, 12, 16),
    "gallery": (4, 4, 250, 250, 8, 14),
    "wide": (2, 5, 280, 280, 10, 16),
    "tall": (5, 2, 280, 280, 10, 16),
}

#: A value other than the default for every option.
OTHER: dict[str, object] = {
    "rows": 2, "columns": 3, "cell_width": 100, "cell_height": 120, "fit": "cover", "margin": 3, "font": "DejaVu Sans",
    "font_size": 9, "text_color": "#123456", "background": "1,2,3", "label_position": "over", "title": "né\n\"q\"",
    "row_headers": "a;b", "column_headers": "c\nd", "x_axis": "cfg", "y_axis": "none", "sort_by": "seed",
    "label_columns": "seed, cfg", "label_format": "{seed} · {cfg}\\n日本", "format": "webp", "quality": 1,
    "on_overflow": "stop", "page_axis": "model", "reverse": True, "gap": 0, "enlarge": True, "label_sources": "csv",
    "min_font_size": 5, "label_align": "left", "outline_color": "red", "outline_width": 0, "page_text_color": "#abc",
    "pad_color": "blue", "border_width": 2, "border_color": "lime", "header": "h", "footer": "f", "legend": "off",
    "badge": "score", "winner": "lowest", "resample": "lanczos", "sidecar": False, "heatmap": "on",
    "scores_csv": True,
}  # fmt: skip


def six(template: GridTemplate) -> tuple[int, ...]:
    return (
        template.rows, template.columns, template.cell_width, template.cell_height, template.margin, template.font_size,
    )  # fmt: skip


# built in


@pytest.mark.parametrize("name", sorted(EIGHT))
def test_the_eight_well_known_templates_have_exactly_their_numbers(name):
    template = built_in_templates()[name]

    assert template.name == name
    # but for the rows, which would cut a folder of 37 pictures into five files
    assert six(template) == (0, *EIGHT[name][1:])
    assert template == GridTemplate(name=name).with_options(dict(zip(
        ("columns", "cell_width", "cell_height", "margin", "font_size"), EIGHT[name][1:], strict=True
    )))  # fmt: skip


def test_no_built_in_template_makes_pages_of_a_folder_that_fits_on_one():
    assert [name for name, template in built_in_templates().items() if template.rows] == []
    assert len(plan(flats(37), **vars_of("default")).plan.pages) == 1


def vars_of(name: str) -> dict[str, object]:
    template = built_in_templates()[name]
    return {key: getattr(template, key) for key in options_of(GridTemplate)}


def test_every_built_in_template_loads_under_its_name_without_unknown_keys():
    for name, template in built_in_templates().items():
        assert (template.name, dict(template.unknown)) == (name, {})
        assert template_path(name, Path("x")) == Path("x") / f"{name}.json"
        assert GridTemplate.from_json(template.to_json()) == template


# round trip


def test_a_template_with_every_option_changed_comes_back_equal():
    options = options_of(GridTemplate)
    # an option that is newer than this list
    others = {name: OTHER.get(name, not spec.default if spec.default is False else 1) for name, spec in options.items()}
    template = GridTemplate(name="all", unknown={"later": [1, {"a": None}]}, **others)  # type: ignore[arg-type]

    again = GridTemplate.from_json(template.to_json())

    assert again == template
    assert all(getattr(again, name) != spec.default for name, spec in options.items())


def test_the_default_template_comes_back_equal():
    assert GridTemplate.from_json(GridTemplate().to_json()) == GridTemplate()


def test_a_file_holds_the_name_and_every_option_with_its_value():
    written = json.loads(GridTemplate(name="né").to_json())

    assert list(written) == ["name", *options_of(GridTemplate)]
    assert written["name"] == "né" and written["margin"] == 10 and written["sidecar"] is True


def test_unknown_keys_are_kept_and_written_back():
    text = '{"name": "n", "margin": 4, "future_option": {"deep": [1, 2]}, "rows ": 3}'

    template = GridTemplate.from_json(text)

    assert dict(template.unknown) == {"future_option": {"deep": [1, 2]}, "rows ": 3}
    assert template.rows == 0
    assert json.loads(template.to_json())["future_option"] == {"deep": [1, 2]}
    assert dict(template.with_options({"margin": 5}).with_name("m").unknown) == dict(template.unknown)


# files of six keys


def test_an_older_file_of_six_keys_loads_unchanged():
    text = '{"name": "mine", "rows": 3, "cols": 4, "cell_size": [256, 128], "margin": 10, "font_size": 16}'

    template = GridTemplate.from_json(text)

    assert template == GridTemplate(
        name="mine", rows=3, columns=4, cell_width=256, cell_height=128, margin=10, font_size=16
    )


def test_null_means_automatic_in_an_older_file():
    template = GridTemplate.from_json('{"name": "n", "rows": null, "cols": null, "cell_size": [256, null]}')

    assert six(template) == (0, 0, 256, 0, 10, 0)


@pytest.mark.parametrize(("written", "meant"), [("jpg", "jpeg"), ("JPG", "jpeg"), ("tif", "tiff"), ("jpeg", "jpeg")])
def test_the_formats_of_older_files_are_understood(written, meant):
    assert GridTemplate.from_json(json.dumps({"format": written})).format == meant


# bad files


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "holds a list; it must be an object"),
        ("null", "holds a NoneType; it must be an object"),
        ('"x"', "holds a str"),
        ('{"margin": -1}', "margin is -1; it must be in the range 0 to 2,000"),
        ('{"margin": null}', "margin is None"),
        ('{"margin": NaN}', "margin is nan"),
        ('{"rows": -1}', "rows is -1"),
        ('{"rows": 1.5}', "rows is 1.5; it must be a whole number"),
        ('{"rows": 1e999}', "rows is inf"),
        ('{"rows": "many"}', "rows is 'many'"),
        ('{"cols": -2}', "columns is -2"),
        ('{"quality": 0}', "quality is 0; it must be in the range 1 to 100"),
        ('{"format": "psd"}', "format is 'psd'; it must be one of " + ", ".join(FORMATS)),
        ('{"fit": ["cover"]}', "fit is .*must be a text"),
        ('{"title": {"a": 1}}', "title is .*must be a text"),
        ('{"reverse": "perhaps"}', "reverse is 'perhaps'; it must be true or false"),
        ('{"background": "blurple"}', "background is 'blurple'; it must be a colour"),
        ('{"outline_color": ""}', "outline_color is ''"),
        ('{"label_sources": "csv, tarot"}', "label_sources names 'tarot'"),
        ('{"cell_size": 256}', r"cell_size is 256; it must be \[width, height\]"),
        ('{"cell_size": [1, 2, 3]}', "cell_size"),
        ('{"cell_size": [1, "wide"]}', "cell_height is 'wide'"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_key(tmp_path, text, message):
    (tmp_path / "bad.json").write_text(text)

    with pytest.raises(InputError, match=message) as caught:
        read_template(tmp_path / "bad.json")
    assert str(tmp_path / "bad.json") in str(caught.value)


def test_a_file_that_cannot_be_read_says_so(tmp_path):
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\xff")

    for name, reason in (("no.json", "does not exist"), ("bytes.json", "is not UTF-8"), (".", "it is a folder")):
        with pytest.raises(InputError, match=reason):
            read_template(tmp_path / name)


def test_a_byte_order_mark_does_no_harm_and_a_file_without_a_name_is_called_like_itself(tmp_path):
    (tmp_path / "mine v1.2.json").write_bytes(b'\xef\xbb\xbf{"margin": 3}')
    (tmp_path / "null.json").write_text('{"name": null}')

    assert read_template(tmp_path / "mine v1.2.json") == GridTemplate(name="mine v1.2", margin=3)
    assert read_template(tmp_path / "null.json").name == "null"


def test_options_are_checked_however_a_template_is_made():
    with pytest.raises(InputError, match="margin is -5"):
        GridTemplate(margin=-5)
    with pytest.raises(InputError, match="there is no option 'collumns'; did you mean 'columns'"):
        GridTemplate().with_options({"collumns": 3})
    assert GridTemplate().with_options({"rows": "4", "reverse": "yes"}) == GridTemplate(rows=4, reverse=True)


# saved templates


def test_a_saved_template_is_found_and_beats_the_built_in_one(tmp_path):
    path = template_path("compact", tmp_path)
    path.write_text(GridTemplate(name="compact", margin=99).to_json())

    assert find_template("compact", tmp_path).margin == 99
    assert find_template("compact").margin == 5
    assert find_template("large", tmp_path).margin == 20


def test_only_template_files_are_listed(tmp_path):
    for name in ("b.json", "a.json", ".hidden.json", "notes.txt"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "folder.json").mkdir()

    assert list(saved_templates(tmp_path)) == ["a", "b"]
    assert saved_templates(tmp_path / "no") == {}


@pytest.mark.parametrize("name", ["compct", "", "../compact", "/etc/passwd", "a\0b"])
def test_an_unknown_name_is_refused_with_those_that_are_known(tmp_path, name):
    (tmp_path / "mine.json").write_text("{}")

    with pytest.raises(InputError, match=r"there is no template .*known are .*compact.*mine"):
        find_template(name, tmp_path)


def test_a_misspelt_name_gets_a_hint():
    with pytest.raises(InputError, match="did you mean 'compact'"):
        find_template("compct")


@pytest.mark.parametrize("name", ["mine", "My grid 2", "né 日本", "v1.2", "a-b_c", "console"])
def test_a_plain_name_is_a_file_in_the_folder(tmp_path, name):
    assert template_path(name, tmp_path) == tmp_path / f"{name}.json"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a\\b", "/etc/x", "C:x", ".hidden", "a\0", "a\nb", "x?", "x" * 201, "日" * 100,
     "trailing ", " leading", "dot.", "NUL", "com1", "aux.txt"],
)  # fmt: skip
def test_a_name_cannot_leave_the_folder_or_be_anything_but_a_file_name(tmp_path, name):
    with pytest.raises(InputError, match="cannot name a template"):
        template_path(name, tmp_path)


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_file_without_permission_says_so(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "a.json").chmod(0)

    with pytest.raises(InputError, match="cannot be read"):
        find_template("a", tmp_path)


def test_sources_are_parsed_in_any_case_and_unknown_ones_refused():
    assert parse_sources("CSV; clip\nfilename,") == {"csv", "clip", "filename"}
    with pytest.raises(InputError, match=r"names 'metdata'; it may name text, .*; did you mean 'metadata'"):
        parse_sources("metdata")


def test_columns_are_split_at_commas_semicolons_and_lines():
    assert split_columns("seed, cfg scale;steps\n sampler ,,") == ["seed", "cfg scale", "steps", "sampler"]
    assert split_columns(" ") == []


def test_headers_are_lines_or_parts_of_one_line():
    assert split_headers("a; b;c") == ["a", "b", "c"]
    assert split_headers("a; b\n\nc\n") == ["a; b", "", "c"]
    assert split_headers("") == split_headers("\n") == []


# --- other names


def test_columns_and_the_size_of_cells_may_be_given_by_their_short_names():
    template = GridTemplate(name="mine", rows=2, cols=3, cell_size=(300, 200), margin=5, font_size=12)

    assert six(template) == (2, 3, 300, 200, 5, 12)
    assert template == GridTemplate(
        name="mine", rows=2, columns=3, cell_width=300, cell_height=200, margin=5, font_size=12
    )
    assert GridTemplate.from_json(template.to_json()) == template
    assert six(template.with_options({"columns": 0})) == (2, 0, 300, 200, 5, 12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cols": -1}, "columns is -1"),
        ({"cell_size": 256}, r"cell_size is 256; it must be \[width, height\]"),
        ({"cell_size": (1, 2, 3)}, "it must be"),
        ({"cell_size": (0, "wide")}, "cell_height is 'wide'"),
        ({"cols": 3, "columns": 4}, "columns was given and so was cols"),
        ({"cell_size": (64, 64), "cell_height": 32}, "cell_height was given and so was cell_size"),
    ],
)
def test_short_names_are_checked_like_the_others(given, message):
    with pytest.raises(InputError, match=message):
        GridTemplate(**given)
