"""Loading: from a path or a name to an encoder; options, memory, pairs of files, and stored embeddings."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from clip_grid.clip_backend import loading
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.encoding.batching import LocalPlacement
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.encoding.disk_store import DiskStore
from clip_grid.clip_backend.encoding.store_file import FILE, store_info
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.errors import CheckpointError, InputError, LimitError, MissingPackage, SpaceError
from PIL import Image
from safetensors.torch import load_file, save_file

from .tiny_models import random_pictures, tiny_clip, tiny_siglip
from .vocabularies import learn_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("clip") / "tiny-clip")


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    return tiny_siglip(tmp_path_factory.mktemp("siglip") / "tiny-siglip")


def load(model, **options):
    return load_encoder(model, device="cpu", encoders=EncoderCache(), **options)


TEXTS = ["a photo of a cat", "日本の寺院 と 桜", "it's a dog", "a cat and a dog " * 40, "&amp; (masterpiece:1.2)"]


# paths, names and options


def test_one_file_of_weights_is_a_model_too(clip):
    encoder = load(clip.folder / "model.safetensors")

    assert len(encoder.encode_images(random_pictures(1))) == 1


def test_what_was_read_before_is_not_read_again(clip):
    info = read_checkpoint(clip.folder)

    close(load(info).encode_images(random_pictures(1)).image_embeds, clip.images(random_pictures(1)))


def test_the_same_model_is_cached_and_another_dtype_is_another_encoder(clip):
    cache = EncoderCache()
    first = load_encoder(clip.folder, device="cpu", encoders=cache)

    assert load_encoder(str(clip.folder), device="cpu", encoders=cache) is first
    assert load_encoder(clip.folder, device="cpu", dtype="bf16", encoders=cache) is not first


def test_a_changed_file_is_loaded_anew(clip, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(clip.folder, folder)
    cache = EncoderCache()
    first = load_encoder(folder, device="cpu", encoders=cache)
    os.utime(folder / "model.safetensors", ns=(1, 1))

    assert load_encoder(folder, device="cpu", encoders=cache) is not first


def test_options_of_preprocessing_and_model_are_obeyed(clip):
    encoder = load(clip.folder, fit="pad", reference="hf", mean=(0.5, 0.5, 0.5), pad_color=(1, 2, 3))

    settings = encoder.preprocessing
    assert (settings.fit, settings.reference, settings.mean) == ("pad", "hf", (0.5, 0.5, 0.5))
    assert settings.pad_color == (1, 2, 3)


def test_another_activation_gives_other_numbers(clip):
    pictures = random_pictures(1)

    given = load(clip.folder, activation="gelu").encode_images(pictures).image_embeds

    assert not torch.allclose(given, clip.images(pictures), atol=1e-4)


def test_a_given_vocabulary_goes_before_the_models_own_and_a_searched_one_after(clip, tmp_path):
    other = learn_clip(tmp_path / "other", 400)
    own = load(clip.folder).tokenizer.encode(TEXTS)

    given = load(clip.folder, tokenizer=other).tokenizer.encode(TEXTS)

    assert given != own
    assert load(clip.folder, vocabularies=[other]).tokenizer.encode(TEXTS) == own


def test_every_folder_with_vocabularies_is_searched_for_a_model_without_its_own(clip, tmp_path):
    shutil.copy(clip.folder / "model.safetensors", tmp_path / "alone.safetensors")
    folders = [learn_clip(tmp_path / "other", 400), tmp_path / "gone", clip.folder]

    alone = load(tmp_path / "alone.safetensors", vocabularies=folders, heads=4, activation="quick_gelu")

    assert alone.tokenizer.encode(TEXTS) == load(clip.folder).tokenizer.encode(TEXTS)


def test_a_given_folder_without_a_vocabulary_is_refused_and_no_other_is_taken(clip, tmp_path):
    with pytest.raises(CheckpointError, match="there is none in"):
        load(clip.folder, tokenizer=tmp_path).encode_texts(["a"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "fp8"}, "dtype is 'fp8'"),
        ({"activaton": "gelu"}, "activaton is no property"),
        ({"reference": "pillow"}, "reference is 'pillow'"),
        ({"fit": "stretch"}, "fit"),
    ],
)
def test_a_wrong_option_is_named(clip, options, message):
    with pytest.raises(InputError, match=message):
        load(clip.folder, **options)


def test_a_device_that_is_not_there_is_named(clip):
    with pytest.raises(InputError, match="'gpu'"):
        load_encoder(clip.folder, device="gpu")
    with pytest.raises(InputError, match="cuda:99"):
        load_encoder(clip.folder, device="cuda:99")


def test_a_path_that_leads_nowhere_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: there is no such file"):
        load(tmp_path / "gone.safetensors")


def test_a_file_that_disappears_after_it_was_listed_is_named(clip, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(clip.folder, folder)
    info = read_checkpoint(folder)
    shutil.rmtree(folder)

    with pytest.raises(CheckpointError, match=r"model\.safetensors: it is gone"):
        load(info)


def test_a_model_with_a_problem_is_refused_with_it(clip):
    info = replace(read_checkpoint(clip.folder), problem="it is of a kind that nobody reads; get another")

    with pytest.raises(CheckpointError, match="nobody reads; get another"):
        load(info)


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(clip):
    info = replace(read_checkpoint(clip.folder), parameters=10**15)

    with pytest.raises(LimitError, match=r"does not fit: it needs 3725290.3 GiB and cpu has .* GiB free; choose dtype"):
        load(info)


def test_a_model_that_a_host_places_must_fit_into_main_memory_too_where_it_is_built(clip):
    info = replace(read_checkpoint(clip.folder), parameters=10**15)

    with pytest.raises(LimitError, match=r"GiB and cpu has .* GiB free; choose dtype='fp16' or a smaller model"):
        load(info, placement=lambda tower: LocalPlacement(tower, torch.device("cpu")))


# two files, and files with one tower


@pytest.fixture(scope="module")
def two_files(clip, tmp_path_factory):
    """The towers of the tiny model in two files, as ComfyUI's users have them."""
    folder = tmp_path_factory.mktemp("two_files")
    tensors = load_file(clip.folder / "model.safetensors")
    parts = {"vision.safetensors": ("vision_model.", "visual_"), "text.safetensors": ("text_model.", "text_")}
    for name, starts in parts.items():
        save_file({key: value for key, value in tensors.items() if key.startswith(starts)}, folder / name)
    shutil.copy(clip.folder / "vocab.json", folder)
    shutil.copy(clip.folder / "merges.txt", folder)
    return folder


