"""What is read of graphs put together at random is what is known to have made their pictures."""

from __future__ import annotations

import json

import pytest
from clip_grid.grid.pictures.metadata import read_generation

from .comfyui_graphs import basic_graph, flux_graph, ksampler, node, read
from .random_graphs import RandomGraph

SLIDER = node("mxSlider", Xi=2, Xf=0.5, isfloatX=0)
UNKNOWN = node("MathExpression|pysssss", expression="a+1", a=["const", 0])
TWO = {"two": SLIDER, "math": UNKNOWN, "ckpt2": node("CheckpointLoaderSimple", ckpt_name="beta.safetensors")}


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_random_graphs_are_read_as_they_were_made(first: int) -> None:
    for number in range(first, first + 50):
        graph = RandomGraph(number)

        assert read_generation({"prompt": json.dumps(graph.entries)}).values == graph.expected, number


def test_a_slider_chooses() -> None:
    switch = node("ImpactSwitch", select=["two", 0], input1=["ckpt", 0], input2=["ckpt2", 0])

    assert read(basic_graph(**TWO, s=switch, k=ksampler(model=["s", 0])))["model"] == "beta"


def test_a_choice_that_cannot_be_told_is_not_taken_for_nothing() -> None:
    unknown = node("ImpactSwitch", select=["math", 0], input1=["ckpt", 0], input2=["ckpt2", 0])
    first_live = node("Any Switch (rgthree)", any_01=["u", 0], any_02=["ckpt2", 0])

    assert "model" not in read(basic_graph(**TWO, u=unknown, s=first_live, k=ksampler(model=["s", 0])))


def test_a_stack_of_loras_comes_after_those_that_the_model_has() -> None:
    nodes = {
        "one": node("LoraLoaderModelOnly", lora_name="one.safetensors", strength_model=1, model=["ckpt", 0]),
        "stack": node("CR LoRA Stack", switch_1="On", lora_name_1="two", model_weight_1=0.5, lora_stack=["before", 0]),
        "before": node("CR LoRA Stack", switch_1="On", lora_name_1="three", model_weight_1=0.25),
        "apply": node("CR Apply LoRA Stack", model=["one", 0], clip=["ckpt", 1], lora_stack=["stack", 0]),
    }

    assert read(basic_graph(**nodes, k=ksampler(model=["apply", 0])))["loras"] == "one:1, three:0.25, two:0.5"


def test_noise_and_sampler_are_made_of_what_is_linked_to_them() -> None:
    nodes = {
        "noise": node("RandomNoise", noise_seed=["int", 0]),
        "int": node("PrimitiveInt", value=77),
        "select": node("KSamplerSelect", sampler_name=["name", 0]),
        "name": node("PrimitiveString", value="lcm"),
    }

    values = read(flux_graph(**nodes))

    assert (values["seed"], values["sampler"]) == ("77", "lcm")
