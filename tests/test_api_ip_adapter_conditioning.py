"""IPAdapterService: the adapter that a name means, the encoder that it needs, and models that see the references."""

from __future__ import annotations

import logging
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_grid import api
from clip_grid.api import ApplySettings, ReferenceSettings
from clip_grid.clip_backend.ip_adapter.variants import VARIANT_NAMES
from clip_grid.errors import CheckpointError, InputError, PictureError
from PIL import Image

from .clip_backend.checkpoints.layout_files import layout_named, write_layout
from .clip_backend.checkpoints.safetensors_files import write_sparse
from .clip_backend.checkpoints.tensor_names import Shapes
from .clip_backend.ip_adapter import adapter_shapes as made

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from clip_grid.clip_backend.finding.advice import CLIP_VISION_G
from clip_grid.clip_backend.ip_adapter.encoders import VisionEncoder, blank_states, find_encoder
from clip_grid.clip_backend.ip_adapter.projections import States, project
from safetensors.torch import save_file

from .clip_backend.ip_adapter import tiny_adapters as tiny
from .clip_backend.tiny_models import random_pictures, tiny_clip

#: Of the tiny CLIP: the length of its embedding and the width of its states.
EMBEDDING, WIDTH, CONTEXT = 24, 64, 64
PAIRS = made.pairs((32, 64, 64), CONTEXT)
ADAPTERS: dict[str, Shapes] = {
    "tiny-base": made.linear_projection(EMBEDDING, CONTEXT) | PAIRS,
    "tiny-plus": made.resampler(WIDTH, 64, 1, CONTEXT, tokens=3) | PAIRS,
    "tiny-faceid": made.mlp_projection(8, 16, 4, CONTEXT) | PAIRS | made.lora((32, 64, 64), CONTEXT, 2),
    "tiny-faceid-plusv2": made.face_plus(CONTEXT, into=WIDTH, face=8) | PAIRS,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory):
    return tiny_clip(tmp_path_factory.mktemp("vision") / "tiny-clip")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of adapters."""
    found = tmp_path_factory.mktemp("ipadapter")
    for name, shapes in ADAPTERS.items():
        save_file(tiny.random_tensors(shapes), found / f"{name}.safetensors")
    return found


@pytest.fixture
def service(clip, folder: Path) -> api.IPAdapterService:
    paths = api.ModelPathConfig(ipadapter_paths=[folder])
    return api.IPAdapterService(clip.folder, config=paths, device="cpu", torch_dtype=torch.float32)


class Pipeline:
    """What is used of a pipeline of diffusers; it keeps what it is told."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, width: int = CONTEXT) -> None:
        layer = type("Layer", (), {"clip_embeds": None, "shortcut": False})()
        parts = {"config": type("Config", (), {"cross_attention_dim": width})(), "peft_config": {}}
        projection = type("Projection", (), {"image_projection_layers": [layer]})()
        self.unet: Any = type("UNet", (), {**parts, "encoder_hid_proj": projection})()
        self.layer: Any = layer
        self.loaded: list[dict[str, Any]] = []
        self.calls: list[tuple[str, Any]] = []

    def load_ip_adapter(self, tensors: dict[str, Any], **arguments: object) -> None:
        assert arguments == {"subfolder": "", "weight_name": "", "image_encoder_folder": None}
        self.loaded.append(tensors)
        if any("lora" in name for name in tensors["ip_adapter"]):
            self.unet.peft_config["faceid_0"] = None

    def set_ip_adapter_scale(self, scale: object) -> None:
        self.calls.append(("scale", scale))

    def set_adapters(self, names: list[str], adapter_weights: list[float]) -> None:
        self.calls.append(("lora", (names, adapter_weights)))

    def delete_adapters(self, name: str) -> None:
        del self.unet.peft_config[name]
        self.calls.append(("deleted", name))


def config(name: str, **arguments: Any) -> api.IPAdapterConfig:
    return api.IPAdapterConfig(model_id=name, **arguments)