#: What two bare files cannot tell of the tiny model.
GIVEN = {"activation": "quick_gelu", "heads": 4}


def test_two_files_on_trust_give_the_numbers_of_the_whole_model(clip, two_files):
    text = read_checkpoint(two_files / "text.safetensors", **GIVEN)

    encoder = load(two_files / "vision.safetensors", text_encoder=text, trust_space=True, **GIVEN)

    close(encoder.encode_images(random_pictures(2)).image_embeds, clip.images(random_pictures(2)))
    theirs = torch.nn.functional.normalize(clip.texts(TEXTS), dim=-1)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS).vectors, theirs, atol=1e-5)
    assert "logit_scale" in encoder.identity.assumed


def test_a_model_that_is_its_own_text_encoder_is_one_model(clip):
    encoder = load(clip.folder, text_encoder=clip.folder)

    assert encoder.space == load(clip.folder).space


def test_two_files_of_unknown_space_are_refused_without_trust(two_files):
    with pytest.raises(SpaceError, match=r"vision\.safetensors.*text\.safetensors.*trust_space=True"):
        load(two_files / "vision.safetensors", text_encoder=two_files / "text.safetensors", **GIVEN)


def test_a_vision_tower_alone_says_that_it_encodes_no_texts(two_files):
    encoder = load(two_files / "vision.safetensors", **GIVEN)

    assert len(encoder.encode_images(random_pictures(1))) == 1
    with pytest.raises(InputError, match="cannot encode texts: it has no text tower"):
        encoder.encode_texts(["a"])


def test_a_model_whose_text_encoder_is_not_read_says_so_when_it_gets_texts(clip, tmp_path):
    tensors = load_file(clip.folder / "model.safetensors")
    words = {"text_model.embeddings.word_embeddings.weight": torch.ones(9, 9)}
    seen = {name: tensor for name, tensor in tensors.items() if name.startswith("vis")}
    save_file(seen | words, tmp_path / "model.safetensors")

    encoder = load(tmp_path / "model.safetensors", **GIVEN)

    assert len(encoder.encode_images(random_pictures(1))) == 1
    with pytest.raises(InputError, match=r"its text encoder is of another kind \(text_model\.embeddings\.word_embedd"):
        encoder.encode_texts(["a"])


