"""The IP-Adapter nodes in a running ComfyUI, on tiny random models of the shapes of SD 1.5 and SDXL."""

from __future__ import annotations

import json
import shutil
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import save_file

from ..clip_backend.ip_adapter import adapter_shapes as made
from ..clip_backend.ip_adapter import tiny_unets
from ..clip_backend.ip_adapter.tiny_adapters import random_tensors
from .client import finished_run, read_workflow, run_workflow
from .server import ROOT

#: Of shapes-demo: the length of its embedding and the width of its states.
EMBEDDING, STATES, FACE = 64, 128, 512
EXAMPLES = ("reference_style", "two_references_by_region", "face_vector")
FAMILIES = ("sd15", "sdxl")
GUIDERS = ("KSampler", "CFGGuider", "DualCFGGuider", "PerpNegGuider")


def adapter(family: str, kind: str) -> dict[str, Any]:
    """A tiny adapter for the model of the family and the pictures of shapes-demo."""
    context, widths = tiny_unets.CONTEXT, tuple(tiny_unets.WIDTHS[family])
    projection = {
        "base": made.linear_projection(EMBEDDING, context),
        "plus": made.resampler(STATES, 64, 1, context, tokens=4),
        "faceid": made.mlp_projection(FACE, 32, 4, context) | made.lora(widths, context, 2),
    }[kind]
    return random_tensors(projection | made.pairs(widths, context))


@pytest.fixture(scope="module")
def server(started):
    with started(packs=[ROOT / "tests" / "comfyui" / "ip_adapter" / "tiny_pack"]) as one:
        folder = one.base / "models" / "ipadapter"
        folder.mkdir()
        for family in FAMILIES:
            for kind in ("base", "plus", "faceid"):
                save_file(adapter(family, kind), folder / f"{family}_{kind}.safetensors")
        shutil.copy(folder / "sd15_plus.safetensors", folder / "ip-adapter-plus_sd15.safetensors")
        parts: dict[str, dict[str, Any]] = {}
        for name, tensor in adapter("sd15", "faceid").items():
            root, _, rest = name.partition(".")
            parts.setdefault(root, {})[rest] = tensor
        torch.save(parts, folder / "ip-adapter-faceid_sd15.bin")
        yield one


