"""What an adapter file is, by its header alone: every published file, files of other models, damaged files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from clip_grid.clip_backend.ip_adapter.detection import AdapterInfo, detect_adapter, read_adapter_info
from clip_grid.clip_backend.ip_adapter.encoders import needed_encoder
from clip_grid.clip_backend.ip_adapter.variants import VARIANT_NAMES, VARIANTS, variant_named
from clip_grid.errors import CheckpointError, InputError

from ..checkpoints.safetensors_files import CountingOpener, write_sparse
from ..checkpoints.tensor_names import Shapes
from ..fresh import answer, start
from . import adapter_shapes as made
from .adapter_shapes import PUBLISHED, Published
from .foreign_files import FOREIGN


def written(path: Path, shapes: Shapes, dtype: str = "F16") -> Path:
    return write_sparse(path, {name: (dtype, shape) for name, shape in shapes.items()})


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.file)
def test_every_published_file_is_recognised_by_its_header(file: Published, tmp_path: Path):
    shapes = file.shapes()
    path, opener = written(tmp_path / f"{file.file}.safetensors", shapes), CountingOpener()

    info = read_adapter_info(path, opener=opener)

    assert (info.variant.name, set(info.possible)) == (file.variants[0], set(file.variants))
    assert info.possible[0] == file.variants[0]
    assert (info.family, info.tokens, info.context) == (file.family, file.tokens, file.context)
    assert (info.picture_input, info.sizes.input_width) == (file.picture_input, file.input_width)
    assert (info.lora_rank, info.dtype) == (file.lora_rank, "float16")
    encoder = needed_encoder(info)
    assert (encoder.title if encoder else None) == file.encoder
    if file.size is not None:
        assert made.bytes_of(shapes) == file.size
    # the header and the first 512 bytes, once more by the check of its end
    assert opener.bytes <= path.stat().st_size - made.bytes_of(shapes) + 1024


def test_all_variants_occur_among_the_published_files():
    assert {name for file in PUBLISHED for name in file.variants} == set(VARIANT_NAMES) == {v.name for v in VARIANTS}


@pytest.mark.parametrize(("rows", "size"), [(made.LORA15, 51_019_776), (made.LORAXL, 371_589_120)])
def test_the_lora_of_faceid_has_the_published_size(rows: Shapes, size: int):
    assert made.bytes_of(rows) == size


def test_a_header_is_read_in_fifty_milliseconds_of_processor_time(tmp_path: Path):
    largest = next(file for file in PUBLISHED if file.file == "ip-adapter-faceid-plusv2_sdxl")
    path = written(tmp_path / "a.safetensors", largest.shapes())

    times = []
    for _ in range(5):
        start = time.process_time()
        read_adapter_info(path)
        times.append(time.process_time() - start)

    assert min(times) <= 0.05


def test_reading_a_header_loads_no_torch(tmp_path: Path):
    path = written(tmp_path / "a.safetensors", PUBLISHED[0].shapes())
    code = """
