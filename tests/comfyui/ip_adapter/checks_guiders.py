"""Checks of roles, areas, masks and context windows, for every guider of ComfyUI."""

from __future__ import annotations

from inspect import signature
from typing import Any

import comfy.context_windows
import comfy.patcher_extension
import comfy.samplers
import tiny_unets as tiny
import torch
from bench import (
    NEGATIVE,
    POSITIVE,
    TEXT,
    adapter,
    apply,
    conditioning,
    distance,
    guide,
    model,
    noted_places,
    picture,
    sample,
)
from clip_grid.clip_backend.ip_adapter.projections import States
from clip_grid.clip_backend.ip_adapter.references import Reference
from comfy_extras.nodes_custom_sampler import Guider_DualCFG
from comfy_extras.nodes_perpneg import Guider_PerpNeg
from comfy_extras.nodes_sag import SelfAttentionGuidance

YES, NO = "conditional", "unconditional"
AREA = (8, 8, 4, 2)


def patched(*references: Any) -> Any:
    """The tiny SD 1.5 with an adapter."""
    return apply(model("sd15"), adapter("sd15"), *(references or (picture(),)))


def roles_of(run: Any) -> list[list[str]]:
    """The distinct batches of roles in a run, in their order."""
    with noted_places() as places:
        run()
    batches: list[list[str]] = []
    for sides, *_ in places:
        if sides not in batches:
            batches.append(sides)
    return batches


def check_roles_with_guidance_without_it_and_in_batches() -> None:
    given = patched()
    assert roles_of(lambda: sample(given, steps=1)) == [[NO, YES]]
    assert roles_of(lambda: sample(given, cfg=1.0, steps=1)) == [[YES]]
    with noted_places() as places:
        sample(given, batch=2, steps=1)
    assert {(tuple(sides), frames) for sides, frames, _ in places} == {((NO, YES), (0, 1))}


def check_roles_of_two_positive_prompts() -> None:
    two = POSITIVE + conditioning("more")
    assert roles_of(lambda: sample(patched(), two, steps=1)) == [[NO, YES, YES]]


def check_roles_and_areas_of_a_prompt_for_a_part_of_the_picture() -> None:
    parts = POSITIVE + conditioning("part", area=AREA, strength=1.0)
    with noted_places() as places:
        sample(patched(), parts, steps=1)
    found = {(tuple(sides), tuple(areas)) for sides, _, areas in places}
    # ComfyUI gives the negative prompt a twin for the area, with the uuid of the positive one
    assert found == {((NO, YES), (AREA, AREA)), ((NO, YES), (None, None))}, found


def check_roles_of_dual_guidance() -> None:
    guider = Guider_DualCFG(patched())
    guider.set_conds(POSITIVE, conditioning("middle"), NEGATIVE)
    guider.set_cfg(3.0, 2.0)
    assert roles_of(lambda: guide(guider)) == [[YES, YES, NO]]


def check_roles_of_perpendicular_negative_guidance() -> None:
    guider = Guider_PerpNeg(patched())
    guider.set_conds(POSITIVE, NEGATIVE, conditioning("empty"))
    guider.set_cfg(3.0, 1.0)
    assert roles_of(lambda: guide(guider)) == [[NO, NO, YES]]


def check_roles_of_self_attention_guidance() -> None:
    (guided,) = SelfAttentionGuidance.execute(patched(), 0.5, 2.0).args
    assert roles_of(lambda: sample(guided, steps=1)) == [[NO, YES], [NO]]


def check_a_mask_of_ones_is_no_mask_and_two_halves_are_a_whole() -> None:
    plain, given = model("sd15"), adapter("sd15")
    # 19 x 13 latent cells: the token grids are 19 x 13, 10 x 7, 5 x 4, 3 x 2
    whole = sample(apply(plain, given, picture()), size=(19, 13), steps=1)
    ones = sample(apply(plain, given, picture(mask=torch.ones(64, 64))), size=(19, 13), steps=1)
    assert distance(ones, whole) <= 1e-6 * float(whole.abs().max())
    half = torch.zeros(152, 104)
    half[:, :40] = 1
    halves = [picture(mask=half), picture(mask=1 - half)]
    both = sample(apply(plain, given, *halves), size=(19, 13), steps=1)
    assert distance(both, whole) <= 1e-5 * float(whole.abs().max())
    one = sample(apply(plain, given, halves[0]), size=(19, 13), steps=1)
    assert distance(one, whole) > 1e-3


