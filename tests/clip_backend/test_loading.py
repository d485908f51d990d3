"""Loading: from a path or a name to an encoder whose numbers are those of transformers."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.encoding.batching import LocalPlacement
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.encoding.devices import check_fits, choose_dtype
from clip_grid.clip_backend.encoding.image_features import STATE_NAMES
from clip_grid.clip_backend.finding.catalog import FoundModel
from clip_grid.clip_backend.finding.names import find_model
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.tokenizing.tokenizer import batch_of
from clip_grid.clip_backend.towers.cpu import has_fast_bf16
from clip_grid.errors import CheckpointError, InputError, LimitError, MissingPackage, SpaceError
from safetensors.torch import load_file, save_file

from .tiny_models import random_pictures, tiny_clip, tiny_siglip
from .vocabularies import learn_clip

#: How transformers is told to resize by Pillow.
PIL_PROCESSOR = {"backend": "pil"} if int(transformers.__version__.split(".")[0]) >= 5 else {"use_fast": False}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("clip") / "tiny-clip")


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    return tiny_siglip(tmp_path_factory.mktemp("siglip") / "tiny-siglip")


def load(model, **options):
    return load_encoder(model, device="cpu", encoders=EncoderCache(), **options)


TEXTS = ["a photo of a cat", "日本の寺院 と 桜", "it's a dog", "a cat and a dog " * 40, "&amp; (masterpiece:1.2)"]
#: The same as SigLIP reads them: in lower case and without punctuation, which its own tokenizer takes away.
CANONICAL = [*TEXTS[:2], "its a dog", TEXTS[3].strip(), "amp masterpiece12"]


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_pictures_have_the_embeddings_of_transformers(family, request):
    tiny = request.getfixturevalue(family)
    pictures = random_pictures(5)

    ours = load(tiny.folder).encode_images(pictures, batch_size=2)

    np.testing.assert_allclose(ours.image_embeds, tiny.images(pictures), atol=1e-5)


@pytest.mark.parametrize(("family", "read"), [("clip", TEXTS), ("siglip", CANONICAL)])
def test_texts_have_the_embeddings_of_transformers(family, read, request):
    tiny = request.getfixturevalue(family)
    theirs = torch.nn.functional.normalize(tiny.texts(read), dim=-1)

    ours = load(tiny.folder).encode_texts(TEXTS)

    np.testing.assert_allclose(ours.vectors, theirs, atol=1e-5)


def test_longclip_reads_long_texts_as_transformers_does(tmp_path):
    tiny = tiny_clip(tmp_path / "tiny-longclip", context=248)
    texts = ["a cat", "a cat and a dog " * 12, "a cat and a dog " * 80]
    theirs = torch.nn.functional.normalize(tiny.texts(texts), dim=-1)

    encoder = load(tiny.folder)
    ours = encoder.encode_texts(texts)

    assert read_checkpoint(tiny.folder).family == "longclip"
    assert encoder.tokenizer.context == 248
    assert [bool(dropped) for dropped in ours.dropped] == [False, False, True]
    np.testing.assert_allclose(ours.vectors, theirs, atol=1e-5)


def test_every_state_is_that_of_transformers(clip):
    pictures = random_pictures(3)
    pixels = torch.stack([(to_tensor(one) - column(clip.mean)) / column(clip.std) for one in pictures])
    with torch.no_grad():
        theirs = clip.model.states(pixels)
        projected = clip.model.hf.visual_projection(clip.model.hf.vision_model.post_layernorm(theirs.hidden_states[-1]))

    ours = load(clip.folder).encode_images(pictures, wants=STATE_NAMES)

    close(ours.last_hidden, theirs.hidden_states[-1])
    close(ours.penultimate_hidden, theirs.hidden_states[-2])
    close(ours.patch_tokens, theirs.hidden_states[-1][:, 1:])
    close(ours.cls_hidden, theirs.hidden_states[-1][:, 0])
    close(ours.projected_patches, projected)
    close(ours.projected_patches[:, 0], ours.image_embeds)
    assert (ours.grid, ours.num_tokens, ours.hidden_size, ours.projection_dim) == ((4, 4), 17, 64, 24)


def test_pictures_of_any_size_have_the_embeddings_of_transformers_and_its_processor(clip):
    processor = transformers.AutoImageProcessor.from_pretrained(clip.folder, **PIL_PROCESSOR)
    pictures = [one for size in ((64, 48), (48, 64), (50, 50)) for one in random_pictures(1, size)]
    pixels = torch.cat([processor(one, return_tensors="pt").pixel_values for one in pictures])
    with torch.no_grad():
        theirs = clip.model.vision(pixels)

    ours = load(clip.folder, reference="hf", resampling="exact").encode_images(pictures)

    close(ours.image_embeds, theirs)


def test_one_broken_file_leaves_the_rows_of_the_others_as_they_are_alone(clip, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(7)]
    for path, one in zip(paths, random_pictures(7, (40, 50)), strict=True):
        one.save(path)
    encoder = load(clip.folder)
    alone = [encoder.encode_images(path).image_embeds for path in paths]
    paths[3].write_bytes(paths[3].read_bytes()[:60])

    together = load(clip.folder).encode_images(paths, batch_size=4, strict=False)

    assert together.kept == (0, 1, 2, 4, 5, 6)
    assert [failure.name for failure in together.failed] == [str(paths[3])]
    close(together.image_embeds, torch.cat([alone[index] for index in together.kept]))


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_a_text_has_the_same_features_among_others_as_alone(family, request):
    folder = request.getfixturevalue(family).folder
    texts = [*TEXTS, *(" ".join(["cat"] * count) for count in range(1, 30, 3))]

    together = load(folder).encode_texts(texts).vectors
    encoder = load(folder)
    alone = np.concatenate([encoder.encode_texts(text).vectors for text in texts[:4]])

    np.testing.assert_allclose(together[:4], alone, atol=1e-6)


def test_texts_cut_to_their_length_have_the_features_of_texts_that_fill_the_context(clip):
    encoder = load(clip.folder)
    part = encoder._texts.text
    ids, ends = batch_of(part.tokenizer.encode(TEXTS), part.tokenizer)
    full = np.pad(ids, ((0, 0), (0, 77 - ids.shape[1])), constant_values=part.tokenizer.pad_id)
    with torch.no_grad():
        padded = torch.nn.functional.normalize(part.tower(torch.from_numpy(full), torch.from_numpy(ends)), dim=-1)

    np.testing.assert_allclose(encoder.encode_texts(TEXTS).vectors, padded, atol=1e-6)


def test_a_long_text_may_be_encoded_in_parts(clip):
    encoder = load(clip.folder)
    long = "a photo of a cat. " * 2000

    cut = encoder.encode_texts(["a cat", long])
    whole = encoder.encode_texts(["a cat", long], long_text="mean")

    assert cut.dropped[0] == "" and len(cut.dropped[1]) > 10_000
    assert whole.dropped == ("", "")
    np.testing.assert_allclose(np.linalg.norm(whole.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(whole.vectors[0], cut.vectors[0])


def test_scale_and_bias_are_those_of_the_file(clip, siglip):
    assert load(clip.folder).logit_scale == pytest.approx(1 / 0.07, rel=1e-3)
    assert load(clip.folder).logit_bias == 0
    encoder = load(siglip.folder)
    assert encoder.logit_scale == pytest.approx(np.exp(4.7), rel=1e-6)
    assert encoder.logit_bias == pytest.approx(-12.9, rel=1e-6)
    assert "logit_scale" not in encoder.identity.assumed
    assert encoder.dim == 32


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_small_numbers_stay_close_to_float32(clip, dtype):
    pictures = random_pictures(4)
    exact = load(clip.folder).encode_images(pictures).to_features()

    encoder = load(clip.folder, dtype=dtype)
    rounded = encoder.encode_images(pictures)

    cosines = np.diag(exact.similarity(rounded.to_features()))
    assert cosines.min() >= (0.9999 if dtype == "fp16" else 0.999)
    assert rounded.dtype == dtype
    assert rounded.image_embeds.dtype == torch.float32


def test_pictures_and_texts_of_a_model_share_its_space(clip):
    encoder = load(clip.folder)

    cosines = encoder.encode_images(random_pictures(2)).to_features().similarity(encoder.encode_texts(["a", "b", "c"]))

    assert cosines.shape == (2, 3)
    assert encoder.dim == 24


def test_features_of_two_models_do_not_compare(clip, siglip):
    images = load(clip.folder).encode_images(random_pictures(1)).to_features()

    with pytest.raises(SpaceError):
        images.similarity(load(siglip.folder).encode_texts(["a"]))


# paths, names and options


def test_one_file_of_weights_is_a_model_too(clip):
    encoder = load(clip.folder / "model.safetensors")

    assert len(encoder.encode_images(random_pictures(1))) == 1


def test_what_was_read_before_is_not_read_again(clip):
    info = read_checkpoint(clip.folder)

    close(load(info).encode_images(random_pictures(1)).image_embeds, clip.images(random_pictures(1)))


def test_the_same_model_is_held_and_another_way_to_compute_is_another_encoder(clip):
    held = EncoderCache()
    first = load_encoder(clip.folder, device="cpu", encoders=held)

    assert load_encoder(str(clip.folder), device="cpu", encoders=held) is first
    assert load_encoder(clip.folder, device="cpu", dtype="bf16", encoders=held) is not first


def test_a_changed_file_is_loaded_anew(clip, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(clip.folder, folder)
    held = EncoderCache()
    first = load_encoder(folder, device="cpu", encoders=held)
    os.utime(folder / "model.safetensors", ns=(1, 1))

    assert load_encoder(folder, device="cpu", encoders=held) is not first


def test_options_of_preprocessing_and_model_are_obeyed(clip):
    encoder = load(clip.folder, fit="pad", reference="hf", mean=(0.5, 0.5, 0.5), pad_color=(1, 2, 3))

    assert (encoder.preprocessing.fit, encoder.preprocessing.reference, encoder.preprocessing.mean) == (
        "pad",
        "hf",
        (0.5, 0.5, 0.5),
    )
    assert encoder.preprocessing.pad_color == (1, 2, 3)


def test_another_activation_gives_other_numbers(clip):
    pictures = random_pictures(1)

    given = load(clip.folder, activation="gelu").encode_images(pictures).image_embeds

    assert not torch.allclose(given, clip.images(pictures), atol=1e-4)


def test_a_vocabulary_that_is_given_beats_the_models_own_and_one_that_is_searched_does_not(clip, tmp_path):
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


@pytest.mark.parametrize(
    ("given", "device", "chosen"),
    [
        ("auto", "cpu", "fp32"),
        ("auto", "cuda", "fp16"),
        ("fast", "cuda", "fp16"),
        ("bf16", "cpu", "bf16"),
        ("float16", "cpu", "fp16"),
        (torch.bfloat16, "cuda", "bf16"),
    ],
)
def test_the_type_of_number_is_told_by_word_or_by_torch(given, device, chosen):
    assert choose_dtype(given, torch.device(device)) == chosen


def test_fast_is_bf16_where_the_processor_is_fast_at_it():
    assert choose_dtype("fast", torch.device("cpu")) == ("bf16" if has_fast_bf16() else "fp32")


def test_a_device_that_is_not_there_is_named(clip):
    with pytest.raises(InputError, match="'gpu'"):
        load_encoder(clip.folder, device="gpu")
    with pytest.raises(InputError, match="cuda:99"):
        load_encoder(clip.folder, device="cuda:99")


def test_a_name_finds_its_model(clip):
    found = [
        FoundModel("clip_vision/tiny.safetensors", clip.folder / "model.safetensors"),
        FoundModel("b/c", Path("x")),
    ]

    for name in ("clip_vision/tiny.safetensors", "clip_vision\\tiny", "tiny.safetensors", "tiny"):
        assert find_model(name, find=lambda: found) == clip.folder / "model.safetensors"


def test_an_unknown_name_is_answered_with_the_nearest():
    found = [FoundModel("clip_vision_h.safetensors", Path("h")), FoundModel("unrelated", Path("u"))]

    with pytest.raises(InputError, match=r"no model 'clip_vison_h'; did you mean 'clip_vision_h\.safetensors'\?"):
        find_model("clip_vison_h", find=lambda: found)
    with pytest.raises(InputError, match="none at all was found"):
        find_model("anything", find=list)


def test_the_demo_model_is_found_by_its_name():
    assert read_checkpoint(find_model("shapes-demo", find=list)).family == "clip"


def test_a_name_of_two_models_is_not_guessed():
    found = [FoundModel("a/model.safetensors", Path("a")), FoundModel("b/model.safetensors", Path("b"))]

    with pytest.raises(InputError, match=r"'a/model\.safetensors', 'b/model\.safetensors'"):
        find_model("model", find=lambda: found)
    assert find_model("b/model", find=lambda: found) == Path("b")


def test_a_name_that_no_repository_can_have_is_refused_without_asking_the_network():
    with pytest.raises(InputError, match="cannot be fetched from the hub"):
        find_model("a/b/c/d", download=True, find=list)


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


def test_memory_that_nothing_tells_counts_as_enough():
    check_fits("m", 10**15, None, "cpu")
    check_fits("m", 10, 10, "cpu")
    with pytest.raises(
        LimitError, match=r"m does not fit: it needs 2\.0 GiB and cuda:0 has 1\.0 GiB free.* or use cpu"
    ):
        check_fits("m", 2 << 30, 1 << 30, "cuda:0")


# pairs, and files with one tower


@pytest.fixture(scope="module")
def halves(clip, tmp_path_factory):
    """The towers of the tiny model in two files, as ComfyUI's users have them."""
    folder = tmp_path_factory.mktemp("halves")
    tensors = load_file(clip.folder / "model.safetensors")
    parts = {"vision.safetensors": ("vision_model.", "visual_"), "text.safetensors": ("text_model.", "text_")}
    for name, starts in parts.items():
        save_file({key: value for key, value in tensors.items() if key.startswith(starts)}, folder / name)
    shutil.copy(clip.folder / "vocab.json", folder)
    shutil.copy(clip.folder / "merges.txt", folder)
    return folder