def test_a_text_tower_alone_says_that_it_takes_no_pictures(two_files):
    encoder = load(two_files / "text.safetensors", **GIVEN)

    assert len(encoder.encode_texts(["a"])) == 1
    assert encoder.preprocessing is None
    with pytest.raises(InputError, match="no vision tower"):
        encoder.encode_images(random_pictures(1))


def test_a_text_tower_without_projection_is_never_used(clip, two_files, tmp_path):
    tensors = load_file(two_files / "text.safetensors")
    del tensors["text_projection.weight"]
    save_file(tensors, tmp_path / "clip_l.safetensors")

    with pytest.raises(CheckpointError, match="text_projection"):
        load(two_files / "vision.safetensors", text_encoder=tmp_path / "clip_l.safetensors", trust_space=True, **GIVEN)


# caches


@pytest.mark.parametrize("dtype", ["auto", "fast", "fp16", torch.float16])
def test_fp32_takes_over_only_where_nobody_chose_fp16(clip, monkeypatch, dtype):
    # as on a GPU
    monkeypatch.setattr(loading, "choose_dtype", lambda name, device: "fp16")
    encoder = load(clip.folder, dtype=dtype)
    vision, text = encoder._images.vision, encoder._texts.text

    if dtype not in ("auto", "fast"):
        assert vision.in_fp32 is None and text.in_fp32 is None
        return
    exact, exact_text = vision.in_fp32(), text.in_fp32()
    assert (vision.tower.dtype, exact.tower.dtype, exact_text.tower.dtype) == (torch.float16, *[torch.float32] * 2)
    assert exact.in_fp32 is None and exact_text.tokenizer is text.tokenizer
    monkeypatch.undo()
    plain = load(clip.folder, dtype="fp32")
    prepared = [torch.zeros(*[vision.tower.config.image_size] * 2, 3, dtype=torch.uint8)]
    wants = ("embeds",)
    ours, theirs = (one.states(prepared, plain.preprocessing, wants) for one in (exact, plain._images.vision))
    assert torch.equal(ours["embeds"], theirs["embeds"])


def test_embeddings_on_disk_survive_a_restart(clip, tmp_path):
    pictures = random_pictures(3)
    first = load(clip.folder, cache_folder=tmp_path)
    images, texts = first.encode_images(pictures), first.encode_texts(TEXTS)

    later = load(clip.folder, cache_folder=tmp_path)
    close(later.encode_images(pictures).image_embeds, images.image_embeds)
    np.testing.assert_array_equal(later.encode_texts(TEXTS).vectors, texts.vectors)

    assert (later.cache.hits, later.cache.misses) == (len(pictures) + len(TEXTS), 0)


#: Of a picture and a text by shapes-demo; they change with its weights.
KEYS = (
    "028a47369e5de43a70f7f9c03d9c881696318c9b0f607e3c5eded50888c45f23",
    "1e14a8a0f22fadc7e518e073c68c031854b9b47ec8a675a74c385fbcc4b2b5f2",
)


def test_embeddings_on_disk_keep_their_keys_in_every_version(tmp_path):
    # other keys would mean that everybody's pictures and texts are computed anew
    Image.fromarray((np.arange(48 * 40 * 3) % 251).astype(np.uint8).reshape(40, 48, 3)).save(tmp_path / "a.bmp")
    encoder = load("shapes-demo", cache_folder=tmp_path / "cache")
    encoder.encode_images(tmp_path / "a.bmp")
    encoder.encode_texts("a red circle")

    stored = DiskStore(tmp_path / "cache")
    assert store_info(tmp_path / "cache").rows == len(KEYS)
    assert [stored.get(key) is not None for key in KEYS] == [True, True]


@pytest.mark.parametrize("size", [0, -1, "much", float("nan"), float("inf")])
def test_a_size_of_the_cache_that_is_no_size_is_named(clip, tmp_path, size):
    with pytest.raises(InputError, match=r"cache_gb is .*; give the size in GB, a number above 0"):
        load(clip.folder, cache_folder=tmp_path, cache_gb=size)


