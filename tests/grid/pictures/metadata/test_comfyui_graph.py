"""ComfyUI graphs that are broken, huge or none at all never raise and take no time."""

from __future__ import annotations

import json
import time

import pytest
from clip_grid.grid.pictures.metadata import COLUMNS, read_generation
from hypothesis import given
from hypothesis import strategies as st

from .comfyui_graphs import basic_graph, ksampler, node, read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        '"text"',
        "{}",
        '{"1": 5}',
        '{"1": {"class_type": 3, "inputs": {}}}',
        '{"1": {"class_type": "KSampler", "inputs": []}}',
        json.dumps(basic_graph())[:-20],
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 10_000,
    ],
)
def test_what_is_no_graph_is_no_data(text: str) -> None:
    found = read_generation({"prompt": text})

    assert (found.writer, found.values) == ("", {})


def test_nan_in_the_graph_is_no_value_and_hides_nothing_else() -> None:
    text = json.dumps(basic_graph(k=ksampler(cfg=float("nan"), denoise=float("inf"))))

    values = read_generation({"prompt": text}).values

    assert "cfg" not in values
    assert "denoise" not in values
    assert values["seed"] == "42"


def test_cycles_end_quietly() -> None:
    graph = basic_graph(
        k=ksampler(seed=["r1", 0], latent_image=["k", 0], positive=["c1", 0], model=["m1", 0]),
        r1=node("Reroute", **{"": ["r2", 0]}),
        r2=node("Reroute", **{"": ["r1", 0]}),
        c1=node("ConditioningCombine", conditioning_1=["c1", 0], conditioning_2=["c2", 0]),
        c2=node("CLIPTextEncode", text=["s", 0], clip=["ckpt", 1]),
        s=node("StringConcatenate", string_a=["s", 0], string_b=["s", 0], delimiter=","),
        m1=node("LoraLoaderModelOnly", lora_name="l.pt", strength_model=1, model=["m1", 0]),
    )

    values = read(graph)

    assert values["steps"] == "20"
    assert values.keys().isdisjoint({"seed", "prompt", "model"})


def test_a_text_doubled_many_times_ends_quietly() -> None:
    graph = basic_graph(pos=node("CLIPTextEncode", text=["t60", 0], clip=["ckpt", 1]), t0=node("String", value="ha"))
    for level in range(1, 61):
        below = [f"t{level - 1}", 0]
        graph[f"t{level}"] = node("StringConcatenate", string_a=below, string_b=below, delimiter="")

    assert "prompt" not in read(graph)


def test_ten_thousand_nodes_in_a_row_are_followed_in_reasonable_time() -> None:
    graph = basic_graph(k=ksampler(model=["m9999", 0], seed=["m9999", 0], positive=["m9999", 0]))
    graph["m0"] = node("Reroute", **{"": ["ckpt", 0]})
    for level in range(1, 10_000):
        graph[f"m{level}"] = node("Reroute", **{"": [f"m{level - 1}", 0]})

    began = time.process_time()
    values = read(graph)

    assert values["model"] == "dream_v1.5"
    assert time.process_time() - began < 5


def test_a_graph_of_ten_thousand_savers_is_read_in_reasonable_time() -> None:
    graph = basic_graph() | {f"s{n}": node("SaveImage", images=["decode", 0]) for n in range(10_000)}

    began = time.process_time()

    assert read(graph)["seed"] == "42"
    assert time.process_time() - began < 5


IDS = st.sampled_from(list("abcdefgh"))


LINKS = st.tuples(IDS, st.integers(0, 3)).map(list)


KEY_NAMES = """
    model clip vae positive negative latent_image samples images seed noise_seed noise guider sampler sigmas steps cfg
    scheduler sampler_name denoise text string_a string_b delimiter value basic_pipe lora_name lora_1 lora_stack
    strength_model ckpt_name vae_name width height conditioning conditioning_1 text_g guidance add_noise any_01
"""


KIND_NAMES = """
    KSampler KSamplerAdvanced SamplerCustomAdvanced SaveImage PreviewImage VAEDecode CLIPTextEncode Reroute
    ConditioningZeroOut LoraLoader StringConcatenate DisableNoise KarrasScheduler X
"""


KEYS = st.sampled_from(KEY_NAMES.split())


KINDS = st.sampled_from(KIND_NAMES.split())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


NODES = st.fixed_dictionaries({"class_type": KINDS, "inputs": st.dictionaries(KEYS, LINKS | JSON, max_size=8)})


@given(st.dictionaries(IDS, NODES | JSON, max_size=8) | JSON)
def test_no_graph_whatever_raises(graph: object) -> None:
    found = read_generation({"prompt": json.dumps(graph)})

    assert [key for key in found.values if key in COLUMNS] == [key for key in COLUMNS if key in found.values]
    assert all(isinstance(value, str) and value for value in found.values.values())


@given(st.text())
def test_no_text_whatever_raises(text: str) -> None:
    read_generation({"prompt": text, "parameters": text, "Comment": text, "UserComment": text, "Software": "NovelAI"})
