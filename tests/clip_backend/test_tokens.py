"""Ids are those that transformers and open_clip give, marks are never lost, and what does not fit is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.tokenizing.clip import clip_tokenizer
from clip_grid.clip_backend.tokenizing.find import find_tokenizer
from clip_grid.clip_backend.tokenizing.siglip import siglip2_tokenizer, siglip_tokenizer
from clip_grid.clip_backend.tokenizing.tokenizer import FastTokenizer, batch_of, canonical, lower_case
from clip_grid.clip_backend.tokenizing.vocabularies import TokenFiles, files_elsewhere
from clip_grid.errors import CheckpointError, InputError, MissingPackage

from .vocabularies import LITERALS, TEXTS, info_of, learn_clip, learn_siglip, learn_siglip2, size_of, write_spiece

GOLDEN = json.loads(Path(__file__).with_name("clip_ids.json").read_text("utf-8"))
MANY_WORDS = " ".join(f"word{number}" for number in range(10_000))


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn_siglip(tmp_path_factory.mktemp("siglip"))


@pytest.fixture(scope="module")
def siglip2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn_siglip2(tmp_path_factory.mktemp("siglip2"))


@pytest.fixture
def clip(clip_folder: Path) -> FastTokenizer:
    return clip_tokenizer(TokenFiles("vocab.json", clip_folder / "vocab.json"), 77)


@pytest.fixture
def siglip(siglip_folder: Path) -> FastTokenizer:
    return siglip_tokenizer(TokenFiles("tokenizer.json", siglip_folder / "tokenizer.json"), 64)


@pytest.fixture
def siglip2(siglip2_folder: Path) -> FastTokenizer:
    return siglip2_tokenizer(TokenFiles("tokenizer.json", siglip2_folder / "tokenizer.json"), 64)


def reference_of(folder: Path):
    """The tokenizer that transformers takes for CLIP: 4 has it under another name than 5."""
    transformers = pytest.importorskip("transformers")
    name = "CLIPTokenizerFast" if transformers.__version__.startswith("4.") else "CLIPTokenizer"
    return getattr(transformers, name).from_pretrained(str(folder))


def ids(tokenizer, texts) -> list[list[int]]:
    return [list(text.ids) for text in tokenizer.encode(texts)]


# --- CLIP


@pytest.mark.parametrize("context", [77, 248, 10])
def test_ids_are_those_of_transformers(clip_folder, context):
    reference = reference_of(clip_folder)

    ours = clip_tokenizer(TokenFiles("vocab.json", clip_folder / "vocab.json"), context)

    assert ids(ours, TEXTS) == reference(list(TEXTS), truncation=True, max_length=context)["input_ids"]


def test_names_of_special_tokens_are_plain_text(clip_folder, clip):
    reference = reference_of(clip_folder)

    found = ids(clip, LITERALS)

    assert found == reference(list(LITERALS), split_special_tokens=True)["input_ids"]
    assert [row.count(clip.pad_id) for row in found] == [1] * len(LITERALS)


def test_every_kind_of_file_gives_the_same_ids(clip_folder, clip, tmp_path):
    reference_of(clip_folder).save_pretrained(str(tmp_path))

    other = clip_tokenizer(TokenFiles("tokenizer.json", tmp_path / "tokenizer.json"), 77)

    texts = TEXTS + LITERALS
    assert ids(other, texts) == ids(clip, texts)


@pytest.mark.parametrize("style", ["transformers", "open_clip"])
def test_ids_of_the_real_vocabulary_are_those_of_the_references(style):
    found = next(files_elsewhere(siglip=False), None)
    if found is None:
        pytest.skip("there is no vocabulary of CLIP on this machine: no ComfyUI, no cached model, no open_clip")

    if style == "open_clip":
        pytest.importorskip("ftfy", reason="open_clip needs ftfy, and so do its ids")
    ours = clip_tokenizer(found, 77, as_open_clip=style == "open_clip")

    assert ids(ours, GOLDEN["texts"]) == GOLDEN[style]


def test_open_clip_resolves_entities_and_transformers_does_not(clip_folder, clip):
    other = clip_tokenizer(TokenFiles("vocab.json", clip_folder / "vocab.json"), 77, as_open_clip=True)

    assert ids(other, ["a &amp;amp; b"]) == ids(clip, ["a & b"])
    assert ids(clip, ["a &amp;amp; b"]) != ids(clip, ["a & b"])
    assert other.fingerprint != clip.fingerprint


def test_cleaning_as_open_clip_does():
    assert lower_case("  A &amp;lt; B\n\tC ") == "a < b c"
    assert canonical("Snake_Case, (x)!  &amp; Y") == "snake case x y"


def test_a_mark_that_a_file_takes_for_a_word_is_plain_text_too(clip_folder, clip, tmp_path):
    reference_of(clip_folder).save_pretrained(str(tmp_path))
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text("utf-8").replace('"special": true', '"special": false'), "utf-8")

    other = clip_tokenizer(TokenFiles("tokenizer.json", path), 77)

    assert ids(other, LITERALS) == ids(clip, LITERALS)


@pytest.mark.parametrize("make", [clip_tokenizer, siglip_tokenizer, siglip2_tokenizer])
def test_without_the_package_the_cure_is_told(clip_folder, make, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)

    with pytest.raises(MissingPackage, match="pip install tokenizers"):
        make(TokenFiles("vocab.json", clip_folder / "vocab.json"), 77)


# --- what does not fit


def test_a_text_that_is_too_long_keeps_its_marks_and_tells_what_is_lost(clip_folder):
    short = clip_tokenizer(TokenFiles("vocab.json", clip_folder / "vocab.json"), 6)

    [found] = short.encode(["a photo of a CAT, and  a Dög"])

    assert found.ids == (*short.encode(["a photo of a"])[0].ids,)
    assert found.dropped == "CAT, and  a Dög"


def test_a_character_that_is_cut_through_is_told_whole(clip_folder):
    short = clip_tokenizer(TokenFiles("vocab.json", clip_folder / "vocab.json"), 4)

    [found] = short.encode(["🦄"])

    assert len(found.ids) == 4
    assert found.dropped == "🦄"


def test_a_text_that_fits_exactly_loses_nothing(clip_folder):
    short = clip_tokenizer(TokenFiles("vocab.json", clip_folder / "vocab.json"), 6)

    assert [text.dropped for text in short.encode(["a photo of a", "a photo of a cat"])] == ["", "cat"]


@pytest.mark.parametrize("family", ["clip", "siglip", "siglip2"])
def test_ten_thousand_words_are_cut(family, request):
    tokenizer = request.getfixturevalue(family)

    [found] = tokenizer.encode([MANY_WORDS])

    assert len(found.ids) == tokenizer.context
    assert found.ids[-1] == tokenizer.encode(["a"])[0].ids[-1]
    assert MANY_WORDS.endswith(found.dropped)
    assert found.dropped.endswith("word9999")


# --- what is no text


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", ""], "text 1 is empty"),
        (["a", "b", " \n"], "text 2 is empty"),
        (["a", 3], "text 1 is int, not a string"),
        ([None], "text 0 is NoneType, not a string"),
        ("a cat", "texts is one string"),
    ],
)
def test_what_is_no_text_is_refused_by_its_number(clip, texts, message):
    with pytest.raises(InputError, match=message):
        clip.encode(texts)


def test_a_text_of_punctuation_alone_is_empty_to_siglip(siglip):
    with pytest.raises(InputError, match=r"text 0 '!\?' has nothing that the model reads"):
        siglip.encode(["!?"])


def test_an_empty_text_is_two_marks_where_it_is_allowed(clip):
    [found] = clip.encode([""], allow_empty=True)

    assert len(found.ids) == clip.marks == 2


def test_half_a_character_is_read_as_an_unknown_one(clip):
    assert ids(clip, ["a \udce9 b"]) == ids(clip, ["a \ufffd b"])


def test_no_texts_are_no_ids(clip):
    assert clip.encode([]) == []


# --- batches


def test_a_batch_of_clip_is_as_short_as_its_longest_text(clip):
    texts = clip.encode(["a", "a photo of a cat"])

    batch, ends = batch_of(texts, clip)

    assert batch.shape == (2, 7)
    assert batch.dtype == ends.dtype == np.int64
    assert ends.tolist() == [2, 6] == batch.argmax(1).tolist()
    assert batch[0].tolist() == [*texts[0].ids, *[clip.pad_id] * 4]


def test_a_batch_of_siglip_is_as_long_as_the_context(siglip):
    batch, ends = batch_of(siglip.encode(["a", "a photo of a cat"]), siglip)

    assert batch.shape == (2, 64)
    # of the end token; such an encoder pools the last position, whatever is there
    assert ends.tolist() == [1, 6]
    assert batch[:, -1].tolist() == [siglip.pad_id] * 2


def test_an_empty_batch_is_refused(clip):
    with pytest.raises(InputError, match="no text"):
        batch_of([], clip)


# --- SigLIP


def test_ids_of_siglip_are_those_of_transformers(siglip_folder, siglip):
    transformers = pytest.importorskip("transformers")
    reference = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(siglip_folder / "tokenizer.json"), eos_token="</s>", pad_token="</s>", unk_token="<unk>"
    )
    texts = [text for text in TEXTS + LITERALS if "_" not in text]
    cleaned = [plain(text) for text in texts]

    batch, _ = batch_of(siglip.encode(texts), siglip)

    assert batch.tolist() == reference(cleaned, truncation=True, max_length=64, padding="max_length")["input_ids"]


def plain(text: str) -> str:
    """Without punctuation, in lower case, single spaces: how SigLIP was trained."""
    kept = "".join(letter for letter in text.lower() if not (letter.isascii() and letter.isprintable())
                   or letter.isalnum() or letter == " ")  # fmt: skip
    return " ".join(kept.split())


def test_siglip2_is_gemma_in_lower_case(siglip2_folder, siglip2):
    transformers = pytest.importorskip("transformers")
    reference = transformers.PreTrainedTokenizerFast(tokenizer_file=str(siglip2_folder / "tokenizer.json"))

    found = ids(siglip2, TEXTS)

    expected = [row[:63] for row in reference(["".join(map(str.lower, text)) for text in TEXTS])["input_ids"]]
    assert found == [[*row, 1] for row in expected]
    assert (siglip2.pad_id, siglip2.marks) == (0, 1)


def test_siglip2_is_what_transformers_5_has_for_it(siglip2_folder, siglip2):
    transformers = pytest.importorskip("transformers")
    if not hasattr(transformers, "Siglip2Tokenizer"):
        pytest.skip("this transformers has no Siglip2Tokenizer")
    reference = transformers.Siglip2Tokenizer.from_pretrained(str(siglip2_folder))

    expected = [row[:63] for row in reference(list(TEXTS), add_special_tokens=False)["input_ids"]]

    assert ids(siglip2, TEXTS) == [[*row, 1] for row in expected]


def test_a_sentencepiece_model_is_read_without_sentencepiece(tmp_path):
    pieces = [("<pad>", 0.0, 3), ("</s>", 0.0, 3), ("<unk>", 0.0, 2), ("▁a", -1.0, 1), ("▁", -4.0, 1)]
    pieces += [("c", -3.0, 1), ("at", -2.0, 1), ("▁cat", -2.5, 1)]
    path = write_spiece(tmp_path / "spiece.model", pieces)

    tokenizer = siglip_tokenizer(TokenFiles("spiece.model", path), 8)

    assert ids(tokenizer, ["A  cat!", "at </s>", "a cat at a cat at a cat"]) == [
        [3, 7, 1],
        [4, 6, 4, 2, 1],
        [3, 7, 4, 6, 3, 7, 4, 1],
    ]
    assert tokenizer.encode(["a cat at a cat, AT a cat"])[0].dropped == "AT a cat"
    assert (tokenizer.size, tokenizer.pad_id) == (8, 1)


def test_a_sentencepiece_model_gives_the_ids_of_transformers(tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("google.protobuf")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([plain(text) for text in TEXTS] * 3), model_prefix=str(tmp_path / "spiece"),
        vocab_size=300, hard_vocab_limit=False, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    path = tmp_path / "spiece.model"
    reference = transformers.SiglipTokenizer(str(path))
    ours = siglip_tokenizer(TokenFiles("spiece.model", path), 64)
    # of equally good ways to cut a text each library takes its own; transformers 4 has only one small sigma
    texts = [text for text in TEXTS if "photophoto" not in text and "Ο" not in text]

    batch, _ = batch_of(ours.encode(texts), ours)

    expected = [reference(text, padding="max_length", truncation=True, max_length=64)["input_ids"] for text in texts]
    assert batch.tolist() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no pieces"),
        (b"<html>", "no model of sentencepiece"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no model of sentencepiece"),
        (b"\x0a\x7f\x0a", "ends too early"),
        (b"\x0a", "no model of sentencepiece"),
        (b"\xff" * 1_000_000, "without an end"),
    ],
)
def test_a_broken_sentencepiece_model_is_named(tmp_path, content, message):
    path = tmp_path / "spiece.model"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=message):
        siglip_tokenizer(TokenFiles("spiece.model", path), 64)


def test_a_sentencepiece_model_of_another_kind_is_refused_with_the_cure(tmp_path):
    path = write_spiece(tmp_path / "spiece.model", [("a", -1.0, 1)], model_type=2)

    with pytest.raises(CheckpointError, match=r"not unigram; put tokenizer\.json beside it"):
        siglip_tokenizer(TokenFiles("spiece.model", path), 64)


def test_marks_are_those_that_the_configuration_names(siglip_folder, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((siglip_folder / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "<pad>"}}))

    tokenizer = siglip_tokenizer(TokenFiles("tokenizer.json", tmp_path / "tokenizer.json"), 64)

    assert tokenizer.pad_id == 0
    assert tokenizer.encode(["a"])[0].ids[-1] == 1


# --- fingerprints


def test_fingerprints_are_equal_for_equal_tokenizers_alone(clip_folder, clip):
    files = TokenFiles("vocab.json", clip_folder / "vocab.json")

    assert clip_tokenizer(files, 77).fingerprint == clip.fingerprint
    assert clip_tokenizer(files, 248).fingerprint != clip.fingerprint


@pytest.mark.parametrize(("more", "fits"), [(100, True), (101, False)])
def test_siglip_may_have_a_hundred_spare_names(siglip_folder, more, fits):
    info = info_of(siglip_folder, size_of(siglip_folder) - more, "siglip")

    if fits:
        assert find_tokenizer(info).encode(["a"])
    else:
        with pytest.raises(CheckpointError, match="there is no vocabulary"):
            find_tokenizer(info)


def test_a_model_finds_its_tokenizer_by_its_family(clip_folder, siglip_folder, siglip2_folder):
    found = {
        family: find_tokenizer(info_of(folder, size_of(folder), family, 16))
        for family, folder in (
            ("clip", clip_folder), ("longclip", clip_folder), ("siglip", siglip_folder), ("siglip2", siglip2_folder),
        )
    }  # fmt: skip

    assert {family: (one.trims, one.marks, one.context) for family, one in found.items()} == {
        "clip": (True, 2, 16),
        "longclip": (True, 2, 16),
        "siglip": (False, 1, 16),
        "siglip2": (False, 1, 16),
    }
