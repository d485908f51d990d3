from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.arrange.heat_map import STEPS, heat_color
from clip_grid.grid.arrange.tables import PageTable
from clip_grid.grid.colors import css_color
from clip_grid.grid.layout.plan import ScaleTexts
from clip_grid.grid.write.html import HtmlCell, HtmlSheet, write_html

PICTURE = b"not really a JPEG"
NASTY = """"><script>alert('x')</script> & {{title}} 春 😀 مرحبا"""


def table(
    rows: int, columns: int, row_headers: Sequence[str] = (), column_headers: Sequence[str] = (), title: str = ""
) -> PageTable:
    return PageTable(title, rows, columns, (), tuple(row_headers), tuple(column_headers))


SHEET = HtmlSheet(
    title="",
    header="",
    legend="",
    footer="",
    tables=[table(2, 2)],
    background="white",
    text_color="black",
    cell_width=256,
    cell_height=192,
    label_position="over",
    badge="",
    embedded={},
)
CELL = HtmlCell(
    page=0,
    row=0,
    column=0,
    picture=PICTURE,
    media_type="image/jpeg",
    width=64,
    height=48,
    label="a label",
    source="csv",
    name="a.png",
    values={"cfg": "7"},
    scores={"clip": 0.25},
)


class Reader(HTMLParser):
    """Elements as a browser would see them: (tag, attributes, text directly inside)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self.is_inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, []))
        self.is_inside = True

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = False

    def handle_data(self, data: str) -> None:
        if self.is_inside:
            self.elements[-1][2].append(data)

    def all(self, tag: str, kind: str = "") -> list[tuple[dict[str, str], str]]:
        found = [(attrs, "".join(text)) for name, attrs, text in self.elements if name == tag]
        return [(attrs, text) for attrs, text in found if not kind or kind in attrs.get("class", "").split()]


def page_of(sheet: HtmlSheet = SHEET, cells: Iterable[HtmlCell] = ()) -> str:
    file = io.StringIO()
    write_html(file, sheet, cells)
    return file.getvalue()


def test_a_cell_shows_its_picture_and_label_and_holds_its_data() -> None:
    reader = Reader(page_of(cells=[CELL]))

    ((figure, _),) = reader.all("figure")
    ((image, _),) = reader.all("img")
    assert json.loads(figure["data-cell"]) == {
        "file": "a.png",
        "source": "csv",
        "problem": "",
        "values": {"cfg": "7"},
        "scores": {"clip": 0.25},
    }
    assert image["src"] == "data:image/jpeg;base64," + base64.b64encode(PICTURE).decode()
    assert (image["alt"], image["width"], image["height"], image["loading"]) == ("a.png", "64", "48", "lazy")
    assert [text for _, text in reader.all("figcaption")] == ["a label"]


def test_texts_stay_texts_wherever_they_stand() -> None:
    nasty = table(1, 1, [NASTY], [NASTY], NASTY)
    sheet = replace(
        SHEET, title=NASTY, header=NASTY, legend=NASTY, footer=NASTY, tables=[nasty], badge=NASTY, embedded={"x": NASTY}
    )
    cell = replace(CELL, label=NASTY, name=NASTY, source=NASTY, values={NASTY: NASTY}, scores={}, badge=NASTY)

    reader = Reader(page_of(sheet, [cell]))

    plain = Reader(page_of(replace(SHEET, embedded={"x": "1"})))
    assert len(reader.all("script")) == len(plain.all("script")) == 2
    assert reader.all("title")[0][1] == reader.all("h1")[0][1] == NASTY
    assert [text for _, text in reader.all("p", "note")] == [NASTY] * 3
    assert reader.all("h2")[0][1] == NASTY
    assert [text for _, text in reader.all("figcaption")] == [NASTY]
    assert reader.all("span", "badge") == [({"class": "badge", "title": NASTY}, NASTY)]
    assert json.loads(reader.all("figure")[0][0]["data-cell"])["values"] == {NASTY: NASTY}
    assert reader.all("img")[0][0]["alt"] == NASTY


def test_the_direction_of_a_text_is_that_of_its_script() -> None:
    reader = Reader(page_of(replace(SHEET, tables=[table(1, 1, ["r"], ["c"], "t")]), [CELL]))

    for tag in ("h1", "th", "figcaption"):
        assert all(attributes["dir"] == "auto" for attributes, _ in reader.all(tag))


def test_the_page_refers_to_nothing_outside_of_itself() -> None:
    text = page_of(cells=[CELL])

    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(|fetch\(|XMLHttpRequest|import\(", text)
    assert {link["href"] for link, _ in Reader(text).all("link")} == {"data:,"}


def test_the_policy_allows_the_styles_and_the_script_of_the_page_and_nothing_else() -> None:
    text = page_of(cells=[CELL])

    policy = next(meta["content"] for meta, _ in Reader(text).all("meta") if "http-equiv" in meta)
    blocks = re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() for block in blocks]
    assert re.findall("'sha256-(.*?)'", policy) == digests
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]+ (style|on\w+)=", text)


def test_cells_are_written_as_they_come() -> None:
    file = io.StringIO()
    written = []

    def cells() -> Iterator[HtmlCell]:
        for row in range(50):
            written.append(file.getvalue().count("<figure"))
            yield replace(CELL, row=row)

    write_html(file, replace(SHEET, tables=[table(50, 1)]), cells())

    # the writer looks one cell ahead
    assert written == [0, *range(49)]


def test_no_write_is_larger_than_the_page_without_cells_or_one_cell() -> None:
    class Counter(io.StringIO):
        longest = 0

        def write(self, text: str) -> int:
            self.longest = max(self.longest, len(text))
            return len(text)

    file = Counter()
    cells = (replace(CELL, row=row, picture=bytes(60_000), media_type="image/png") for row in range(20))

    write_html(file, replace(SHEET, tables=[table(20, 1)]), cells)

    assert 80_000 < file.longest < 81_000


def test_each_page_is_a_table_with_all_its_cells() -> None:
    tables = [table(2, 3, ["r1", "r2"], ["c1", "c2", "c3"], "first"), table(1, 2)]
    cells = [replace(CELL, row=1, column=2), replace(CELL, page=1, column=1)]

    text = page_of(replace(SHEET, tables=tables), cells)

    first, second = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert re.findall(r'<th scope="(\w+)" dir="auto"><span>(\w+)', first) == [
        ("col", "c1"),
        ("col", "c2"),
        ("col", "c3"),
        ("row", "r1"),
        ("row", "r2"),
    ]
    # the corner and six cells; one has a picture
    assert first.count("<td>") == 1 + 6 and first.count("<figure") == 1
    assert "<th" not in second and re.sub(r"<figure.*?</figure>", "*", second, flags=re.DOTALL).count("<td>") == 2


def test_a_missing_picture_shows_its_problem() -> None:
    reader = Reader(page_of(cells=[replace(CELL, picture=b"", problem="a.png is truncated")]))

    assert reader.all("img") == []
    assert [text for _, text in reader.all("p", "problem")] == ["a.png is truncated"]


@pytest.mark.parametrize("place", [{"row": 2}, {"column": 5}, {"page": 1}])
def test_a_cell_outside_of_its_page_is_refused(place: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"a\.png .*out of order or outside"):
        page_of(cells=[replace(CELL, **place)])


def test_cells_out_of_order_are_refused() -> None:
    with pytest.raises(InputError, match="row 0, column 0"):
        page_of(cells=[replace(CELL, column=1), CELL])


def test_embedded_json_is_kept_as_it_is_and_cannot_end_its_block() -> None:
    workflow = '{"a": "</script><!-- & \u2028", "seed": 12345678901234567890}'

    text = page_of(replace(SHEET, embedded={"workflow": workflow, "prompt": ""}))

    block = re.search(r'<script type="application/json" id="embedded-workflow">(.*?)</script>', text)
    assert block and not set("<>&\u2028") & set(block[1])
    assert json.loads(block[1]) == json.loads(workflow)
    assert "embedded-prompt" not in text


def test_embedded_text_that_is_not_json_becomes_a_json_string() -> None:
    text = page_of(replace(SHEET, embedded={"parameters": 'a "cat"\nSteps: 20 </script>'}))

    block = re.search(r'id="embedded-parameters">(.*?)</script>', text)
    assert block and json.loads(block[1]) == 'a "cat"\nSteps: 20 </script>'


def test_a_badge_is_titled_with_the_name_of_its_score() -> None:
    text = page_of(replace(SHEET, badge="clip"), [replace(CELL, badge="0.250")])

    assert Reader(text).all("span", "badge") == [({"class": "badge", "title": "clip"}, "0.250")]


def test_scores_that_json_cannot_hold_are_left_out() -> None:
    text = page_of(cells=[replace(CELL, scores={"a": float("nan"), "b": 1.0})])

    assert json.loads(Reader(text).all("figure")[0][0]["data-cell"])["scores"] == {"b": 1.0}


def test_the_winner_is_marked() -> None:
    reader = Reader(page_of(cells=[replace(CELL, winner=True), replace(CELL, column=1)]))

    assert [figure["class"] for figure, _ in reader.all("figure")] == ["cell winner", "cell"]


def test_the_sheet_gives_its_colours_and_sizes() -> None:
    text = page_of(replace(SHEET, background="rgb(30, 30, 30)", text_color="#fff"))

    assert ":root { --page: rgb(30, 30, 30); --ink: #fff; --cell-width: 256px; --cell-height: 192px; }" in text


def test_a_transparent_page_is_white() -> None:
    assert "--page: white;" in page_of(replace(SHEET, background="transparent"))


@pytest.mark.parametrize("colour", ["red; } body { display: none", "</style>", "", "url('x')"])
def test_what_is_not_a_colour_is_refused(colour: str) -> None:
    with pytest.raises(InputError, match="is not a colour"):
        page_of(replace(SHEET, background=colour))


def test_names_that_are_not_unicode_can_be_written() -> None:
    page_of(cells=[replace(CELL, name="a\udc80.png", label="\udc80")]).encode("utf-8")


def test_the_same_cells_give_the_same_page() -> None:
    assert page_of(cells=[CELL]) == page_of(cells=[CELL])


def test_the_script_finds_every_element_that_it_asks_for() -> None:
    text = page_of()

    ids = {attributes["id"] for _, attributes, _ in Reader(text).elements if "id" in attributes}
    asked = set(re.findall(r'(?:byId|input|dialog)\("([\w-]+)"\)', text))
    assert asked and asked <= ids


def test_the_column_axis_is_named_once_over_all_columns() -> None:
    named = replace(table(1, 3, ["r"], ["1", "2", "3"]), row_axis="sampler", column_axis="cfg")

    reader = Reader(page_of(replace(SHEET, tables=[named])))

    assert [text for _, text in reader.all("small", "axis")] == ["cfg", "sampler"]
    over = [attributes["colspan"] for attributes, _ in reader.all("th") if attributes["scope"] == "colgroup"]
    assert over == ["3"]


def test_a_table_without_headers_is_marked_for_as_many_columns_as_fit() -> None:
    reader = Reader(page_of(replace(SHEET, tables=[table(1, 2), table(1, 2, ["r"])])))

    assert [attributes["class"] for attributes, _ in reader.all("table")] == ["grid plain", "grid"]


def test_the_scale_of_a_heat_map_shows_its_ends_and_colours() -> None:
    text = page_of(replace(SHEET, scale=ScaleTexts("<match>", "0.211", "0.265")))

    scale = re.search(r'<p class="note scale">(.*?)</p>', text)
    assert scale and re.findall(r">([^<]+)</span>", scale[1]) == ["&lt;match&gt;", "0.211", "0.265"]
    colours = re.search(r"\.scale i \{ background: linear-gradient\(90deg, (.*?)\)", text)
    assert colours and [colours[1].split(", ")[end] for end in (0, -1)] == [
        css_color(heat_color(0)),
        css_color(heat_color(STEPS - 1)),
    ]
    assert '<p class="note scale">' not in page_of()


def test_a_sheet_without_colours_of_its_own_is_dark_where_the_reader_prefers_it() -> None:
    assert "prefers-color-scheme: dark) {" in page_of(replace(SHEET, follows_scheme=True))
    assert "prefers-color-scheme: dark) {" not in page_of()


def test_the_script_holds_the_query_of_the_viewer_word_for_word() -> None:
    module = (Path(__file__).parents[3] / "web" / "lib" / "viewer" / "query.mjs").read_text("utf-8")

    assert module.replace("\nexport ", "\n") in page_of()
