"""Scores in the nodes that match, label and rank."""

from __future__ import annotations

import pytest
from clip_grid.clip_backend.matching.scores import LEAST_Z

from .outputs import EVIL, OLD_MATCHES, hits, labels, matches, ranks

MATCH, LABEL, RANK = "ClipGrid_CLIPMatchScore", "ClipGrid_CLIPLabel", "ClipGrid_RankImages"
SEARCH = "ClipGrid_SearchImages"


def rows(stub, place=0):
    return stub.node(place).locator(".clip-grid-score")


def part_of_bar(rows, selector):
    """Where an element on the bar begins and ends, 0..1."""
    bar, part = (rows.locator(name).bounding_box() for name in (".clip-grid-score-bar", selector))
    left = (part["x"] - bar["x"]) / bar["width"]
    return left, left + part["width"] / bar["width"]


def place_of(z):
    """On the axis from -2 to 6."""
    return (z + 2) / 8


def test_a_match_shows_its_verdict_its_scores_with_their_scales_and_why(page_of):
    stub = page_of(MATCH)

    stub.finish(matches("a red circle", "a blue square", "a hat"))

    assert rows(stub).evaluate_all("(all) => all.map((row) => row.dataset.state)") == ["match", "weak", "mismatch"]
    assert "z 3.20 · cosine 0.310" in rows(stub).first.inner_text()
    assert [f"its z is {z}" in rows(stub).nth(place).inner_text() for place, z in enumerate([3.2, 1.7, 0.2])] == 3 * [
        True
    ]
    assert "threshold z 2.00 · bars: z, -2 to 6" in stub.node().inner_text()


def test_bars_of_z_begin_at_zero_and_mark_the_threshold_and_where_texts_are_weak(page_of):
    stub = page_of(MATCH)

    stub.finish(matches("a red circle", z=4.0))

    assert part_of_bar(rows(stub), ".clip-grid-score-fill") == pytest.approx((place_of(0), place_of(4)), abs=0.01)
    weak = part_of_bar(rows(stub), "[data-kind=weak]")
    assert weak == pytest.approx((place_of(LEAST_Z), place_of(2)), abs=0.01)
    for kind, z in (("zero", 0), ("threshold", 2)):
        assert sum(part_of_bar(rows(stub), f"[data-kind={kind}]")) / 2 == pytest.approx(place_of(z), abs=0.01)


@pytest.mark.parametrize(("z", "axis"), [(9.3, "-2 to 10"), (-3.4, "-4 to 6")])
def test_the_axis_of_z_reaches_to_every_value(page_of, z, axis):
    stub = page_of(MATCH)

    stub.finish(matches("a red circle", z=z))

    assert f"bars: z, {axis}" in stub.node().inner_text()


def test_the_ends_of_the_axis_have_no_more_digits_than_the_scores(page_of):
    stub = page_of(RANK)

    stub.finish(ranks(0.616123, -0.0496))

    assert "bars: -0.05 to 0.616" in stub.node().inner_text()
    stub.page.add_style_tag(content=".node { width: 220px !important; }")
    assert stub.node().locator(".clip-grid-scores-scale").evaluate("(one) => one.scrollWidth <= one.clientWidth")


@pytest.mark.parametrize(
    ("scale", "threshold", "score"),
    [("cosine", 0.25, "cosine 0.310"), ("percentile", 95.0, "percentile 99 · cosine 0.310")],
)
def test_thresholds_on_other_scales_have_no_part_where_texts_are_weak(page_of, scale, threshold, score):
    stub = page_of(MATCH)

    stub.finish(matches("a red circle", threshold=threshold, threshold_scale=scale))

    assert rows(stub).locator(".clip-grid-score-number").inner_text() == score
    assert rows(stub).locator("[data-kind]").evaluate_all("(all) => all.map((one) => one.dataset.kind)") == [
        "threshold"
    ]


def test_phrases_show_whether_they_are_shown_unclear_or_missing(page_of):
    stub = page_of(MATCH)

    stub.finish(matches("a red circle"))

    phrases = rows(stub).first.locator("[data-phrase]")
    assert phrases.all_inner_texts() == [
        "✓ a red circle shown", "? unclear: a red circle unclear", "✗ missing: a red circle missing"
    ]  # fmt: skip
    assert phrases.last.get_attribute("title") == "a red circle missing: missing; z 0.25, cosine 0.013, support −1.50"
    assert phrases.first.get_by_role("img", name="shown").count() == 1


