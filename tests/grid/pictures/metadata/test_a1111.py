"""Promises of the reader of A1111's text."""

from __future__ import annotations

import json
import time

import pytest
from clip_grid.grid.pictures.metadata import read_generation

SETTINGS = "Steps: 20, Sampler: Euler a, CFG scale: 7.0, Seed: 1, Size: 512x768, Model: photo/real_v5.1.safetensors"


def read(text: str) -> dict[str, str]:
    return read_generation({"parameters": text}).values


def test_all_three_parts_are_read_in_order() -> None:
    found = read_generation({"parameters": f"a cat,\non a mat\nNegative prompt: blurry,\nbad\n{SETTINGS}"})

    assert found.writer == "a1111"
    assert list(found.values.items()) == [
        ("prompt", "a cat,\non a mat"),
        ("negative", "blurry,\nbad"),
        ("seed", "1"),
        ("steps", "20"),
        ("cfg", "7"),
        ("sampler", "Euler a"),
        ("model", "real_v5.1"),
        ("width", "512"),
        ("height", "768"),
    ]


def test_a_missing_negative_is_left_out() -> None:
    values = read(f"a cat\n{SETTINGS}")

    assert values["prompt"] == "a cat"
    assert "negative" not in values


def test_only_line_feeds_end_a_line() -> None:
    assert read(f"a\u2028b\x0bc\r\nd\n{SETTINGS}")["prompt"] == "a\u2028b\x0bc\nd"


def test_settings_alone_are_enough() -> None:
    assert read(SETTINGS)["steps"] == "20"


def test_words_of_the_format_inside_the_prompt_stay_there() -> None:
    prompt = "recipe, Steps: mix, then bake\nwith Negative prompt: in the line\nSteps: many"

    values = read(f"{prompt}\nNegative prompt: Steps: 3 eggs\n{SETTINGS}")

    assert values["prompt"] == prompt
    assert values["negative"] == "Steps: 3 eggs"
    assert values["steps"] == "20"


def test_lines_after_the_settings_are_not_part_of_the_prompt() -> None:
    assert read(f"a cat\n{SETTINGS}\nTemplate: a {{cat|dog}}")["prompt"] == "a cat"


def test_quoted_values_may_hold_commas_and_colons() -> None:
    values = read(f'x\n{SETTINGS}, Lora hashes: "a: 1f, b: 2e", Hires prompt: "one, \\"two\\"", Version: v1.10')

    assert values["lora_hashes"] == "a: 1f, b: 2e"
    assert values["hires_prompt"] == 'one, "two"'
    assert values["version"] == "v1.10"


def test_a_quote_that_never_closes_costs_only_its_own_value() -> None:
    values = read('x\nSteps: 20, Title: "half, Seed: 5, CFG scale: 3')

    assert (values["title"], values["seed"], values["cfg"]) == ('"half', "5", "3")


def test_json_values_of_other_tools_are_stepped_over() -> None:
    values = read(f'x\n{SETTINGS}, Hashes: {{"model": "ab, Seed: 9", "vae": "c"}}, Version: ComfyUI')

    assert (values["seed"], values["version"]) == ("1", "ComfyUI")
    assert "hashes" not in values


def test_other_settings_keep_their_name_in_snake_case_and_long_ones_are_left_out() -> None:
    values = read(
        f"x\n{SETTINGS}, Schedule type: Karras, Denoising strength: 0.45, Hires upscale: 1.50, Clip skip: 2, "
        f"Distilled CFG Scale: 3.5, VAE: ae.sft, ADetailer prompt: {'y' * 201}"
    )

    assert (values["scheduler"], values["denoise"], values["clip_skip"]) == ("Karras", "0.45", "2")
    assert (values["guidance"], values["vae"], values["hires_upscale"]) == ("3.5", "ae", "1.50")
    assert "adetailer_prompt" not in values


def test_loras_come_from_their_tags() -> None:
    values = read(f"a <lora:styles/ink_v1.5:0.8> cat <lora:flat> <lora:two:0.5:0.9>\n{SETTINGS}")

    assert values["loras"] == "ink_v1.5:0.8, flat:1, two:0.5"
    assert values["prompt"].startswith("a <lora:styles/ink_v1.5:0.8> cat")


