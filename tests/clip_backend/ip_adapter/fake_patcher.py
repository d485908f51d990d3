"""ComfyUI's ModelPatcher, and its dispatch of attention patches, in a few lines; adapters and references for it."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import torch
from clip_grid.clip_backend.ip_adapter.apply import apply_adapter
from clip_grid.clip_backend.ip_adapter.apply_settings import ApplySettings
from clip_grid.clip_backend.ip_adapter.comfy_functions import ComfyFunctions
from clip_grid.clip_backend.ip_adapter.projections import States, project
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.roles import CALC_COND_BATCH, KEY, OUTER_SAMPLE, note_roles
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

from . import tiny_unets as tiny

HEADS, WIDTH, TOKENS = 2, 16, 12
#: Of the fake UNet, in an adapter's order.
KEYS = [("input", 1, 0), ("input", 2, 0), ("output", 0, 0), ("middle", 0, 0)]


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, *, skip_reshape: bool = False, **_: object) -> Tensor:
    """ComfyUI's ``optimized_attention``."""
    if not skip_reshape:
        q, k, v = (one.reshape(len(one), -1, heads, one.shape[-1] // heads).transpose(1, 2) for one in (q, k, v))
    return scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def layer(width: int, heads: int, blocks: int = 1) -> Any:
    """A ``SpatialTransformer`` of so many transformer blocks."""
    to_k = SimpleNamespace(in_features=tiny.CONTEXT)
    block = SimpleNamespace(attn2=SimpleNamespace(to_k=to_k), n_heads=heads, d_head=width // heads)
    return SimpleNamespace(transformer_blocks=[block] * blocks)


def small_unet() -> Any:
    """A UNet of four cross-attentions."""
    one = [layer(WIDTH, HEADS)]
    return SimpleNamespace(input_blocks=[[], one, one], middle_block=one, output_blocks=[one])


def unet_like(family: str) -> Any:
    """The blocks of the tiny UNet of a family with their cross-attentions, and nothing else."""
    config = tiny.COMFYUI[family]
    widths = [config["model_channels"] * times for times in config["channel_mult"]]
    heads = [8 if family == "sd15" else width // config["num_head_channels"] for width in widths]
    depths, depths_out = list(config["transformer_depth"]), list(config["transformer_depth_output"])

    def block(level: int, count: int) -> list[Any]:
        return [layer(widths[level], heads[level], count)] if count else []

    inputs, outputs, levels = [[]], [], range(len(widths))
    for level in levels:
        inputs += [block(level, depths.pop(0)) for _ in range(2)]
        inputs += [[]] * (level < levels[-1])
    for level in reversed(levels):
        outputs += [block(level, depths_out.pop()) for _ in range(3)]
    middle = block(levels[-1], config["transformer_depth_middle"])
    return SimpleNamespace(input_blocks=inputs, middle_block=middle, output_blocks=outputs)


class FakePatcher:
    """What the code needs of a ModelPatcher: options, replacements and wrappers, copied by ``clone``."""

    def __init__(self, unet: Any = None) -> None:
        self.model = SimpleNamespace(diffusion_model=small_unet() if unet is None else unet)
        self.model_options: dict[str, Any] = {"transformer_options": {}}
        self.wrappers: dict[tuple[str, str], list[Any]] = {}
        self.sampling = SimpleNamespace(percent_to_sigma=lambda share: 10 * (1 - share))

    def clone(self) -> FakePatcher:
        twin = type(self)(self.model.diffusion_model)
        options = self.model_options["transformer_options"]
        twin.model_options = {"transformer_options": {name: copy.copy(one) for name, one in options.items()}}
        twin.wrappers = {name: list(one) for name, one in self.wrappers.items()}
        twin.sampling = self.sampling
        return twin

    def set_model_attn2_replace(self, patch: Any, *key: Any) -> None:
        options = self.model_options["transformer_options"]
        replaced = {**options.get("patches_replace", {}).get("attn2", {}), key: patch}
        options["patches_replace"] = {"attn2": replaced}

    def get_wrappers(self, kind: str, key: str) -> list[Any]:
        return self.wrappers.get((kind, key), [])

    def remove_wrappers_with_key(self, kind: str, key: str) -> None:
        self.wrappers.pop((kind, key), None)

    def add_wrapper_with_key(self, kind: str, key: str, wrapper: Any) -> None:
        self.wrappers.setdefault((kind, key), []).append(wrapper)

    def get_model_object(self, _: str) -> Any:
        return self.sampling


def adapter(name: str = "first") -> Adapter:
    """A base adapter for the fake UNet."""
    tensors = tiny.adapter_tensors("sd15", name)
    pairs = {
        f"{2 * number + 1}.to_{letter}_ip.weight": tiny.numbers(f"{name}{number}{letter}", WIDTH, tiny.CONTEXT) / 7
        for number in range(len(KEYS))
        for letter in "kv"
    }
    return load_adapter({**tensors, "ip_adapter": pairs})


COMFY = ComfyFunctions(attend, lambda module: SimpleNamespace(model=module))
NEGATIVE, POSITIVE = [{"uuid": "n"}], [{"uuid": "p"}]


def reference(name: str = "first", pictures: int = 1, **fields: Any) -> Reference:
    """Random pictures."""
    return Reference(States(embeds=tiny.embeddings(name, pictures)), **fields)


def apply(model: Any, given: Adapter, *references: Reference, **settings: Any) -> Any:
    """The model with the adapter."""
    return apply_adapter(model, given, references, settings=ApplySettings(**settings), comfy=COMFY)


def qkv(rows: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of the picture, keys and values of the text."""
    return tiny.numbers("q", rows, TOKENS, WIDTH), tiny.numbers("k", rows, 5, WIDTH), tiny.numbers("v", rows, 5, WIDTH)


def run(
    model: FakePatcher,
    rows: int = 2,
    sigma: float = 5.0,
    key: tuple[Any, ...] = KEYS[0],
    steps: int = 1,
    given: tuple[Tensor, Tensor, Tensor] | None = None,
    heads: int = HEADS,
) -> Tensor:
    """What the attention at a site gives in the last step of a run with guidance: negative rows, then positive ones.

    given: queries, keys and values of the text; None: random ones.
    """
    given = given or qkv(rows)
    guider = SimpleNamespace(
        conds={"positive": POSITIVE, "negative": NEGATIVE},
        model_options=model.clone().model_options,
        model_patcher=model,
    )

    def sampled() -> Tensor:
        out = torch.empty(0)
        for _ in range(steps):
            out = evaluate([POSITIVE, NEGATIVE], torch.zeros(1, 4, 3, 4), guider.model_options)
        return out

    def evaluate(conds: Any, x: Tensor, options: dict[str, Any]) -> Tensor:
        def attention(_: Any, __: Any, ___: Any, ____: Any, inner: dict[str, Any]) -> Tensor:
            extra = {**inner["transformer_options"], "n_heads": heads, "cond_or_uncond": [1, 0], "uuids": ["n", "p"]}
            replaced = extra.pop("patches_replace", {}).get("attn2", {})
            # as BasicTransformerBlock looks them up
            patch = replaced.get(key) or replaced.get(key[:2])
            return patch(*given, extra) if patch else attend(*given, heads)

        if not model.get_wrappers(CALC_COND_BATCH, KEY):
            return attention(None, conds, x, None, options)
        return note_roles(attention, None, conds, x, torch.tensor([sigma]), options)

    for wrapper in model.get_wrappers(OUTER_SAMPLE, KEY):
        return wrapper(Executor(guider, sampled))
    return sampled()


class Executor:
    """ComfyUI's executor of a wrapped call."""

    def __init__(self, guider: Any, then: Any) -> None:
        self.class_obj, self._then = guider, then

    def __call__(self) -> Any:
        return self._then()


def written_out(given: Adapter, name: str, scale: float, site: int = 0) -> Tensor:
    """What a picture adds, for the negative and the positive side."""
    sides = torch.cat([torch.zeros(1, tiny.EMBEDDING), tiny.embeddings(name)])
    tokens, pair = project(given, States(embeds=sides)), given.pairs[site]
    return scale * attend(qkv()[0], linear(tokens, pair.k), linear(tokens, pair.v), HEADS)
