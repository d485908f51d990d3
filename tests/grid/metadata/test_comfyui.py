"""Promises of the ComfyUI reader; input names are those of ComfyUI's own nodes and of common packs."""

from __future__ import annotations

import json
import time

import pytest
from clip_grid.grid.pictures.metadata import COLUMNS, read_generation
from hypothesis import given
from hypothesis import strategies as st


def node(kind: str, **inputs: object) -> dict[str, object]:
    return {"class_type": kind, "inputs": inputs}


def read(graph: object) -> dict[str, str]:
    return read_generation({"prompt": json.dumps(graph)}).values


def ksampler(**changes: object) -> dict[str, object]:
    inputs: dict[str, object] = {
        "seed": 42,
        "steps": 20,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "karras",
        "denoise": 1,
        "model": ["ckpt", 0],
        "positive": ["pos", 0],
        "negative": ["neg", 0],
        "latent_image": ["empty", 0],
    }
    return node("KSampler", **(inputs | changes))


def basic_graph(**changes: dict[str, object]) -> dict[str, object]:
    return {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name="sd15/dream_v1.5.safetensors"),
        "pos": node("CLIPTextEncode", text="a cat", clip=["ckpt", 1]),
        "neg": node("CLIPTextEncode", text="blurry", clip=["ckpt", 1]),
        "empty": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "k": ksampler(),
        "decode": node("VAEDecode", samples=["k", 0], vae=["ckpt", 2]),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="ComfyUI"),
    } | changes


def flux_graph(**changes: dict[str, object]) -> dict[str, object]:
    return {
        "unet": node("UNETLoader", unet_name="flux1-dev.sft", weight_dtype="default"),
        "clip": node("DualCLIPLoader", clip_name1="a", clip_name2="b", type="flux"),
        "vae": node("VAELoader", vae_name="ae.safetensors"),
        "text": node("CLIPTextEncode", text="a fox", clip=["clip", 0]),
        "fg": node("FluxGuidance", guidance=3.5, conditioning=["text", 0]),
        "shift": node("ModelSamplingFlux", max_shift=1.15, base_shift=0.5, width=64, height=64, model=["unet", 0]),
        "noise": node("RandomNoise", noise_seed=18446744073709551615),
        "guider": node("BasicGuider", model=["shift", 0], conditioning=["fg", 0]),
        "select": node("KSamplerSelect", sampler_name="dpmpp_2m"),
        "sigmas": node("BasicScheduler", model=["shift", 0], scheduler="beta", steps=28, denoise=1.0),
        "latent": node("EmptySD3LatentImage", width=1024, height=576, batch_size=1),
        "k": node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["select", 0],
            sigmas=["sigmas", 0],
            latent_image=["latent", 0],
        ),
        "decode": node("VAEDecode", samples=["k", 0], vae=["vae", 0]),
        "save": node("SaveImage", images=["decode", 0], filename_prefix="f"),
    } | changes


def test_a_ksampler_gives_every_column_in_order() -> None:
    found = read_generation({"prompt": json.dumps(basic_graph())})

    assert found.writer == "comfyui"
    assert list(found.values.items()) == [
        ("prompt", "a cat"),
        ("negative", "blurry"),
        ("seed", "42"),
        ("steps", "20"),
        ("cfg", "7"),
        ("sampler", "euler"),
        ("scheduler", "karras"),
        ("denoise", "1"),
        ("model", "dream_v1.5"),
        ("width", "512"),
        ("height", "768"),
    ]


def test_a_ksampler_advanced_is_read() -> None:
    sampler = node(
        "KSamplerAdvanced",
        add_noise="enable",
        noise_seed=5,
        steps=30,
        cfg=6.5,
        sampler_name="heun",
        scheduler="normal",
        start_at_step=0,
        end_at_step=10000,
        return_with_leftover_noise="disable",
        model=["ckpt", 0],
        positive=["pos", 0],
        negative=["neg", 0],
        latent_image=["empty", 0],
    )

    values = read(basic_graph(k=sampler))

    assert (values["seed"], values["steps"], values["cfg"], values["sampler"]) == ("5", "30", "6.5", "heun")
    assert "denoise" not in values


