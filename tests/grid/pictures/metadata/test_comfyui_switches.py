"""ComfyUI graphs: of a node that chooses, only what it chose is read; bundles and holders of values are looked into."""

from __future__ import annotations

import pytest
from clip_grid.grid.pictures.metadata.comfyui import columns_of_graph
from clip_grid.grid.pictures.metadata.comfyui_graph import graph_of

from .comfyui_graphs import basic_graph, ksampler, node, read

OTHER = {
    "ckpt2": node("CheckpointLoaderSimple", ckpt_name="beta.safetensors"),
    "yes": node("PrimitiveBoolean", value=True),
    "no": node("PrimitiveBoolean", value=False),
    "two": node("PrimitiveInt", value=2),
    "const": node("CR Anything Once", amount=2),
}
FIRST, SECOND = ["ckpt", 0], ["ckpt2", 0]


@pytest.mark.parametrize(
    ("switch", "model"),
    [
        (node("ComfySwitchNode", switch=["yes", 0], on_false=FIRST, on_true=SECOND), "beta"),
        (node("ComfySwitchNode", switch=["no", 0], on_false=FIRST, on_true=SECOND), "dream_v1.5"),
        (node("ImpactConditionalBranch", cond=False, tt_value=FIRST, ff_value=SECOND), "beta"),
        (node("easy ifElse", boolean=True, on_true=SECOND, on_false=FIRST), "beta"),
        (node("LazySwitchKJ", switch=True, on_false=FIRST, on_true=SECOND), "beta"),
        (node("LayerUtility: If ", if_condition=["no", 0], when_TRUE=FIRST, when_FALSE=SECOND), "beta"),
        (node("ImpactSwitch", select=["two", 0], sel_mode=False, input1=FIRST, input2=SECOND), "beta"),
        (node("easy anythingIndexSwitch", index=0, value0=SECOND, value1=FIRST), "beta"),
        (node("CR Model Input Switch", Input=2, model1=FIRST, model2=SECOND), "beta"),
        (node("Model Input Switch", boolean=False, model_a=FIRST, model_b=SECOND), "beta"),
        (node("Any Switch (rgthree)", any_01=["muted", 0], any_02=SECOND, any_03=FIRST), "beta"),
        (node("Any Switch (rgthree)", any_10=FIRST, any_02=SECOND, any_01=["muted", 0]), "beta"),
        (node("ImpactSwitch", select=["const", 0], input1=FIRST, input2=SECOND), "beta"),
        (node("ComfySwitchNode", switch=["compare", 0], on_false=FIRST, on_true=SECOND), None),
        (node("ImpactSwitch", select=["muted", 0], input1=FIRST, input2=SECOND), None),
        (node("ImpactSwitch", select=3, input1=FIRST, input2=SECOND), None),
    ],
)
def test_only_the_model_that_a_switch_chose_is_named(switch: dict[str, object], model: str | None) -> None:
    graph = basic_graph(
        **OTHER, compare=node("ImpactCompare", cmp="a = b", a=1, b=2), switch=switch, k=ksampler(model=["switch", 0])
    )

    values = read(graph)

    assert values.get("model") == model
    assert values["seed"] == "42"


def test_a_switch_with_two_outputs_hands_on_the_one_that_is_linked() -> None:
    switch = node(
        "CR Switch Model and CLIP", Input=2, model1=FIRST, clip1=["ckpt", 1], model2=SECOND, clip2=["last", 0]
    )
    graph = basic_graph(
        **OTHER,
        switch=switch,
        last=node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["ckpt2", 1]),
        k=ksampler(model=["switch", 0]),
        pos=node("CLIPTextEncode", text="a cat", clip=["switch", 1]),
    )

    values = read(graph)

    assert (values["model"], values["clip_skip"]) == ("beta", "2")


@pytest.mark.parametrize(
    ("switch", "prompt"),
    [
        (node("CR Text Input Switch", Input=2, text1=["t1", 0], text2=["t2", 0]), "a dog"),
        (node("Text Input Switch", boolean=True, text_a=["t2", 0], text_b=["t1", 0]), "a dog"),
        (node("easy textIndexSwitch", index=1, text0="a cat", text1="a dog"), "a dog"),
        (node("Any Switch (rgthree)", any_01=["t2", 0], any_02=["t1", 0]), "a dog"),
        (node("CR Text Input Switch", Input=["muted", 0], text1=["t1", 0], text2=["t2", 0]), None),
    ],
)
def test_of_switched_texts_only_the_chosen_one_is_the_prompt(switch: dict[str, object], prompt: str | None) -> None:
    graph = basic_graph(
        t1=node("CR Text", text="a cat"),
        t2=node("CR Text", text="a dog"),
        switch=switch,
        pos=node("CLIPTextEncode", text=["switch", 0], clip=["ckpt", 1]),
    )

    assert read(graph).get("prompt") == prompt


