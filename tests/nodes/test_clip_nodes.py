"""Tests: models are chosen by what is in their files, and pictures of a graph become what ComfyUI's nodes take."""

from __future__ import annotations

import json
import os
import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.finding.catalog import opened
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.towers.config import TowerConfig
from clip_grid.clip_backend.towers.towers import TextTower, VisionTower
from clip_grid.errors import InputError, PictureError, SpaceError
from clip_grid.nodes.clip_nodes import CLIPModelLoader, CLIPVisionEncode
from clip_grid.nodes.host.fake import Interrupted
from clip_grid.nodes.models.choice import ModelList
from safetensors.torch import save_file

from ..clip_backend.tiny_models import tiny_clip
from ..clip_backend.vocabularies import learn_clip
from .core_toys import ToyClipVision

WIDTH, SIDE, DIM = 64, 32, 24


def write_model(path, *, seed=0, projection=True, siglip=False):
    """A vision tower of two layers with random weights, under the names of Hugging Face."""
    config = TowerConfig(
        kind="siglip" if siglip else "clip", width=WIDTH, layers=2, heads=1, mlp=128, tokens=16 if siglip else 17,
        activation="gelu", eps=1e-5, embedding=WIDTH if siglip else DIM if projection else None, patch=8,
        image_size=SIDE,
    )  # fmt: skip
    torch.manual_seed(seed)
    tower = VisionTower(config)
    for name, weight in tower.named_parameters():
        weight.data.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: weight.contiguous() for name, weight in tower.state_dict().items()}, path)
    return path


@pytest.fixture
def model(host):
    """A model file where ComfyUI has its own."""
    return write_model(host.models_folder / "clip_vision" / "tiny.safetensors")


def write_text_model(path):
    """The texts' half of a CLIP with embeddings of the same length."""
    config = TowerConfig(
        kind="clip", width=WIDTH, layers=2, heads=1, mlp=128, tokens=77, activation="gelu", eps=1e-5, embedding=DIM,
        vocabulary=600,
    )  # fmt: skip
    tower = TextTower(config)
    for weight in tower.parameters():
        weight.data.normal_(0, 0.1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: weight.contiguous() for name, weight in tower.state_dict().items()}, path)


def names():
    return CLIPModelLoader.INPUT_TYPES()["required"]["model"][0]


def load(name="tiny.safetensors", **options):
    return CLIPModelLoader().execute(model=name, **options)["result"][0]


def encode(images, **inputs):
    """Runs the node as ComfyUI does: every input in a list."""
    lists = {name: [value] for name, value in inputs.items()}
    return CLIPVisionEncode().execute(image=images if isinstance(images, list) else [images], **lists)["result"]


def pictures(count=2, height=40, width=56):
    return torch.rand(count, height, width, 3, generator=torch.Generator().manual_seed(count))


# choosing


def test_models_are_listed_by_what_is_in_them_and_what_is_none_is_not(host, model):
    (model.parent / "clip_vision_h.safetensors").write_text("<html>not found</html>")
    save_file({"weight": torch.zeros(2, 2)}, model.parent / "lora.safetensors")

    assert [name for name in names() if name != "shapes-demo"] == ["tiny.safetensors"]


def test_without_models_the_demo_alone_is_offered(host):
    assert names() == ["shapes-demo"]


def test_models_of_one_name_are_told_apart_by_their_folders(host, model):
    write_model(host.models_folder / "checkpoints" / "tiny.safetensors", seed=1)

    assert names()[:2] == ["clip_vision/tiny.safetensors", "checkpoints/tiny.safetensors"]


def test_headers_are_read_again_only_when_a_file_changed(host, model):
    now = 0.0
    models = ModelList(clock=lambda: now)
    first = models.choices(host.model_folders)
    now = 10.0
    assert models.choices(host.model_folders) is first

    write_model(model.parent / "new.safetensors")
    assert models.choices(host.model_folders) is first
    now = 20.0

    assert [choice.name for choice in models.choices(host.model_folders)] == ["new.safetensors", "tiny.safetensors"]


def test_only_the_file_that_changed_is_looked_into_again(host, model):
    now, looked = 0.0, []

    def look(candidate, kind):
        looked.append(candidate.name)
        return opened(candidate, kind)

    models = ModelList(clock=lambda: now, look=look)

    def looked_into_now():
        nonlocal now
        now += 10
        looked.clear()
        models.choices(host.model_folders)
        return looked

    write_model(model.with_name("other.safetensors"), seed=1)
    assert sorted(looked_into_now()) == ["other.safetensors", "tiny.safetensors"]
    assert looked_into_now() == []
    write_model(model.with_name("third.safetensors"), seed=2)
    assert looked_into_now() == ["third.safetensors"]
    os.utime(model, ns=(1, 1))
    assert looked_into_now() == ["tiny.safetensors"]
    model.with_name("other.safetensors").unlink()
    assert looked_into_now() == []
    assert [choice.name for choice in models.choices(host.model_folders)] == ["third.safetensors", "tiny.safetensors"]


