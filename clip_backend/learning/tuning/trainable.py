"""Which weights of a model are trained: none, adapters, the last blocks or all, for each tower apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from ....errors import InputError
from ...checkpoints.info import CheckpointInfo
from ...towers.cpu import Linear
from ...towers.towers import TextTower, VisionTower
from ..options import TrainOptions
from .lora import TARGETS, LoraLinear, LoraSettings, Rule, adapters, add_lora
from .pairs import Kind

Mode = Literal["frozen", "lora", "full"]
Tower = VisionTower | TextTower
#: The blocks of "last-blocks", and of LoRA where a processor trains a model of more parameters than this.
LAST_BLOCKS, LORA_BLOCKS, SMALL = 2, 4, 20_000_000


@dataclass(frozen=True, kw_only=True)
class TowerPlan:
    """How one tower is trained."""

    mode: Mode
    #: The first layer that is trained.
    first: int
    #: Whether what comes before the layers is trained too.
    with_embeddings: bool = False

    @property
    def is_frozen(self) -> bool:
        """Whether nothing of it is trained."""
        return self.mode == "frozen"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the towers of a model are trained."""

    vision: TowerPlan
    text: TowerPlan


def plan_of(
    info: CheckpointInfo, text_info: CheckpointInfo, kind: Kind, options: TrainOptions, device: torch.device
) -> Plan:
    """The plan that the options ask for; raises InputError, before weights are read, where nothing would be trained.

    LoRA for classes leaves the vision tower as it is where something of the model is to be kept: that tower is what
    forgets, and the texts of the classes can move to the pictures just as well. Without it both are trained, which is
    the most accurate on most data. Source of the latter: Zanella & Ben Ayed 2024, section 5.
    """
    vision, text = info.vision, text_info.text
    if vision is None or text is None:
        raise InputError(f"{info.label} lacks a tower for pictures or for texts; choose a model with both to train it")
    vision_tower = options.vision_tower
    if vision_tower == "auto" and options.method == "lora" and kind == "classes" and options.keep > 0:
        vision_tower = "frozen" if options.text_tower != "frozen" else "lora"
    plan = Plan(
        vision=_tower_plan(_mode(options, vision_tower), vision.layers, info, options, device),
        text=_tower_plan(_mode(options, options.text_tower), text.layers, info, options, device),
    )
    if plan.vision.is_frozen and plan.text.is_frozen:
        raise InputError("vision_tower and text_tower are both frozen, so that nothing would be trained; free one")
    return plan


def lora_settings(options: TrainOptions) -> LoraSettings:
    """The settings of the adapters; raises InputError for targets other than q, k and v."""
    given = {part.strip() for part in options.lora_targets.split(",")}
    if not given <= set(TARGETS):
        raise InputError(f"lora_targets is {options.lora_targets!r}; give some of q, k, v, such as q,v")
    return LoraSettings(
        rank=options.rank, alpha=options.alpha, rule=cast(Rule, options.alpha_rule), dropout=options.dropout,
        targets=tuple(target for target in TARGETS if target in given),
    )  # fmt: skip


def _mode(options: TrainOptions, given: str) -> Mode:
    return cast(Mode, ("lora" if options.method == "lora" else "full") if given == "auto" else given)


def _tower_plan(
    mode: Mode, layers: int, info: CheckpointInfo, options: TrainOptions, device: torch.device
) -> TowerPlan:
    if mode == "frozen":
        return TowerPlan(mode=mode, first=layers)
    blocks = options.last_blocks
    if not blocks and options.method == "last-blocks":
        blocks = LAST_BLOCKS
    if not blocks and mode == "lora" and device.type == "cpu" and info.parameters > SMALL:
        blocks = LORA_BLOCKS
    return TowerPlan(
        mode=mode, first=max(0, layers - blocks) if blocks else 0, with_embeddings=mode == "full" and not blocks
    )


def make_trainable(tower: Tower, plan: TowerPlan, lora: LoraSettings, random: torch.Generator, seed: int) -> None:
    """Lets the weights of the plan be trained, in float32, and no others."""
    tower.unpack()
    tower.requires_grad_(False)
    model = tower.vision_model if isinstance(tower, VisionTower) else tower.text_model
    layers = model.encoder.layers
    if plan.mode == "lora":
        add_lora(tower, range(plan.first, len(layers)), lora, random, seed)
        return
    parts: list[nn.Module] = [*layers[plan.first :], *_after_layers(tower)]
    for part in [tower] if plan.with_embeddings else parts:
        for parameter in part.parameters():
            # a vocabulary may be held in fp16, in which small steps are lost and large ones become NaN
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)


def _after_layers(tower: Tower) -> list[nn.Module]:
    if isinstance(tower, VisionTower):
        parts = [tower.vision_model.post_layernorm, tower.vision_model.head, tower.visual_projection]
    else:
        parts = [tower.text_model.final_layer_norm, tower.text_model.head, tower.text_projection]
    return [part for part in parts if part is not None]


def trained_parameters(tower: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are trained, by the towers' own names."""
    return {name: parameter for name, parameter in tower.named_parameters() if parameter.requires_grad}


def exported(tower: Tower) -> dict[str, Tensor]:
    """What was trained by Hugging Face's names: q, k and v apart, matrices of LoRA as ``.lora_A`` and ``.lora_B``."""
    found: dict[str, Tensor] = {}
    for prefix, adapter in adapters(tower):
        for target, down, up in adapter.matrices():
            found[f"{prefix}{target}_proj.lora_A.weight"] = down
            found[f"{prefix}{target}_proj.lora_B.weight"] = up
    for name, module in tower.named_modules():
        if isinstance(module, LoraLinear):
            continue
        prefix = f"{name}." if name else ""
        for key, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                names = module.names_in_state(prefix, key) if isinstance(module, Linear) else [prefix + key]
                found |= dict(zip(names, parameter.detach().chunk(len(names)), strict=True))
    return found


def set_strength(tower: nn.Module, strength: float, base: Mapping[str, Tensor], trained: Mapping[str, Tensor]) -> None:
    """Mixes base and trained weights: at 0 the base model's, at 1 the trained ones, both to the bit.

    base, trained: of the whole parameters, by the towers' own names. Source: Wortsman et al. 2022 (WiSE-FT).
    """
    for _, adapter in adapters(tower):
        adapter.strength = strength
    for name, parameter in trained_parameters(tower).items():
        if name in base:
            own, new = base[name].to(parameter.device), trained[name].to(parameter.device)
            parameter.data = (1 - strength) * own.float() + strength * new