#: What two bare files cannot tell of the tiny model.
GIVEN = {"activation": "quick_gelu", "heads": 4}


def test_two_files_on_trust_give_the_numbers_of_the_whole_model(clip, halves):
    text = read_checkpoint(halves / "text.safetensors", **GIVEN)

    encoder = load(halves / "vision.safetensors", text_encoder=text, trust_space=True, **GIVEN)

    close(encoder.encode_images(random_pictures(2)).image_embeds, clip.images(random_pictures(2)))
    theirs = torch.nn.functional.normalize(clip.texts(TEXTS), dim=-1)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS).vectors, theirs, atol=1e-5)
    assert "logit_scale" in encoder.identity.assumed


def test_a_model_that_is_its_own_text_encoder_is_one_model(clip):
    encoder = load(clip.folder, text_encoder=clip.folder)

    assert encoder.space == load(clip.folder).space


def test_two_files_of_unknown_space_are_refused_without_trust(halves):
    with pytest.raises(SpaceError, match=r"vision\.safetensors.*text\.safetensors.*trust_space=True"):
        load(halves / "vision.safetensors", text_encoder=halves / "text.safetensors", **GIVEN)


def test_a_pictures_tower_alone_says_that_it_reads_no_texts(halves):
    encoder = load(halves / "vision.safetensors", **GIVEN)

    assert len(encoder.encode_images(random_pictures(1))) == 1
    with pytest.raises(InputError, match="cannot encode texts: it has no text tower"):
        encoder.encode_texts(["a"])