def test_what_a_json_beside_a_model_says_counts_at_once(host, model):
    now = 0.0
    models = ModelList(clock=lambda: now)
    assert models.choices(host.model_folders)[0].info.activation == "quick_gelu"
    sidecar = model.with_name("tiny.clip.json")

    for activation in ("gelu", "gelu_tanh"):
        sidecar.write_text(json.dumps({"activation": activation}), "utf-8")
        now += 10
        assert models.choices(host.model_folders)[0].info.activation == activation


def test_the_hosts_vocabularies_are_searched_one_after_the_other(host, tmp_path):
    clip = tiny_clip(tmp_path / "clip")
    (host.models_folder / "clip_vision").mkdir(parents=True)
    shutil.copy(clip.folder / "model.safetensors", host.models_folder / "clip_vision" / "whole.safetensors")
    host.vocabulary_folders = (learn_clip(tmp_path / "other", 400), clip.folder)

    made = load("whole.safetensors").encoder.tokenizer.encode(["a cat"])

    assert made == load_encoder(clip.folder, device="cpu").tokenizer.encode(["a cat"])


def test_an_unknown_model_is_refused_before_anything_runs_with_the_nearest_name(host, model):
    names()

    assert CLIPModelLoader.VALIDATE_INPUTS(model="tiny.safetensors", text_encoder="none") is True
    assert "did you mean 'tiny.safetensors'" in CLIPModelLoader.VALIDATE_INPUTS(model="tinny.safetensors")
    assert "no model 'x'" in CLIPModelLoader.VALIDATE_INPUTS(model="tiny.safetensors", text_encoder="x")


def test_the_loader_runs_again_when_the_file_changes_and_never_raises(host, model):
    names()
    before = CLIPModelLoader.IS_CHANGED(model="tiny.safetensors")
    os.utime(model, ns=(1, 1))
    after = CLIPModelLoader.IS_CHANGED(model="tiny.safetensors")
    model.unlink()

    assert before != after != CLIPModelLoader.IS_CHANGED(model="tiny.safetensors")
    assert CLIPModelLoader.IS_CHANGED(model=None) == CLIPModelLoader.IS_CHANGED(model=None)


def test_two_halves_of_which_nobody_can_tell_are_put_together_only_if_the_user_says_so(host, model):
    write_text_model(host.models_folder / "text_encoders" / "words.safetensors")

    assert CLIPModelLoader.INPUT_TYPES()["optional"]["text_encoder"][0] == ["none", "words.safetensors"]
    assert "words.safetensors" not in names()
    with pytest.raises(SpaceError, match="trust_space"):
        load(text_encoder="words.safetensors")
    assert load(text_encoder="words.safetensors", trust_space=True).name == "tiny.safetensors + words.safetensors"


def test_a_model_that_is_chosen_twice_is_loaded_once(host, model):
    assert load().encoder is load().encoder
    assert load().encoder is not load(dtype="fp16").encoder


def test_the_summary_names_what_the_file_does_not_tell(host, model):
    shown = CLIPModelLoader().execute(model="tiny.safetensors")["ui"]["text"][0]

    assert "embeddings of 24 numbers" in shown and "assumed:" in shown and "activation" in shown


def test_a_bad_option_is_refused_by_name(host, model):
    with pytest.raises(InputError, match="dtype is 'int4'"):
        load(dtype="int4")


# encoding


def test_the_output_is_that_of_the_model_itself(host, model):
    images = [pictures(2), pictures(1, 30, 20)]
    wanted = load_encoder(model, device="cpu", reference="comfy").encode_images(
        images, wants=("embeds", "last_hidden", "penultimate_hidden")
    )

    output, features, _ = encode(images, model=load())

    assert torch.allclose(output["image_embeds"], wanted.image_embeds, atol=1e-6)
    assert torch.allclose(output.last_hidden_state, wanted.last_hidden, atol=1e-6)
    assert torch.allclose(output.penultimate_hidden_states, wanted.penultimate_hidden, atol=1e-6)
    assert output.image_sizes == [(3, SIDE, SIDE)] * 3 and output.mm_projected is None
    assert features.patch_tokens.shape == (3, 16, WIDTH) and features.cls_hidden.shape == (3, WIDTH)