def test_switched_numbers_and_switched_prompts_are_the_chosen_ones() -> None:
    graph = basic_graph(
        **OTHER,
        four=node("PrimitiveInt", value=4),
        fifty=node("PrimitiveInt", value=50),
        steps=node("ComfySwitchNode", switch=["no", 0], on_false=["fifty", 0], on_true=["four", 0]),
        dog=node("CLIPTextEncode", text="a dog", clip=["ckpt", 1]),
        cond=node("Any Switch (rgthree)", any_01=["dog", 0], any_02=["pos", 0]),
        k=ksampler(steps=["steps", 0], positive=["cond", 0]),
    )

    values = read(graph)

    assert (values["steps"], values["prompt"]) == ("50", "a dog")


def context_graph(**changes: dict[str, object]) -> dict[str, object]:
    links = {"seed": 8, "steps": 9, "cfg": 11, "sampler_name": 13, "scheduler": 14, "model": 1}
    sampler = ksampler(
        **{key: ["c", slot] for key, slot in links.items()}, positive=["c", 4], negative=["c", 5], latent_image=["c", 6]
    )
    config = node(
        "KSampler Config (rgthree)",
        steps_total=33, refiner_step=24, cfg=4.5, sampler_name="dpmpp_2m", scheduler="karras",
    )  # fmt: skip
    base = node(
        "Context Big (rgthree)",
        model=FIRST, positive=["pos", 0], negative=["neg", 0], latent=["empty", 0], seed=["seed", 0],
        steps=["config", 0], cfg=["config", 2], sampler=["config", 3], scheduler=["config", 4],
    )  # fmt: skip
    return basic_graph(**OTHER, k=sampler, config=config, seed=node("Seed (rgthree)", seed=12), base=base, **changes)


def test_settings_that_travel_in_a_context_are_found() -> None:
    values = read(context_graph(c=node("Context Big (rgthree)", base_ctx=["base", 0])))

    assert (values["seed"], values["steps"], values["cfg"], values["width"]) == ("12", "33", "4.5", "512")
    assert (values["sampler"], values["scheduler"]) == ("dpmpp_2m", "karras")
    assert (values["model"], values["prompt"], values["negative"]) == ("dream_v1.5", "a cat", "blurry")


def test_what_a_later_context_sets_takes_the_place_of_what_was_there() -> None:
    seed = node("Seed (rgthree)", seed=99)

    values = read(context_graph(c=node("Context", base_ctx=["base", 0], model=SECOND, seed=["s2", 0]), s2=seed))

    assert (values["seed"], values["model"], values["steps"]) == ("99", "beta", "33")


def test_of_contexts_in_a_switch_the_first_that_is_there_counts() -> None:
    other = node("Context (rgthree)", model=SECOND)

    values = read(
        context_graph(c=node("Context Switch (rgthree)", ctx_01=["gone", 0], ctx_02=["base", 0]), other=other)
    )

    assert (values["seed"], values["model"], values["sampler"]) == ("12", "dream_v1.5", "dpmpp_2m")


def test_of_merged_contexts_the_last_that_holds_a_thing_counts() -> None:
    merge = node("Context Merge Big (rgthree)", ctx_01=["base", 0], ctx_02=["second", 0])
    second = node("Context (rgthree)", model=SECOND, positive=["dog", 0])
    dog = node("CLIPTextEncode", text="a dog", clip=["ckpt", 1])

    values = read(context_graph(c=merge, second=second, dog=dog))

    assert (values["model"], values["prompt"], values["negative"]) == ("beta", "a dog", "blurry")
    assert (values["seed"], values["steps"]) == ("12", "33")


@pytest.mark.parametrize(
    ("holder", "cfg"),
    [
        (node("mxSlider", Xi=4, Xf=4.5, isfloatX=1), "4.5"),
        (node("mxSlider", Xi=4, Xf=4.5, isfloatX=0), "4"),
        (node("easy float", value=4.5), "4.5"),
        (node("FloatConstant", value=4.5), "4.5"),
        (node("Power Primitive (rgthree)", type="FLOAT", value=4.5), "4.5"),
        (node("ImpactFloat", value=4.5), "4.5"),
        (node("CFG Float (Image Saver)", float=4.5), "4.5"),
        (node("Float Clamp", value=["other", 0], minimum=0, maximum=1), None),
    ],
)
def test_a_number_comes_from_the_node_that_holds_it(holder: dict[str, object], cfg: str | None) -> None:
    graph = basic_graph(holder=holder, other=node("PrimitiveFloat", value=9), k=ksampler(cfg=["holder", 0]))

    assert read(graph).get("cfg") == cfg


