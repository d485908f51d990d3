"""The node search of front ends that know names alone finds our nodes by the words that newer ones are told."""

from __future__ import annotations

import json

import clip_grid
import pytest

from .site import WEB

#: A node search as that of front end 1.27, which later ones ask for search_aliases too.
SEARCH = """(keys) => {
    const nodes = [{ name: "Other", display_name: "Save Grid" }, ...Object.values(app.nodeDefs)];
    class Service {
        nodeFuseSearch = { keys };
        searchNode(query, filters = []) {
            const named = nodes.filter((node) => node.display_name.toLowerCase().includes(query));
            return named.filter((node) => filters.every((isWanted) => isWanted(node)));
        }
    }
    const service = new Service();
    app.extensionManager._p = { _s: new Map([["nodeDef", { nodeSearchService: service }]]) };
    app.extensions.find((one) => one.name === "clip_grid.node_search").setup();
    window.searched = (query, ...filters) => service.searchNode(query, filters).map((node) => node.name);
}"""
NAMES = ["name", "display_name"]
SHEETS = ["ClipGrid_LabeledGridExporter", "ClipGrid_BatchLabeledGridExporter"]


def test_the_words_are_those_of_the_nodes():
    text = (WEB / "lib" / "search_words.mjs").read_text("utf-8")
    start = text.index("SEARCH_WORDS = ") + len("SEARCH_WORDS = ")
    words = text[start : text.index("};", start) + 1]
    told = {id: list(node.SEARCH_ALIASES) for id, node in clip_grid.NODE_CLASS_MAPPINGS.items()}

    # keys without quotes and commas at the end of a list are no JSON
    for id in told:
        words = words.replace(f"  {id}:", f'  "{id}":')
    assert json.loads("".join(words.split("\n")).replace(",  ]", "]").replace(",}", "}")) == told


@pytest.mark.parametrize(
    ("query", "found"),
    [("contact sheet", SHEETS), ("Contact  sh", SHEETS), ("save grid", ["Other", *SHEETS]), ("unrelated words", [])],
)
def test_a_search_of_names_alone_finds_what_words_mean_after_what_names_say(page_of, query, found):
    page = page_of().page
    page.evaluate(SEARCH, NAMES)

    assert page.evaluate("(query) => searched(query)", query) == found


def test_filters_of_a_search_hold_for_words_too(page_of):
    page = page_of().page
    page.evaluate(SEARCH, NAMES)

    assert page.evaluate("searched('contact sheet', (node) => node.name.includes('Batch'))") == SHEETS[1:]


def test_a_search_that_knows_words_is_left_alone(page_of):
    page = page_of().page
    page.evaluate(SEARCH, [*NAMES, "search_aliases"])

    assert page.evaluate("searched('contact sheet')") == []