def test_batches_of_any_size_give_equal_results(host, model):
    loaded = load()

    made = [encode(pictures(5), model=loaded, batch_size=size)[0]["image_embeds"] for size in (0, 1, 2)]

    assert torch.allclose(made[0], made[1], atol=1e-6) and torch.allclose(made[0], made[2], atol=1e-6)


def test_the_ways_to_make_a_square_differ_and_have_comfyuis_names_too(host, model):
    loaded = load()

    made = {fit: encode(pictures(), model=loaded, fit=fit)[0]["image_embeds"] for fit in ("crop", "squash", "pad")}

    assert not torch.allclose(made["crop"], made["squash"]) and not torch.allclose(made["squash"], made["pad"])
    assert torch.equal(made["squash"], encode(pictures(), model=loaded, fit="none")[0]["image_embeds"])
    assert torch.equal(made["crop"], encode(pictures(), model=loaded)[0]["image_embeds"])


def test_a_clip_vision_of_comfyui_goes_through_unchanged(host):
    toy = ToyClipVision()
    images = pictures()
    wanted = toy.encode_image(images)

    output, features, report = encode(images, clip_vision=toy)

    assert torch.allclose(output["image_embeds"], wanted.image_embeds, atol=1e-5)
    assert features.projection_dim == json.loads(report)["embedding"] == 12


def test_a_model_without_projection_has_states_and_says_why_there_is_no_embedding(host):
    write_model(host.models_folder / "clip_vision" / "bare.safetensors", projection=False)

    output, features, report = encode(pictures(), model=load("bare.safetensors"))

    assert features.image_embeds is None and "projection" in json.loads(report)["absent"]["image_embeds"]
    assert output["image_embeds"].shape == (2, WIDTH) and output.last_hidden_state.shape == (2, 17, WIDTH)


def test_a_siglip_gives_its_states_after_the_final_norm_as_comfyui_does(host):
    path = write_model(host.models_folder / "clip_vision" / "siglip.safetensors", siglip=True)
    loaded = load("siglip.safetensors")

    output, features, _ = encode(pictures(), model=loaded)

    state = load_encoder(path, device="cpu").encode_images(pictures(1), wants=("last_hidden",)).last_hidden
    assert state.shape[1:] == output.last_hidden_state.shape[1:] == (16, WIDTH)
    assert output["image_embeds"] is output.last_hidden_state
    assert not torch.allclose(output.last_hidden_state, features.last_hidden)
    assert features.image_embeds.shape == (2, WIDTH) and features.cls_hidden is None


def test_half_precision_pictures_are_taken(host, model):
    output, _, _ = encode(pictures().half(), model=load())

    assert torch.isfinite(output["image_embeds"]).all()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(40, 40, 3), r"shape \(40, 40, 3\).*Convert Mask to Image"),
        (torch.zeros(0, 8, 8, 3), "no picture"),
        ([], "no picture"),
        ("/etc/passwd", "image holds a str"),
        (torch.zeros(1, 8, 8, 2), "C = 1, 3 or 4"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_cure(host, model, images, message):
    with pytest.raises(InputError, match=message):
        encode(images, model=load())


def test_nan_is_refused_by_the_number_of_the_picture(host, model):
    broken = torch.full((1, 8, 8, 3), float("nan"))

    with pytest.raises(PictureError, match="picture 3: holds NaN"):
        encode([pictures(2), broken], model=load())


def test_exactly_one_model_must_be_connected(host, model):
    with pytest.raises(InputError, match="nothing to encode with"):
        encode(pictures())
    with pytest.raises(InputError, match="leave one"):
        encode(pictures(), model=load(), clip_vision=ToyClipVision())


def test_a_picture_of_one_pixel_and_a_line_of_4000_are_encoded(host, model):
    output, _, _ = encode([torch.rand(1, 1, 1, 3), torch.rand(1, 1, 4000, 3)], model=load())

    assert torch.isfinite(output["image_embeds"]).all()


def test_the_user_can_stop_it_between_batches(host, model):
    loaded = load()
    host.interrupt_after = 2

    with pytest.raises(Interrupted):
        encode(pictures(6), model=loaded, batch_size=1)

    assert host.steps[-1][0] == 2


def test_a_model_that_disappeared_is_refused_with_the_cure(host, model):
    names()
    shutil.move(model, model.with_suffix(".gone"))

    with pytest.raises(InputError, match=r"choose the model again|no model"):
        encode(pictures(), model=load())
