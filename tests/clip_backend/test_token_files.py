"""Vocabularies are found beside a model and where other programs keep them; an error says where they were sought."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from clip_grid.clip_backend.tokenizing.clip import byte_letters, clip_tokenizer
from clip_grid.clip_backend.tokenizing.find import find_tokenizer
from clip_grid.clip_backend.tokenizing.vocabularies import TokenFiles, files_beside, files_elsewhere
from clip_grid.errors import CheckpointError

from .vocabularies import info_of, learn_clip, learn_siglip, size_of


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn_clip(tmp_path_factory.mktemp("learnt"))


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def placed(learnt: Path, folder: Path) -> Path:
    shutil.copytree(learnt, folder, dirs_exist_ok=True)
    return folder


def model(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_a_folder_has_its_own(learnt, tmp_path):
    folder = placed(learnt, tmp_path / "model")

    found = list(files_beside(info_of(folder, 1)))

    assert found == [TokenFiles("vocab.json", folder / "vocab.json", is_own=True)]


def test_a_folder_may_have_room_for_more_tokens_than_its_vocabulary_has(learnt, tmp_path):
    folder = placed(learnt, tmp_path / "model")

    assert find_tokenizer(info_of(folder, size_of(learnt) + 8)).encode(["a cat"])
    with pytest.raises(CheckpointError, match="there is no vocabulary"):
        find_tokenizer(info_of(folder, size_of(learnt) - 1))


@pytest.mark.parametrize("place", ["clip", "clip/tokenizer"])
def test_a_file_has_it_beside(learnt, tmp_path, place):
    path = model(tmp_path / "clip" / "clip_l.safetensors")
    placed(learnt, tmp_path / place)

    assert find_tokenizer(info_of(path, size_of(learnt))).encode(["a cat"])


def test_diffusers_has_it_in_a_folder_of_the_same_number(learnt, tmp_path):
    path = model(tmp_path / "text_encoder_2" / "model.safetensors")
    placed(learnt, tmp_path / "tokenizer_2")

    assert find_tokenizer(info_of(path, size_of(learnt))).encode(["a cat"])


def test_a_sidecar_comes_before_what_else_lies_in_the_folder(learnt, tmp_path):
    path = model(tmp_path / "siglip.safetensors")
    other = learn_siglip(tmp_path / "other")
    shutil.copy(other / "tokenizer.json", tmp_path / "siglip.tokenizer.json")
    placed(learnt, tmp_path)

    first = next(files_beside(info_of(path, 1)))

    assert first == TokenFiles("tokenizer.json", tmp_path / "siglip.tokenizer.json", is_own=True)
    assert find_tokenizer(info_of(path, size_of(other), "siglip")).marks == 1


def test_a_vocabulary_of_another_size_is_passed_over(learnt, tmp_path):
    path = model(tmp_path / "clip" / "clip_l.safetensors")
    placed(learn_clip(tmp_path / "small", 600), tmp_path / "clip")
    elsewhere = placed(learnt, tmp_path / "elsewhere")

    found = find_tokenizer(info_of(path, size_of(learnt)), search=[elsewhere])

    assert found.pad_id == size_of(learnt) - 1


@pytest.mark.parametrize("named", ["", "vocab.json"])
def test_what_the_user_names_is_taken_instead_of_what_lies_beside(learnt, tmp_path, named):
    folder = placed(learnt, tmp_path / "model")
    other = learn_clip(tmp_path / "other", 600)

    found = find_tokenizer(info_of(folder, size_of(learnt)), given=other / named)

    assert found.pad_id == size_of(other) - 1


def test_what_the_user_names_must_be_a_vocabulary(learnt, tmp_path):
    folder = placed(learnt, tmp_path / "model")

    with pytest.raises(CheckpointError, match=r"there is none in .*missing"):
        find_tokenizer(info_of(folder, size_of(learnt)), given=tmp_path / "missing")


@pytest.mark.parametrize("place", ["", "sd1_tokenizer", "comfy/sd1_tokenizer"])
def test_the_folders_to_search_may_be_those_of_comfyui(learnt, tmp_path, place):
    path = model(tmp_path / "models" / "clip_l.safetensors")
    placed(learnt, tmp_path / "found" / place)

    assert find_tokenizer(info_of(path, size_of(learnt)), search=[str(tmp_path / "found")]).encode(["a cat"])


def test_the_cache_of_hugging_face_is_searched(learnt, tmp_path):
    path = model(tmp_path / "models" / "clip_l.safetensors")
    placed(learnt, tmp_path / "hub/models--openai--clip-vit-large-patch14/snapshots/abc")

    assert find_tokenizer(info_of(path, size_of(learnt))).encode(["a cat"])


def test_a_cached_siglip_serves_a_single_file(tmp_path):
    path = model(tmp_path / "models" / "siglip.safetensors")
    folder = learn_siglip(tmp_path / "hub/models--google--siglip-base-patch16-224/snapshots/abc")

    assert find_tokenizer(info_of(path, size_of(folder), "siglip")).encode(["a cat"])


def test_a_comfyui_around_is_searched(learnt, tmp_path, monkeypatch):
    root = tmp_path / "ComfyUI"
    path = model(root / "models" / "clip" / "clip_l.safetensors")
    (root / "custom_nodes").mkdir()
    placed(learnt, root / "comfy" / "sd1_tokenizer")
    monkeypatch.chdir(root)

    assert TokenFiles("vocab.json", root / "comfy/sd1_tokenizer/vocab.json") in files_elsewhere(siglip=False)
    assert find_tokenizer(info_of(path, size_of(learnt))).encode(["a cat"])


def test_an_installed_open_clip_is_searched_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "open_clip"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    merges = ["#version", "a t", "c at</w>", "a t</w>"]
    (package / "bpe_simple_vocab_16e6.txt.gz").write_bytes(gzip.compress("\n".join(merges).encode()))
    monkeypatch.syspath_prepend(str(tmp_path))

    found = list(files_elsewhere(siglip=False))

    assert TokenFiles("openai", package / "bpe_simple_vocab_16e6.txt.gz") in found


def test_the_file_of_openai_numbers_letters_then_merges_then_marks(tmp_path):
    path = tmp_path / "bpe_simple_vocab_16e6.txt.gz"
    path.write_bytes(gzip.compress(b"#version\na t</w>\nc at</w>", mtime=0))

    tokenizer = clip_tokenizer(TokenFiles("openai", path), 77)

    letters = list(byte_letters().values())
    assert letters[:3] == ["!", '"', "#"]
    assert len(set(letters)) == 256
    assert tokenizer.encode(["cat a"])[0].ids == (514, 513, 256 + letters.index("a"), 515)


def test_without_any_the_error_names_what_was_refused_and_the_cure(learnt, tmp_path):
    path = model(tmp_path / "clip" / "odd.safetensors")
    placed(learnt, tmp_path / "clip")

    with pytest.raises(CheckpointError) as error:
        find_tokenizer(info_of(path, 12_345))

    message = str(error.value)
    assert "odd.safetensors: there is no vocabulary for its 12345 tokens" in message
    assert f"vocab.json: it has {size_of(learnt)}" in message
    assert "vocab.json and merges.txt" in message


def test_a_single_siglip_without_any_says_what_to_put_where(tmp_path):
    path = model(tmp_path / "siglip.safetensors")

    with pytest.raises(CheckpointError, match=r"tokenizer\.json or spiece\.model beside it.*siglip\.tokenizer\.json"):
        find_tokenizer(info_of(path, 32_000, "siglip"))


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"a": 1}', b"\x00\xff"])
def test_a_broken_file_is_named_and_the_next_one_taken(learnt, tmp_path, content):
    path = model(tmp_path / "clip" / "clip_l.safetensors")
    (tmp_path / "clip" / "tokenizer.json").write_bytes(content)

    with pytest.raises(CheckpointError, match=r"tokenizer\.json: cannot be read as a vocabulary"):
        clip_tokenizer(TokenFiles("tokenizer.json", tmp_path / "clip" / "tokenizer.json"), 77)
    assert find_tokenizer(info_of(path, size_of(learnt)), search=[learnt]).encode(["a cat"])


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress(b"#v\na b", mtime=0)[:-9], gzip.compress(b"#v\nx yz", mtime=0)]
)
def test_a_broken_file_of_openai_is_named(tmp_path, content):
    path = tmp_path / "bpe_simple_vocab_16e6.txt.gz"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match="cannot be read as a vocabulary"):
        clip_tokenizer(TokenFiles("openai", path), 77)


def test_a_vocabulary_without_marks_is_refused(tmp_path):
    (tmp_path / "vocab.json").write_text('{"a": 0, "<|endoftext|>": 1}')
    (tmp_path / "merges.txt").write_text("#version\n")

    with pytest.raises(CheckpointError, match=r"it lacks <\|startoftext\|>"):
        clip_tokenizer(TokenFiles("vocab.json", tmp_path / "vocab.json"), 77)


def test_a_model_without_a_text_side_is_refused(tmp_path):
    info = info_of(tmp_path / "dino.safetensors", 1, "dinov2")

    with pytest.raises(CheckpointError, match="it reads no text"):
        find_tokenizer(info)