def test_embeddings_on_disk_take_no_more_space_than_they_may(tmp_path):
    encoder = load("shapes-demo", cache_folder=tmp_path, cache_gb=0.0003)
    for start in range(0, 3000, 300):
        encoder.encode_texts([f"a red circle {number}" for number in range(start, start + 300)])

    assert (tmp_path / FILE).stat().st_size <= 300_000
    assert 100 < store_info(tmp_path).rows < 3000


def test_another_model_finds_nothing_of_the_first(clip, siglip, tmp_path):
    load(clip.folder, cache_folder=tmp_path).encode_images(random_pictures(3))

    other = load(siglip.folder, cache_folder=tmp_path)
    other.encode_images(random_pictures(3))

    assert other.cache.hits == 0


@pytest.mark.parametrize(
    "kind", ["q_proj.weight", "1.layer_norm2.bias", "1.mlp.fc2.bias", "visual_projection.weight", "logit_scale"]
)
def test_a_fine_tune_of_any_kind_of_tensor_finds_nothing_of_the_first(clip, tmp_path, kind):
    load(clip.folder, cache_folder=tmp_path / "cache").encode_images(random_pictures(3))
    folder = tmp_path / "trained"
    shutil.copytree(clip.folder, folder)
    retrain(folder, kind)

    trained = load(folder, cache_folder=tmp_path / "cache")
    trained.encode_images(random_pictures(3))

    assert trained.cache.hits == 0
    assert trained.identity.fingerprint != load(clip.folder).identity.fingerprint
    assert trained.space != load(clip.folder).space


def retrain(folder, kind):
    """Changes all tensors of the model whose names end so; the file keeps its size."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    for name in [name for name in tensors if name.endswith(kind)]:
        tensors[name] = tensors[name] + 0.01
    save_file(tensors, file.with_name("new"), {"format": "pt"})
    return file.with_name("new").replace(file)


# files that change


def in_place(folder):
    """Other weights in the same file, whose times are set back."""
    file = folder / "model.safetensors"
    status = file.stat()
    content = bytearray(file.read_bytes())
    content[-400:] = bytes(400)
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [lambda folder: retrain(folder, "weight"), in_place], ids=["replaced", "rewritten"])
def test_towers_of_two_states_of_a_file_are_not_mixed(clip, tmp_path, change):
    folder = tmp_path / "copy"
    shutil.copytree(clip.folder, folder)
    encoder = load(folder)
    before = encoder.encode_images(random_pictures(2))
    change(folder)

    with pytest.raises(CheckpointError, match=r"model\.safetensors: it was changed after it was opened.*load it again"):
        encoder.encode_texts(TEXTS)

    close(encoder.encode_images(random_pictures(2)).image_embeds, before.image_embeds)
    assert len(load(folder).encode_texts(TEXTS)) == len(TEXTS)


@pytest.fixture
def pickled(clip, tmp_path):
    """The same model, with its weights in a pickle."""
    folder = tmp_path / "pickled"
    shutil.copytree(clip.folder, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


@pytest.mark.parametrize("kind", ["0.layer_norm1.bias", "logit_scale"])
def test_every_tensor_of_a_pickle_counts_too(clip, pickled, tmp_path, kind):
    options = {"allow_pickle": True, "cache_folder": tmp_path / "cache"}
    before = load(pickled, **options)
    before.encode_images(random_pictures(2))
    tensors = load_file(clip.folder / "model.safetensors")
    for name in [name for name in tensors if name.endswith(kind)]:
        tensors[name] = tensors[name] + 0.01
    torch.save(tensors, pickled / "pytorch_model.bin")

    tuned = load(pickled, **options)
    tuned.encode_images(random_pictures(2))

    assert tuned.cache.hits == 0
    assert (tuned.fingerprint, tuned.space) != (before.fingerprint, before.space)
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: it was changed after it was opened"):
        before.encode_texts(TEXTS)


def test_what_was_read_of_a_file_that_is_another_now_is_refused(clip, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(clip.folder, folder)
    info = read_checkpoint(folder)
    retrain(folder, "weight")

    with pytest.raises(CheckpointError, match="it was changed after it was opened"):
        load(info)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    # what Python itself does for a package that is not there
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(MissingPackage, match=r"^torch must be there to load a model; install .*clip-grid\[clip\]"):
        load_encoder("shapes-demo")