def test_a_texts_tower_alone_says_that_it_takes_no_pictures(halves):
    encoder = load(halves / "text.safetensors", **GIVEN)

    assert len(encoder.encode_texts(["a"])) == 1
    assert encoder.preprocessing is None
    with pytest.raises(InputError, match="no vision tower"):
        encoder.encode_images(random_pictures(1))


def test_a_texts_tower_without_projection_is_never_used(clip, halves, tmp_path):
    tensors = load_file(halves / "text.safetensors")
    del tensors["text_projection.weight"]
    save_file(tensors, tmp_path / "clip_l.safetensors")

    with pytest.raises(CheckpointError, match="text_projection"):
        load(halves / "vision.safetensors", text_encoder=tmp_path / "clip_l.safetensors", trust_space=True, **GIVEN)


# caches


def test_embeddings_on_disk_survive_a_restart(clip, tmp_path):
    pictures = random_pictures(3)
    first = load(clip.folder, cache_folder=tmp_path)
    images, texts = first.encode_images(pictures), first.encode_texts(TEXTS)

    later = load(clip.folder, cache_folder=tmp_path)
    close(later.encode_images(pictures).image_embeds, images.image_embeds)
    np.testing.assert_array_equal(later.encode_texts(TEXTS).vectors, texts.vectors)

    assert (later.cache.hits, later.cache.misses) == (len(pictures) + len(TEXTS), 0)


def test_another_model_finds_nothing_of_the_first(clip, siglip, tmp_path):
    load(clip.folder, cache_folder=tmp_path).encode_images(random_pictures(3))

    other = load(siglip.folder, cache_folder=tmp_path)
    other.encode_images(random_pictures(3))

    assert other.cache.hits == 0


def test_weights_that_were_trained_on_find_nothing_of_the_first(clip, tmp_path):
    load(clip.folder, cache_folder=tmp_path / "cache").encode_images(random_pictures(3))
    folder = tmp_path / "trained"
    shutil.copytree(clip.folder, folder)
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in tensors if name.endswith("q_proj.weight")]:
        tensors[name] = tensors[name] + 0.01
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    trained = load(folder, cache_folder=tmp_path / "cache")
    trained.encode_images(random_pictures(3))

    assert trained.cache.hits == 0


def to_tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255


def column(values):
    return torch.tensor(values).view(3, 1, 1)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


def test_a_machine_without_torch_is_told_what_to_install(monkeypatch):
    # what Python itself does for a package that is not there
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(MissingPackage, match=r"^torch must be there to load a model; install .*clip-grid\[clip\]"):
        load_encoder("shapes-demo")
