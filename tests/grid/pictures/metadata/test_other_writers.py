"""Promises of the readers of SwarmUI, Fooocus, InvokeAI and NovelAI files."""

from __future__ import annotations

import json

from clip_grid.grid.pictures.metadata import Generation, read_generation


def test_swarm_numbers_written_as_text_are_numbers() -> None:
    params = {
        "prompt": "a photo of a cat",
        "model": "OfficialStableDiffusion/sd_xl_base_1.0",
        "seed": "1",
        "steps": 20,
        "cfgscale": "7.0",
        "width": 1024,
        "height": 768,
        "negativeprompt": "",
        "loras": ["styles/ink", "flat"],
        "loraweights": ["0.8", "1"],
        "swarm_version": "0.9.3.1",
    }

    for place in ("parameters", "UserComment"):
        found = read_generation({place: json.dumps({"sui_image_params": params, "sui_extra_data": {}})})

        assert found == Generation(
            "swarmui",
            {
                "prompt": "a photo of a cat",
                "seed": "1",
                "steps": "20",
                "cfg": "7",
                "model": "sd_xl_base_1.0",
                "loras": "ink:0.8, flat:1",
                "width": "1024",
                "height": "768",
            },
        )


def test_swarm_lists_may_be_text() -> None:
    params = {"prompt": "x", "loras": "a,b", "loraweights": "0.5"}

    assert read_generation({"parameters": json.dumps({"sui_image_params": params})}).values["loras"] == "a:0.5, b"


def test_fooocus_json_is_read() -> None:
    settings = {
        "prompt": "a house",
        "negative_prompt": "",
        "full_prompt": ["cinematic a house"],
        "seed": "314159",
        "steps": 30,
        "guidance_scale": 4.0,
        "sampler": "dpmpp_2m_sde_gpu",
        "scheduler": "karras",
        "resolution": "(1152, 896)",
        "base_model": "juggernautXL_v8",
        "vae": "Default (model)",
        "lora_combined_1": "offset_v1.0 : 0.1",
        "lora_combined_2": "False : off : 1.0",
        "metadata_scheme": "fooocus",
    }

    found = read_generation({"parameters": json.dumps(settings), "fooocus_scheme": "fooocus"})

    assert found == Generation(
        "fooocus",
        {
            "prompt": "a house",
            "seed": "314159",
            "steps": "30",
            "cfg": "4",
            "sampler": "dpmpp_2m_sde_gpu",
            "scheduler": "karras",
            "model": "juggernautXL_v8",
            "loras": "offset_v1.0:0.1",
            "width": "1152",
            "height": "896",
        },
    )


def test_fooocus_in_the_a1111_scheme_gives_what_the_user_typed() -> None:
    text = (
        "cinematic still a house, 35mm\nNegative prompt: cartoon\nSteps: 30, Sampler: DPM++ 2M SDE, Seed: 5, "
        "Size: 64x32, CFG scale: 4, Model: jug, Scheduler: karras, Raw prompt: a house, Raw negative prompt: , "
        'Lora weights: "ink: 0.1, flat: 1.0"'
    )

    found = read_generation({"parameters": text, "fooocus_scheme": "a1111"})

    assert found.writer == "fooocus"
    assert (found.values["prompt"], found.values["scheduler"]) == ("a house", "karras")
    assert found.values["loras"] == "ink:0.1, flat:1"
    assert "negative" not in found.values
    assert "raw_prompt" not in found.values


def test_invokeai_metadata_is_read() -> None:
    metadata = {
        "generation_mode": "sdxl_txt2img",
        "positive_prompt": "a tree",
        "negative_prompt": "fog",
        "seed": 0,
        "steps": 25,
        "cfg_scale": 5.5,
        "scheduler": "dpmpp_2m_k",
        "width": 832,
        "height": 1216,
        "model": {"key": "1f", "name": "Juggernaut XL v9", "base": "sdxl"},
        "vae": None,
        "loras": [{"model": {"name": "ink"}, "weight": 0.75}, {"lora": {"model_name": "old"}, "weight": 1}],
    }

    found = read_generation({"invokeai_metadata": json.dumps(metadata)})

    assert found == Generation(
        "invokeai",
        {
            "prompt": "a tree",
            "negative": "fog",
            "seed": "0",
            "steps": "25",
            "cfg": "5.5",
            "scheduler": "dpmpp_2m_k",
            "model": "Juggernaut XL v9",
            "loras": "ink:0.75, old:1",
            "width": "832",
            "height": "1216",
        },
    )