def test_a_result_that_version_0_1_saved_is_shown(page_of):
    stub = page_of(MATCH)

    stub.finish(OLD_MATCHES)

    row = rows(stub).first
    assert row.get_attribute("data-state") == "match"
    assert row.locator(".clip-grid-score-number").inner_text() == "cosine 0.310"
    assert row.locator("[data-phrase]").all_inner_texts() == ["✓ a red circle", "✗ missing: a hat"]
    assert row.locator("[data-phrase]").last.get_attribute("title") == ("a hat: missing; cosine 0.100, support −0.125")
    assert row.locator("[data-kind]").count() == 1


def test_bars_are_as_long_as_their_scores(page_of):
    stub = page_of(LABEL)

    stub.finish(labels("circle"))

    assert part_of_bar(rows(stub), ".clip-grid-score-fill") == pytest.approx((0, 0.75), abs=0.01)
    assert "softmax over 8 labels" in stub.node().inner_text()
    assert "square: probability 0.125, z 4.50, cosine 0.300" in rows(stub).first.get_attribute("title")


def test_ranked_pictures_are_in_order_and_show_whether_they_are_kept(page_of):
    stub = page_of(RANK)

    stub.finish(ranks(0.25, 1.5, -3))

    assert rows(stub).evaluate_all("(all) => all.map((row) => row.dataset.state)") == ["kept", "kept", "rejected"]
    assert "picture 2" in rows(stub).first.inner_text()


def test_hits_show_their_z_what_they_fit_better_than_and_whether_they_are_weak(page_of):
    stub = page_of(SEARCH)

    stub.finish(hits(3.25, 1.5, None))

    assert rows(stub).evaluate_all("(all) => all.map((row) => row.dataset.state)") == ["match", "weak", "match"]
    first, second, third = rows(stub).all_inner_texts()
    assert "1. output/1.png" in first and "z 3.25" in first and "fits better than 99.0 % of the index" in first
    assert "weak" in second and "z 1.50" in second
    assert "has the keywords" in third and "z" not in third.replace("has the keywords", "")
    assert "2 matches" in stub.node().inner_text() and "1 weak" in stub.node().inner_text()
    assert part_of_bar(rows(stub).first, ".clip-grid-score-fill") == pytest.approx(
        (place_of(0), place_of(3.25)), abs=0.01
    )


@pytest.mark.parametrize(
    ("node", "output"),
    [(MATCH, matches("a red circle")), (LABEL, labels("circle")), (RANK, ranks(1, 2)), (SEARCH, hits(3.0, 1.0))],
)
@pytest.mark.parametrize("away", ["reload", "switch_tab"])
def test_scores_are_still_there_after_a_reload_and_a_change_of_tabs(page_of, node, output, away):
    stub = page_of(node)
    stub.finish(output)
    rows(stub).first.wait_for()
    # not the inner text, which depends on the style sheet being there
    before = rows(stub).all_text_contents()

    getattr(stub, away)()

    rows(stub).first.wait_for()
    assert before and rows(stub).all_text_contents() == before


def test_no_result_is_kept_in_the_workflow_if_the_user_does_not_want_it(page_of):
    stub = page_of(MATCH)
    stub.setting("ClipGrid.KeepResults", False)

    stub.finish(matches("a red circle"))
    stub.reload()

    assert rows(stub).count() == 0


def test_another_number_of_decimals_shows_at_once(page_of):
    stub = page_of(MATCH)
    stub.finish(matches("a red circle"))

    stub.setting("ClipGrid.Decimals", 1)

    rows(stub).first.get_by_text("z 3.2 · cosine 0.3", exact=True).wait_for()


def test_texts_never_become_elements(page_of):
    stub = page_of(MATCH, LABEL)

    stub.finish(matches(EVIL))
    stub.finish(labels(EVIL), place=1)

    assert EVIL in rows(stub).first.inner_text() and EVIL in rows(stub, 1).first.inner_text()
    assert stub.node().locator("img, script").count() == 0
    assert stub.page.evaluate("window.harm") is None


def test_of_a_thousand_rows_only_those_on_the_screen_are_drawn(page_of):
    stub = page_of(LABEL)

    stub.finish(labels(*(f"label {place}" for place in range(1000))))
    assert 5 < rows(stub).count() < 60
    stub.node().locator("[role=list]").evaluate("(list) => list.scrollTo(0, list.scrollHeight)")

    rows(stub).get_by_text("label 999", exact=True).wait_for()


def test_scores_are_neither_sent_nor_saved_as_values(page_of):
    stub = page_of(MATCH)
    saved, inputs = ("stub.workflow().nodes[0].widgets_values", "app.graphToPrompt().then((prompt) => prompt.output)")
    before = [stub.page.evaluate(expression) for expression in (saved, inputs)]

    stub.finish(matches("a red circle"))

    assert [stub.page.evaluate(expression) for expression in (saved, inputs)] == before
