"""ComfyUI graphs: prompts, models, LoRAs and sizes, through all that lies between them and the sampler."""

from __future__ import annotations

import pytest

from .comfyui_graphs import basic_graph, ksampler, node, read


@pytest.mark.parametrize(
    ("joiner", "prompt"),
    [
        (node("StringConcatenate", string_a=["a", 0], string_b="on a mat", delimiter=", "), "a cat, on a mat"),
        (
            node("Text Concatenate", text_a=["a", 0], text_b=["b", 0], delimiter=" ", clean_whitespace="true"),
            "a cat in rain",
        ),
        (node("JoinStrings", string1=["a", 0], string2=["b", 0], delimiter="\\n"), "a cat\nin rain"),
        (node("CR Text Concatenate", text1="x", text2=["b", 0], separator="-"), "x-in rain"),
        (node("ShowText|pysssss", text=["a", 0], text_0="an older text"), "a cat"),
    ],
)
def test_a_prompt_is_put_together_from_its_parts(joiner: dict[str, object], prompt: str) -> None:
    graph = basic_graph(
        pos=node("CLIPTextEncode", text=["join", 0], clip=["ckpt", 1]),
        join=joiner,
        a=node("PrimitiveStringMultiline", value="a cat"),
        b=node("Text Multiline", text="in rain"),
    )

    assert read(graph)["prompt"] == prompt


def test_prompts_go_through_control_nets_and_combinations() -> None:
    graph = basic_graph(
        k=ksampler(positive=["net", 0], negative=["net", 1]),
        net=node(
            "ControlNetApplyAdvanced", positive=["both", 0], negative=["neg", 0], control_net=["cn", 0], image=["i", 0]
        ),
        both=node("ConditioningCombine", conditioning_1=["pos", 0], conditioning_2=["area", 0]),
        area=node("ConditioningSetArea", conditioning=["dog", 0], width=64, height=64, x=0, y=0, strength=1.0),
        dog=node("CLIPTextEncode", text="a dog", clip=["ckpt", 1]),
    )

    values = read(graph)

    assert (values["prompt"], values["negative"]) == ("a cat\na dog", "blurry")


def test_the_texts_of_two_encoders_are_listed_once_when_they_are_equal() -> None:
    sdxl = node("CLIPTextEncodeSDXL", text_g="a cat", text_l="a cat", clip=["ckpt", 1], width=1024, height=1024)
    flux = node("CLIPTextEncodeFlux", clip_l="grey", t5xxl="a grey day", guidance=2.5, clip=["ckpt", 1])

    values = read(basic_graph(pos=sdxl, neg=flux))

    assert (values["prompt"], values["negative"]) == ("a cat", "grey\na grey day")


@pytest.mark.parametrize("way", ["direct", "reroute"])
def test_a_zeroed_negative_is_no_negative(way: str) -> None:
    graph = basic_graph(
        k=ksampler(negative=["zero" if way == "direct" else "reroute", 0]),
        reroute=node("Reroute", **{"": ["zero", 0]}),
        zero=node("ConditioningZeroOut", conditioning=["pos", 0]),
    )

    assert "negative" not in read(graph)


def test_what_a_pipe_carries_is_found() -> None:
    graph = {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name="m.ckpt"),
        "pos": node("CLIPTextEncode", text="p", clip=["ckpt", 1]),
        "neg": node("CLIPTextEncode", text="n", clip=["ckpt", 1]),
        "pipe": node(
            "ToBasicPipe",
            model=["ckpt", 0],
            clip=["ckpt", 1],
            vae=["ckpt", 2],
            positive=["pos", 0],
            negative=["neg", 0],
        ),
        "edit": node("EditBasicPipe", basic_pipe=["pipe", 0]),
        "k": node("ImpactKSamplerBasicPipe", basic_pipe=["edit", 0], seed=3, steps=4, cfg=1, latent_image=["gone", 0]),
        "save": node("Image Saver", images=["k", 2], path="x"),
    }

    values = read(graph)

    assert (values["prompt"], values["negative"], values["model"], values["seed"]) == ("p", "n", "m", "3")


