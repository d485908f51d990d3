"""Tests: tokens in prefixes are replaced as on ComfyUI's own page."""

from __future__ import annotations

from datetime import datetime

import pytest
from clip_grid.nodes.sockets.prefix_tokens import fill_prefix

NOW = datetime(2026, 3, 4, 15, 6, 7)
PROMPT = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 42, "model": ["4", 0]}, "_meta": {"title": "My sampler"}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd/xl:1.safetensors"}},
}
EXTRA = {"workflow": {"nodes": [{"id": 3, "properties": {"Node name for S&R": "first"}}, {"id": 4}]}}


@pytest.mark.parametrize(
    ("prefix", "filled"),
    [
        ("a/%date:yyyy-MM-dd%/b", "a/2026-03-04/b"),
        ("%date:yy.M.d h-mm-ss%", "26.3.4 15-06-07"),
        ("%date:hh:mm%", "15_06"),
        ("%KSampler.seed%", "42"),
        ("%My sampler.seed%-%first.seed%", "42-42"),
        ("%CheckpointLoaderSimple.ckpt_name%", "sd_xl_1.safetensors"),
        ("%KSampler.model%", "%KSampler.model%"),
        ("%Nothing.seed%", "%Nothing.seed%"),
        ("%width%x%height% %year%", "%width%x%height% %year%"),
        ("100% of 50%", "100% of 50%"),
    ],
)
def test_dates_and_values_of_nodes_are_filled_in_and_the_rest_is_left_to_the_server(prefix, filled):
    assert fill_prefix(prefix, PROMPT, EXTRA, NOW) == filled


@pytest.mark.parametrize(("prompt", "extra"), [(None, None), ({"1": 5}, {"workflow": None}), ({}, {"workflow": {}})])
def test_a_prompt_may_lack_titles_and_workflow(prompt, extra):
    assert fill_prefix("%KSampler.seed%", prompt, extra, NOW) == "%KSampler.seed%"


def test_the_value_of_a_node_cannot_lead_out_of_the_folder():
    prompt = {"1": {"class_type": "Text", "inputs": {"text": "../../x"}}}

    assert fill_prefix("sub/%Text.text%", prompt, None, NOW) == "sub/.._.._x"
