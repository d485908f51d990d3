"""MetaCLIP 2 and models with settings of their own for each encoder give the embeddings of transformers."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")
from clip_grid.clip_backend.checkpoints.info import TextShape
from clip_grid.clip_backend.checkpoints.properties import METACLIP2_VOCABULARY
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.tokenizing.find import find_tokenizer
from clip_grid.errors import CheckpointError

from . import tiny_towers as tiny
from .checkpoints.safetensors_files import write_sparse
from .checkpoints.tensor_names import Text, Vision, hf_clip
from .tiny_models import MEAN, SIDE, STD, Clip, TinyModel, random_pictures, tiny_clip, write_preprocessor

TEXTS = ["a photo of a cat", "日本の寺院 と 桜", "it's a dog", "a cat and a dog " * 40, "un chien"]
SENTENCES = ["a photo of a cat", "the dog and the cat sat", "日本の寺院 と 桜", "un chien et un chat", "it's a dog"] * 9
#: Of XLM-V, and of mT5, which has no token before a text.
KINDS = {"xlm-v": ["<s>", "<pad>", "</s>", "<unk>"], "mt5": ["<pad>", "</s>", "<unk>"]}


def learn_unigram(folder, kind):
    """A tokenizer.json as sentencepiece's vocabularies are written, which adds its special tokens itself."""
    names = KINDS[kind]
    package = tokenizers.Tokenizer(tokenizers.models.Unigram())
    package.normalizer = tokenizers.normalizers.NFKC()
    package.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    trainer = tokenizers.trainers.UnigramTrainer(vocab_size=90, special_tokens=names, unk_token="<unk>")
    package.train_from_iterator(SENTENCES, trainer)
    begin = "<s> " if "<s>" in names else ""
    package.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{begin}$A </s>", special_tokens=[(name, names.index(name)) for name in names]
    )
    package.save(str(folder / "tokenizer.json"))
    return len(json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"])


def tiny_metaclip2(folder, kind):
    """A MetaClip2Model of two layers with its tokenizer."""
    torch.manual_seed(5)
    size, end = learn_unigram(folder, kind), KINDS[kind].index("</s>")
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_act": "gelu"}
    text = {
        "hidden_size": 32, "intermediate_size": 64, "vocab_size": size, "max_position_embeddings": 20,
        "eos_token_id": end, "pad_token_id": KINDS[kind].index("<pad>"), "bos_token_id": 0,
    }  # fmt: skip
    vision = {"hidden_size": 64, "intermediate_size": 128, "image_size": SIDE, "patch_size": 8}
    config = transformers.MetaClip2Config(text_config=text | sizes, vision_config=vision | sizes, projection_dim=24)
    hf = transformers.MetaClip2Model(config).eval()
    hf.save_pretrained(folder)
    write_preprocessor(folder, MEAN, STD, "CLIPImageProcessor")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        split_special_tokens=True,
    )  # fmt: skip

    def tokens(texts):
        return tokenizer(texts, padding=True, truncation=True, max_length=20, return_tensors="pt")

    return TinyModel(folder, Clip(hf), tokens, MEAN, STD)


@pytest.mark.parametrize("kind", KINDS)
def test_metaclip2_gives_the_embeddings_of_transformers(kind, tmp_path):
    theirs = tiny_metaclip2(tmp_path, kind)
    encoder = load_encoder(tmp_path, device="cpu", encoders=EncoderCache())

    pictures, tokenized = random_pictures(3), theirs.tokenizer(TEXTS)

    np.testing.assert_allclose(encoder.encode_images(pictures).image_embeds, theirs.images(pictures), atol=1e-5)
    wanted = torch.nn.functional.normalize(theirs.texts(TEXTS), dim=-1)
    np.testing.assert_allclose(encoder.encode_texts(TEXTS).vectors, wanted, atol=1e-5)
    own = [text.ids for text in encoder.tokenizer.encode(TEXTS)]
    assert [list(ids) for ids in own] == [
        row[mask.bool()].tolist() for row, mask in zip(tokenized["input_ids"], tokenized["attention_mask"], strict=True)
    ]


def test_a_tokenizer_that_adds_no_end_to_a_text_is_refused(tmp_path):
    learn_unigram(tmp_path, "mt5")
    raw = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(raw | {"post_processor": None}))
    shape = TextShape(width=24, layers=2, heads=3, mlp=48, context=12, vocabulary=90)

    with pytest.raises(CheckpointError, match=r"lacks <\|startoftext\|> and adds no end to a text"):
        find_tokenizer(tiny.info(tmp_path, text=shape))


def test_the_folder_without_its_tokenizer_is_refused_and_clips_own_is_not_taken(tmp_path):
    shape = TextShape(width=24, layers=2, heads=3, mlp=48, context=12, vocabulary=METACLIP2_VOCABULARY)

    with pytest.raises(CheckpointError, match=r"no vocabulary for its 901629 tokens.*put its tokenizer\.json"):
        find_tokenizer(tiny.info(tmp_path, text=shape))


@pytest.mark.parametrize(
    ("width", "layers", "tokens", "expected"),
    [
        (1280, 32, 257, ("quick_gelu", "crop")),
        (1280, 32, 730, ("gelu", "squash")),
        (1664, 48, 257, ("gelu", "crop")),
        (1664, 48, 730, ("gelu", "squash")),
    ],
)
def test_the_usual_properties_are_those_of_metaclip2_and_not_of_dfn(width, layers, tokens, expected, tmp_path):
    shapes = hf_clip(Vision(width, 2, 64, 14, tokens), Text(64, 2, 128, 77, METACLIP2_VOCABULARY), 24)
    path = write_sparse(tmp_path / "model.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})

    info = read_checkpoint(path)

    assert (info.activation, info.fit) == expected
    assert {"activation", "fit"} <= set(info.unknown)


def test_each_encoder_of_clip_has_the_activation_and_layer_norm_of_its_config(tmp_path):
    tiny_clip(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    config["text_config"] |= {"hidden_act": "gelu", "layer_norm_eps": 1e-2}
    config["vision_config"] |= {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-3}
    (tmp_path / "config.json").write_text(json.dumps(config))
    hf = Clip(transformers.CLIPModel.from_pretrained(tmp_path).eval())
    encoder = load_encoder(tmp_path, device="cpu", encoders=EncoderCache())
    tokenizer = transformers.CLIPTokenizerFast.from_pretrained(tmp_path)

    def tokens(texts):
        return tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")

    theirs = TinyModel(tmp_path, hf, tokens, MEAN, STD)

    pictures, texts = random_pictures(2), ["a photo of a cat", "it's a dog"]
    np.testing.assert_allclose(encoder.encode_images(pictures).image_embeds, theirs.images(pictures), atol=1e-5)
    wanted = torch.nn.functional.normalize(theirs.texts(texts), dim=-1)
    np.testing.assert_allclose(encoder.encode_texts(texts).vectors, wanted, atol=1e-5)
    assert (
        encoder.identity.cache_key
        != load_encoder(tmp_path, device="cpu", encoders=EncoderCache(), text_eps=1e-5).identity.cache_key
    )