def test_an_all_in_one_loader_gives_prompts_model_and_size() -> None:
    graph = {
        "load": node(
            "Efficient Loader",
            ckpt_name="real.safetensors",
            vae_name="Baked VAE",
            clip_skip=-2,
            lora_name="detail.safetensors",
            lora_model_strength=0.5,
            positive="bright",
            negative="dark",
            empty_latent_width=640,
            empty_latent_height=448,
        ),
        "k": node(
            "KSampler (Efficient)",
            seed=1,
            steps=6,
            cfg=1.5,
            sampler_name="lcm",
            scheduler="simple",
            denoise=1,
            model=["load", 0],
            positive=["load", 1],
            negative=["load", 2],
            latent_image=["load", 3],
            optional_vae=["load", 4],
        ),
        "save": node("SaveImage", images=["k", 5], filename_prefix="x"),
    }

    values = read(graph)

    assert (values["prompt"], values["negative"], values["model"]) == ("bright", "dark", "real")
    assert (values["loras"], values["clip_skip"], values["width"]) == ("detail:0.5", "2", "640")
    assert "vae" not in values


def test_loras_are_listed_in_the_order_of_their_use() -> None:
    power = node(
        "Power Lora Loader (rgthree)",
        PowerLoraLoaderHeaderWidget={"type": "PowerLoraLoaderHeaderWidget"},
        lora_1={"on": True, "lora": "x\\three.safetensors", "strength": 1},
        lora_2={"on": False, "lora": "off.safetensors", "strength": 1},
        model=["two", 0],
    )
    graph = basic_graph(
        one=node("LoraLoader", lora_name="a/one.safetensors", strength_model=0.8, strength_clip=1.0, model=["ckpt", 0]),
        two=node("LoraLoaderModelOnly", lora_name="two.pt", strength_model=0.30000000000000004, model=["one", 0]),
        power=power,
        k=ksampler(model=["power", 0]),
    )

    values = read(graph)

    assert values["loras"] == "one:0.8, two:0.3, three:1"
    assert values["model"] == "dream_v1.5"


def test_a_lora_stack_gives_only_what_is_switched_on() -> None:
    stack = node(
        "CR LoRA Stack",
        switch_1="On",
        lora_name_1="a.safetensors",
        model_weight_1=0.7,
        switch_2="Off",
        lora_name_2="b.safetensors",
        model_weight_2=1.0,
        switch_3="On",
        lora_name_3="None",
        model_weight_3=1.0,
    )
    apply = node("CR Apply LoRA Stack", model=["ckpt", 0], clip=["ckpt", 1], lora_stack=["stack", 0])

    assert read(basic_graph(stack=stack, apply=apply, k=ksampler(model=["apply", 0])))["loras"] == "a:0.7"


def test_merged_models_are_both_named() -> None:
    graph = basic_graph(
        other=node("CheckpointLoaderSimple", ckpt_name="other.safetensors"),
        merge=node("ModelMergeSimple", model1=["ckpt", 0], model2=["other", 0], ratio=0.5),
        k=ksampler(model=["merge", 0]),
    )

    assert read(graph)["model"] == "dream_v1.5 + other"


def test_clip_skip_is_counted_from_the_end() -> None:
    last = node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["ckpt", 1])

    assert read(basic_graph(last=last, pos=node("CLIPTextEncode", text="a", clip=["last", 0])))["clip_skip"] == "2"


def test_a_size_that_a_factor_changed_is_left_out() -> None:
    up = node("LatentUpscaleBy", samples=["empty", 0], upscale_method="bilinear", scale_by=1.5)

    assert "width" not in read(basic_graph(up=up, k=ksampler(latent_image=["up", 0])))
