from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from clip_grid.clip_backend.checkpoints.trained_file import read_trained_file
from clip_grid.clip_backend.checkpoints.trained_weights import TrainedWeights, save_trained_file
from clip_grid.clip_backend.checkpoints.weights import open_weights
from clip_grid.clip_backend.learning.options import TrainOptions
from clip_grid.clip_backend.learning.tuning.adamw import AdamW
from clip_grid.clip_backend.learning.tuning.lora import LoraSettings, adapters, add_lora
from clip_grid.clip_backend.learning.tuning.trainable import (
    TowerPlan,
    exported,
    lora_settings,
    make_trainable,
    plan_of,
    set_strength,
    trained_parameters,
)
from clip_grid.errors import InputError

from .tiny import tiny_base

CPU = torch.device("cpu")


def random():
    return torch.Generator()


def pixels(seed=0):
    return torch.randn(3, 3, 40, 40, generator=torch.Generator().manual_seed(seed))


def tower_with_lora(targets=("q", "k", "v"), rule="alpha/sqrt(r)"):
    """A vision tower whose adapters add something."""
    tower = tiny_base().build_vision()
    add_lora(tower, range(1, 4), LoraSettings(rank=2, alpha=3.0, rule=rule, targets=targets), random(), seed=1)
    drawn = torch.Generator().manual_seed(5)
    for _, adapter in adapters(tower):
        adapter.up.data.normal_(0, 0.05, generator=drawn)
    return tower.eval()


def test_new_adapters_change_nothing_to_the_bit():
    base, tower = tiny_base().build_vision(), tiny_base().build_vision()
    add_lora(tower, range(4), LoraSettings(), random(), seed=1)

    assert torch.equal(tower.eval()(pixels()).embeds, base(pixels()).embeds)


@pytest.mark.parametrize("rule", ["alpha/r", "alpha/sqrt(r)"])
@pytest.mark.parametrize("targets", [("q", "k", "v"), ("v",)])
def test_a_strength_is_the_interpolation_of_base_and_merged_weights(tmp_path, targets, rule):
    tower = tower_with_lora(targets, rule)
    path = tmp_path / "lora.safetensors"
    save_trained_file(path, exported(tower), "lora", tiny_base().identity, alpha=3.0, rule=rule)
    merging, own = TrainedWeights(read_trained_file(path)), open_weights(tiny_base().vision)

    for strength in (0.0, 0.3, 1.0):
        set_strength(tower, strength, {}, {})
        merged = tiny_base().build_vision()
        names = [name for name in own if name.startswith("vis")]
        state = {name: merging.merged(name, own.read(name).float(), strength) for name in names}
        shapes = tiny_base().build_vision().state_dict()
        merged.load_state_dict({name: one.reshape(shapes[name].shape) for name, one in state.items()}, assign=True)
        assert torch.allclose(tower(pixels()).embeds, merged(pixels()).embeds, atol=1e-6, rtol=0)


def test_only_the_chosen_projections_of_the_chosen_layers_are_trained():
    tower = tower_with_lora(targets=("q", "v"))

    names = set(exported(tower))

    assert names == {
        f"vision_model.encoder.layers.{layer}.self_attn.{target}_proj.lora_{matrix}.weight"
        for layer in (1, 2, 3) for target in "qv" for matrix in "AB"
    }  # fmt: skip
    assert all(".qkv." in name for name in trained_parameters(tower))


def test_dropout_depends_on_the_seed_of_its_generator_alone():
    source = random()
    tower = tiny_base().build_vision()
    add_lora(tower, [3], LoraSettings(dropout=0.5), source, seed=1)
    for _, adapter in adapters(tower):
        adapter.up.data.fill_(0.1)
    tower.train()

    def seen(seed):
        source.manual_seed(seed)
        return tower(pixels()).embeds

    first = seen(1)
    torch.rand(100)
    assert torch.equal(seen(1), first)
    assert not torch.equal(seen(2), first)