class Graph:
    """A workflow in API format, built node by node."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}

    def add(self, kind: str, **inputs: Any) -> str:
        name = str(len(self.nodes) + 1)
        self.nodes[name] = {"class_type": kind, "inputs": inputs}
        return name

    def text(self, checkpoint: str, text: str, area: bool = False) -> list[Any]:
        encoded = [self.add("CLIPTextEncode", clip=[checkpoint, 1], text=text), 0]
        if not area:
            return encoded
        part = self.add("ConditioningSetArea", conditioning=encoded, width=64, height=64, x=64, y=32, strength=1.0)
        whole = self.add("CLIPTextEncode", clip=[checkpoint, 1], text="all")
        return [self.add("ConditioningCombine", conditioning_1=[part, 0], conditioning_2=[whole, 0]), 0]

    def mask(self, value: float, width: int = 128) -> list[Any]:
        """Of 128 x 96 pixels, white in the left part."""
        black = self.add("SolidMask", value=0.0, width=128, height=96)
        white = self.add("SolidMask", value=value, width=width, height=96)
        joined = self.add("MaskComposite", destination=[black, 0], source=[white, 0], x=0, y=0, operation="add")
        return [joined, 0]

    def sample(self, guider: str, model: list[Any], checkpoint: str) -> str:
        """Its number; the latent has 16 x 12 cells."""
        latent = self.add("EmptyLatentImage", width=128, height=96, batch_size=1)
        positive, negative = self.text(checkpoint, "a dog", area=True), self.text(checkpoint, "bad")
        if guider == "KSampler":
            sides = {"positive": positive, "negative": negative, "latent_image": [latent, 0]}
            rest = {"seed": 1, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
            sampled = self.add("KSampler", model=model, **sides, **rest)
            return self.add("TinyNumbers", samples=[sampled, 0])
        other = self.text(checkpoint, "another")
        inputs: dict[str, Any] = {
            "CFGGuider": {"positive": positive, "negative": negative, "cfg": 3.0},
            "DualCFGGuider": {
                "cond1": positive, "cond2": other, "negative": negative,
                "cfg_conds": 3.0, "cfg_cond2_negative": 2.0, "style": "regular",
            },
            "PerpNegGuider": {
                "positive": positive, "negative": negative, "empty_conditioning": other, "cfg": 3.0, "neg_scale": 1.0,
            },
        }[guider]  # fmt: skip
        parts = {
            "noise": [self.add("RandomNoise", noise_seed=1), 0],
            "guider": [self.add(guider, model=model, **inputs), 0],
            "sampler": [self.add("KSamplerSelect", sampler_name="euler"), 0],
            "sigmas": [self.add("BasicScheduler", model=model, scheduler="normal", steps=2, denoise=1.0), 0],
        }
        sampled = self.add("SamplerCustomAdvanced", **parts, latent_image=[latent, 0])
        return self.add("TinyNumbers", samples=[sampled, 0])


@pytest.mark.parametrize("guider", GUIDERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_references_act_in_every_guider_with_masks_and_areas(server, family, guider):
    graph = Graph()
    checkpoint = graph.add("TinyCheckpoint", ckpt_name=family)
    loader = graph.add("ClipGrid_IPAdapterLoader", adapter=f"{family}_plus.safetensors")
    encoder = graph.add("ClipGrid_CLIPModelLoader", model="shapes-demo")
    image = graph.add("LoadImage", image="example.png")

    def referred(**inputs: Any) -> str:
        return graph.add("ClipGrid_IPAdapterReference", image=[image, 0], model=[encoder, 0], **inputs)

    def applied(reference: str, **inputs: Any) -> list[Any]:
        given = {"model": [checkpoint, 0], "adapter": [loader, 0], "references": [reference, 0]}
        return [graph.add("ClipGrid_IPAdapterApply", **given, **inputs), 0]

    plain = referred()
    left, right = graph.mask(1.0, 64), graph.mask(1.0)
    both = referred(mask=left, references=[referred(mask=right, weight=0.5), 0])
    models = {
        "none": [checkpoint, 0],
        "weight 0": applied(plain, weight=0.0),
        "full": applied(plain),
        "white mask": applied(referred(mask=graph.mask(1.0))),
        "left": applied(referred(mask=left)),
        "regions": applied(both),
        "negative": applied(referred(negative=True, position=0.0, fit="pad", references=[plain, 0])),
        "half the steps": applied(plain, end=0.4),
    }
    shown = {name: graph.sample(guider, model, checkpoint) for name, model in models.items()}

    outputs = run_workflow(server.address, graph.nodes, timeout_s=600)

    latents = {name: np.array(outputs[node]["numbers"]) for name, node in shown.items()}
    assert all(np.isfinite(latent).all() for latent in latents.values())
    assert np.array_equal(latents["weight 0"], latents["none"])
    np.testing.assert_allclose(latents["white mask"], latents["full"], atol=1e-4)
    different = ("none", "full", "left", "regions", "negative", "half the steps")
    for place, name in enumerate(different):
        for other in different[:place]:
            assert np.abs(latents[name] - latents[other]).max() > 1e-3, (name, other)


@pytest.mark.parametrize("family", FAMILIES)
def test_style_of_one_picture_and_composition_of_another_are_two_nodes_in_a_row(server, family):
    graph = Graph()
    checkpoint = graph.add("TinyCheckpoint", ckpt_name=family)
    loader = graph.add("ClipGrid_IPAdapterLoader", adapter=f"{family}_plus.safetensors")
    encoder = graph.add("ClipGrid_CLIPModelLoader", model="shapes-demo")
    image = graph.add("LoadImage", image="example.png")
    inverted = graph.add("ImageInvert", image=[image, 0])
    style, composition = (
        graph.add("ClipGrid_IPAdapterReference", image=[one, 0], model=[encoder, 0]) for one in (image, inverted)
    )

    def applied(model: list[Any], reference: str, weight_type: str) -> list[Any]:
        given = {"model": model, "adapter": [loader, 0], "references": [reference, 0]}
        return [graph.add("ClipGrid_IPAdapterApply", **given, weight_type=weight_type), 0]

    plain = [checkpoint, 0]
    models = {
        "none": plain,
        "style": applied(plain, style, "style"),
        "composition": applied(plain, composition, "composition"),
        "both": applied(applied(plain, style, "style"), composition, "composition"),
        "swapped": applied(applied(plain, composition, "composition"), style, "style"),
        "other pictures": applied(applied(plain, composition, "style"), style, "composition"),
    }
    shown = {name: graph.sample("KSampler", model, checkpoint) for name, model in models.items()}

    outputs = run_workflow(server.address, graph.nodes, timeout_s=600)

    latents = {name: np.array(outputs[node]["numbers"]) for name, node in shown.items()}
    np.testing.assert_allclose(latents.pop("swapped"), latents["both"], atol=1e-4)
    for place, name in enumerate(latents):
        for other in list(latents)[:place]:
            assert np.abs(latents[name] - latents[other]).max() > 1e-4, (name, other)


def test_a_mask_of_another_shape_is_said_in_the_log_and_costs_nothing(server):
    graph = Graph()
    checkpoint = graph.add("TinyCheckpoint", ckpt_name="sd15")
    loader = graph.add("ClipGrid_IPAdapterLoader", adapter="sd15_plus.safetensors")
    encoder = graph.add("ClipGrid_CLIPModelLoader", model="shapes-demo")
    image = graph.add("LoadImage", image="example.png")
    mask = graph.add("SolidMask", value=1.0, width=640, height=64)
    reference = graph.add("ClipGrid_IPAdapterReference", image=[image, 0], model=[encoder, 0], mask=[mask, 0])
    given = {"model": [checkpoint, 0], "adapter": [loader, 0], "references": [reference, 0]}
    model = graph.add("ClipGrid_IPAdapterApply", **given)
    shown = graph.sample("KSampler", [model, 0], checkpoint)

    outputs = run_workflow(server.address, graph.nodes)

    assert np.isfinite(outputs[shown]["numbers"]).all()
    assert "a mask of 640 x 64 pixels is stretched to the picture of 128 x 96" in server.log_text()


def test_a_second_run_with_another_weight_leaves_nothing_of_the_first(server):
    def run(weight: float) -> np.ndarray:
        graph = Graph()
        checkpoint = graph.add("TinyCheckpoint", ckpt_name="sd15")
        loader = graph.add("ClipGrid_IPAdapterLoader", adapter="sd15_base.safetensors")
        encoder = graph.add("ClipGrid_CLIPModelLoader", model="shapes-demo")
        image = graph.add("LoadImage", image="example.png")
        reference = graph.add("ClipGrid_IPAdapterReference", image=[image, 0], model=[encoder, 0])
        given = {"model": [checkpoint, 0], "adapter": [loader, 0], "references": [reference, 0]}
        model = graph.add("ClipGrid_IPAdapterApply", **given, weight=weight)
        shown = graph.sample("KSampler", [model, 0], checkpoint)
        return np.array(run_workflow(server.address, graph.nodes)[shown]["numbers"])

    first, other, again, nothing = run(1.0), run(0.5), run(1.0), run(0.0)

    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4 < np.abs(other - nothing).max()


def test_saved_references_draw_the_same_as_the_pictures(server):
    graph = Graph()
    checkpoint = graph.add("TinyCheckpoint", ckpt_name="sd15")
    loader = graph.add("ClipGrid_IPAdapterLoader", adapter="sd15_plus.safetensors")
    encoder = graph.add("ClipGrid_CLIPModelLoader", model="shapes-demo")
    image = graph.add("LoadImage", image="example.png")
    reference = graph.add("ClipGrid_IPAdapterReference", image=[image, 0], model=[encoder, 0], fit="tiles")
    saved = graph.add("ClipGrid_IPAdapterEmbeds", references=[reference, 0], save_as="embeds/one")
    given = {"model": [checkpoint, 0], "adapter": [loader, 0]}
    model = graph.add("ClipGrid_IPAdapterApply", **given, references=[saved, 0])
    shown = graph.sample("KSampler", [model, 0], checkpoint)
    first = np.array(run_workflow(server.address, graph.nodes)[shown]["numbers"])
    (file,) = (server.base / "output" / "embeds").iterdir()

    again = {key: dict(node, inputs=dict(node["inputs"])) for key, node in graph.nodes.items()}
    again[saved]["inputs"] = {"file": f"output/embeds/{file.name}"}
    for gone in (encoder, image, reference):
        del again[gone]
    second = np.array(run_workflow(server.address, again)[shown]["numbers"])

    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_draws_with_tiny_models(server, name):
    workflow = read_workflow(ROOT / "examples" / "api" / f"{name}.json")
    workflow["encoder"] = {"class_type": "ClipGrid_CLIPModelLoader", "inputs": {"model": "shapes-demo"}}
    for node in workflow.values():
        inputs = node["inputs"]
        if node["class_type"] == "CheckpointLoaderSimple":
            node["class_type"] = "TinyCheckpoint"
        elif node["class_type"] == "KSampler":
            inputs["steps"] = 2
        elif node["class_type"] == "EmptyLatentImage":
            inputs.update(width=128, height=128)
        elif node["class_type"] == "ClipGrid_IPAdapterReference" and "image" in inputs:
            inputs["model"] = ["encoder", 0]

    outputs = run_workflow(server.address, workflow, timeout_s=600)

    assert any(entry["type"] == "output" for shown in outputs.values() for entry in shown.get("images", ()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"adapter": "sdxl_base.safetensors"}, "70 attentions"),
        ({"adapter": "sd15_faceid.safetensors"}, "vector of a face, which is missing"),
        ({"weight_type": "style", "place_weights": "1, x"}, "place_weights has 'x'"),
    ],
    ids=["another family", "no face", "weights"],
)
def test_what_cannot_work_stops_with_a_sentence(server, change, said):
    graph = Graph()
    checkpoint = graph.add("TinyCheckpoint", ckpt_name="sd15")
    change = dict(change)
    loader = graph.add("ClipGrid_IPAdapterLoader", adapter=change.pop("adapter", "sd15_base.safetensors"))
    encoder = graph.add("ClipGrid_CLIPModelLoader", model="shapes-demo")
    image = graph.add("LoadImage", image="example.png")
    reference = graph.add("ClipGrid_IPAdapterReference", image=[image, 0], model=[encoder, 0])
    given = {"model": [checkpoint, 0], "adapter": [loader, 0], "references": [reference, 0]}
    model = graph.add("ClipGrid_IPAdapterApply", **given, **change)
    graph.sample("KSampler", [model, 0], checkpoint)

    with pytest.raises(AssertionError, match=said):
        finished_run(server.address, graph.nodes)


def test_an_adapter_that_is_not_there_is_refused_before_the_run(server):
    graph = Graph()
    loader = graph.add("ClipGrid_IPAdapterLoader", adapter="sd15_bose.safetensors")
    graph.add("PreviewAny", source=[loader, 1])

    with pytest.raises(HTTPError) as refused:
        run_workflow(server.address, graph.nodes)

    assert "did you mean 'sd15_base.safetensors'" in json.dumps(json.loads(refused.value.read()))
