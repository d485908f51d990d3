"""ImageFeatures: true shapes, and a reason for every state that is not there."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from clip_grid.clip_backend.encoding.image_features import (
    STATE_NAMES,
    ImageFeatures,
    capabilities_of,
    check_wants,
    tower_states,
)
from clip_grid.clip_backend.towers.config import TowerConfig
from clip_grid.clip_backend.towers.towers import VisionTower
from clip_grid.errors import InputError

from .toy_encoder import PREPROCESSING


def features(**states):
    return ImageFeatures(
        names=("a.png", "b.png"), kept=(0, 1), grid=(2, 2), hidden_size=3, projection_dim=4, num_tokens=5,
        preprocessing=PREPROCESSING, fingerprint="f", space="m", dtype="fp32", **states,
    )  # fmt: skip


def test_raw_and_unit_embeddings_are_both_there():
    made = features(image_embeds=torch.tensor([[3.0, 4.0, 0, 0], [0, 0, 2.0, 0]]))

    torch.testing.assert_close(made.image_embeds_norm, torch.tensor([[0.6, 0.8, 0, 0], [0, 0, 1.0, 0]]))
    assert made.image_embeds[0, 0] == 3
    assert len(made) == 2


def test_a_state_that_was_not_asked_for_says_how_to_get_it():
    with pytest.raises(InputError, match="patch_tokens was not asked for; add 'patch_tokens' to wants"):
        features().require("patch_tokens")


def test_a_state_that_the_model_lacks_says_why():
    with pytest.raises(InputError, match="has no projection"):
        features(absent={"image_embeds": "it has no projection"}).require("embeds")


def test_embeddings_have_a_short_and_a_long_name():
    embeds = torch.ones(2, 4)

    assert features(image_embeds=embeds).require("embeds") is embeds
    assert features(image_embeds=embeds).require("image_embeds") is embeds


def test_an_unknown_state_is_refused():
    with pytest.raises(InputError, match="no state 'tokens'"):
        features().require("tokens")


def test_features_bear_the_names_of_the_pictures_or_others():
    made = features(image_embeds=torch.tensor([[3.0, 4.0, 0, 0], [0, 0, 2.0, 0]]))

    assert made.to_features().ids == ("a.png", "b.png")
    assert made.to_features(["x", "y"]).ids == ("x", "y")
    np.testing.assert_allclose(made.to_features().vectors[0], [0.6, 0.8, 0, 0], atol=1e-6)
    assert made.to_features().space == "m"


def test_features_cannot_be_made_without_embeddings():
    with pytest.raises(InputError, match="not asked for"):
        features().to_features()


def test_wants_are_checked_and_come_in_one_order():
    assert check_wants(("patch_tokens", "embeds", "embeds")) == ("embeds", "patch_tokens")
    assert check_wants("image_embeds") == ("embeds",)
    with pytest.raises(InputError, match="'token'"):
        check_wants(("embeds", "token"))
    with pytest.raises(InputError, match="nothing"):
        check_wants(())


#: Width and projection of the real towers; one layer is enough for the shapes.
TRUE_SHAPES = {"G": (1664, 1280, 16), "H": (1280, 1024, 16), "L": (1024, 768, 16)}


@pytest.mark.parametrize("name", TRUE_SHAPES)
def test_states_have_the_shapes_of_the_real_models(name):
    width, projection, heads = TRUE_SHAPES[name]
    config = TowerConfig(
        kind="clip", width=width, layers=1, heads=heads, mlp=64, tokens=257, activation="gelu", eps=1e-5,
        embedding=projection, patch=14, image_size=224,
    )  # fmt: skip
    tower = filled(VisionTower(config))
    able = capabilities_of(config)

    with torch.inference_mode():
        states = tower_states(tower, torch.rand(1, 3, 224, 224), STATE_NAMES, able)

    assert {want: tuple(state.shape) for want, state in states.items()} == {
        "embeds": (1, projection),
        "cls_hidden": (1, width),
        "patch_tokens": (1, 256, width),
        "penultimate_hidden": (1, 257, width),
        "last_hidden": (1, 257, width),
        "projected_patches": (1, 257, projection),
    }
    torch.testing.assert_close(states["projected_patches"][:, 0], states["embeds"], atol=1e-5, rtol=1e-4)
    assert (able.grid, able.tokens, able.width) == ((16, 16), 257, width)


def test_a_model_with_a_pooling_head_has_no_class_token_and_says_so():
    config = TowerConfig(
        kind="siglip", width=8, layers=1, heads=2, mlp=16, tokens=4, activation="gelu_tanh", eps=1e-6, embedding=8,
        patch=2, image_size=4,
    )  # fmt: skip
    able = capabilities_of(config)

    assert set(able.absent(STATE_NAMES)) == {"cls_hidden", "projected_patches"}
    states = tower_states(filled(VisionTower(config)), torch.rand(2, 3, 4, 4), ("embeds", "patch_tokens"), able)
    assert states["patch_tokens"].shape == (2, 4, 8)


def filled(tower):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.uniform_(-0.02, 0.02, generator=generator)
    return tower.eval()
