"""ComfyUI graphs: the sampler that made the picture, with its settings and seed."""

from __future__ import annotations

import json

import pytest
from clip_grid.grid.pictures.metadata import read_generation

from .comfyui_graphs import basic_graph, flux_graph, ksampler, node, read


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
        (node("CR Anything Once", amount=123), "123"),
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
