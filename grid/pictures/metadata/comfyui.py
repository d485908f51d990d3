"""ComfyUI: the columns of the picture from the API-format graph that its savers write as "prompt"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ....imaging import Size
from .columns import as_list, as_object, loras_text, number_text, to_columns, weights_name
from .comfyui_graph import STACKS, Graph, Node, linked_id, load_entries, trail
from .comfyui_names import BUNDLES, LATENTS, Names
from .comfyui_repeats import Repeats
from .comfyui_sampler import LastSampler, Prompt, earlier_sampler, find_last_samplers, find_prompt
from .comfyui_values import first_number, number, text
from .comfyui_workflow import workflow_graph

_SEED = ("seed", "noise_seed")
_STEPS = ("steps", "steps_total", "num_steps")
_CFG = ("cfg", "cfg_conds", "cfg_scale")
_MODEL_FILES = ("ckpt_name", "unet_name", "model_name", "base_ckpt_name", "gguf_name", "model_path", "model")
_VAES = ("vae", "optional_vae")


def _or_bundles(*names: str) -> Names:
    """The inputs of these names, and bundles, which may hold the same things."""
    return Names(lambda name: name in names or BUNDLES[name])


#: The inputs that lead to what is looked for.
_TO_PARTS = _or_bundles("noise", "guider", "sampler", "sigmas")
_TO_MODELS = _or_bundles(
    "model", "unet", "model1", "model2", "base_model", "guider", "lora", "prev_lora", "loras", *STACKS
)
_TO_VAES, _TO_CLIP = _or_bundles(*_VAES), _or_bundles("clip")
_TO_LATENTS = Names(lambda name: LATENTS[name] or BUNDLES[name])
_SIZES = (("width", "height"), ("empty_latent_width", "empty_latent_height"))
#: Beside these, width and height are only used for a custom size.
_PRESETS = Names(re.compile(r"aspect|ratio|preset|resolution|dimensions", re.IGNORECASE).search)
#: Sizes are rounded to multiples of 8 or 64, and upscalers round again.
_SHAPE_TOLERANCE = 0.04
_FACTORS = frozenset({"scale_by", "upscale_by", "factor", "scale"})
#: A seed is looked for through this many samplers that add no noise of their own.
_MAX_STAGES = 16
_NUMBERED_LORA = re.compile(r"lora(?:_name)?_?(\d{1,2})|lora_(\d{1,2})_name")
_STRENGTHS = ("strength_model", "lora_model_strength", "strength", "lora_strength")
#: ComfyUI's own nodes that are one sampler each, by the name that KSampler gives it.
_SAMPLER_NODES = {
    "SamplerEulerAncestral": "euler_ancestral",
    "SamplerEulerAncestralCFGPP": "euler_ancestral_cfg_pp",
    "SamplerEulerCFGpp": "euler_cfg_pp",
    "SamplerLMS": "lms",
    "SamplerLCMUpscale": "lcm",
    "SamplerDPMPP_3M_SDE": "dpmpp_3m_sde",
    "SamplerDPMPP_2M_SDE": "dpmpp_2m_sde",
    "SamplerDPMPP_SDE": "dpmpp_sde",
    "SamplerDPMPP_2S_Ancestral": "dpmpp_2s_ancestral",
    "SamplerDPMAdaptative": "dpm_adaptive",
    "SamplerER_SDE": "er_sde",
    "SamplerSASolver": "sa_solver",
}
_SCHEDULER_NODE = re.compile(r"(\w+?)(?:Sampling)?Scheduler")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


#: Why something is left out of a picture whose graph saves several.
SEVERAL_SAVED = (
    "the workflow saves several pictures, and the file name begins with no prefix that tells which of them this is; "
    "what differs between them is left out"
)
_MAX_CANDIDATES = 8


def read_comfyui(texts: Mapping[str, str], file: str = "", size: Size = (0, 0)) -> tuple[dict[str, str], str]:
    """The columns of a ComfyUI picture, and a warning or ""; both empty for any other, and for no sampler.

    file, size: name and pixels of the picture, where they are known.
    """
    for place in ("prompt", "UserComment", "comment"):
        if entries := load_entries(texts.get(place, "")):
            return _REPEATS.read(entries, file, size)
    # the workflow has more than what ran, so that it counts only where there is nothing else
    return columns_of_graph(workflow_graph(texts.get("workflow", "")), file, size)


def columns_of_graph(graph: Graph, file: str = "", size: Size = (0, 0)) -> tuple[dict[str, str], str]:
    """The columns of the picture that the graph made, and a warning or ""; empty where it has no sampler."""
    lasts = find_last_samplers(graph, file)[:_MAX_CANDIDATES] if graph else []
    found = [to_columns(_columns(graph, last, size)) for last in lasts]
    if len(found) > 1:
        pixels = {"width": str(size[0]), "height": str(size[1])}
        of_size = [columns for columns in found if pixels.items() <= columns.items()]
        found = of_size if len(of_size) == 1 else found
    if not found:
        return {}, ""
    first, *others = found
    shared = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
    return shared, SEVERAL_SAVED if any(other != first for other in others) else ""


_REPEATS = Repeats(columns_of_graph)


def _columns(graph: Graph, last: LastSampler, size: Size) -> dict[str, object]:
    sampler = last.node
    parts = list(trail(graph, sampler, _TO_PARTS))
    # a node that takes sigmas only changes them: its steps are not those of the plan
    plans = [node for node in parts if not node.link("sigmas")]
    positive = find_prompt(graph, sampler, "positive")
    loaders = list(trail(graph, sampler, _TO_MODELS))
    return {
        "prompt": positive.text,
        "negative": find_prompt(graph, sampler, "negative").text,
        "seed": _seed(graph, sampler),
        "steps": first_number(graph, plans, *_STEPS),
        "cfg": first_number(graph, parts, *_CFG),
        "sampler": _sampler_name(graph, parts),
        "scheduler": _scheduler_name(graph, parts),
        "denoise": first_number(graph, plans, "denoise"),
        "guidance": first_number(graph, positive.nodes, "guidance"),
        "model": _model_names(graph, loaders),
        "vae": _vae_name(graph, last),
        "loras": loras_text(_loras(graph, loaders)),
        "clip_skip": _clip_skip(graph, positive),
        **_size(graph, sampler, size),
    }


def _seed(graph: Graph, sampler: Node) -> str:
    """The seed of the noise: where a sampler adds none, that of the one before, whose picture it goes on with."""
    node, stages = sampler, 0
    while not _adds_noise(graph, node) and stages < _MAX_STAGES and (before := earlier_sampler(graph, node)):
        node, stages = before, stages + 1
    return first_number(graph, trail(graph, node, _TO_PARTS), *_SEED)


def _adds_noise(graph: Graph, sampler: Node) -> bool:
    noise = graph.target_node(sampler.inputs.get("noise"))
    if noise and noise.kind == "DisableNoise":
        return False
    add_noise = sampler.inputs.get("add_noise")
    return add_noise is not False and add_noise not in ("disable", "disabled")


def _sampler_name(graph: Graph, parts: list[Node]) -> str:
    for node in parts:
        name = text(graph, node.inputs.get("sampler_name"), "sampler_name", "sampler") or _SAMPLER_NODES.get(
            node.kind, ""
        )
        plain = node.inputs.get("sampler")
        if name or isinstance(plain, str):
            return name or str(plain)
    return ""


def _scheduler_name(graph: Graph, parts: list[Node]) -> str:
    for node in parts:
        if name := text(graph, node.inputs.get("scheduler"), "scheduler"):
            return name
        named = _SCHEDULER_NODE.fullmatch(node.kind)
        if named and "scheduler" not in node.inputs and named[1] != "Basic":
            return _WORD_START.sub("_", named[1]).lower()
    return ""


def _model_names(graph: Graph, loaders: list[Node]) -> str:
    """The weight files, as "a + b" where models are merged."""
    # a node that also takes a model only changes it: its file is an adapter
    sources = [node for node in loaders if node.link("model") is None]
    return " + ".join(dict.fromkeys(name for node in sources if (name := _model_name(graph, node))))


def _model_name(graph: Graph, loader: Node) -> str:
    return next(filter(None, (weights_name(text(graph, loader.inputs.get(key), key)) for key in _MODEL_FILES)), "")


def _loras(graph: Graph, loaders: list[Node]) -> Iterator[tuple[str, str]]:
    """(file, strength) in the order in which they are applied, which is that from the model to the sampler."""
    for node in reversed(loaders):
        if node.inputs.get("toggle") in (False, "false"):
            continue
        for key, value in node.inputs.items():
            record = as_object(value)
            if "lora" in record and record.get("on") is not False:
                yield text(graph, record["lora"]), number(graph, record.get("strength"))
            elif key in ("loras", "lora_stack") and linked_id(value) is None:
                yield from _listed_loras(as_list(record.get("__value__", value)))
            elif key in ("lora_name", "lora"):
                yield text(graph, value, key), first_number(graph, [node], *_STRENGTHS)
            elif (slot := _NUMBERED_LORA.fullmatch(key)) and not record and _is_on(node, slot[1] or slot[2]):
                yield text(graph, value, key), first_number(graph, [node], *_strength_names(node, slot[1] or slot[2]))


def _listed_loras(entries: list[object]) -> Iterator[tuple[str, str]]:
    """The LoRAs of a manager, which keeps a list of records and switches each on or off."""
    for record in map(as_object, entries):
        if record.get("active") is not False and isinstance(name := record.get("name"), str):
            yield name, number_text(record.get("strength"))


def _strength_names(node: Node, slot: str) -> list[str]:
    """The inputs that may hold the strength of a numbered slot, those first that count in the stack's mode."""
    simple = [f"lora_{slot}_strength", f"lora_wt_{slot}", f"strength_{slot}", f"lora_weight_{slot}"]
    both = [f"{name}_{slot}" for name in ("strength_model", "model_weight", "model_str", "model_strength")]
    both.append(f"lora_{slot}_model_strength")
    is_advanced = "advanced" in (node.inputs.get("mode"), node.inputs.get("input_mode"))
    return [*both, *simple] if is_advanced else [*simple, *both]


