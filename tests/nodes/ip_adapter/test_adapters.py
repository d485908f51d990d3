"""IP-Adapter Loader, Embeds and Apply without ComfyUI: names, files, sockets of other packs, and refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.ip_adapter.combining import combine
from clip_grid.clip_backend.ip_adapter.faces import with_lengths
from clip_grid.clip_backend.ip_adapter.projections import States, project
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.weights import load_adapter
from clip_grid.errors import CheckpointError, ForbiddenPath, InputError
from clip_grid.nodes.ip_adapter.adapters import LoadedAdapter, adapter_of
from clip_grid.nodes.ip_adapter.applying import curves
from clip_grid.nodes.ip_adapter_nodes import IPAdapterApply, IPAdapterEmbeds, IPAdapterLoader, IPAdapterReference
from safetensors.torch import save_file

from ...clip_backend.checkpoints.safetensors_files import write_sparse
from ...clip_backend.ip_adapter import adapter_shapes, fake_patcher
from ...clip_backend.ip_adapter import tiny_adapters as tiny
from ..toy_comfyui import ToyClipVision

BASE = tiny.tensors_of("base")


@pytest.fixture
def folder(host):
    found = host.models_folder / "ipadapter"
    found.mkdir(parents=True)
    save_file(BASE, found / "mine.safetensors")
    save_file({"lora_up.weight": torch.ones(2)}, found / "lora.safetensors")
    return found


def embeds(*rows, **fields):
    return Reference(States(embeds=torch.tensor(rows, dtype=torch.float32)), **fields)


def test_the_list_has_the_files_that_are_adapters(folder, host):
    (names, extra) = IPAdapterLoader.INPUT_TYPES()["required"]["adapter"]

    assert names == ["mine.safetensors"]
    assert extra["clip_grid_families"] == {}
    torch.save({"image_proj": {}}, folder / "other.bin")
    assert IPAdapterLoader.INPUT_TYPES()["required"]["adapter"][0] == ["mine.safetensors", "other.bin"]


def test_without_adapters_the_list_says_so_and_the_run_what_to_get(host):
    assert IPAdapterLoader.INPUT_TYPES()["required"]["adapter"][0] == ["none found"]

    assert "put an adapter into ComfyUI's models/ipadapter" in str(IPAdapterLoader.VALIDATE_INPUTS("none found"))


def test_a_loaded_adapter_has_the_weights_of_its_file_and_a_report_without_its_place(folder, host):
    made = IPAdapterLoader().execute("mine.safetensors")

    loaded, report = made["result"]
    assert torch.equal(loaded.adapter.image_proj["proj.weight"], BASE["image_proj.proj.weight"])
    assert json.loads(report)["path"] == "mine.safetensors"
    assert "IP-Adapter" in made["ui"]["text"][0]


def test_a_name_that_is_not_there_gets_the_nearest(folder, host):
    assert "did you mean 'mine.safetensors'" in str(IPAdapterLoader.VALIDATE_INPUTS("mime.safetensors"))
    assert IPAdapterLoader.VALIDATE_INPUTS("mine.safetensors") is True


def test_a_pickle_is_read_only_where_it_is_allowed(folder, host):
    parts = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in BASE.items():
        root, _, rest = name.partition(".")
        parts[root][rest] = tensor
    torch.save(parts, folder / "old.bin")

    with pytest.raises(CheckpointError):
        IPAdapterLoader().execute("old.bin")
    loaded = IPAdapterLoader().execute("old.bin", allow_pickle=True)["result"][0]
    assert torch.equal(loaded.adapter.image_proj["proj.weight"], BASE["image_proj.proj.weight"])


def test_another_file_under_the_name_is_run_again(folder, host):
    before = IPAdapterLoader.IS_CHANGED("mine.safetensors")
    save_file(tiny.tensors_of("plus"), folder / "mine.safetensors")

    assert IPAdapterLoader.IS_CHANGED("mine.safetensors") != before


def nested():
    parts = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in BASE.items():
        root, _, rest = name.partition(".")
        parts[root][rest] = tensor
    return parts


@pytest.mark.parametrize("kind", ["state dict", "pipeline", "plain pipeline"])
def test_an_ipadapter_of_another_pack_is_accepted(kind):
    vision = object()
    given = {
        "state dict": nested(),
        "pipeline": {
            "ipadapter": {"file": "a.bin", "model": nested()},
            "clipvision": {"file": "b", "model": vision},
            "insightface": {"provider": None, "model": None},
        },
        "plain pipeline": {"ipadapter": nested(), "clipvision": vision},
    }[kind]

    made = adapter_of(given)

    assert torch.equal(made.adapter.image_proj["proj.weight"], BASE["image_proj.proj.weight"])
    assert made.clip_vision is (None if kind == "state dict" else vision)


def face_plus_of_another_pack(**marks):
    """As its loader gives it: the tables of the file, and what the name of the file says."""
    parts = {"image_proj": {}, "ip_adapter": {}, **marks}
    shapes = adapter_shapes.face_plus(64, into=40, face=16) | adapter_shapes.pairs((32, 64), 64)
    for name, tensor in tiny.random_tensors(shapes).items():
        root, _, rest = name.partition(".")
        parts[root][rest] = tensor
    return parts


@pytest.mark.parametrize("is_pipeline", [False, True])
def test_what_another_pack_says_of_the_variant_is_believed_where_it_may_be(is_pipeline):
    def adapter(state_dict):
        given = {"ipadapter": {"file": "any.bin", "model": state_dict}, "clipvision": {"file": None, "model": None}}
        return adapter_of(given if is_pipeline else state_dict).adapter.info

    marked, plain = adapter(face_plus_of_another_pack(faceidplusv2=True)), adapter(face_plus_of_another_pack())

    assert (marked.variant.name, marked.assumed) == ("faceid-plus-v2", ())
    assert plain.variant.name == "faceid-plus"
    assert "is assumed" in plain.assumed[0]
    assert adapter(nested() | {"faceidplusv2": True}).variant.name == "base"


def test_the_clip_vision_of_another_packs_dictionary_encodes_the_pictures(host):
    toy, picture = ToyClipVision(), torch.rand(1, 28, 28, 3)
    given = {
        "ipadapter": {"file": "a.bin", "model": nested()},
        "clipvision": {"file": "b.safetensors", "model": toy},
        "insightface": {"provider": None, "model": None},
    }

    (one,) = IPAdapterReference().execute(image=[picture], adapter=[given])["result"][0]

    assert torch.allclose(one.states.embeds, toy.encode_image(picture).image_embeds, atol=1e-5)


def test_embeds_of_another_pack_are_references(host):
    embeds, hidden = torch.rand(2, 16), torch.rand(1, 5, 16)

    (one, other) = IPAdapterEmbeds().execute([embeds, hidden])["result"][0]

    assert torch.equal(one.states.embeds, embeds)
    assert torch.equal(other.states.hidden, hidden)
    with pytest.raises(InputError, match="must be a tensor"):
        IPAdapterEmbeds().execute({"embeds": embeds})


@pytest.mark.parametrize("given", [None, 3, {"ipadapter": None}, {"ipadapter": {"model": None}}])
def test_what_is_no_adapter_is_refused(given):
    with pytest.raises(InputError, match="connect IP-Adapter Loader"):
        adapter_of(given)


def test_an_encoder_that_is_not_there_is_named(folder, host):
    adapter = load_adapter(BASE)
    loaded = LoadedAdapter(adapter)

    with pytest.raises(InputError, match="needs a vision encoder"):
        IPAdapterReference().execute(image=[torch.rand(1, 8, 8, 3)], adapter=[loaded])


def test_an_adapter_that_is_recognised_and_not_used_is_refused_by_its_header(folder, host):
    shapes = adapter_shapes.instantx_sd35()
    write_sparse(folder / "ip-adapter.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})

    assert "ip-adapter.safetensors" in IPAdapterLoader.INPUT_TYPES()["required"]["adapter"][0]
    with pytest.raises(InputError) as refusal:
        IPAdapterLoader().execute("ip-adapter.safetensors")

    assert "ip-adapter.safetensors is an IP-Adapter for SD 3.5 Large, whose tokens change" in str(refusal.value)
    assert "adapters for SD 1.5, SDXL, Kolors and FLUX.1 are used" in str(refusal.value)


# Embeds


def test_references_are_saved_below_the_output_folder_and_loaded_again(host):
    saved = IPAdapterEmbeds().execute((embeds([1, 2]),), save_as="embeds/style")
    again = IPAdapterEmbeds().execute((embeds([1, 2]),), save_as="embeds/style")

    assert saved["result"][1] == "output/embeds/style_00001_.safetensors"
    assert again["result"][1] == "output/embeds/style_00002_.safetensors"
    assert IPAdapterEmbeds.VALIDATE_INPUTS(saved["result"][1]) is True
    loaded = IPAdapterEmbeds().execute((embeds([3, 4]),), file=saved["result"][1], combine="add")["result"][0]
    assert [one.states.embeds.tolist() for one in loaded] == [[[4, 6]]]


def test_files_outside_the_allowed_folders_are_neither_read_nor_written(host, tmp_path):
    (tmp_path / "secret.safetensors").write_bytes(b"x")

    assert "outside the folders" in str(IPAdapterEmbeds.VALIDATE_INPUTS(str(tmp_path / "secret.safetensors")))
    with pytest.raises(ForbiddenPath):
        IPAdapterEmbeds().execute(file="../secret.safetensors")
    with pytest.raises(ForbiddenPath):
        IPAdapterEmbeds().execute((embeds([1, 2]),), save_as="../../secret")


def test_no_reference_is_refused(host):
    with pytest.raises(InputError, match="connect references, or name a file"):
        IPAdapterEmbeds().execute()


def test_another_file_of_references_is_run_again(host):
    saved = IPAdapterEmbeds().execute((embeds([1, 2]),), save_as="a")["result"][1]
    before = IPAdapterEmbeds.IS_CHANGED(saved)
    (host.folders.output / "a_00001_.safetensors").write_bytes(b"other")

    assert IPAdapterEmbeds.IS_CHANGED(saved) != before


# Apply


class ModelPatcher:
    """What is looked at before the model is."""


ModelPatcher.__module__ = "comfy.model_patcher"


def test_applying_without_a_reference_is_refused(host):
    with pytest.raises(InputError, match="there is no reference"):
        IPAdapterApply().execute(SimpleNamespace(), LoadedAdapter(load_adapter(BASE)), ())


def test_a_mask_of_another_shape_is_said_in_the_node_once_per_run(host, monkeypatch, caplog):
    monkeypatch.setattr("clip_grid.nodes.ip_adapter.applying.functions_beside", lambda model: fake_patcher.COMFY)
    references = tuple(fake_patcher.reference(mask=torch.ones(size)) for size in ((8, 32), (16, 64), (6, 8), (8, 32)))
    adapter = LoadedAdapter(fake_patcher.adapter())

    model = IPAdapterApply().execute(fake_patcher.FakePatcher(), adapter, references, unique_id="7")["result"][0]
    assert host.notes == []
    # of 3 x 4 latent cells
    fake_patcher.run(model, steps=2)

    said = "pixels is stretched to the picture of 32 x 24, as ComfyUI does with masks"
    assert [node for node, _ in host.notes] == ["7", "7"]
    assert f"a mask of 32 x 8 {said}" in host.notes[0][1]
    assert f"a mask of 64 x 16 {said}" in host.notes[1][1]
    assert caplog.text.count(said) == 2
    fake_patcher.run(model)
    assert len(host.notes) == 4


def test_a_face_of_any_length_is_as_long_as_the_adapter_was_trained_with():
    adapter = load_adapter(tiny.tensors_of("faceid"))
    face = tiny.states("face")

    (made,), notes = with_lengths(adapter.info, [Reference(States(face=face))])

    assert torch.allclose(made.states.face.norm(dim=-1), torch.ones(len(face), 1))
    assert notes == []


def test_a_normalized_face_is_noted_where_the_adapter_reads_others():
    info = load_adapter(tiny.tensors_of("faceid")).info
    info = replace(info, variant=replace(info.variant, name="faceid-portrait-unnorm"))
    face = tiny.states("face")

    (kept,), none = with_lengths(info, [Reference(States(face=face))])
    _, notes = with_lengths(info, [Reference(States(face=face / face.norm(dim=-1, keepdim=True)))])

    assert torch.equal(kept.states.face, face)
    assert none == []
    assert "not normalized" in notes[0]


def test_two_hundred_pictures_are_one_softmax_of_two_hundred():
    adapter = load_adapter(BASE)
    states = tiny.states("embeds", 200)

    (made,) = combine([Reference(States(embeds=states))], "concat")

    assert project(adapter, made.states).shape[0] == 200


def test_the_curves_in_the_node_are_those_of_the_models():
    found = curves()

    assert {family: len(one["full"]) for family, one in found.items()} == {"sd15": 16, "sdxl": 11}
    assert found["sdxl"]["style"] == [0] * 6 + [1] + [0] * 4
    assert found["sd15"]["composition"] == [0, 0, 0, 0, 0.25, 1] + [0] * 10
