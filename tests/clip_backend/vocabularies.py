"""Small vocabularies that the tests learn themselves, and texts that tokenizers disagree on."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo, Family, TextShape
from clip_grid.clip_backend.tokenizing.clip import byte_letters

tokenizers = pytest.importorskip("tokenizers")
models, normalizers, pre_tokenizers = tokenizers.models, tokenizers.normalizers, tokenizers.pre_tokenizers
processors, trainers = tokenizers.processors, tokenizers.trainers

TEXTS = (
    "a photo of a cat",
    "A PHOTO of a Cat, sitting.",
    "café crème brûlée",
    "cafe\u0301 with a mark of its own",
    "日本の寺院 と 桜",
    "中文句子。没有空格,两句。",
    "한국어 텍스트",
    "العربية עברית हिन्दी",
    "Ελληνικά ΟΔΟΣ",
    "🐱🐶 and 🏳️‍🌈 1️⃣",
    "it's don't we're I'll they've I'd I'm IT'S",
    "“curly” ‘quotes’ it’s",
    "&amp; &lt;tag&gt; &amp;amp; &nbsp; &#39;",
    "<div class='x'>html</div>",
    "line\nbreak\ttab\r\nend",
    "  spaces   around\u00a0and\u2009between ",
    "12345 3.14 1,000 2024-05-06",
    "a,b;c:d...e!!??  'tis ''quoted''",
    "control\x00\x01\x1f\x7f characters",
    "snake_case (masterpiece:1.2), [low], {x|y}",
    "C:\\pictures\\a.png /usr/bin",
    "hello</w> world</w>",
    "ﬁ ½ ² ① ©®™ Ⅷ",
    "\ufeffmark \u200bwide\u200d",
    "a cat and a dog " * 60,
    "photo" * 60,
)
#: Names of special tokens as somebody may write them.
LITERALS = ("a <|endoftext|> b", "<|startoftext|>", "x<|endoftext|>y", "</s> a <unk> <pad> b <eos>")
MARKS = ("<|startoftext|>", "<|endoftext|>")


def learn_clip(folder: Path, size: int = 700) -> Path:
    """A folder with ``vocab.json`` and ``merges.txt`` as CLIP has them, learnt from the texts; at most that size."""
    learnt = tokenizers.Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learnt.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    pieces = pre_tokenizers.Split(tokenizers.Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"), "removed", invert=True)
    learnt.pre_tokenizer = pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(vocab_size=size, end_of_word_suffix="</w>", show_progress=False)
    learnt.train_from_iterator(TEXTS, trainer)
    merges = [tuple(merge) for merge in json.loads(learnt.to_str())["model"]["merges"]]
    letters = list(byte_letters().values())
    tokens = [*letters, *(letter + "</w>" for letter in letters), *map("".join, merges)]
    vocabulary = {token: index for index, token in enumerate([*dict.fromkeys(tokens), *MARKS])}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), "utf-8")
    return folder


def learn_siglip(folder: Path, size: int = 300) -> Path:
    """A folder with a ``tokenizer.json`` as T5 has it, learnt from the texts in lower case."""
    words = tokenizers.Tokenizer(models.Unigram())
    words.normalizer = normalizers.NFKC()
    words.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    marks = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=marks, unk_token="<unk>", show_progress=False)
    words.train_from_iterator([text.lower() for text in TEXTS], trainer)
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    folder.mkdir(parents=True, exist_ok=True)
    words.save(str(folder / "tokenizer.json"))
    return folder


def learn_siglip2(folder: Path, size: int = 500) -> Path:
    """A folder with a ``tokenizer.json`` as Gemma has it."""
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    letters = [f"<0x{byte:02X}>" for byte in range(256)]
    words = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    words.normalizer = normalizers.Replace(" ", "▁")
    words.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[*marks, *letters], show_progress=False)
    words.train_from_iterator([*TEXTS, *map(str.lower, TEXTS)], trainer)
    content = json.loads(words.to_str())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] in marks]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    return folder


def write_spiece(path: Path, pieces: list[tuple[str, float, int]], model_type: int = 1) -> Path:
    """A model of sentencepiece with these (piece, score, type) and no table of a normaliser."""
    body = b"".join(_field(1, _field(1, name.encode()) + _score(score, kind)) for name, score, kind in pieces)
    path.write_bytes(body + _field(2, bytes([3 << 3, model_type])))
    return path


def _field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def _score(score: float, kind: int) -> bytes:
    return bytes([2 << 3 | 5]) + struct.pack("<f", score) + bytes([3 << 3, kind])


def info_of(path: Path, vocabulary: int, family: Family = "clip", context: int = 77) -> CheckpointInfo:
    """A model with a text encoder of that vocabulary."""
    text = TextShape(width=8, layers=1, heads=1, mlp=32, context=context, vocabulary=vocabulary)
    return CheckpointInfo(path=path, files=(path,), layout="hf-clip", family=family, text=text)


def size_of(folder: Path) -> int:
    """Tokens of the vocabulary in a folder."""
    file = folder / "tokenizer.json"
    if file.is_file():
        return int(tokenizers.Tokenizer.from_file(str(file)).get_vocab_size())
    return len(json.loads((folder / "vocab.json").read_bytes()))
