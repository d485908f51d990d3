"""Heat maps: means over all pages, in colours that can be told apart and read."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise

import numpy as np
import pytest
from clip_grid.errors import ClipGridError, InputError
from clip_grid.grid.arrange.heat_map import STEPS, HeatScale, heat_color
from clip_grid.grid.colors import readable_on, relative_luminance
from clip_grid.grid.layout.plan import TextPlan
from clip_grid.grid.planner import PlannedSheet
from clip_grid.grid.table.table import parse_table
from hypothesis import given
from hypothesis import strategies as st

from ..samples import export, flats, painted, plan

COLORS = [heat_color(step) for step in range(STEPS)]


numbers = st.floats(allow_nan=False, allow_infinity=False)


def test_each_colour_is_lighter_than_the_one_before():
    luminance = [relative_luminance(color) for color in COLORS]

    assert all(lower < higher for lower, higher in pairwise(luminance))
    assert luminance[0] < 0.05 and luminance[-1] > 0.75


def test_the_steps_of_lightness_are_even():
    # CIE 1976 lightness of the luminance, another scale than the one that the colours were made from
    lightness = np.array([116 * np.cbrt(relative_luminance(color)) - 16 for color in COLORS])

    tenths = np.diff(lightness[:: STEPS // 10])
    assert tenths.min() > 0.6 * tenths.mean() and tenths.max() < 1.6 * tenths.mean()


@pytest.mark.parametrize("step", [0, STEPS // 2, STEPS - 1])
def test_texts_on_a_colour_have_the_contrast_that_accessibility_asks_for(step):
    low, high = sorted(relative_luminance(color) for color in (COLORS[step], readable_on((*COLORS[step], 255))))

    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_ends_of_a_scale_have_the_first_and_the_last_colour():
    scale = HeatScale.over([0.3, 0.1, 0.2])

    assert [scale.color(value) for value in (0.1, 0.3)] == [COLORS[0], COLORS[-1]]


def test_a_single_value_has_the_middle_colour():
    assert HeatScale.over([0.25]).color(0.25) == heat_color(round((STEPS - 1) / 2))


@given(st.lists(numbers, min_size=1), st.data())
def test_a_larger_value_is_never_darker(values, data):
    scale = HeatScale.over(values)
    lower, higher = sorted(data.draw(st.tuples(st.sampled_from(values), st.sampled_from(values))))

    assert relative_luminance(scale.color(lower)) <= relative_luminance(scale.color(higher))
    assert not math.isnan(sum(scale.color(lower)))


NAN = float("nan")


CFG, SAMPLER = ("3", "5.5", "7", "12"), ("ddim", "euler", "heun", "lms")


def table(count: int = 16, **more: list[str]):
    """cfg runs fastest, then the sampler; ``more`` are further columns."""
    rows = [{"cfg": CFG[i % 4], "sampler": SAMPLER[i // 4 % 4]} for i in range(count)]
    rows = [row | {name: values[i] for name, values in more.items()} for i, row in enumerate(rows)]
    return parse_table(json.dumps(rows), name="table")


def scored(values, name="cosine"):
    return [{} if value is None else {name: value} for value in values]


def random_scores(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.15, 0.35, 16)


def four_by_four(values=None, **options) -> PlannedSheet:
    scores = scored(random_scores() if values is None else values)
    given = {"label_position": "none", "cell_width": 128, "cell_height": 96, "heatmap": "on", **options}
    return plan(flats(16), {"table": table(), "scores": scores}, **given)


def means_of(planned: PlannedSheet) -> list[TextPlan]:
    return [text for page in planned.plan.pages for band in page.bands for text in band.texts if text.kind == "mean"]


def test_means_are_those_of_a_plain_loop():
    values = random_scores()

    found = four_by_four(values).heat_map.to_dict()

    assert [found["x"]["means"][cfg] for cfg in CFG] == pytest.approx([values[i::4].mean() for i in range(4)])
    assert [found["y"]["means"][s] for s in SAMPLER] == pytest.approx([values[4 * i :][:4].mean() for i in range(4)])
    assert np.array(found["cells"]) == pytest.approx(values.reshape(4, 4))
    assert (found["score"], found["low"], found["high"]) == ("cosine", values.min(), values.max())


def test_pictures_without_a_finite_score_are_left_out_of_the_means():
    values = [*random_scores()]
    values[0], values[5], values[10] = NAN, None, float("inf")
    known = np.array([value if value is not None and np.isfinite(value) else NAN for value in values])

    planned = four_by_four(values)

    found = planned.heat_map.to_dict()
    assert [found["x"]["means"][cfg] for cfg in CFG] == pytest.approx([np.nanmean(known[i::4]) for i in range(4)])
    assert [found["cells"][i][i] for i in range(4)] == [None, None, None, known[15]]
    assert sorted(set(range(16)) - set(planned.badges.tints)) == [0, 5, 10]


def test_a_value_without_any_score_has_no_mean_and_no_badge():
    planned = four_by_four([None if i % 4 == 1 else i / 16 for i in range(16)])

    assert planned.heat_map.to_dict()["x"]["means"]["5.5"] is None
    assert len(means_of(planned)) == 7


def test_means_are_over_all_pages():
    values = np.arange(16) / 16
    inputs = {"table": table(model=["a", "b"] * 8), "scores": scored(values)}

    planned = plan(flats(16), inputs, heatmap="on", x_axis="sampler", y_axis="none", page_axis="model")

    assert len(planned.plan.pages) == 2
    assert [*planned.heat_map.x.means.values()] == pytest.approx(values.reshape(4, 4).mean(axis=1))
    texts = [text.text for text in means_of(planned)]
    assert texts == [f"mean {mean:.3f}" for mean in values.reshape(4, 4).mean(axis=1)] * 2


def test_pictures_without_a_value_of_the_axis_have_a_mean_of_their_own():
    rows = [{"cfg": "1"}, {"cfg": "1"}, {"cfg": "2"}, {"seed": "9"}]
    inputs = {"table": parse_table(json.dumps(rows), name="t"), "scores": scored([0.1, 0.3, 0.4, 0.5])}

    planned = plan(flats(4), inputs, heatmap="on", x_axis="cfg", y_axis="none", page_axis="none")

    assert dict(planned.heat_map.x.means) == {"1": pytest.approx(0.2), "2": 0.4, "–": 0.5}
    assert [text.text for text in means_of(planned)] == ["mean 0.200", "mean 0.400", "mean 0.500"]


def test_sorting_moves_no_score_to_another_value():
    values = random_scores()

    one, other = four_by_four(values).heat_map, four_by_four(values, sort_by="cosine", reverse=True).heat_map

    assert one.to_dict() == other.to_dict()


def test_each_header_has_its_mean_below_it_and_both_fit():
    planned = four_by_four()

    (page,) = planned.plan.pages
    texts = [text for band in page.bands for text in band.texts]
    for kind, means in (("column", means_of(planned)[:4]), ("row", means_of(planned)[4:])):
        headers = [text for text in texts if text.kind == kind]
        for header, mean in zip(headers, means, strict=True):
            assert header.box.bottom <= mean.box.y and mean.box.x < header.box.right
    for one in texts:
        assert not any(overlap(one.box, other.box) for other in texts if other is not one)


def overlap(one, other) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


@pytest.mark.parametrize("side", [24, 48, 200])
def test_no_mean_is_cut_however_small_the_cells(side, tmp_path):
    inputs = {"table": table(), "scores": scored(random_scores())}
    options = {"cell_width": side, "cell_height": side, "label_position": "none", "heatmap": "on"}

    report = export(flats(16), tmp_path / "s.png", inputs, **options)

    assert report.warnings == ()


def test_means_stand_on_the_colour_of_their_number():
    planned = four_by_four([i / 15 for i in range(16)])

    page = painted(planned)
    darkest, lightest = planned.plan.pages[0].cells[0].area, planned.plan.pages[0].cells[15].area
    assert has_color(page, darkest, heat_color(0)) and has_color(page, lightest, heat_color(99))
    for mean in means_of(planned):
        assert has_color(page, mean.box, mean.tint)


def has_color(page, box, color) -> bool:
    part = page[box.y : box.bottom, box.x : box.right]
    return bool((part == color).all(axis=2).sum() >= 20)


def test_a_sheet_without_a_heat_map_stays_as_it_was():
    plain = four_by_four(heatmap="off", badge="cosine")

    assert plain.heat_map is None and means_of(plain) == [] and plain.badges.tints == {}


def test_without_axes_only_the_badges_are_tinted_and_a_warning_says_so():
    planned = plan(flats(3), {"scores": scored([0.1, 0.2, 0.3])}, heatmap="on")

    assert planned.badges.texts == {0: "0.100", 1: "0.200", 2: "0.300"}
    assert planned.badges.tints == {0: heat_color(0), 1: heat_color(50), 2: heat_color(99)}
    assert means_of(planned) == []
    assert planned.warnings == ("the heat map has no table with axes to show means on; only the badges are tinted",)


def test_a_column_of_numbers_can_be_the_heat():
    inputs = {"table": table(aesthetic=[str(i) for i in range(16)])}

    planned = plan(flats(16), inputs, heatmap="on", badge="Aesthetic", x_axis="cfg", y_axis="sampler", page_axis="none")

    assert planned.heat_map.score == "aesthetic"
    assert [*planned.heat_map.x.means.values()] == [6, 7, 8, 9]


def test_a_split_table_keeps_the_mean_of_each_column():
    planned = four_by_four([i % 4 for i in range(16)], columns=2, rows=2, x_axis="cfg", y_axis="sampler")

    columns = [[plate.text for plate in page.table.column_means] for page in planned.plan.pages]
    # 1.5 in each row needs a decimal, and all numbers of a sheet are written alike
    assert columns == [["mean 0.0", "mean 1.0"], ["mean 2.0", "mean 3.0"]] * 2
    assert {*planned.badges.texts.values()} == {"0.0", "1.0", "2.0", "3.0"}


def test_a_heat_map_must_know_its_score():
    with pytest.raises(InputError, match="scores a, b; name one of them in badge"):
        plan(flats(2), {"scores": [{"a": 1, "b": 2}]}, heatmap="on")


def test_a_heat_map_and_a_winner_without_scores_are_warnings_alike():
    def warnings(**options):
        return plan(flats(2), {"scores": options.pop("scores", [])}, **options).warnings

    cure = "the pictures have no score; give scores, or name a column of numbers in badge"
    assert warnings(heatmap="on") == (f"there is no heat map: {cure}",)
    assert warnings(winner="lowest") == (f"no picture is marked as the winner: {cure}",)
    assert warnings(winner="highest", heatmap="on") == (
        f"there is no heat map: {cure}",
        f"no picture is marked as the winner: {cure}",
    )
    assert warnings(winner="highest", scores=[{"a": 1, "b": 2}]) == (
        "no picture is marked as the winner: no score is named; name one of the scores a, b in badge",
    )


def test_a_heat_map_without_a_number_costs_a_warning():
    planned = plan(flats(2), {"scores": scored([NAN, NAN])}, heatmap="on")

    assert planned.heat_map is None and planned.badges.texts == {0: "–", 1: "–"}
    assert planned.warnings == ("there is no heat map: no cosine of a picture is a number",)


def test_a_scorer_that_fails_costs_the_heat_map_and_not_the_sheet():
    def scorer(pictures):
        raise ClipGridError("the model is not there")

    planned = plan(flats(2), {"scorer": scorer}, heatmap="on")

    assert planned.warnings == (
        "no scores from CLIP: the model is not there",
        "there is no heat map: the pictures have no score; give scores, or name a column of numbers in badge",
    )


@pytest.mark.parametrize("name", ["sheet.png", "sheet.jpg", "sheet.html", "sheet.pdf"])
def test_the_report_has_the_heat_map_in_every_format(name, tmp_path):
    inputs = {"table": table(), "scores": scored(random_scores())}
    format = {"jpg": "jpeg"}.get(name[6:], name[6:])

    report = export(flats(16), tmp_path / name, inputs, heatmap="on", format=format)
    plain = export(flats(16), tmp_path / f"plain-{name}", inputs, format=format)

    assert json.loads((tmp_path / "sheet.json").read_text("utf-8"))["heatmap"] == report.heat_map.to_dict()
    assert "heatmap" not in plain.to_dict()


def test_html_shows_the_means_on_their_colours(tmp_path):
    inputs = {"table": table(), "scores": scored([i / 15 for i in range(16)])}

    export(flats(16), tmp_path / "s.html", inputs, heatmap="on", format="html", winner="highest")

    text = (tmp_path / "s.html").read_text("utf-8")
    assert re.findall(r'"mean plate [\w-]+">(.*?)<', text) == [
        "mean 0.400", "mean 0.467", "mean 0.533", "mean 0.600",
        "mean 0.100", "mean 0.367", "mean 0.633", "mean 0.900",
    ]  # fmt: skip
    badges = re.findall(r'"badge plate (tint-\w+)" title="cosine">(.*?)<', text)
    assert [shown for _, shown in badges] == [f"{i / 15:.3f}" for i in range(16)]
    assert badges[0][0] == "tint-" + bytes(heat_color(0)).hex()
    for tint in set(re.findall(r"tint-(\w+)", text)):
        assert f"span.plate.tint-{tint} {{ background: #{tint}; color: #" in text
    assert " style=" not in text


def test_the_words_of_a_pdf_include_means_and_badges(tmp_path):
    pypdf = pytest.importorskip("pypdf")
    pytest.importorskip("fpdf")
    inputs = {"table": table(), "scores": scored([i / 15 for i in range(16)])}

    export(flats(16), tmp_path / "s.pdf", inputs, heatmap="on", format="pdf", label_position="none")

    words = pypdf.PdfReader(tmp_path / "s.pdf").pages[0].extract_text()
    assert "mean 0.900" in words and "0.867" in words