@pytest.mark.parametrize("build", ["build_vision", "build_text"])
def test_trained_weights_are_mixed_to_the_bit_at_both_ends(build):
    base, tower = getattr(tiny_base(), build)(), getattr(tiny_base(), build)()
    make_trainable(tower, TowerPlan(mode="full", first=0, with_embeddings=True), LoraSettings(), random(), 0)
    for one in trained_parameters(tower).values():
        one.data += 0.01 * torch.randn(one.shape, generator=torch.Generator().manual_seed(1))
    own = dict(base.named_parameters())
    trained = {name: one.detach().clone() for name, one in trained_parameters(tower).items()}

    set_strength(tower, 0.0, own, trained)
    assert all(torch.equal(one, own[name].float()) for name, one in tower.named_parameters())
    set_strength(tower, 0.5, own, trained)
    half = tower.get_parameter(tower.positions)
    assert torch.allclose(half, (own[tower.positions] + trained[tower.positions]) / 2, atol=1e-7)
    set_strength(tower, 1.0, own, trained)
    assert all(torch.equal(one, trained[name]) for name, one in tower.named_parameters())


def test_trained_weights_are_float32_whatever_the_file_holds():
    tower = tiny_base().build_text()
    tower.half()

    make_trainable(tower, TowerPlan(mode="full", first=0, with_embeddings=True), LoraSettings(), random(), 0)

    assert {one.dtype for one in trained_parameters(tower).values()} == {torch.float32}


def test_the_last_blocks_are_trained_with_what_follows_them():
    tower = tiny_base().build_vision()
    make_trainable(tower, TowerPlan(mode="full", first=3), LoraSettings(), random(), 0)

    names = set(trained_parameters(tower))

    assert {name.split(".layers.")[1][0] for name in names if ".layers." in name} == {"3"}
    assert {"visual_projection.weight", "vision_model.post_layernorm.weight"} < names
    assert not any("embeddings" in name for name in names)


def test_a_plan_follows_method_towers_and_blocks():
    def plan(kind="captions", **options):
        base = tiny_base()
        return plan_of(base.vision, base.text, kind, TrainOptions(**options), CPU)

    assert plan(method="lora").vision == TowerPlan(mode="lora", first=0)
    # the vision tower is what forgets
    assert plan("classes", method="lora").vision.is_frozen
    assert plan("classes", method="lora").text == TowerPlan(mode="lora", first=0)
    assert plan("classes", method="lora", keep=0.0).vision.mode == "lora"
    assert plan("classes", method="lora", vision_tower="lora").vision.mode == "lora"
    assert plan("classes", method="lora", text_tower="frozen").vision.mode == "lora"
    assert plan("classes", method="full").vision.mode == "full"
    assert plan(method="last-blocks").vision == TowerPlan(mode="full", first=2)
    assert plan(method="full").text == TowerPlan(mode="full", first=0, with_embeddings=True)
    assert plan(method="full", last_blocks=1).vision == TowerPlan(mode="full", first=3)
    assert plan(method="lora", text_tower="frozen").text.is_frozen
    assert plan(method="lora", vision_tower="full").vision.mode == "full"
    with pytest.raises(InputError, match="both frozen"):
        plan(method="lora", vision_tower="frozen", text_tower="frozen")


def test_the_rule_of_alpha_is_named():
    assert lora_settings(TrainOptions(rank=4, alpha=2, alpha_rule="alpha/r")).scale == 0.5
    assert lora_settings(TrainOptions(rank=4, alpha=2)).scale == 1.0
    assert lora_settings(TrainOptions()).scale == pytest.approx(1 / math.sqrt(2))
    assert lora_settings(TrainOptions(lora_targets="v, q")).targets == ("q", "v")
    with pytest.raises(InputError, match="give some of q, k, v"):
        lora_settings(TrainOptions(lora_targets="q,o"))


def test_the_optimizer_is_adamw_as_published():
    rng = np.random.default_rng(0)
    start = rng.standard_normal((5, 3))
    one = torch.nn.Parameter(torch.tensor(start, dtype=torch.float32))
    ours, (first, second) = AdamW({"weight": one}, 0.1), (0.9, 0.999)
    expected, mean, square = start.copy(), np.zeros((5, 3)), np.zeros((5, 3))

    for step in range(1, 21):
        gradient = rng.standard_normal((5, 3))
        one.grad = torch.tensor(gradient, dtype=torch.float32)
        ours.step(1e-2)
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * gradient**2
        update = mean / (1 - first**step) / (np.sqrt(square / (1 - second**step)) + 1e-8)
        expected -= 1e-2 * (update + 0.1 * expected)

    assert np.allclose(one.detach().numpy(), expected, atol=1e-5, rtol=0)
