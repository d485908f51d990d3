"""Checks of adapters beside ComfyUI's own nodes that change the model, its batches or its weights."""

from __future__ import annotations

import random
from typing import Any

import comfy.cldm.cldm
import comfy.controlnet
import comfy.hooks
import comfy.model_management
import comfy.ops
import comfy.samplers
import tiny_unets as tiny
import torch
from bench import (
    CPU,
    NEGATIVE,
    POSITIVE,
    TEXT,
    adapter,
    apply,
    distance,
    guide,
    model,
    noted_places,
    picture,
    sample,
)
from checks_patches import message_of
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras import nodes_custom_sampler, nodes_freelunch, nodes_hypertile, nodes_pag, nodes_tomesd
from torch import Tensor


def patched() -> Any:
    return apply(model("sd15"), adapter("sd15"), picture())


def drawn(patcher: Any, *conditionings: Any) -> Tensor:
    """The latent of one step, where nodes choose tokens at random always with the same ones."""
    random.seed(0)
    torch.manual_seed(0)
    return sample(patcher, *conditionings, steps=1)


def by_node(node: Any, *given: Any) -> Any:
    """The model that a node gives."""
    found = node.execute(*given) if hasattr(node, "execute") else getattr(node(), node.FUNCTION)(*given)
    return found.args[0] if hasattr(found, "args") else found[0]


def check_nodes_that_change_the_model_come_before_or_after_alike() -> None:
    plain, given = model("sd15"), adapter("sd15")
    for node, settings in (
        (nodes_pag.PerturbedAttentionGuidance, (3.0,)),
        (nodes_freelunch.FreeU_V2, (1.3, 1.4, 0.9, 0.2)),
        (nodes_hypertile.HyperTile, (256, 2, 0, False)),
        (nodes_tomesd.TomePatchModel, (0.5,)),
    ):
        after = by_node(node, apply(plain, given, picture()), *settings)
        before = apply(by_node(node, plain, *settings), given, picture())
        assert torch.equal(drawn(after), drawn(before)), node
        assert distance(drawn(after), drawn(by_node(node, plain, *settings))) > 1e-3, node


def check_rows_that_a_node_repeats_are_refused() -> None:
    couple = patched().clone()

    def repeated(*given: Any) -> tuple[Tensor, ...]:
        # the positive prompt for two regions, the negative one for the whole
        return tuple(torch.cat([one, one[1:]]) for one in given[:3])

    couple.set_model_attn2_patch(repeated)
    assert "3 rows where the model has 2" in message_of(lambda: drawn(couple))


def check_a_mask_in_tiles_is_refused() -> None:
    tiled = apply(model("sd15"), adapter("sd15"), picture(mask=torch.ones(64, 64))).clone()

    def tiles(apply_model: Any, given: dict[str, Any]) -> Tensor:
        parts = given["input"].chunk(2, dim=-1)
        return torch.cat([apply_model(part, given["timestep"], **given["c"]) for part in parts], dim=-1)

    tiled.set_model_unet_function_wrapper(tiles)
    assert "16 x 8 latent cells of 16 x 16" in message_of(lambda: drawn(tiled))


def check_a_compiled_model_draws_what_it_draws_uncompiled() -> None:
    given = patched()
    compiled = given.clone()
    set_torch_compile_wrapper(model=compiled, backend="eager")
    assert torch.equal(drawn(compiled), drawn(given))


def check_weights_of_the_adapter_are_not_among_those_that_are_saved_or_merged() -> None:
    plain, given = model("sd15"), patched()
    assert set(given.model_state_dict()) == set(plain.model_state_dict())
    merged = given.clone()
    for name, patches in model("sd15").get_key_patches("diffusion_model.").items():
        merged.add_patches({name: patches}, 0.5, 0.5)
    assert distance(drawn(merged), drawn(given)) <= 1e-3


def check_prompts_with_hooks_keep_their_sides() -> None:
    name = "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_out.0.weight"
    given, hook = patched(), comfy.hooks.WeightHook(strength_model=1.0, strength_clip=0.0)
    hook.weights = {name: ("diff", (torch.ones(given.model.state_dict()[name].shape) / 50,))}
    hook.weights_clip, hook.need_weight_init = {}, False
    hooks = comfy.hooks.HookGroup()
    hooks.add(hook)
    with noted_places() as places:
        hooked = drawn(given, [[POSITIVE[0][0], {**TEXT, "hooks": hooks}]])
    assert {tuple(sides) for sides, *_ in places} == {("conditional",), ("unconditional",)}
    assert distance(hooked, drawn(given)) > 1e-3


def check_a_controlnet_and_references_both_act() -> None:
    config = {name: one for name, one in tiny.COMFYUI["sd15"].items() if name != "out_channels"}
    net = comfy.cldm.cldm.ControlNet(
        **config, dtype=torch.float32, hint_channels=3, operations=comfy.ops.disable_weight_init
    )
    net.load_state_dict({name: tiny.weight(name, tuple(one.shape)) / 3 for name, one in net.state_dict().items()})
    control = comfy.controlnet.ControlNet(net.requires_grad_(False), load_device=CPU)
    control.set_cond_hint(tiny.numbers("hint", 1, 3, 128, 128), 1.0, (0.0, 1.0))
    prompts = [[[one[0][0], {**TEXT, "control": control}]] for one in (POSITIVE, NEGATIVE)]
    both = drawn(patched(), *prompts)
    assert distance(both, drawn(patched())) > 1e-3
    assert distance(both, drawn(model("sd15"), *prompts)) > 1e-3


def check_a_guider_of_two_models_is_guidance_by_one_where_both_are_the_same() -> None:
    if not hasattr(nodes_custom_sampler, "Guider_DualModel"):
        return
    given, found = patched(), []
    for guider in (nodes_custom_sampler.Guider_DualModel(given, model("sd15")), comfy.samplers.CFGGuider(given)):
        guider.set_conds(POSITIVE, NEGATIVE)
        guider.set_cfg(3.0)
        found.append(guide(guider))
    assert distance(*found) <= 1e-5 * float(found[0].abs().max())


def check_adapters_loaded_in_inference_mode_are_offloaded_outside_of_it() -> None:
    with torch.inference_mode():
        given = adapter("sd15", "inference")
        steered = apply(model("sd15"), given, picture())
        expected = drawn(steered)
    managed = steered.model_patches_models()[0]
    # as a move to another device and back
    managed.model.to(torch.float64)
    managed.model.to(CPU)
    assert managed.model.pairs[0].k.data_ptr() == given.pairs[0].k.data_ptr()
    comfy.model_management.unload_all_models()
    with torch.inference_mode():
        assert torch.equal(drawn(steered), expected)
