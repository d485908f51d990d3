"""Tests: pictures of one workflow get the columns that a walk through the graph of each of them gives."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from clip_grid.grid.pictures.metadata import comfyui_repeats
from clip_grid.grid.pictures.metadata.comfyui import columns_of_graph, read_comfyui
from clip_grid.grid.pictures.metadata.comfyui_graph import Entries, Graph, graph_of, load_entries
from clip_grid.grid.pictures.metadata.comfyui_repeats import Answer, Repeats
from clip_grid.imaging import Size

Workflow = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def text_to_image(seed: Any, positive: Any, negative: Any, **more: dict[str, Any]) -> Workflow:
    """ComfyUI's default workflow."""
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    settings = {"steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    workflow: Workflow = {
        "3": node("KSampler", seed=seed, **settings, **links),
        "4": node("CheckpointLoaderSimple", ckpt_name="dream.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=512, batch_size=1),
        "6": node("CLIPTextEncode", text=positive, clip=["4", 1]),
        "7": node("CLIPTextEncode", text=negative, clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }
    return workflow | more


def of_guider(seed: int, text: str) -> Workflow:
    """Flux: noise from a node that holds nothing but a seed."""
    return text_to_image(seed, text, "") | {
        "3": node("SamplerCustomAdvanced", noise=["10", 0], guider=["11", 0], latent_image=["5", 0], sigmas=["12", 0]),
        "10": node("RandomNoise", noise_seed=seed),
        "11": node("BasicGuider", model=["4", 0], conditioning=["6", 0]),
        "12": node("BasicScheduler", scheduler="simple", steps=4, denoise=1.0, model=["4", 0]),
    }


def of_seed_node(seed: int, text: str) -> Workflow:
    """A node that holds one number gives the steps, too."""
    workflow = text_to_image(["20", 0], text, "bad", **{"20": node("Seed (rgthree)", seed=seed)})
    workflow["3"]["inputs"]["steps"] = ["20", 0]
    return workflow


def of_joined_texts(seed: int, text: str) -> Workflow:
    joined = {"30": node("StringConcatenate", string_a=["31", 0], string_b="best", delimiter=", ")}
    return text_to_image(seed, ["30", 0], "bad", **joined, **{"31": node("Text", text=text)})


def of_two_encoders(seed: int, text: str) -> Workflow:
    encoder = node("CLIPTextEncodeSDXL", text_g=text, text_l=text if seed % 2 else f"{text} small", clip=["4", 1])
    return text_to_image(seed, text, "", **{"6": encoder})


def of_two_savers(seed: int, text: str) -> Workflow:
    """The name of the file tells which of two pictures it is."""
    second = {"13": node("KSampler", **text_to_image(seed + 1, "", "")["3"]["inputs"])}
    decoded = {"18": node("VAEDecode", samples=["13", 0], vae=["4", 2])}
    saved = {"19": node("SaveImage", filename_prefix="final", images=["18", 0])}
    return text_to_image(seed, text, "bad", **second, **decoded, **saved)


def of_a_sampler_named_by_a_text(seed: int, text: str) -> Workflow:
    workflow = text_to_image(seed, text, "bad", **{"40": node("Text", text=text)})
    workflow["3"]["inputs"]["sampler_name"] = ["40", 0]
    return workflow


_TEXTS = ("a cat", "a dog", " a cat \n", "a\r\ncat", "", "none", "42", "bad", "a \ufdd00\ufdd1", "x" * 200_000, "ä 猫")
_MAKERS: tuple[Callable[[int, str], Workflow], ...] = (
    lambda seed, text: text_to_image(seed, text, "bad"),
    lambda seed, text: text_to_image(seed, text, text),
    lambda seed, text: text_to_image(seed, "bad", text),
    of_guider,
    of_seed_node,
    of_joined_texts,
    of_two_encoders,
    of_two_savers,
    of_a_sampler_named_by_a_text,
)


def walked(workflow: Workflow, file: str, size: Size) -> Answer:
    return columns_of_graph(graph_of(load_entries(json.dumps(workflow))), file, size)


@pytest.mark.parametrize("number", range(len(_MAKERS)))
def test_seeds_and_prompts_of_a_known_workflow_are_each_pictures_own(number: int) -> None:
    make, told = _MAKERS[number], random.Random(number)
    for count in range(60):
        seed = told.choice((count, -1, 512, 2**64 - 1, 10**29 + 1))
        workflow = make(seed, told.choice(_TEXTS))
        file, size = told.choice(("ComfyUI_1_.png", "final_1_.png", "")), told.choice(((512, 512), (640, 512)))
        assert read_comfyui({"prompt": json.dumps(workflow)}, file, size) == walked(workflow, file, size)


def test_random_links_give_the_columns_of_a_walk() -> None:
    """Graphs of nodes that are linked at random, each with several seeds and texts."""
    told = random.Random(1)
    for _ in range(150):
        links = {key: [told.choice("3456789"), told.randrange(2)] for key in ("positive", "negative", "model", "text")}
        for _ in range(4):
            workflow = text_to_image(told.randrange(1000), told.choice(_TEXTS[:8]), told.choice(_TEXTS[:8]))
            workflow["3"]["inputs"] |= {key: link for key, link in links.items() if key != "text"}
            if links["text"][1]:
                workflow["6"]["inputs"]["text"] = links["text"]
            assert read_comfyui({"prompt": json.dumps(workflow)}, "a.png", (8, 8)) == walked(workflow, "a.png", (8, 8))


def test_the_graph_of_a_known_workflow_is_not_walked() -> None:
    walks = []

    def read(graph: Graph, file: str, size: Size) -> Answer:
        walks.append(file)
        return columns_of_graph(graph, file, size)

    repeats = Repeats(read)
    for number in range(100):
        entries: Entries = text_to_image(number, f"cat {number}", "bad")
        columns, _ = repeats.read(entries, f"{number}.png", (512, 512))
        assert (columns["seed"], columns["prompt"], columns["cfg"]) == (str(number), f"cat {number}", "8")

    # twice for their own columns, and once for those of the marks
    assert walks == ["0.png", "1.png", "1.png"]


def test_no_more_shapes_are_kept_than_a_megabyte_or_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfyui_repeats, "_MOST_SHAPES", 10)
    repeats = Repeats(columns_of_graph)
    for number in range(35):
        workflow = text_to_image(1, "a cat", "bad")
        workflow["3"]["inputs"]["cfg"] = number
        assert repeats.read(workflow, "", (8, 8))[0]["cfg"] == str(number)
    assert len(repeats._known) <= 10
