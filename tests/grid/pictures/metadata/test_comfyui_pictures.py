"""ComfyUI graphs that save several pictures, that repair one, or whose size is not the picture's."""

from __future__ import annotations

import json

import pytest
from clip_grid.grid.pictures.metadata import Generation, read_generation
from clip_grid.grid.pictures.metadata.comfyui import SEVERAL_SAVED

from .comfyui_graphs import basic_graph, ksampler, node, read


def of_file(graph: object, file: str = "", size: tuple[int, int] = (0, 0)) -> Generation:
    return read_generation({"prompt": json.dumps(graph)}, file, size)


def two_branches(first: str, second: str) -> dict[str, object]:
    return basic_graph(
        ckpt2=node("CheckpointLoaderSimple", ckpt_name="beta.safetensors"),
        pos2=node("CLIPTextEncode", text="a dog", clip=["ckpt", 1]),
        k2=ksampler(seed=2, model=["ckpt2", 0], positive=["pos2", 0]),
        decode2=node("VAEDecode", samples=["k2", 0], vae=["ckpt2", 2]),
        save=node("SaveImage", images=["decode", 0], filename_prefix=first),
        save2=node("SaveImage", images=["decode2", 0], filename_prefix=second),
    )


@pytest.mark.parametrize(
    ("first", "second", "file", "seed"),
    [
        ("left", "right", "left_00001_.png", "42"),
        ("left", "right", "right_00001_.png", "2"),
        ("out/left", "out\\right", "right_00012_ (1).png", "2"),
        ("left", "left_big", "left_big_00001_.png", "2"),
        ("left", "left_big", "left_00001_.png", "42"),
        ("%date:yyyy-MM-dd%/cat_%KSampler.seed%", "%date:yyyy-MM-dd%/dog_%KSampler.seed%", "dog_2_00001_.png", "2"),
        ("cat_[time(%Y-%m-%d)]", "dog_[time(%Y-%m-%d)]", "dog_2026-11-29_0001.png", "2"),
        ("cat-%seed_%model", "dog-%seed_%model", "dog-2_beta.png", "2"),
    ],
)
def test_the_saver_whose_prefix_the_file_has_wrote_it(first: str, second: str, file: str, seed: str) -> None:
    found = of_file(two_branches(first, second), file)

    assert (found.values["seed"], found.warning) == (seed, "")


@pytest.mark.parametrize(("first", "file"), [("left", "renamed.png"), ("right", "right_00001_.png"), ("left", "")])
def test_where_the_saver_cannot_be_told_only_what_all_share_is_read(first: str, file: str) -> None:
    found = of_file(two_branches(first, "right"), file)

    assert found.values.keys().isdisjoint({"seed", "model", "prompt"})
    assert (found.values["steps"], found.values["negative"]) == ("20", "blurry")
    assert found.warning == SEVERAL_SAVED


def test_the_size_tells_the_finished_picture_from_the_first_stage() -> None:
    graph = basic_graph(
        up=node("LatentUpscale", samples=["k", 0], width=1024, height=1536, upscale_method="bilinear"),
        k2=ksampler(seed=2, latent_image=["up", 0]),
        decode2=node("VAEDecode", samples=["k2", 0], vae=["ckpt", 2]),
        save2=node("SaveImage", images=["decode2", 0], filename_prefix="ComfyUI"),
    )

    assert of_file(graph, "ComfyUI_00001_.png", (512, 768)).values["seed"] == "42"
    assert of_file(graph, "ComfyUI_00002_.png", (1024, 1536)).values["seed"] == "2"
    assert of_file(graph).values["seed"] == "2"


@pytest.mark.parametrize("kind", ["UltimateSDUpscale", "FaceDetailer"])
def test_where_nothing_else_sampled_the_upscaler_or_detailer_made_the_picture(kind: str) -> None:
    graph = basic_graph(
        old=node("LoadImage", image="old.png"),
        k=node(
            kind,
            image=["old", 0], model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], vae=["ckpt", 2], seed=5,
            steps=12, cfg=6, sampler_name="euler", scheduler="normal", denoise=0.25, upscale_by=2, guide_size=512,
        ),
        save=node("SaveImage", images=["k", 0], filename_prefix="up"),
    )  # fmt: skip

    values = read(graph)

    assert (values["seed"], values["steps"], values["denoise"], values["prompt"]) == ("5", "12", "0.25", "a cat")
    assert "width" not in values


def test_a_picture_that_was_only_enlarged_by_a_model_has_no_generation_data() -> None:
    graph = {
        "old": node("LoadImage", image="old.png"),
        "m": node("UpscaleModelLoader", model_name="4x.pth"),
        "up": node("ImageUpscaleWithModel", upscale_model=["m", 0], image=["old", 0]),
        "save": node("SaveImage", images=["up", 0], filename_prefix="up"),
    }

    assert read(graph) == {}


@pytest.mark.parametrize(
    ("size", "known"),
    [((512, 768), True), ((1024, 1536), True), ((520, 768), True), ((768, 512), False), ((0, 0), True)],
)
def test_a_size_of_another_shape_than_the_picture_is_left_out(size: tuple[int, int], known: bool) -> None:
    assert ("width" in of_file(basic_graph(), "x.png", size).values) is known


def test_width_and_height_beside_a_preset_count_only_when_the_picture_has_them() -> None:
    preset = node("CR SDXL Aspect Ratio", width=1024, height=1024, aspect_ratio="3:4 portrait 896x1152")
    graph = basic_graph(preset=preset, k=ksampler(latent_image=["preset", 4]))

    assert "width" not in of_file(graph, "x.png", (896, 1152)).values
    assert "width" not in of_file(graph).values
    assert of_file(graph, "x.png", (1024, 1024)).values["width"] == "1024"