def test_the_variants_are_those_that_are_detected():
    assert {one.value for one in api.IPAdapterVariant} == set(VARIANT_NAMES)
    assert api.IPAdapterVariant.PLUS == "plus"


def test_a_name_or_a_path_means_an_adapter(service: api.IPAdapterService, folder: Path):
    for name in ("tiny-plus", "TINY_PLUS", "plus.safetensors", folder / "tiny-plus.safetensors"):
        info = service.load_ip_adapter(config(name, variant=api.IPAdapterVariant.PLUS))
        assert (info.variant.name, info.path and info.path.name) == ("plus", "tiny-plus.safetensors")
        assert service.adapter is not None and service.adapter.info is info


def test_a_name_that_means_several_or_none_lists_what_there_is(service: api.IPAdapterService):
    with pytest.raises(InputError, match=r"'faceid' means 2 adapters: .*FaceID.*; give more of the name, or the"):
        service.load_ip_adapter(config("faceid"))
    with pytest.raises(InputError, match=r"no adapter 'sdxl' of this variant.*tiny-base.safetensors \(IP-Adapter\)"):
        service.load_ip_adapter(config("sdxl"))
    with pytest.raises(InputError, match="there is no variant 'plusv2'"):
        service.load_ip_adapter(config("tiny-plus", variant="plusv2"))
    with pytest.raises(InputError, match="there is no family 'sd3'; choose one of sd15"):
        service.load_ip_adapter(config("tiny-plus", family="sd3"))
    empty = api.IPAdapterService(config=api.ModelPathConfig())
    with pytest.raises(InputError, match="put its file into ComfyUI's models/ipadapter, or give its path"):
        empty.load_ip_adapter(config("ip-adapter-plus"))