def test_a_sampler_custom_takes_sampler_and_sigmas_from_their_nodes() -> None:
    sampler = node(
        "SamplerCustom",
        add_noise=True,
        noise_seed=9,
        cfg=8,
        model=["ckpt", 0],
        positive=["pos", 0],
        negative=["neg", 0],
        sampler=["select", 0],
        sigmas=["sigmas", 0],
        latent_image=["empty", 0],
    )
    sigmas = node("KarrasScheduler", steps=15, sigma_max=14.6, sigma_min=0.03, rho=7.0)

    values = read(basic_graph(k=sampler, select=node("SamplerLMS", order=4), sigmas=sigmas))

    assert (values["seed"], values["cfg"], values["sampler"]) == ("9", "8", "lms")
    assert (values["scheduler"], values["steps"]) == ("karras", "15")


def test_flux_with_a_guider_is_read_through_its_parts() -> None:
    assert read(flux_graph()) == {
        "prompt": "a fox",
        "seed": "18446744073709551615",
        "steps": "28",
        "sampler": "dpmpp_2m",
        "scheduler": "beta",
        "denoise": "1",
        "guidance": "3.5",
        "model": "flux1-dev",
        "vae": "ae",
        "width": "1024",
        "height": "576",
    }


def test_a_cfg_guider_gives_cfg_and_both_prompts() -> None:
    guider = node("CFGGuider", model=["unet", 0], positive=["fg", 0], negative=["bad", 0], cfg=4.5)

    values = read(flux_graph(guider=guider, bad=node("CLIPTextEncode", text="ugly", clip=["clip", 0])))

    assert (values["prompt"], values["negative"], values["cfg"]) == ("a fox", "ugly", "4.5")


def test_a_dual_cfg_guider_gives_its_first_condition_and_cfg() -> None:
    guider = node(
        "DualCFGGuider",
        model=["unet", 0],
        cond1=["fg", 0],
        cond2=["second", 0],
        negative=["second", 0],
        cfg_conds=6.0,
        cfg_cond2_negative=2.0,
    )

    values = read(flux_graph(guider=guider, second=node("CLIPTextEncode", text="draft", clip=["clip", 0])))

    assert (values["prompt"], values["negative"], values["cfg"]) == ("a fox", "draft", "6")


def test_steps_come_from_the_plan_and_not_from_a_node_that_changes_sigmas() -> None:
    longer = node("ExtendIntermediateSigmas", sigmas=["sigmas", 0], steps=2, start_at_sigma=-1, end_at_sigma=12)
    graph = flux_graph(longer=longer)
    graph["k"]["inputs"]["sigmas"] = ["longer", 0]  # type: ignore[index]

    assert read(graph)["steps"] == "28"


def test_of_two_stages_the_last_one_wins() -> None:
    graph = basic_graph(
        up=node("LatentUpscale", samples=["k", 0], width=1024, height=1536, upscale_method="bilinear", crop="disabled"),
        second=ksampler(seed=7, steps=12, denoise=0.5, latent_image=["up", 0]),
        decode=node("VAEDecode", samples=["second", 0], vae=["ckpt", 2]),
    )

    values = read(graph)

    assert (values["seed"], values["steps"], values["denoise"]) == ("7", "12", "0.5")
    assert (values["width"], values["height"]) == ("1024", "1536")


def test_a_second_stage_without_noise_of_its_own_has_the_seed_of_the_first() -> None:
    advanced = {"sampler_name": "euler", "scheduler": "normal", "model": ["ckpt", 0], "positive": ["pos", 0]}
    graph = basic_graph(
        k=node("KSamplerAdvanced", add_noise="enable", noise_seed=77, steps=25, latent_image=["empty", 0], **advanced),
        second=node("KSamplerAdvanced", add_noise="disable", noise_seed=0, steps=30, latent_image=["k", 0], **advanced),
        decode=node("VAEDecode", samples=["second", 0], vae=["ckpt", 2]),
    )

    values = read(graph)

    assert (values["seed"], values["steps"]) == ("77", "30")


def test_a_saved_picture_goes_before_a_preview_of_an_earlier_stage() -> None:
    graph = basic_graph(
        preview=node("PreviewImage", images=["decode", 0]),
        encode=node("VAEEncode", pixels=["decode", 0], vae=["ckpt", 2]),
        second=ksampler(seed=8, latent_image=["encode", 0]),
        decode2=node("VAEDecode", samples=["second", 0], vae=["ckpt", 2]),
        save=node("SaveImage", images=["decode2", 0], filename_prefix="x"),
    )

    assert read(graph)["seed"] == "8"


