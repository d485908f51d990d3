"""The LoRA of FaceID files is added to the right weights of both UNets, and to no others."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from clip_grid.clip_backend.ip_adapter.face_lora import add_lora, attention_layers, lora_products
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from clip_grid.errors import InputError

from ..checkpoints.tensor_names import Shapes
from . import adapter_shapes as made
from . import tiny_adapters as tiny

#: (block, transformer blocks) in the order of adapter files, as facts of the two UNets.
SD15 = (
    *((f"input_blocks.{n}.1", 1) for n in (1, 2, 4, 5, 7, 8)), *((f"output_blocks.{n}.1", 1) for n in range(3, 12)),
    ("middle_block.1", 1),
)  # fmt: skip
SDXL = (
    ("input_blocks.4.1", 2), ("input_blocks.5.1", 2), ("input_blocks.7.1", 10), ("input_blocks.8.1", 10),
    *((f"output_blocks.{n}.1", 10) for n in (0, 1, 2)), *((f"output_blocks.{n}.1", 2) for n in (3, 4, 5)),
    ("middle_block.1", 10),
)  # fmt: skip
CONTEXT, RANK = 12, 2


def unet(blocks: tuple[tuple[str, int], ...], widths: tuple[int, ...]) -> Shapes:
    """The attention weights of a UNet, in the order in which torch lists them: down, middle, up."""
    layers = [(f"diffusion_model.{block}.transformer_blocks.{t}", t) for block, count in blocks for t in range(count)]
    shapes: dict[str, Shapes] = {}
    for (root, _), width in zip(layers, widths, strict=True):
        own: Shapes = {}
        for attention, into in (("attn1", width), ("attn2", CONTEXT)):
            own |= {
                f"{root}.{attention}.to_q.weight": (width, width),
                f"{root}.{attention}.to_out.0.weight": (width, width),
            }
            own |= {f"{root}.{attention}.to_out.0.bias": (width,)}
            own |= {f"{root}.{attention}.to_{letter}.weight": (width, into) for letter in "kv"}
        shapes[root] = own | {f"{root}.ff.net.2.weight": (width, width)}
    order = sorted(shapes, key=lambda root: ("input", "middle", "output").index(root.split(".")[1].split("_")[0]))
    return {name: shape for root in order for name, shape in shapes[root].items()}


def tiny_widths(widths: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(width // 80 for width in widths)


def faceid(widths: tuple[int, ...]) -> Adapter:
    rest = made.pairs(widths, CONTEXT) | made.lora(widths, CONTEXT, RANK)
    return load_adapter(tiny.random_tensors(made.mlp_projection(8, 16, 4, CONTEXT) | rest))


KINDS = {"SD 1.5": (SD15, tiny_widths(made.SD15_WIDTHS)), "SDXL": (SDXL, tiny_widths(made.SDXL_WIDTHS))}


class Product:
    """A patch of ComfyUI, which holds its tensors in ``weights``."""

    def __init__(self, up: torch.Tensor, down: torch.Tensor) -> None:
        self.up, self.down = self.weights = up, down


class Patcher:
    """What is needed of a ModelPatcher: patches are added up when the weights are asked for."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        self.model = self
        self.weights = weights
        self.patches: dict[str, list[tuple[Any, ...]]] = {}

    def named_parameters(self) -> list[tuple[str, torch.Tensor]]:
        return list(self.weights.items())

    def add_patches(self, patches: dict[str, Product], strength: float) -> list[str]:
        for name, patch in patches.items():
            self.patches.setdefault(name, []).append((strength, patch, 1.0, None, None))
        return list(patches)

    def patched(self, name: str) -> torch.Tensor:
        return sum((strength * patch.up @ patch.down for strength, patch, *_ in self.patches[name]), self.weights[name])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_every_attention_weight_becomes_w_plus_up_times_down(kind: str, strength: float):
    blocks, widths = KINDS[kind]
    adapter, model = faceid(widths), Patcher(tiny.random_tensors(unet(blocks, widths), seed=1))

    count = add_lora(model, adapter, strength, Product)

    assert count == len(model.patches) == 2 * len(widths) * 4
    numbered = [f"{block}.transformer_blocks.{t}" for block, depth in blocks for t in range(depth)]
    for place, root in enumerate(numbered):
        for odd, attention in enumerate(("attn1", "attn2")):
            number = 2 * place + odd
            for letter, part in (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("out", "to_out.0")):
                name = f"diffusion_model.{root}.{attention}.{part}.weight"
                product = adapter.lora[number, letter, "up"] @ adapter.lora[number, letter, "down"]
                assert torch.equal(model.patched(name), model.weights[name] + strength * product)
    others = [name for name in model.weights if "bias" in name or ".ff." in name]
    assert others and not any(name in model.patches for name in others)


def test_without_a_lora_or_strength_nothing_is_added():
    blocks, widths = KINDS["SD 1.5"]
    model = Patcher(tiny.random_tensors(unet(blocks, widths)))

    assert add_lora(model, faceid(widths), 0.0, Product) == 0
    assert lora_products(load_adapter(tiny.tensors_of("base")), unet(blocks, widths)) == {}
    assert model.patches == {}


def test_a_lora_is_added_once_whether_by_another_apply_or_from_its_own_file(caplog: pytest.LogCaptureFixture):
    blocks, widths = KINDS["SD 1.5"]
    model = Patcher(tiny.random_tensors(unet(blocks, widths)))

    assert add_lora(model, faceid(widths), 0.7, Product)
    assert add_lora(model, faceid(widths), 1.0, Product) == 0

    assert {strength for patches in model.patches.values() for strength, *_ in patches} == {0.7}
    assert {len(patches) for patches in model.patches.values()} == {1}
    assert "already has the LoRA" in caplog.text


def test_another_unet_is_refused_with_both_counts():
    widths = KINDS["SD 1.5"][1]

    with pytest.raises(InputError, match="for 32 attention layers, but the model has 140"):
        lora_products(faceid(widths), unet(SDXL, KINDS["SDXL"][1]))
    with pytest.raises(InputError, match="but the model has 0"):
        lora_products(faceid(widths), {"double_blocks.0.img_attn.qkv.weight": (8, 8)})


def test_a_unet_of_other_widths_is_refused_with_the_weight():
    blocks, widths = KINDS["SD 1.5"]
    wider = tuple(2 * width for width in widths)

    with pytest.raises(InputError, match=r"input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight of shape \[4, 4\]"):
        lora_products(faceid(widths), unet(blocks, wider))


def test_the_order_is_that_of_adapter_files_whatever_the_order_of_names():
    blocks, widths = KINDS["SDXL"]
    names = list(unet(blocks, widths))

    layers = attention_layers(reversed(names))

    expected = [
        f"diffusion_model.{b}.transformer_blocks.{t}.attn{a}." for b, n in blocks for t in range(n) for a in (1, 2)
    ]
    assert layers == expected
