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


def read_object(settings: dict[str, object], place: str = "parameters") -> Generation:
    return read_generation({place: json.dumps(settings)})


def test_ruined_fooocus_is_read_with_loras_of_old_and_new_versions() -> None:
    settings: dict[str, object] = {
        "Prompt": "a boat", "Negative": "fog", "steps": 30, "cfg": 8, "width": 1152, "height": 896, "seed": 31,
        "sampler_name": "dpmpp_2m_sde_gpu", "scheduler": "karras", "base_model_name": "juggernautXL.safetensors",
        "base_model_hash": "ab", "loras": [["12ab - 0.5", "ink"], ["34cd", "0.7 - flat.safetensors"]], "denoise": None,
        "clip_skip": 1, "software": "RuinedFooocus",
    }  # fmt: skip

    assert read_object(settings) == Generation(
        "fooocus",
        {
            "prompt": "a boat",
            "negative": "fog",
            "seed": "31",
            "steps": "30",
            "cfg": "8",
            "sampler": "dpmpp_2m_sde_gpu",
            "scheduler": "karras",
            "model": "juggernautXL",
            "loras": "ink:0.5, flat:0.7",
            "clip_skip": "1",
            "width": "1152",
            "height": "896",
        },
    )


def test_fooocus_mre_is_read() -> None:
    found = read_object(
        {
            "prompt": "a boat", "negative_prompt": "fog", "style": "cinematic", "performance": "Speed", "width": 1152,
            "height": 896, "seed": 31, "steps": 30, "switch": 20, "cfg": 7.0, "sampler": "dpmpp_2m", "scheduler":
            "karras", "base_model": "sd_xl_base.safetensors", "l1": "ink.safetensors", "w1": 0.5, "l2": "None", "w2": 1,
            "software": "Fooocus-MRE",
        },
        "comment",
    )  # fmt: skip

    assert (found.values["cfg"], found.values["width"], found.values["loras"]) == ("7", "1152", "ink:0.5")


EASY_DIFFUSION = {
    "prompt": "a boat", "negative_prompt": "fog", "seed": "31", "num_inference_steps": "25", "guidance_scale": "7.5",
    "width": "512", "height": "768", "sampler_name": "euler_a", "use_stable_diffusion_model": "models/sd-v1-5.ckpt",
    "use_vae_model": "None", "clip_skip": "False", "use_lora_model": "['ink', 'flat']", "lora_alpha": "[0.5, 1]",
}  # fmt: skip
EASY_DIFFUSION_VALUES = {
    "prompt": "a boat",
    "negative": "fog",
    "seed": "31",
    "steps": "25",
    "cfg": "7.5",
    "sampler": "euler_a",
    "model": "sd-v1-5",
    "loras": "ink:0.5, flat:1",
    "width": "512",
    "height": "768",
}


def test_easy_diffusion_is_read_from_one_text_to_each_setting_and_from_one_object() -> None:
    as_numbers = {**EASY_DIFFUSION, "seed": 31, "use_lora_model": ["ink", "flat"], "lora_alpha": [0.5, 1]}

    assert read_generation(EASY_DIFFUSION) == Generation("easydiffusion", EASY_DIFFUSION_VALUES)
    assert read_object(as_numbers, "UserComment").values == EASY_DIFFUSION_VALUES


def test_easy_diffusion_is_read_by_the_labels_it_shows() -> None:
    labels = (
        "Prompt", "Negative Prompt", "Seed", "Steps", "Guidance Scale", "Width", "Height", "Sampler",
        "Stable Diffusion model", "VAE model", "Clip Skip", "LoRA model", "LoRA Strength",
    )  # fmt: skip

    assert read_generation(dict(zip(labels, EASY_DIFFUSION.values(), strict=True))).values == EASY_DIFFUSION_VALUES


def test_draw_things_is_read() -> None:
    found = read_object(
        {
            "c": "a tree", "uc": "fog", "model": "sd_xl_base_1.0_f16.ckpt", "sampler": "DPM++ 2M Karras", "scale": 7.5,
            "seed": 4294967295, "size": "1024x768", "steps": 30, "strength": 1, "lora": [{"model": "ink.ckpt",
            "weight": 0.6}], "v2": {"width": 1024},
        },
        "UserComment",
    )  # fmt: skip

    assert found == Generation(
        "drawthings",
        {
            "prompt": "a tree",
            "negative": "fog",
            "seed": "4294967295",
            "steps": "30",
            "cfg": "7.5",
            "sampler": "DPM++ 2M Karras",
            "denoise": "1",
            "model": "sd_xl_base_1.0_f16",
            "loras": "ink:0.6",
            "width": "1024",
            "height": "768",
        },
    )


def test_of_civitais_graph_what_was_typed_goes_before_its_nodes() -> None:
    inputs = {"seed": 5, "steps": 9, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "model": ["m", 0]}
    graph = {
        "k": {"class_type": "KSampler", "inputs": inputs},
        "m": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dream.safetensors"}},
        "extra": {"airs": ["urn:air:sd1:checkpoint:civitai:1@2"]},
        "extraMetadata": json.dumps(
            {"prompt": "a cat", "negativePrompt": "fog", "cfgScale": 7, "steps": 25, "seed": 3}
        ),
    }

    for place in ("prompt", "UserComment"):
        found = read_object(graph, place)

        assert found.writer == "civitai"
        assert [found.values[name] for name in ("prompt", "negative", "seed", "steps", "cfg", "sampler", "model")] == [
            "a cat", "fog", "3", "25", "7", "euler", "dream"
        ]  # fmt: skip


def test_json_that_is_too_deep_is_no_data_for_any_reader() -> None:
    for depth in (300, 900, 940, 960, 980, 990, 1000, 50_000):
        deep = "[" * depth + "]" * depth
        for text in (
            deep,
            f'{{"base_model": "x", "prompt": "a", "resolution": {deep}, "lora_combined_1": {deep}}}',
            f'{{"image": {{"prompt": [{{"prompt": {deep}}}], "seed": 1}}}}',
            f'{{"sui_image_params": {{"prompt": "x", "loras": {deep}, "seed": {deep}}}}}',
            f'{{"prompt": "a", "num_inference_steps": {deep}, "use_lora_model": {deep}}}',
        ):
            for place in ("parameters", "UserComment", "sd-metadata", "invokeai_metadata", "prompt", "Comment"):
                assert isinstance(read_generation({place: text, "Software": "NovelAI"}), Generation)


def test_json_of_millions_of_small_values_is_no_data() -> None:
    assert read_generation({"parameters": '{"prompt": "x", "base_model": "y", "a": [' + "{}," * 3_000_000}).values == {}