def test_older_invokeai_formats_are_read() -> None:
    image = {"prompt": [{"prompt": "a tree [fog]", "weight": 1}], "seed": 7, "steps": 50, "sampler": "k_lms"}
    old = read_generation({"sd-metadata": json.dumps({"model_weights": "sd-1.4", "image": image})}).values
    oldest = read_generation({"Dream": '"a "red" tree [fog]" -s50 -S123 -W512 -H256 -C7.5 -Ak_lms'}).values

    assert (old["prompt"], old["negative"], old["seed"], old["model"]) == ("a tree", "fog", "7", "sd-1.4")
    assert (oldest["prompt"], oldest["negative"], oldest["seed"]) == ('a "red" tree', "fog", "123")
    assert (oldest["steps"], oldest["width"], oldest["cfg"], oldest["sampler"]) == ("50", "512", "7.5", "k_lms")


NOVELAI = {
    "Software": "NovelAI",
    "Source": "NovelAI Diffusion V4 37442FCA",
    "Description": "1girl, tree",
    "Comment": json.dumps(
        {
            "prompt": "1girl, tree",
            "uc": "lowres",
            "steps": 28,
            "scale": 5.0,
            "seed": 4156789012,
            "sampler": "k_euler_ancestral",
            "noise_schedule": "karras",
            "width": 832,
            "height": 1216,
            "v4_prompt": {
                "caption": {"base_caption": "1girl, tree", "char_captions": [{"char_caption": "girl, red hair"}]}
            },
        }
    ),
}
NOVELAI_VALUES = {
    "prompt": "1girl, tree\ngirl, red hair",
    "negative": "lowres",
    "seed": "4156789012",
    "steps": "28",
    "cfg": "5",
    "sampler": "k_euler_ancestral",
    "scheduler": "karras",
    "model": "NovelAI Diffusion V4 37442FCA",
    "width": "832",
    "height": "1216",
}


def test_novelai_is_read_from_chunks_and_from_its_packed_exif_comment() -> None:
    assert read_generation(NOVELAI) == Generation("novelai", NOVELAI_VALUES)
    assert read_generation({"UserComment": json.dumps(NOVELAI)}) == Generation("novelai", NOVELAI_VALUES)


def test_a_broken_novelai_comment_leaves_the_description() -> None:
    assert read_generation(NOVELAI | {"Comment": "{"}).values["prompt"] == "1girl, tree"


def test_wrong_types_everywhere_are_no_data() -> None:
    swarm = json.dumps({"sui_image_params": {"prompt": [], "seed": {}, "loras": {"a": 1}, "loraweights": 3}})
    invoke = json.dumps({"positive_prompt": 3, "model": [], "loras": [1, {"model": 2, "weight": []}], "seed": "None"})
    fooocus = json.dumps({"base_model": {}, "prompt": 1, "lora_combined_1": 5, "resolution": None})

    assert read_generation({"parameters": swarm}).values == {}
    assert read_generation({"invokeai_metadata": invoke}).values == {}
    assert read_generation({"parameters": fooocus}).values == {}


def test_nothing_at_all_is_an_empty_generation() -> None:
    assert read_generation({}) == Generation("", {})


def test_values_can_be_written_anywhere() -> None:
    params = {"prompt": "a\ud800b\u0000c\r\nd ", "seed": 1}

    found = read_generation({"parameters": json.dumps({"sui_image_params": params})})

    assert found.values["prompt"] == "a\N{REPLACEMENT CHARACTER}bc\nd"
