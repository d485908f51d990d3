"""Tokens of pictures are those of the published formulas and of diffusers; what does not fit is named with the cure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from clip_grid.clip_backend.ip_adapter.projections import States, needs_hidden, project, unconditional_states
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from clip_grid.errors import InputError

from ..checkpoints.tensor_names import Shapes
from . import adapter_shapes as made
from . import reference_projections as reference
from . import tiny_adapters as tiny

GOLDENS = Path(__file__).parents[1] / "goldens" / "ip_adapter_projections.json"


def adapter(kind: str, rest: Shapes = tiny.PAIRS) -> Adapter:
    return load_adapter(tiny.tensors_of(kind, rest), variant=kind)


def weights(kind: str) -> dict[str, np.ndarray]:
    """Of the projection, in float64."""
    named = tiny.tensors_of(kind)
    prefix = "image_proj."
    return {name.removeprefix(prefix): t.double().numpy() for name, t in named.items() if name.startswith(prefix)}


def given(*names: str, count: int = 3, faces: int = 1) -> States:
    return States(**{name: tiny.states(name, count, faces) for name in names})


def plain(name: str, count: int = 3) -> np.ndarray:
    found: np.ndarray = tiny.states(name, count).double().numpy()
    return found[:, 0] if name == "face" else found


REFERENCES = {
    "base": (("embeds",), lambda w: reference.base(w, plain("embeds"), 4)),
    "plus": (("hidden",), lambda w: reference.plus(w, plain("hidden"))),
    "full-face": (("hidden",), lambda w: reference.full_face(w, plain("hidden"))),
    "faceid": (("face",), lambda w: reference.mlp(w, plain("face"), 4)),
    "faceid-portrait": (("face",), lambda w: reference.mlp(w, plain("face"), 16)),
    "faceid-plus": (("face", "hidden"), lambda w: reference.face_plus(w, plain("face"), plain("hidden"))),
    "faceid-plus-v2": (("face", "hidden"), lambda w: reference.face_plus_v2(w, plain("face"), plain("hidden"))),
}


@pytest.mark.parametrize("kind", REFERENCES)
def test_tokens_are_those_of_the_published_formula(kind: str):
    names, formula = REFERENCES[kind]

    tokens = project(adapter(kind), given(*names))

    expected = formula(weights(kind))
    assert tokens.dtype == torch.float32 and tokens.shape == expected.shape
    np.testing.assert_allclose(tokens.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("kind", REFERENCES)
def test_tokens_are_those_that_diffusers_computed(kind: str):
    golden = json.loads(GOLDENS.read_text("utf-8"))[kind]

    tokens = project(adapter(kind), given(*REFERENCES[kind][0], count=1))

    np.testing.assert_allclose(tokens.flatten().numpy(), golden["tokens"], atol=1e-5)


KOLORS = made.resampler(1024, 192, 12, 2048, tokens=3) | made.pairs((32,), 2048)
UNNORM = made.resampler(512, 128, 2, 64) | tiny.PAIRS


def test_kolors_has_heads_of_its_own_beside_the_width_of_its_states():
    tensors, hidden = tiny.random_tensors(KOLORS), tiny.random_tensors({"hidden": (1, 5, 1024)}, 3)["hidden"]
    kolors = load_adapter(tensors)
    plain_weights = {name: one.double().numpy() for name, one in kolors.image_proj.items()}

    assert kolors.info.variant.name == "kolors-plus" and kolors.info.sizes.inner == 768
    tokens = project(kolors, States(hidden=hidden))
    np.testing.assert_allclose(tokens.numpy(), reference.plus(plain_weights, hidden.double().numpy()), atol=1e-5)


def test_all_faces_of_portrait_unnorm_go_in_together():
    loaded = load_adapter(tiny.random_tensors(UNNORM), variant="faceid-portrait-unnorm")
    faces = tiny.random_tensors({"faces": (2, 3, 512)}, 5)["faces"]
    plain_weights = {name: one.double().numpy() for name, one in loaded.image_proj.items()}

    tokens = project(loaded, States(face=faces))

    assert tokens.shape == (2, 16, 64)
    np.testing.assert_allclose(tokens.numpy(), reference.plus(plain_weights, faces.double().numpy()), atol=1e-5)


def test_several_faces_give_their_tokens_one_after_the_other():
    portrait, faces = adapter("faceid-portrait"), tiny.states("face", 2, faces=3)

    tokens = project(portrait, States(face=faces))

    alone = [project(portrait, States(face=faces[:, place])) for place in range(3)]
    assert tokens.shape == (2, 48, tiny.CONTEXT)
    np.testing.assert_allclose(tokens.numpy(), torch.cat(alone, 1).numpy(), atol=1e-6)


def test_instantx_and_xlabs_project_for_flux():
    pooled = made.mlp_projection(24, 48, 5, 64) | made.block_pairs(3, 32, 64)
    instantx = load_adapter(tiny.random_tensors(pooled))
    xlabs = load_adapter(tiny.random_tensors(made.xlabs(16, blocks=2, width=32, context=64, into=40)))
    vector, embeds = tiny.states("face")[:, 0], tiny.states("embeds")

    assert (instantx.info.variant.name, xlabs.info.variant.name) == ("instantx-flux", "xlabs-flux-v2")
    for loaded, states, formula in (
        (instantx, vector, lambda w, x: reference.mlp(w, x, 5)),
        (xlabs, embeds, lambda w, x: reference.base(w, x, 16)),
    ):
        plain_weights = {name: one.double().numpy() for name, one in loaded.image_proj.items()}
        tokens = project(loaded, States(embeds=states))
        np.testing.assert_allclose(tokens.numpy(), formula(plain_weights, states.double().numpy()), atol=1e-5)
    assert xlabs.pairs[1].k_bias is not None and xlabs.pairs[1].k_bias.shape == (32,)


def test_the_structure_of_the_face_scales_the_picture_of_v2_alone():
    states = given("face", "hidden")
    v2 = adapter("faceid-plus-v2")

    tokens = project(v2, states, face_structure=2)

    expected = reference.face_plus_v2(weights("faceid-plus-v2"), plain("face"), plain("hidden"), 2)
    np.testing.assert_allclose(tokens.numpy(), expected, atol=1e-5)
    v1 = adapter("faceid-plus")
    assert torch.equal(project(v1, states, face_structure=2), project(v1, states))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_and_states_of_half_precision_are_computed_with_in_float32(dtype: torch.dtype):
    tensors = {name: one.to(dtype) for name, one in tiny.tensors_of("plus").items()}
    states = States(hidden=tiny.states("hidden").to(dtype))

    tokens = project(load_adapter(tensors), states)

    assert tokens.dtype == torch.float32
    assert torch.equal(tokens, project(adapter("plus"), given("hidden")))


def test_large_products_are_computed_in_parts_with_the_same_result(monkeypatch: pytest.MonkeyPatch):
    whole = project(adapter("base"), given("embeds"))

    monkeypatch.setattr("clip_grid.clip_backend.ip_adapter.projections._NUMBERS_AT_ONCE", 7 * tiny.EMBEDS)

    np.testing.assert_allclose(project(adapter("base"), given("embeds")).numpy(), whole.numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", REFERENCES)
def test_the_unconditional_side_is_zeros_and_the_states_of_a_blank_picture(kind: str):
    loaded, states = adapter(kind), given(*REFERENCES[kind][0])
    blank = tiny.random_tensors({"blank": (1, tiny.ROWS, tiny.STATES)}, 11)["blank"]

    free = unconditional_states(loaded, states, blank)

    for zeros in (free.embeds, free.face):
        assert zeros is None or not zeros.any()
    if needs_hidden(loaded.info):
        assert free.hidden is not None and torch.equal(free.hidden, blank.expand(3, -1, -1))
        with pytest.raises(InputError, match="needs the states of a blank picture"):
            unconditional_states(loaded, states)
    # what comes of it is no row of zeros, as the reference projects it too
    assert project(loaded, free).abs().max() > 0.01


def published(name: str) -> Adapter:
    """An adapter of published sizes without weights: what does not fit is refused before they are used."""
    shapes = next(file for file in made.PUBLISHED if file.file == name).shapes()
    from clip_grid.clip_backend.ip_adapter.detection import detect_adapter

    return Adapter(info=detect_adapter(shapes, path=Path(f"{name}.safetensors")), image_proj={}, pairs=())


@pytest.mark.parametrize(
    ("name", "states", "parts"),
    [
        ("ip-adapter_sd15", States(embeds=torch.ones(1, 1280)),
         ("of 1024 dimensions", "given 1280 (as CLIP ViT-bigG/14 gives them)", "load CLIP ViT-H/14", "2.53 GB",
          "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors", "models/clip_vision")),
        ("ip-adapter_sdxl", States(embeds=torch.ones(1, 1024)),
         ("of 1280 dimensions", "given 1024 (as CLIP ViT-H/14 gives them)", "load CLIP ViT-bigG/14")),
        ("ip-adapter-plus_sdxl_vit-h", States(hidden=torch.ones(1, 257, 1664)),
         ("of 1280 dimensions", "given 1664 (as CLIP ViT-bigG/14 gives them)", "load CLIP ViT-H/14")),
        ("ip_adapter_plus_general", States(hidden=torch.ones(1, 257, 1280)),
         ("of 1024 dimensions", "given 1280", "load CLIP ViT-L/14 336", "Kwai-Kolors/Kolors-IP-Adapter-Plus")),
        ("ip-adapter_sd15", States(embeds=torch.ones(1, 999)), ("of 1024 dimensions, but was given 999; load",)),
        ("ip-adapter_sd15", States(hidden=torch.ones(1, 257, 1280)), ("the embedding of a picture, which is missing",)),
        ("ip-adapter-faceid_sd15", States(face=torch.ones(1, 768)), ("given 768", "vectors of 512 dimensions")),
        ("ip-adapter-faceid_sd15", States(embeds=torch.ones(1, 1024)), ("the vector of a face, which is missing",)),
        ("ip-adapter-faceid-plus_sd15", States(face=torch.ones(1, 2, 512), hidden=torch.ones(1, 257, 1280)),
         ("one face of a picture, but was given 2",)),
        ("ip-adapter_sd15", States(embeds=torch.full((1, 1024), torch.nan)), ("not finite", "encode it again")),
        ("ip-adapter_sd15", States(embeds=torch.ones(0, 1024)), ("shape [0, 1024]",)),
        ("ip-adapter_sd15", States(embeds=torch.ones(1, 1, 1024)), ("shape [1, 1, 1024]", "2 dimensions")),
        ("instantx-sd35", States(hidden=torch.ones(1, 729, 1152)), ("SD 3.5 Large", "are used")),
        ("ipa-faceid-plus", States(face=torch.ones(1, 512)), ("Kolors", "choose IP-Adapter Plus for Kolors")),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_both_sizes_and_what_to_load(name: str, states: States, parts: tuple[str, ...]):
    with pytest.raises(InputError) as refusal:
        project(published(name), states)

    for part in (name, *parts):
        assert part in str(refusal.value)
