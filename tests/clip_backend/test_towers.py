from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from clip_grid.clip_backend.checkpoints.info import TextShape, VisionShape
from clip_grid.clip_backend.checkpoints.weights import open_weights
from clip_grid.clip_backend.towers.build import build_text, build_vision
from clip_grid.clip_backend.towers.cpu import Linear, has_fast_bf16
from clip_grid.errors import CheckpointError, InputError

from . import tiny_towers as tiny

GOLDENS = json.loads((Path(__file__).parent / "goldens" / "towers.json").read_text("utf-8"))
CASES = [
    ("clip", "quick_gelu"),
    ("clip", "gelu"),
    ("clip", "silu"),
    ("siglip", "gelu_tanh"),
    ("siglip", "gelu"),
    ("siglip", "quick_gelu"),
]
WHOLE = torch.float32


def vision_tower(path, family="clip", activation="quick_gelu", *, dtype=WHOLE, pack=True, **changes):
    info = tiny.info(path, family, activation, **changes)
    return build_vision(info, open_weights(info), device="cpu", dtype=dtype, pack=pack)


def text_tower(path, family="clip", activation="quick_gelu", *, dtype=WHOLE, pack=True, **changes):
    info = tiny.info(path, family, activation, **changes)
    return build_text(info, open_weights(info), device="cpu", dtype=dtype, pack=pack)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The file of each family, in the layout of transformers."""
    folder = tmp_path_factory.mktemp("tiny")
    return {family: tiny.write(tiny.hf(family), folder / f"{family}.safetensors") for family in ("clip", "siglip")}


def distance(ours, theirs):
    return float((ours.double() - theirs.double()).abs().max())


def is_packed(tower):
    return any(isinstance(module, Linear) and module.is_packed for module in tower.modules())


def loss(ours, theirs):
    """1 - the worst cosine."""
    return 1 - float(torch.cosine_similarity(ours.double(), theirs.double()).min())


def said(tower_files, family, activation, **how):
    vision = vision_tower(tower_files[family], family, activation, **how)
    text = text_tower(tower_files[family], family, activation, **how)
    output = vision(tiny.pictures(), states=True)
    return {
        "images": output.embeds,
        "texts": text(*tiny.texts()),
        "last_hidden": output.last_hidden,
        "penultimate": output.penultimate,
    }


# against other libraries


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize(("family", "activation"), CASES)
def test_embeddings_and_states_are_those_of_transformers(files, family, activation, pack):
    transformers = pytest.importorskip("transformers")
    from .make_goldens import said_by, transformers_model

    ours = said(files, family, activation, pack=pack)

    with torch.no_grad():
        theirs = said_by(transformers_model(transformers, family, activation), family)
    assert {name: distance(ours[name], theirs[name]) <= 1e-5 for name in theirs} == dict.fromkeys(theirs, True)


@pytest.mark.parametrize("case", GOLDENS)
def test_embeddings_and_states_are_those_that_other_libraries_gave(files, case):
    family, activation = case.split()
    ours = said(files, family, activation)

    for golden in GOLDENS[case].values():
        for name, numbers in golden.items():
            mine = ours[name][0, :2] if "hidden" in name or name == "penultimate" else ours[name]
            assert distance(mine.flatten(), torch.tensor(numbers)) <= 1e-5


# types of number


@pytest.mark.parametrize(("family", "activation"), CASES)
def test_float16_keeps_four_nines_of_the_cosine(files, family, activation):
    exact = said(files, family, activation)
    half = said(files, family, activation, dtype=torch.float16)

    assert half["images"].dtype == half["texts"].dtype == half["last_hidden"].dtype == torch.float32
    assert loss(half["images"], exact["images"]) <= 1e-4
    assert loss(half["texts"], exact["texts"]) <= 1e-4


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize(("family", "activation"), CASES)
def test_bfloat16_loses_at_most_two_parts_in_ten_thousand(files, family, activation, pack):
    exact = said(files, family, activation)
    brief = said(files, family, activation, dtype=torch.bfloat16, pack=pack)

    assert loss(brief["images"], exact["images"]) <= 2e-4
    assert loss(brief["texts"], exact["texts"]) <= 2e-4


def test_float16_is_held_and_float32_is_computed_on_the_processor(files):
    tower = vision_tower(files["clip"], dtype=torch.float16)

    assert {parameter.dtype for parameter in tower.parameters()} == {torch.float16}
    assert (tower.dtype, tower.compute_dtype) == (torch.float16, torch.float32)


def test_bfloat16_is_computed_only_where_the_processor_is_fast_at_it(files):
    tower = vision_tower(files["clip"], dtype=torch.bfloat16)

    assert tower.compute_dtype == (torch.bfloat16 if has_fast_bf16() else torch.float32)


# shapes and states


@pytest.mark.parametrize(("width", "heads", "embedding"), [(1664, 16, 1280), (1280, 16, 1024), (1024, 16, 768)])
def test_states_have_the_true_shapes_of_the_big_models(tmp_path, width, heads, embedding):
    shape = VisionShape(width=width, layers=2, heads=heads, mlp=64, patch=14, tokens=257, image_size=224)
    info = tiny.info(tmp_path / "big.safetensors", activation="gelu", vision=shape, projection=embedding)
    tiny.write(big_state(shape, embedding), info.path, torch.float16)
    tower = build_vision(info, open_weights(info), device="cpu", dtype=WHOLE)

    output = tower(torch.zeros(1, 3, 224, 224), states=True)
    projected = tower.project(output.last_hidden)

    assert output.embeds.shape == (1, embedding)
    assert output.last_hidden.shape == output.penultimate.shape == (1, 257, width)
    assert projected.shape == (1, 257, embedding)
    assert distance(projected[:, 0], output.embeds) <= 1e-5


def big_state(shape, embedding):
    """Weights by drawing once and cutting: a big matrix is too slow to draw."""
    from clip_grid.clip_backend.towers.config import TowerConfig
    from clip_grid.clip_backend.towers.towers import VisionTower

    sizes = {
        name: getattr(shape, name) for name in ("width", "layers", "heads", "mlp", "patch", "image_size", "tokens")
    }
    with torch.device("meta"):
        config = TowerConfig(kind="clip", activation="gelu", eps=1e-5, embedding=embedding, **sizes)
        shapes = {name: tuple(tensor.shape) for name, tensor in VisionTower(config).state_dict().items()}
    numbers = torch.randn(1 << 22, generator=torch.Generator().manual_seed(0)) * 0.05
    return {name: numbers[: torch.Size(size).numel()].clone().reshape(size) for name, size in shapes.items()}


@pytest.mark.parametrize(("family", "activation"), CASES[:4])
def test_asking_for_states_does_not_change_the_embedding(files, family, activation):
    tower = vision_tower(files[family], family, activation)

    alone, with_states = tower(tiny.pictures()), tower(tiny.pictures(), states=True)

    assert (alone.last_hidden, alone.penultimate) == (None, None)
    assert distance(alone.embeds, with_states.embeds) <= 1e-6


def test_a_batch_gives_what_its_pictures_give_alone(files):
    tower, pixels = vision_tower(files["clip"]), tiny.pictures(5)

    together = tower(pixels).embeds
    alone = torch.cat([tower(one[None]).embeds for one in pixels])

    assert distance(together, alone) <= 1e-5


def test_an_empty_batch_gives_no_rows(files):
    for family in ("clip", "siglip"):
        assert vision_tower(files[family], family)(torch.empty(0, 3, 24, 24)).embeds.shape == (
            0,
            tiny.PROJECTION[family],
        )


def test_what_follows_the_end_of_a_text_does_not_matter_to_clip(files):
    tower, (ids, ends) = text_tower(files["clip"]), tiny.texts()

    cut = tower(ids[1:2, :5], ends[1:2])

    assert distance(cut, tower(ids, ends)[1:2]) <= 1e-6


def test_siglip_takes_the_last_place_of_a_text(files):
    tower, (ids, ends) = text_tower(files["siglip"], "siglip"), tiny.texts()

    assert torch.equal(tower(ids, ends), tower(ids, torch.zeros_like(ends)))


def test_a_tower_without_projection_gives_states_and_no_embedding(tmp_path):
    state = {name: tensor for name, tensor in tiny.hf().items() if name != "visual_projection.weight"}
    path = tiny.write(state, tmp_path / "bare.safetensors")
    tower = vision_tower(path, has_vision_projection=False, projection=None)

    output = tower(tiny.pictures(), states=True)

    assert output.embeds is None
    assert output.last_hidden.shape == (2, 10, 32)
    with pytest.raises(InputError, match="no projection for single tokens"):
        tower.project(output.last_hidden)


# refusals


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (3, 24, 24), (1, 1, 24, 24), (1, 4, 24, 24)])
def test_pictures_of_another_size_are_refused_with_the_right_one(files, shape):
    with pytest.raises(InputError, match=r"\[B, 3, 24, 24\]; prepare the pictures"):
        vision_tower(files["clip"])(torch.zeros(shape))


def test_more_tokens_than_places_are_refused(files):
    with pytest.raises(InputError, match="up to 10 tokens a text; shorten the texts"):
        text_tower(files["clip"])(torch.zeros(1, 11, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))


def test_a_text_tower_without_projection_is_refused(files):
    with pytest.raises(CheckpointError, match="lacks text_projection"):
        text_tower(files["clip"], has_text_projection=False)


def test_a_file_without_the_tower_is_refused(files):
    with pytest.raises(CheckpointError, match="holds no picture tower"):
        vision_tower(files["clip"], vision=None)
    with pytest.raises(CheckpointError, match="holds no text tower"):
        text_tower(files["clip"], text=None)


def test_heads_that_do_not_divide_the_width_are_refused(files):
    text = TextShape(width=24, layers=2, heads=5, mlp=48, context=10, vocabulary=50)

    with pytest.raises(CheckpointError, match="5 heads do not divide its width of 24"):
        text_tower(files["clip"], text=text)


def test_a_picture_size_that_the_position_table_does_not_fit_is_refused(files):
    vision = VisionShape(width=32, layers=3, heads=4, mlp=64, patch=8, tokens=10, image_size=32)

    with pytest.raises(CheckpointError, match="10 rows, which does not fit pictures of 32 px in patches of 8 px"):
        vision_tower(files["clip"], vision=vision)


def test_families_of_another_build_are_refused(files):
    with pytest.raises(CheckpointError, match="family 'eva'"):
        vision_tower(files["clip"], "eva")


# what a host does with a module


@pytest.mark.parametrize("pack", [True, False])
def test_a_tower_has_the_names_and_sizes_of_its_file(files, pack):
    tower = vision_tower(files["clip"], pack=pack)
    state = {name: tensor for name, tensor in tiny.hf().items() if name.startswith("vis")}

    named = {name: tuple(tensor.shape) for name, tensor in tower.state_dict().items()}

    assert named == {name: tuple(tensor.shape) for name, tensor in state.items()}
    held = sum(parameter.nbytes for parameter in tower.parameters())
    assert held == sum(tensor.nbytes for tensor in tower.state_dict().values())
    assert held == sum(tensor.nbytes for tensor in state.values())


@pytest.mark.parametrize("pack", [True, False])
def test_a_move_to_where_it_is_changes_nothing(files, pack):
    tower = vision_tower(files["clip"], pack=pack)
    before = tower(tiny.pictures()).embeds
    packed = is_packed(tower)

    tower.to("cpu")
    for module in tower.modules():
        module.to(torch.device("cpu"))

    assert is_packed(tower) == packed
    assert torch.equal(tower(tiny.pictures()).embeds, before)


def test_a_move_to_another_type_unpacks_the_weights(files):
    tower = vision_tower(files["clip"])
    before = tower(tiny.pictures()).embeds

    tower.to(torch.float64)

    assert not is_packed(tower)
    assert {parameter.dtype for parameter in tower.parameters()} == {torch.float64}
    assert not any(parameter.is_meta for parameter in tower.parameters())
    tower.to(torch.float32)
    assert distance(tower(tiny.pictures()).embeds, before) <= 1e-5


def test_a_host_that_moves_leaf_by_leaf_gets_the_same_numbers(files):
    tower = vision_tower(files["clip"])
    before = tower(tiny.pictures()).embeds

    tower.vision_model.encoder.layers[0].mlp.fc1.unpack()
    tower.vision_model.encoder.layers[1].mlp.fc2.unpack()

    assert distance(tower(tiny.pictures()).embeds, before) <= 1e-5


@pytest.mark.parametrize("pack", [True, False])
def test_a_tower_loads_the_state_of_another_one(files, pack):
    tower = vision_tower(files["clip"], pack=pack)
    state = {name: tensor for name, tensor in tiny.hf().items() if name.startswith("vis")}
    before = tower(tiny.pictures()).embeds

    tower.load_state_dict({name: torch.zeros_like(tensor) for name, tensor in state.items()})
    nothing = tower(tiny.pictures()).embeds
    tower.load_state_dict(state)

    assert float(nothing.abs().max()) == 0
    assert distance(tower(tiny.pictures()).embeds, before) <= 1e-5


def test_weights_are_copies_that_outlive_the_file(tmp_path):
    path = tiny.write(tiny.hf(), tmp_path / "gone.safetensors")
    packed, plain = vision_tower(path), vision_tower(path, pack=False)
    before = packed(tiny.pictures()).embeds

    path.write_bytes(bytes(path.stat().st_size))

    assert torch.equal(packed(tiny.pictures()).embeds, before)
    assert distance(plain(tiny.pictures()).embeds, before) <= 1e-5


def test_working_memory_grows_with_the_batch_and_is_more_than_the_states(files):
    tower = vision_tower(files["clip"])

    cpu = torch.device("cpu")
    assert tower.memory_bytes(6, cpu) == 6 * tower.memory_bytes(1, cpu)
    assert tower.memory_bytes(1, cpu) > 10 * 32 * 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_working_memory_is_that_of_the_dtype_that_computes_where_the_tower_will_be(files, dtype):
    tower = vision_tower(files["clip"], dtype=dtype, pack=False)
    elsewhere, cpu = torch.device("meta"), torch.device("cpu")

    before = tower.memory_bytes(8, elsewhere), tower.memory_bytes(8, cpu)
    on_cpu = tower.compute_dtype
    tower.to(elsewhere)

    # the towers of ComfyUI's models are built on the processor and moved later
    assert before == (tower.memory_bytes(8, elsewhere), tower.memory_bytes(8, cpu))
    assert tower.compute_dtype == dtype
    assert (before[0] < before[1]) == (dtype.itemsize < on_cpu.itemsize)


def test_towers_are_not_to_be_trained_unless_asked(files):
    output = vision_tower(files["clip"])(tiny.pictures())

    assert not output.embeds.requires_grad