@pytest.mark.parametrize(
    ("encoder", "prompt"),
    [
        (node("CLIPTextEncodeLumina2", system_prompt="superior", user_prompt="a lake", clip=["ckpt", 1]), "a lake"),
        (node("CLIPTextEncodeHunyuanDiT", bert="a hill", mt5xl="a hill", clip=["ckpt", 1]), "a hill"),
        (node("TextEncodeQwenImageEdit", prompt="make it red", clip=["ckpt", 1], image=["i", 0]), "make it red"),
        (
            node("CLIPTextEncodeSD3", clip_l="a", clip_g="b", t5xxl="c", empty_padding="none", clip=["ckpt", 1]),
            "b\na\nc",
        ),
    ],
)
def test_the_text_of_any_encoder_is_the_prompt(encoder: dict[str, object], prompt: str) -> None:
    assert read(basic_graph(pos=encoder))["prompt"] == prompt


def test_a_negative_name_never_counts_as_positive() -> None:
    styler = node("X Styler", pos_cond=["pos", 0], neg_cond=["neg", 0], weight=1)
    graph = basic_graph(styler=styler, k=ksampler(positive=["styler", 0], negative=["styler", 1]))

    values = read(graph)

    assert (values["prompt"], values["negative"]) == ("a cat", "blurry")


@pytest.mark.parametrize(
    ("stack", "loras"),
    [
        (
            node(
                "easy loraStack", toggle=True, mode="simple", num_loras=2, lora_1_name="a.safetensors",
                lora_1_strength=3.0, lora_1_model_strength=1, lora_2_name="b.safetensors", lora_2_strength=1.3,
                lora_3_name="c.safetensors", lora_3_strength=1,
            ),
            "a:3, b:1.3",
        ),
        (node("easy loraStack", toggle=False, num_loras=1, lora_1_name="a.safetensors", lora_1_strength=3.0), None),
        (
            node(
                "LoRA Stacker", input_mode="advanced", lora_count=1, lora_name_1="a.safetensors", lora_wt_1=1.0,
                model_str_1=0.6, clip_str_1=0.5, lora_name_2="b.safetensors", model_str_2=1.0,
            ),
            "a:0.6",
        ),
        (
            node(
                "Lora Stacker (LoraManager)",
                text="<lora:ink:0.8>",
                loras={"__value__": [
                    {"name": "ink", "strength": "0.80", "active": True},
                    {"name": "off", "strength": "1.00", "active": False},
                ]},
            ),
            "ink:0.8",
        ),
    ],
)  # fmt: skip
def test_a_stack_gives_the_loras_that_were_applied(stack: dict[str, object], loras: str | None) -> None:
    apply = node("CR Apply LoRA Stack", model=FIRST, clip=["ckpt", 1], lora_stack=["stack", 0])

    assert read(basic_graph(stack=stack, apply=apply, k=ksampler(model=["apply", 0]))).get("loras") == loras


def test_nodes_that_share_a_long_chain_are_read_in_linear_time() -> None:
    visits = []
    for count in (500, 2000):
        graph = basic_graph(r0=node("CR Text", text="a cat"), k=ksampler(positive=["c0", 0]))
        for level in range(1, count):
            graph[f"r{level}"] = node("Reroute", **{"": [f"r{level - 1}", 0]})
            graph[f"e{level}"] = node("CLIPTextEncode", text=[f"r{count - 1}", 0], clip=["ckpt", 1])
            graph[f"c{level - 1}"] = node(
                "ConditioningCombine", conditioning_1=[f"e{level}", 0], conditioning_2=[f"c{level}", 0]
            )
        loaded = graph_of(graph)
        before = loaded.visits_left

        assert columns_of_graph(loaded)[0]["prompt"] == "a cat"
        visits.append(before - loaded.visits_left)

    assert visits[1] < 5 * visits[0]


def test_switches_chosen_by_switches_end_quietly() -> None:
    graph = basic_graph(s0=node("PrimitiveBoolean", value=True), k=ksampler(model=["s3000", 0]))
    for level in range(1, 3001):
        below = [f"s{level - 1}", 0]
        graph[f"s{level}"] = node("ComfySwitchNode", switch=below, on_true=below, on_false=below)

    assert read(graph)["seed"] == "42"