def test_lora_names_come_from_the_hashes_when_the_prompt_has_no_tags() -> None:
    assert read(f'a cat\n{SETTINGS}, Lora hashes: "ink: 12ab, flat: 34cd"')["loras"] == "ink, flat"


@pytest.mark.parametrize("seed", ["0", "18446744073709551615"])
def test_a_seed_is_kept_digit_by_digit(seed: str) -> None:
    assert read(f"x\nSteps: 1, Seed: {seed}, CFG scale: 1")["seed"] == seed


def test_a_seed_that_is_the_word_none_is_left_out() -> None:
    assert "seed" not in read("x\nSteps: 1, Seed: None, CFG scale: 1")


def test_settings_without_steps_are_known_by_their_labels() -> None:
    assert read("x\nSampler: Euler, Seed: 3, CFG scale: 2")["seed"] == "3"


@pytest.mark.parametrize("text", ["", "\n\n", "a cat", "scene: a, mood: b, light: c", "Negative prompt: only", "{}"])
def test_text_without_settings_is_no_data(text: str) -> None:
    assert read(text) == {}


@pytest.mark.parametrize("piece", ['a:"', 'a:"\\"', "a:[[[", "a a", ":", '"', "a:{", "<lora:", "Steps: 1, a: "])
def test_hostile_text_takes_no_quadratic_time(piece: str) -> None:
    began = time.process_time()

    read("Steps: 1, " + piece * 100_000 + ", Seed: 1")

    assert time.process_time() - began < 5


def test_a_text_that_parses_goes_before_the_graph_beside_it() -> None:
    graph = json.dumps({"k": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 9, "model": ["m", 0]}}})

    both = read_generation({"parameters": f"x\n{SETTINGS}", "prompt": graph})
    broken = read_generation({"parameters": "some note", "prompt": graph})

    assert (both.writer, both.values["seed"]) == ("a1111", "1")
    assert (broken.writer, broken.values["seed"]) == ("comfyui", "5")


def test_quoted_values_may_hold_line_ends() -> None:
    values = read(
        f'a __color__ car\nNegative prompt: bad\n{SETTINGS}, Wildcard prompt: "a\n__color__\ncar", Version: v1'
    )

    assert (values["prompt"], values["negative"]) == ("a __color__ car", "bad")
    assert (values["wildcard_prompt"], values["version"]) == ("a\n__color__\ncar", "v1")


def test_settings_may_go_on_over_several_lines() -> None:
    ended_by_a_comma = read("x\nSteps: 20, Sampler: Euler,\nRNG: CPU, Seed: 5\nTemplate: y")
    one_to_a_line = read("x\nSteps: 20\nSampler: Euler\nCFG scale: 7\nSeed: 5")

    assert (ended_by_a_comma["rng"], ended_by_a_comma["seed"]) == ("CPU", "5")
    assert "template" not in ended_by_a_comma
    assert (one_to_a_line["cfg"], one_to_a_line["seed"]) == ("7", "5")


def test_sdnext_with_pipes_is_read() -> None:
    values = read(
        "prompt: a girl | a boy\nNegative prompt: planet\nVersion: aa62f6d, Pipeline: Original,\n"
        "Steps: 25 | Seed: 18 | Sampler: Euler a | CFG scale: 7 | Size: 768x512 | Parser: Full, parser | "
        "Model: revAnimated_v122 | Operations: | Hires upscale: 2"
    )

    assert values == {
        "prompt": "a girl | a boy",
        "negative": "planet",
        "seed": "18",
        "steps": "25",
        "cfg": "7",
        "sampler": "Euler a",
        "model": "revAnimated_v122",
        "width": "768",
        "height": "512",
        "parser": "Full, parser",
        "hires_upscale": "2",
        "version": "aa62f6d",
        "pipeline": "Original",
    }