from clip_grid.clip_backend.ip_adapter.detection import read_adapter_info
print(json.dumps([read_adapter_info(sys.argv[1]).variant.title, "torch" in sys.modules]))
"""

    assert answer(start(code, path)) == ["IP-Adapter", False]


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_other_models_are_refused_with_the_names_seen(name: str, tmp_path: Path):
    what, tensors = FOREIGN[name]
    path = written(tmp_path / f"{name}.safetensors", dict.fromkeys(tensors, (2, 2)))

    with pytest.raises(CheckpointError) as refusal:
        read_adapter_info(path)

    assert what in refusal.value.reason and tensors[0][:60] in refusal.value.reason
    assert "choose an IP-Adapter file" in refusal.value.reason
    assert refusal.value.path == str(path)


def test_at_least_thirty_kinds_of_other_files_are_tried():
    assert len(FOREIGN) >= 30


def detected(shapes: Shapes, name: str = "adapter.safetensors", variant: str | None = None) -> AdapterInfo:
    return detect_adapter(shapes, path=Path(name), variant=variant)


PLUS_V2 = made.face_plus(768) | made.SD15 | made.LORA15


def test_what_the_tensors_do_not_tell_is_reported_as_assumed():
    by_name, unhinted = detected(PLUS_V2, "ip-adapter-faceid-plusv2_sd15.safetensors"), detected(PLUS_V2)

    assert by_name.variant.name == "faceid-plus-v2" and "by the name of the file" in by_name.assumed[0]
    assert unhinted.variant.name == "faceid-plus" and "which is the usual one" in unhinted.assumed[0]
    for info in (by_name, unhinted):
        assert "FaceID Plus and IP-Adapter FaceID Plus v2 have the same tensors" in info.assumed[0]
        assert "computed differently" in info.assumed[0]
    assert "they work alike" in detected(made.resampler(1280, 768, 12, 768) | made.SD15).assumed[0]
    assert detected(made.linear_projection(1280, 2048) | made.SDXL).assumed == ()


def test_a_variant_that_is_given_is_taken_and_nothing_is_assumed():
    info = detected(PLUS_V2, "ip-adapter-faceid-plusv2_sd15.safetensors", "faceid-plus")

    assert (info.variant, info.assumed) == (variant_named("faceid-plus"), ())
    assert info.possible == ("faceid-plus", "faceid-plus-v2")


def test_a_variant_with_other_tensors_is_refused():
    with pytest.raises(
        InputError, match="no IP-Adapter Plus; its tensors are those of 'faceid-plus' or 'faceid-plus-v"
    ):
        detected(PLUS_V2, variant="plus")
    with pytest.raises(InputError, match="there is no variant 'plusv2'; choose one of base, light"):
        detected(PLUS_V2, variant="plusv2")


def test_faceid_without_its_lora_is_noted():
    info = detected(made.mlp_projection(512, 1024, 4, 768) | made.SD15)

    assert info.variant.name == "faceid" and "its LoRA" in info.notes[0]


def test_an_adapter_for_another_number_of_layers_is_recognised_and_noted():
    info = detected(made.linear_projection(1280, 2048) | made.pairs(made.SDXL_WIDTHS[:30], 2048))

    assert info.pairs == 30 and "30 pairs of key and value weights where adapters for SDXL have 70" in info.notes[0]


def test_sizes_of_no_known_model_are_recognised_and_noted():
    info = detected(made.resampler(40, 64, 2, 48) | made.pairs((32, 64), 48))

    assert (info.family, info.variant.name, needed_encoder(info)) == (None, "plus", None)
    assert "48 dimensions, which no known model reads" in info.notes[0]


@pytest.mark.parametrize("name", ["kolors-faceid-plus", "instantx-sd35"])
def test_what_is_recognised_and_not_used_says_why(name: str):
    file = next(file for file in PUBLISHED if file.variants[0] == name)

    assert any(cure in detected(file.shapes()).problem for cure in ("choose", "are used"))


CONTAINERS = {"image_proj.": "image_proj_model.", "ip_adapter.": "adapter_modules."}


@pytest.mark.parametrize("wrapper", ["module.", "model.", "state_dict.", "module.state_dict.", "ip_adapter."])
@pytest.mark.parametrize("names", [("image_proj.", "ip_adapter."), ("image_proj_model.", "adapter_modules.")])
def test_names_that_other_programs_put_before_all_are_left_out(wrapper: str, names: tuple[str, str]):
    shapes = PUBLISHED[0].shapes()
    renamed = {name.replace("image_proj.", names[0]).replace("ip_adapter.", names[1]): shapes[name] for name in shapes}

    found = detect_adapter({wrapper + name: shape for name, shape in renamed.items()})

    assert found == detect_adapter(shapes)


def test_two_projections_in_one_file_are_refused():
    shapes = PUBLISHED[0].shapes()

    with pytest.raises(CheckpointError, match=r"holds 'module\.image_proj\.norm\.bias', which belongs to no"):
        detect_adapter({**shapes, "module.image_proj.norm.bias": shapes["image_proj.norm.bias"]})


def test_a_checkpoint_of_training_is_read_beside_the_unet_in_it():
    shapes = made.resampler(1280, 768, 12, 768) | made.SD15
    for usual, other in CONTAINERS.items():
        shapes = {name.replace(usual, other): shape for name, shape in shapes.items()}

    assert detected(shapes | {"unet.conv_in.weight": (320, 4, 3, 3)}).variant.name == "plus"


def without(shapes: Shapes, *names: str) -> Shapes:
    return {name: shape for name, shape in shapes.items() if not any(part in name for part in names)}


BASE = made.linear_projection(1024, 768) | made.SD15
PLUS = made.resampler(1280, 768, 12, 768) | made.SD15


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        (without(BASE, "ip_adapter."), "holds image_proj but no ip_adapter"),
        (without(BASE, "image_proj."), "holds key and value weights but no image_proj"),
        (without(BASE, "ip_adapter.13."), "the pair 13 of key and value weights is missing"),
        (without(BASE, "ip_adapter.1."), "the pair 1 of key and value weights is missing"),
        (without(BASE, "31.to_v_ip"), "the pair 31 has no v weights"),
        (without(BASE, "image_proj.norm"), "image_proj.norm.weight is missing"),
        (without(BASE, "proj.bias"), "image_proj.proj.bias is missing"),
        (without(PLUS, "layers.2.0.to_kv"), "image_proj.layers.2.0.to_kv.weight is missing"),
        (without(PLUS, "layers.1."), "image_proj.layers.1.0.norm1.weight is missing"),
        (without(PLUS_V2, "7.to_out_lora.up"), "the LoRA of attention 7 has no to_out_lora.up"),
        (BASE | {"ip_adapter.5.to_k_ip.weight": (320, 768)}, r"key weights of \[320, 768\] and value weights of"),
        (BASE | made.linear_projection(1024, 2048), "its tokens have 2048 dimensions, but its key and value"),
        (BASE | made.pairs((320,), 2048), "the pair 3 reads 768 dimensions where the first reads 2048"),
        (BASE | {"image_proj.proj.weight": (3070, 1024)}, "3070 rows, which are no whole tokens of 768"),
        (BASE | {"image_proj.proj.bias": (7,)}, r"image_proj.proj.bias has shape \[7\] where \[3072\] is needed"),
        (BASE | {"image_proj.pos_emb.weight": (257, 768)}, "image_proj.pos_emb.weight belongs to no projection"),
        (BASE | {"model.diffusion_model.out.weight": (4,)}, "'model.diffusion_model.out.weight', which belongs to no"),
        (BASE | {"ip_adapter.1.to_k_ip.weight": (320,)}, r"impossible shape \[320\]"),
        (PLUS | {"image_proj.layers.0.0.to_q.weight": (100, 768)}, "no whole heads of 64"),
        (PLUS_V2 | {"ip_adapter.0.to_q_lora.down.weight": (64, 320)}, "the ranks 64, 128 at once"),
        (made.linear_projection(1024, 768) | made.block_pairs(3, 320, 768), "belong to no IP-Adapter"),
        ({"image_proj.odd": (2,)} | made.SD15, r"no IP-Adapter \(1 tensor: image_proj.odd\)"),
    ],
)  # fmt: skip
def test_damaged_and_mixed_files_are_refused_with_the_tensor(shapes: Shapes, reason: str, tmp_path: Path):
    path = written(tmp_path / "broken.safetensors", shapes)

    with pytest.raises(CheckpointError, match=reason) as refusal:
        read_adapter_info(path)

    assert refusal.value.path == str(path)


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path):
    path = written(tmp_path / "cut.safetensors", BASE)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)

    with pytest.raises(CheckpointError, match="cut short"):
        read_adapter_info(path)
    with pytest.raises(CheckpointError, match="is not there"):
        read_adapter_info(tmp_path / "gone.safetensors")