def check_a_mask_beside_an_area_changes_nothing_inside_it() -> None:
    plain, given = model("sd15"), adapter("sd15")
    only_part = [[POSITIVE[0][0], {**TEXT, "area": AREA, "strength": 1.0}]]
    outside = torch.ones(16, 16)
    outside[4:12, 2:10] = 0
    untouched = sample(plain, only_part, only_part, steps=1, cfg=1.0)
    beside = sample(apply(plain, given, picture(mask=outside)), only_part, only_part, steps=1, cfg=1.0)
    inside = sample(apply(plain, given, picture(mask=1 - outside)), only_part, only_part, steps=1, cfg=1.0)
    unmasked = sample(apply(plain, given, picture()), only_part, only_part, steps=1, cfg=1.0)
    assert torch.equal(beside, untouched)
    assert distance(inside, unmasked) <= 1e-6 * float(unmasked.abs().max())
    assert distance(inside, untouched) > 1e-3


def check_a_batch_has_a_picture_for_each_frame() -> None:
    plain, given = model("sd15"), adapter("sd15")
    together = sample(apply(plain, given, picture("frame", 3, per_frame=True)), batch=3, steps=1)
    for number in range(3):
        one = Reference(States(embeds=tiny.embeddings("frame", 3)[number : number + 1]))
        alone = sample(apply(plain, given, one), batch=3, steps=1)
        assert distance(together[number], alone[number]) <= 1e-5 * float(alone.abs().max()), number


def check_context_windows_of_comfyui_keep_frames_together() -> None:
    if "total_frames" not in signature(comfy.context_windows.IndexListContextWindow).parameters:
        # 0.3.64 compares the noise levels of all steps with those of all frames, and stops
        return
    plain, given = model("sd15"), adapter("sd15")
    pictures = picture("frame", 6, per_frame=True)
    together = sample(apply(plain, given, pictures), batch=6, steps=1)
    windowed = apply(plain, given, pictures)
    schedule = comfy.context_windows.get_matching_context_schedule("standard_static")
    fuse = comfy.context_windows.get_matching_fuse_method("flat")
    windowed.model_options["context_handler"] = comfy.context_windows.IndexListContextHandler(
        context_schedule=schedule, fuse_method=fuse, context_length=4, context_overlap=2
    )
    with noted_places() as places:
        in_windows = sample(windowed, batch=6, steps=1)
    frames = {frames for _, frames, _ in places}
    # 0.33 puts a frame before each window but the first
    assert {those[-4:] for those in frames} == {(0, 1, 2, 3), (2, 3, 4, 5)}, frames
    assert {tuple(sides) for sides, *_ in places} == {(NO, YES)}
    assert distance(in_windows, together) <= 1e-5 * float(together.abs().max())


def check_context_windows_of_animatediff_evolved_keep_frames_together() -> None:
    plain, given = model("sd15"), adapter("sd15")
    pictures = picture("frame", 4, per_frame=True)
    together = sample(apply(plain, given, pictures), batch=4, steps=1)

    def sliding(executor: Any, inner: Any, conds: Any, x: Any, timestep: Any, options: dict[str, Any]) -> Any:
        parts = []
        for indices in ([2, 3], [0, 1]):
            params = {"sub_idxs": indices, "full_length": 4, "context_length": 2}
            to = {**options["transformer_options"], "ad_params": params}
            parts.append(executor(inner, conds, x[indices], timestep[indices], {**options, "transformer_options": to}))
        return [torch.cat([second, first]) for first, second in zip(*parts, strict=True)]

    windowed = apply(plain, given, pictures)
    kind = comfy.patcher_extension.WrappersMP.CALC_COND_BATCH
    windowed.add_wrapper_with_key(kind, "ADE", sliding)
    assert distance(sample(windowed, batch=4, steps=1), together) <= 1e-5 * float(together.abs().max())


def check_negative_pictures_stand_on_the_unconditional_side_alone() -> None:
    plain, given = model("sd15"), adapter("sd15")
    without = apply(plain, given, picture())
    with_one = apply(plain, given, picture(), picture("away", is_negative=True))
    assert torch.equal(sample(without, cfg=1.0, steps=1), sample(with_one, cfg=1.0, steps=1))
    assert distance(sample(without, steps=1), sample(with_one, steps=1)) > 1e-3


def check_a_sampler_without_guider_takes_the_first_prompt_for_positive() -> None:
    given = patched()
    options = {**given.model_options["transformer_options"], "cond_or_uncond": [1, 0]}
    with noted_places() as places:
        given.model.apply_model(
            tiny.numbers("x", 2, 4, 16, 16), torch.tensor([1.0, 1.0]),
            c_crossattn=tiny.numbers("text", 2, 7, tiny.CONTEXT), transformer_options=options,
        )  # fmt: skip
    assert {tuple(sides) for sides, *_ in places} == {(NO, YES)}