def test_newer_sdnext_is_read() -> None:
    values = read(
        "Prompt: a girl\nNegative: planet\nSteps: 25| Size: 64x32| Seed: 18| CFG Scale: 6| CLIP skip: 1| App: SD.Next| "
        "Pipeline: StableDiffusionXLPipeline| Operations: txt2img"
    )

    assert (values["prompt"], values["negative"], values["width"]) == ("a girl", "planet", "64")
    assert (values["cfg"], values["clip_skip"], values["app"]) == ("6", "1", "SD.Next")


def test_labels_with_nothing_behind_them_cost_nothing_else() -> None:
    values = read("a girl\nSteps: 20, Seed: 5, Sampler: , CFG scale: 6, Refiner: , Model: sd_xl, App: SD.Next")

    assert (values["cfg"], values["model"], values["app"]) == ("6", "sd_xl", "SD.Next")
    assert "sampler" not in values


def test_a_prompt_that_begins_with_its_own_name_is_kept_as_it_was_typed() -> None:
    assert read(f"prompt: a cat\n{SETTINGS}")["prompt"] == "prompt: a cat"


def test_the_loras_of_additional_networks_are_read_and_their_settings_taken_away() -> None:
    values = read(
        f"a cat <lora:tag:0.5>\n{SETTINGS}, AddNet Enabled: True, AddNet Module 1: LoRA, AddNet Model 1: "
        "ink_v2(1234567890ab), AddNet Weight A 1: 0.8, AddNet Weight B 1: 0.7, AddNet Module 2: LoRA, "
        "AddNet Model 2: flat (new)(abcdef123456), AddNet Weight A 2: 1.0"
    )

    assert values["loras"] == "tag:0.5, ink_v2:0.8, flat (new):1"
    assert not [column for column in values if column.startswith("addnet")]


def test_numbered_loras_of_a_comfyui_saver_are_read() -> None:
    values = read(
        f"a cat\n{SETTINGS}, Lora_0 Model name: ink.safetensors, Lora_0 Model hash: ababababab, Lora_0 Strength model: "
        "-1.1, Lora_0 Strength clip: 1, Lora_1 Model name: flat.safetensors, Lora_1 Strength model: 0.9"
    )

    assert values["loras"] == "ink:-1.1, flat:0.9"
    assert not [column for column in values if column.startswith("lora_")]


def test_the_models_of_civitai_are_read() -> None:
    values = read(
        "a cat\nSteps: 25, Sampler: Euler a, CFG scale: 7, Seed: 3, Created Date: 2024-05-06T07:08:09, Civitai "
        'resources: [{"type":"checkpoint","modelVersionId":1,"modelName":"DreamShaper","modelVersionName":"8"},'
        '{"type":"lora","weight":0.8,"modelVersionId":2,"modelName":"Detail Tweaker"},{"type":"embed","weight":1,'
        '"modelName":"easynegative"},{"air":"urn:air:sd1:lora:civitai:1@2","modelName":"ink","weight":1}], '
        'Civitai metadata: {"remixOfId":1}'
    )

    assert (values["model"], values["model_version"], values["seed"]) == ("DreamShaper", "8", "3")
    assert values["loras"] == "Detail Tweaker:0.8, ink:1"
    assert "civitai_metadata" not in values


def test_a_lora_tag_may_weigh_its_parts() -> None:
    assert read(f"a <lora:ink:te=0.5:unet=0.8> <lora:flat:te=0.4>\n{SETTINGS}")["loras"] == "ink:0.8, flat:0.4"


@pytest.mark.parametrize("text", ["k{}: v, ", "Steps: {}, ", 'k{}: "v", ', "k{}: v\n", "<lora:{}:1> "])
def test_25_mb_of_text_cost_no_time(text: str) -> None:
    block = "".join(text.format(number) for number in range(5000))
    hostile = block * (25 * 2**20 // len(block))
    began = time.process_time()

    read(f"a cat\n{SETTINGS}, {hostile}")
    read(f"a cat\n{SETTINGS}, {hostile[: 2**19]}")

    assert time.process_time() - began < 1


def test_no_more_than_500_settings_are_read() -> None:
    values = read(f"a cat\n{SETTINGS}, " + ", ".join(f"k{number}: v" for number in range(20_000)))

    assert values["seed"] == "1"
    assert 450 < len(values) < 510