def test_variant_and_family_tell_files_of_one_name_apart(tmp_path: Path):
    for file in ("ip-adapter-plus_sd15", "ip-adapter-plus-face_sd15", "ip-adapter-plus_sdxl_vit-h"):
        shapes = next(one for one in made.PUBLISHED if one.file == file).shapes()
        write_sparse(tmp_path / f"{file}.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})
    write_sparse(tmp_path / "ip-adapter-plus_lora.safetensors", {"lora_unet_a.lora_down.weight": ("F16", (2, 2))})
    paths = api.ModelPathConfig(ipadapter_paths=[tmp_path])

    found = config("ip-adapter-plus", variant=api.IPAdapterVariant.PLUS, family="sdxl").find(paths)
    assert found.path == tmp_path / "ip-adapter-plus_sdxl_vit-h.safetensors"
    found = config("ip-adapter-plus", variant="plus-face").find(paths)
    assert found.path == tmp_path / "ip-adapter-plus-face_sd15.safetensors"
    found = config("plus-face", variant="composition").find(paths)
    assert (found.variant.name, found.possible[0]) == ("composition", "composition")
    with pytest.raises(InputError, match=r"means 2 adapters: .*sd15.*for SD 1.5.*sdxl.*for SDXL"):
        config("ip-adapter-plus", variant="plus").find(paths)


def test_what_was_assumed_is_said(service: api.IPAdapterService, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        service.load_ip_adapter(config("tiny-faceid-plusv2"))

    assert "IP-Adapter FaceID Plus v2 is assumed, by the name of the file" in caplog.text


def test_a_pipeline_gets_the_tensors_the_scale_and_the_embeddings(service: api.IPAdapterService, clip):
    image, pipeline = random_pictures(1)[0], Pipeline()
    service.load_ip_adapter(config("tiny-base", scale=0.5))

    arguments = service.apply_conditioning(api.ReferenceImage(image, scale=0.8), pipeline)

    (tensors,) = pipeline.loaded
    source = tiny.random_tensors(ADAPTERS["tiny-base"])
    named = {f"{table}.{name}": one for table, tables in tensors.items() for name, one in tables.items()}
    assert named.keys() == source.keys() and all(torch.equal(named[name], source[name]) for name in source)
    assert list(tensors) == ["image_proj", "ip_adapter"] and pipeline.calls == [("scale", 0.4)]
    assert list(arguments) == ["ip_adapter_image_embeds"]
    (embeds,) = arguments["ip_adapter_image_embeds"]
    assert embeds.shape == (2, 1, EMBEDDING) and not embeds[0].any()
    np.testing.assert_allclose(embeds[1].numpy(), clip.images([image]), atol=1e-5)


def test_an_adapter_is_loaded_into_a_pipeline_once(service: api.IPAdapterService):
    images, pipeline = random_pictures(2), Pipeline()
    service.load_ip_adapter(config("tiny-base"))

    for image in images:
        service.apply_conditioning(image, pipeline)
    assert len(pipeline.loaded) == 1

    service.load_ip_adapter(config("tiny-plus"))
    service.apply_conditioning(images[0], pipeline)
    assert len(pipeline.loaded) == 2


def test_hidden_states_and_those_of_a_picture_in_the_mean_color_go_into_plus(service: api.IPAdapterService):
    image, pipeline = random_pictures(1)[0], Pipeline()
    service.load_ip_adapter(config("tiny-plus"))

    arguments = service.apply_conditioning(image, pipeline, has_guidance=True)

    encoder = service.encoder.encoder
    hidden = encoder.encode_images(image, wants=["penultimate_hidden"]).penultimate_hidden
    (embeds,) = arguments["ip_adapter_image_embeds"]
    assert torch.equal(embeds, torch.stack([blank_states(encoder), hidden]))
    (alone,) = service.apply_conditioning(image, pipeline, has_guidance=False)["ip_adapter_image_embeds"]
    assert torch.equal(alone, hidden[None])
    # what the tower makes of exact zeros, and not of the nearest color of 8 bits
    tower = encoder._images.vision.tower
    zeros = torch.zeros(1, 3, encoder.preprocessing.size, encoder.preprocessing.size)
    with torch.inference_mode():
        np.testing.assert_allclose(embeds[0].numpy(), tower(zeros, states=True).penultimate.numpy(), atol=1e-6)
    assert (blank_states(encoder, "black") - blank_states(encoder)).abs().max() > 1e-3


def test_several_references_are_terms_of_their_own_with_their_scales(service: api.IPAdapterService):
    images, pipeline = random_pictures(2), Pipeline()
    service.load_ip_adapter(config("tiny-base"))

    arguments = service.apply_conditioning([api.ReferenceImage(images[0], scale=0.25), images[1]], pipeline)

    assert pipeline.calls == [("scale", [[0.25, 1.0]])]
    assert arguments["ip_adapter_image_embeds"][0].shape == (2, 2, EMBEDDING)
    (masks,) = arguments["cross_attention_kwargs"]["ip_adapter_masks"]
    assert masks.shape[:2] == (1, 2) and masks.all()


def test_a_face_vector_and_its_lora_go_into_faceid_without_a_vision_encoder(folder: Path):
    service = api.IPAdapterService(config=api.ModelPathConfig(ipadapter_paths=[folder]))
    pipeline, face = Pipeline(), np.linspace(-1, 1, 8, dtype=np.float32)
    settings = ApplySettings(lora_strength=0.6)
    service.load_ip_adapter(config("tiny-faceid.safetensors", settings=settings))

    arguments = service.apply_conditioning(api.ReferenceImage(face=face), pipeline)

    assert service.encoder is None and ("lora", (["faceid_0"], [0.6])) in pipeline.calls
    assert "5.to_out_lora.up.weight" in pipeline.loaded[0]["ip_adapter"]
    (embeds,) = arguments["ip_adapter_image_embeds"]
    # as the adapter was trained, whatever length the face model gives
    np.testing.assert_allclose(embeds[1].numpy(), face[None] / np.linalg.norm(face), atol=1e-6)
    assert not embeds[0].any()
    # diffusers would keep the LoRA of the first
    service.load_ip_adapter(config("tiny-faceid.safetensors"))
    service.apply_conditioning(api.ReferenceImage(face=face), pipeline)
    assert ("deleted", "faceid_0") in pipeline.calls


def test_faceid_plus_gets_the_face_and_the_states_of_the_picture(service: api.IPAdapterService):
    image, pipeline, face = random_pictures(1)[0], Pipeline(), np.ones(8, dtype=np.float32)
    service.load_ip_adapter(config("tiny-faceid-plusv2"))

    arguments = service.apply_conditioning(api.ReferenceImage(image, face=face), pipeline)

    assert arguments["ip_adapter_image_embeds"][0].shape == (2, 1, 8)
    assert pipeline.layer.shortcut and pipeline.layer.clip_embeds.shape[:2] == (2, 1)
    with pytest.raises(InputError, match="the vector of a face, which is missing"):
        service.apply_conditioning(image, pipeline)
    with pytest.raises(InputError, match="reads a picture, and the reference has none"):
        service.apply_conditioning(api.ReferenceImage(face=face), pipeline)


def test_what_a_pipeline_cannot_do_is_refused(service: api.IPAdapterService):
    image = random_pictures(1)[0]
    with pytest.raises(InputError, match="call load_ip_adapter first"):
        service.apply_conditioning(image, Pipeline())
    service.load_ip_adapter(config("tiny-base"))
    with pytest.raises(InputError, match="the UNet of the pipeline reads text states of 768 dimensions"):
        service.apply_conditioning(image, Pipeline(768))
    with pytest.raises(InputError, match="a dict takes no IP-Adapter"):
        service.apply_conditioning(image, {})
    with pytest.raises(InputError, match="there is no reference"):
        service.apply_conditioning([], Pipeline())
    with pytest.raises(PictureError, match="nowhere"):
        service.apply_conditioning("nowhere.png", Pipeline())
    service.load_ip_adapter(config("tiny-base", settings=ApplySettings(start=0.5)))
    with pytest.raises(InputError, match=r"start is 0\.5, which pipelines of diffusers do not have"):
        service.apply_conditioning(image, Pipeline())


@pytest.mark.parametrize("face", ["abc", np.zeros((2, 3, 4)), object()])
def test_what_is_no_face_vector_is_refused(folder: Path, face: object):
    service = api.IPAdapterService(config=api.ModelPathConfig(ipadapter_paths=[folder]))
    service.load_ip_adapter(config("tiny-faceid.safetensors"))

    with pytest.raises(InputError, match="face holds"):
        service.apply_conditioning(api.ReferenceImage(face=face), Pipeline())


def test_options_say_what_becomes_of_pictures_as_in_the_node(service: api.IPAdapterService):
    wide, other = random_pictures(1, (60, 30))[0], random_pictures(1, seed=3)[0]
    service.load_ip_adapter(config("tiny-base"))
    given = api.ReferenceImage([wide, other], settings=ReferenceSettings(fit="squash", position=1.0))

    arguments = service.apply_conditioning(given, Pipeline(), fit="crop", combine="average", picture_weights="3, 1")

    encoder = service.encoder.encoder
    right = wide.crop((30, 0, 60, 30))
    first, second = (encoder.encode_images(one).require("image_embeds") for one in (right, other))
    torch.testing.assert_close(arguments["ip_adapter_image_embeds"][0][1], (3 * first + second) / 4)
    tiles = service.apply_conditioning(wide, Pipeline(), fit="tiles")["ip_adapter_image_embeds"][0]
    torch.testing.assert_close(tiles[1, 1:], first)


def test_options_reach_the_references_and_the_settings_of_a_model(
    service: api.IPAdapterService, monkeypatch: pytest.MonkeyPatch
):
    seen: dict[str, Any] = {}
    monkeypatch.setattr("clip_grid.api.ip_adapter.conditioned", lambda *args, **named: seen.update(args=args, **named))
    service.load_ip_adapter(config("tiny-plus", scale=0.5, settings=ApplySettings(weight=0.8, start=0.1)))
    picture, mask = random_pictures(1)[0], np.zeros((4, 8), np.uint8)
    mask[:, :4] = 255

    masks = (mask, mask / np.float32(255), torch.from_numpy(mask), Image.fromarray(mask))
    references = [api.ReferenceImage(picture, scale=0.5, mask=one) for one in masks]
    references += [api.ReferenceImage(picture, settings=ReferenceSettings(weight=0.5, negative=True, blank="black"))]
    service.apply_conditioning(references, object(), weight_type="style", end=0.9)

    _, _, made, settings = seen["args"]
    assert settings == ApplySettings(weight=0.4, start=0.1, end=0.9, weight_type="style")
    assert [one.weight for one in made] == [0.5] * 5
    assert [one.is_negative for one in made] == [False] * 4 + [True]
    wanted = torch.from_numpy(mask).float()[None] / 255
    assert all(torch.equal(one.mask, wanted) for one in made[:4])
    encoder = service.encoder.encoder
    assert torch.equal(made[4].blank, blank_states(encoder, "black"))
    assert torch.equal(made[0].blank, blank_states(encoder))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fit": "crops"}, "fit is 'crops'; it must be one of crop, pad, tiles, squash; did you mean 'crop'"),
        ({"weight_typ": "style"}, "there is no option 'weight_typ'; did you mean 'weight_type'"),
        ({"combin": "add"}, "there is no option 'combin'; did you mean 'combine'"),
        ({"end": 2}, "end is 2; it must be in the range 0 to 1"),
        ({"picture_weights": "1, 2"}, "picture_weights has 2 numbers for 1 pictures"),
        ({"combine": "subtract"}, "subtract needs two pictures or more"),
        ({"scale": "strong"}, "scale is 'strong'"),
        ({"scale": 9}, "scale is 9; it must be in the range -5 to 5"),
        ({"mask": np.zeros((4, 4))}, "the mask of this reference is empty"),
        ({"mask": np.zeros(4)}, r"the mask of this reference is \(4,\)"),
        ({"image": None}, "reads a picture, and the reference has none"),
    ],
    ids=lambda value: None if isinstance(value, str) else next(iter(value)),
)
def test_what_cannot_be_meant_is_refused_in_the_words_of_python(
    service: api.IPAdapterService, change: dict[str, Any], said: str
):
    service.load_ip_adapter(config("tiny-base"))
    reference = {"image": random_pictures(1)[0]} | {k: v for k, v in change.items() if k in ("image", "scale", "mask")}
    options = {name: value for name, value in change.items() if name not in reference}

    with pytest.raises(InputError, match=said):
        service.apply_conditioning(api.ReferenceImage(**reference), Pipeline(), **options)