def _is_on(node: Node, slot: str) -> bool:
    """Whether the numbered slot of a LoRA stack is in use: switched on, and within the count that is shown."""
    counts = (node.inputs.get(key) for key in ("lora_count", "num_loras"))
    is_shown = all(not isinstance(count, int) or int(slot) <= count for count in counts)
    switches = (node.inputs.get(key) for key in (f"switch_{slot}", f"enabled_{slot}", f"lora_{slot}_enabled"))
    return is_shown and not any(switch in ("Off", False) for switch in switches)


def _vae_name(graph: Graph, last: LastSampler) -> str:
    """The separate VAE file that decoded the picture; empty when the checkpoint's own did."""
    links = [node.inputs[key] for node in (*last.later, last.node) for key in _VAES if node.link(key)]
    for loader in filter(None, map(graph.target_node, links[:_MAX_STAGES])):
        for node in trail(graph, loader, _TO_VAES):
            if name := weights_name(text(graph, node.inputs.get("vae_name"), "vae_name")):
                return name
    return ""


def _clip_skip(graph: Graph, positive: Prompt) -> str:
    """The layer counted from the end, as A1111 does: 2 is the last but one; ComfyUI writes it as -2."""
    encoder = next((node for node in positive.nodes if node.link("clip")), None)
    behind = trail(graph, encoder, _TO_CLIP) if encoder else ()
    return first_number(graph, (*positive.nodes, *behind), "stop_at_clip_layer", "clip_skip").lstrip("-")


def _size(graph: Graph, sampler: Node, picture: Size) -> dict[str, object]:
    """Width and height of the latent that was sampled; nothing when it is not known, or has not the picture's shape."""
    for node in trail(graph, sampler, _TO_LATENTS):
        if node is not sampler and not node.inputs.keys().isdisjoint(_FACTORS):
            return {}
        for keys in _SIZES:
            width, height = (number(graph, node.inputs.get(key), key) for key in keys)
            if width and height:
                is_given = not _has_preset(node) or (width, height) == (str(picture[0]), str(picture[1]))
                fits = is_given and _has_shape(float(width), float(height), picture)
                return {"width": width, "height": height} if fits else {}
    return {}


def _has_preset(node: Node) -> bool:
    """Whether the node has a named size that takes the place of its width and height."""
    presets = (value for key, value in node.inputs.items() if _PRESETS[key] and isinstance(value, str))
    return any(re.search(r"\d", value) for value in presets)


def _has_shape(width: float, height: float, picture: Size) -> bool:
    """Whether a picture of this size, enlarged or not, can have become the one that is there."""
    if width <= 0 or height <= 0:
        return False
    return 0 in picture or abs(width * picture[1] / (height * picture[0]) - 1) < _SHAPE_TOLERANCE