def test_of_two_saved_pictures_the_one_behind_more_samplers_is_meant() -> None:
    graph = basic_graph(
        second=ksampler(seed=8, latent_image=["k", 0]),
        decode2=node("VAEDecode", samples=["second", 0], vae=["ckpt", 2]),
        save2=node("SaveImage", images=["decode2", 0], filename_prefix="final"),
    )

    assert read(graph)["seed"] == "8"
    assert read(dict(reversed(graph.items())))["seed"] == "8"


def test_a_detailer_after_the_sampler_does_not_take_its_place() -> None:
    detailer = node("FaceDetailer", image=["decode", 0], model=["ckpt", 0], seed=1, steps=9, cfg=2, positive=["pos", 0])

    values = read(basic_graph(face=detailer, save=node("SaveImage", images=["face", 0], filename_prefix="x")))

    assert (values["seed"], values["steps"]) == ("42", "20")


@pytest.mark.parametrize(
    ("holder", "seed"),
    [
        (node("PrimitiveNode", value=0), "0"),
        (node("PrimitiveInt", value=123), "123"),
        (node("Seed (rgthree)", seed=9007199254740993), "9007199254740993"),
        (node("CR Seed", seed="18446744073709551615"), "18446744073709551615"),
        (node("INTConstant", value=4), "4"),
    ],
)
def test_a_seed_from_another_node_is_followed_to_its_value(holder: dict[str, object], seed: str) -> None:
    graph = basic_graph(k=ksampler(seed=["reroute", 0]), reroute=node("Reroute", **{"": ["holder", 0]}), holder=holder)

    assert read(graph)["seed"] == seed


@pytest.mark.parametrize("seed", [None, "None", -1, True, 1.5, [], {}, ["missing", 0], ["math", 0], ["k", 0]])
def test_a_seed_that_is_not_known_is_left_out(seed: object) -> None:
    graph = basic_graph(k=ksampler(seed=seed), math=node("SimpleMath+", value="a*b", a=["empty", 0], b=2))

    values = read(graph)

    assert "seed" not in values
    assert values["steps"] == "20"


@pytest.mark.parametrize("seed", [0, 2**53 + 1, 2**64 - 1])
def test_every_digit_of_a_seed_is_kept(seed: int) -> None:
    assert read(basic_graph(k=ksampler(seed=seed)))["seed"] == str(seed)


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


def test_the_texts_of_two_encoders_are_told_once_when_they_are_equal() -> None:
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


def test_loras_are_told_in_the_order_of_their_use() -> None:
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


def test_a_size_that_a_factor_changed_is_not_told() -> None:
    up = node("LatentUpscaleBy", samples=["empty", 0], upscale_method="bilinear", scale_by=1.5)

    assert "width" not in read(basic_graph(up=up, k=ksampler(latent_image=["up", 0])))


def test_a_sampler_of_a_pack_is_known_by_its_inputs() -> None:
    graph = {
        "load": node("WanVideoModelLoader", model="wan2.1.safetensors", base_precision="bf16"),
        "text": node("WanVideoTextEncode", positive_prompt="a bird", negative_prompt="still", t5=["t5", 0]),
        "k": node(
            "WanVideoSampler",
            model=["load", 0],
            text_embeds=["text", 0],
            image_embeds=["size", 0],
            steps=30,
            cfg=6,
            seed=11,
            scheduler="unipc",
        ),
        "decode": node("WanVideoDecode", samples=["k", 0], vae=["v", 0]),
        "save": node("VHS_VideoCombine", images=["decode", 0], frame_rate=16),
    }

    values = read(graph)

    assert (values["prompt"], values["negative"], values["model"]) == ("a bird", "still", "wan2.1")
    assert (values["seed"], values["scheduler"]) == ("11", "unipc")


def test_a_graph_without_a_saver_is_read_from_its_last_node() -> None:
    graph = basic_graph()
    del graph["save"]

    assert read(graph)["seed"] == "42"


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

    began = time.perf_counter()
    values = read(graph)

    assert values["model"] == "dream_v1.5"
    assert time.perf_counter() - began < 5


def test_a_graph_of_ten_thousand_savers_is_read_in_reasonable_time() -> None:
    graph = basic_graph() | {f"s{n}": node("SaveImage", images=["decode", 0]) for n in range(10_000)}

    began = time.perf_counter()

    assert read(graph)["seed"] == "42"
    assert time.perf_counter() - began < 5


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