def test_settings_that_were_made_by_hand_are_checked_too(service: api.IPAdapterService):
    picture = random_pictures(1)[0]
    service.load_ip_adapter(config("tiny-base", settings=ApplySettings(weight=50)))
    with pytest.raises(InputError, match="weight is 50; it must be in the range -2 to 5"):
        service.apply_conditioning(picture, Pipeline())
    service.load_ip_adapter(config("tiny-base"))
    with pytest.raises(InputError, match="blank is 'white'"):
        service.apply_conditioning(api.ReferenceImage(picture, settings=ReferenceSettings(blank="white")), Pipeline())


def test_a_reference_of_several_pictures_has_no_features_of_one(service: api.IPAdapterService):
    with pytest.raises(InputError, match="the reference has 2 pictures, and features are of one"):
        service.extract_features(api.ReferenceImage(random_pictures(2)))
    assert service.extract_features(api.ReferenceImage(random_pictures(1))) is not None


def encoders(folder: Path, *layouts: str) -> api.ModelPathConfig:
    for number, name in enumerate(layouts):
        write_layout(layout_named(name), folder).rename(folder / f"{number}.safetensors")
    return api.ModelPathConfig(clip_vision_paths=[folder])


@pytest.mark.parametrize(
    ("file", "layout"),
    [
        ("ip-adapter-plus_sdxl_vit-h", "clip_vision_h"),
        ("ip-adapter_sdxl", "clip_vision_g"),
        ("ip_adapter_plus_general", "hf_l14_336"),
        ("flux-ip-adapter", "hf_l14"),
        ("instantx-flux", "sigclip_vision_so400m"),
    ],
)  # fmt: skip
def test_the_encoder_that_an_adapter_needs_is_found_by_its_content(file: str, layout: str, tmp_path: Path):
    names = ("oc_siglip2_so400m", "hf_h14_378", "clip_vision_h", "clip_vision_g", "hf_l14_336", "hf_l14")
    names += ("sigclip_vision_so400m",)
    paths = encoders(tmp_path, *names)
    shapes = next(one for one in made.PUBLISHED if one.file == file).shapes()
    write_sparse(tmp_path / "a.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})

    info = config(tmp_path / "a.safetensors").find()

    assert find_encoder(info, paths).name == f"{names.index(layout)}.safetensors"


def test_an_encoder_that_is_not_here_is_named_with_its_file(tmp_path: Path):
    (tmp_path / "vision").mkdir()
    paths = encoders(tmp_path / "vision", "clip_vision_g")
    shapes = next(one for one in made.PUBLISHED if one.file == "ip-adapter-plus_sd15").shapes()
    write_sparse(tmp_path / "a.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})

    with pytest.raises(InputError) as refusal:
        find_encoder(config(tmp_path / "a.safetensors").find(), paths)

    for part in ("a.safetensors (IP-Adapter Plus)", "CLIP ViT-H/14", "2.53 GB", "models/clip_vision"):
        assert part in str(refusal.value)


def test_a_vision_encoder_that_was_named_and_does_not_fit_is_refused_with_both(service: api.IPAdapterService, tmp_path):
    shapes = made.linear_projection(1024, 768) | made.pairs((320,), 768)
    write_sparse(tmp_path / "ip.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})
    service.load_ip_adapter(config(tmp_path / "ip.safetensors"))

    with pytest.raises(InputError) as refusal:
        service.apply_conditioning(random_pictures(1)[0], Pipeline(768))

    for part in ("needs CLIP ViT-H/14", "1024 dimensions", "tiny-clip gives 24", "load CLIP ViT-H/14"):
        assert part in str(refusal.value)


def test_a_broken_adapter_is_refused_by_name(service: api.IPAdapterService, folder: Path, tmp_path: Path):
    shutil.copy(folder / "tiny-base.safetensors", tmp_path / "cut.safetensors")
    with (tmp_path / "cut.safetensors").open("r+b") as file:
        file.truncate(3000)

    with pytest.raises(CheckpointError, match=r"cut.safetensors: .*cut short"):
        service.load_ip_adapter(config(tmp_path / "cut.safetensors"))
    assert service.adapter is None


def test_an_adapter_that_is_recognised_and_not_used_is_refused_by_its_header(service: api.IPAdapterService, tmp_path):
    shapes = made.instantx_sd35()
    write_sparse(tmp_path / "a.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})

    assert config(tmp_path / "a.safetensors").find().variant.name == "instantx-sd35"
    with pytest.raises(InputError, match=r"a.safetensors is an IP-Adapter for SD 3.5 Large, .* are used"):
        service.load_ip_adapter(config(tmp_path / "a.safetensors"))
    assert service.adapter is None


def test_tokens_of_the_service_are_those_of_the_projection(service: api.IPAdapterService, clip):
    image = random_pictures(1)[0]
    service.load_ip_adapter(config("tiny-base"))
    embeds = torch.from_numpy(np.asarray(clip.images([image]), dtype=np.float32))

    (given,) = service.apply_conditioning(image, Pipeline())["ip_adapter_image_embeds"]

    np.testing.assert_allclose(
        project(service.adapter, States(embeds=given[1])).numpy(),
        project(service.adapter, States(embeds=embeds)).numpy(), atol=1e-4,
    )  # fmt: skip


#: As scripts of another tool have it; only the paths of the imports differ, and the last step is no comment any more.
EXAMPLE = '''
"""
Complete example: Image-to-Image with IP-Adapter style transfer
"""

from PIL import Image
from clip_grid.api import (
    ModelPathConfig,
    ComfyUIPathResolver,
    create_comfyui_registry,
)
from clip_grid.api import IPAdapterService
from clip_grid.api import (
    ReferenceImage,
    IPAdapterConfig,
    IPAdapterVariant,
)

# Step 1: Configure paths (OOP, no env vars)
config = ModelPathConfig.from_root("ComfyUI")

# Step 2: Create resolver
resolver = ComfyUIPathResolver(config)

# Step 3: Create registry
registry = resolver.create_registry_from_comfyui()
print(f"Loaded {len(registry.get_all_loras())} LoRAs")

# Step 4: Initialize IP-Adapter service
service = IPAdapterService()
service.load_clip_vision()  # Auto-detect CLIP-G

# Step 5: Load reference image
style_image = Image.open("art_nouveau_style.png")
ref = ReferenceImage(
    image=np.array(style_image),
    scale=0.8,  # Strength of style transfer
)

# Step 6: Extract features
features = service.extract_features(ref)
ref.features = features  # Cache for reuse

print(f"✅ Features extracted: {features.global_features.shape}")

# Step 7: Apply to pipeline
ip_adapter_config = IPAdapterConfig(
    model_id="ip-adapter-plus",
    variant=IPAdapterVariant.PLUS,
    scale=0.8
)
service.load_ip_adapter(ip_adapter_config)
service.apply_conditioning(ref, pipeline)

print("✅ Sistema listo para IP-Adapter style transfer")
'''


def test_the_example_of_another_tool_runs_as_it_is_written(
    clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    models = tmp_path / "ComfyUI" / "models"
    shutil.copytree(clip.folder, models / "clip_vision" / "any name")
    (models / "ipadapter").mkdir()
    (tmp_path / "ComfyUI" / "custom_nodes").mkdir()
    save_file(tiny.random_tensors(ADAPTERS["tiny-plus"]), models / "ipadapter" / "ip-adapter-plus_any.safetensors")
    random_pictures(1)[0].save(tmp_path / "art_nouveau_style.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    found = api.find_models(api.ModelPathConfig.from_root("ComfyUI"))[0].info
    sizes = {"width": found.vision.width, "layers": found.vision.layers, "tokens": found.vision.tokens}
    stands_for_g = VisionEncoder(
        title="tiny", file=CLIP_VISION_G, embedding=EMBEDDING, activation=found.activation, **sizes
    )
    monkeypatch.setattr("clip_grid.api.ip_adapter._USUAL", (stands_for_g,))
    # the example imports no numpy, and its pipeline comes from elsewhere
    names: dict[str, Any] = {"np": np, "pipeline": Pipeline()}

    (tmp_path / "example.py").write_text(EXAMPLE, "utf-8")
    runpy.run_path(str(tmp_path / "example.py"), init_globals=names)

    assert capsys.readouterr().out.splitlines() == [
        "Loaded 0 LoRAs",
        "✅ Features extracted: torch.Size([1, 24])",
        "✅ Sistema listo para IP-Adapter style transfer",
    ]
    pipeline = names["pipeline"]
    assert len(pipeline.loaded) == 1 and pipeline.calls == [("scale", pytest.approx(0.64))]
