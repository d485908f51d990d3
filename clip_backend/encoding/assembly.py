"""Puts an encoder together from checkpoints: towers, tokenizer, preprocessing, cache."""

from __future__ import annotations

import math
import os
from dataclasses import replace

from ..checkpoints.info import CheckpointInfo
from ..checkpoints.joined import joined_space
from ..checkpoints.spaces import space_of
from ..checkpoints.trained_file import check_same
from ..checkpoints.trained_weights import open_merged
from ..checkpoints.training import trained_mark
from ..checkpoints.weight_names import OTHER_TEXT
from ..checkpoints.weights import Weights, open_weights
from ..preparing.preprocessing import Preprocessing, preprocessing_of
from ..tokenizing.find import find_tokenizer
from ..towers.build import build_text, build_vision
from ..towers.config import KINDS
from .cache import EmbeddingCache
from .devices import LoadOptions
from .disk_store import DiskStore
from .encoder import OTHER_TEXTS, BuiltFrom, ClipEncoder
from .features import Identity
from .file_hashes import FileHashes
from .image_features import TowerVisionEncoder, capabilities_of
from .texts import TextEncoder

#: The limit of the scale in CLIP's training, which nearly all models reach.
USUAL_SCALE = 100.0
NO_TEXT_PROJECTION = f"its text tower has no text_projection; {OTHER_TEXTS}"


def assemble(
    vision: CheckpointInfo, text: CheckpointInfo, options: LoadOptions, *, trust_space: bool = False
) -> ClipEncoder:
    """An encoder from one file, given twice, or from the vision tower of one and the text tower of another."""
    is_pair = text is not vision
    opened = open_merged if vision.trained else open_weights
    vision_weights = opened(vision, allow_pickle=options.allow_pickle)
    text_weights = opened(text, allow_pickle=options.allow_pickle) if is_pair else vision_weights
    space = joined_space(vision, text, trust_space=trust_space) if is_pair else space_of(vision)
    space += trained_mark(vision.trained) if vision.trained else ""
    has_vision = vision.vision is not None
    has_text = text.text is not None and text.has_text_projection
    return ClipEncoder(
        identity_of(vision, text, (vision_weights, text_weights), options, space),
        vision=(lambda: _vision_encoder(vision, vision_weights, options)) if has_vision else None,
        text=(lambda: text_encoder(text, text_weights, options)) if has_text else None,
        cache=cache_of(options),
        budget_bytes=options.budget_bytes,
        built_from=BuiltFrom(vision=vision, text=text, options=options),
    )


def identity_of(
    vision: CheckpointInfo, text: CheckpointInfo, weights: tuple[Weights, Weights], options: LoadOptions, space: str
) -> Identity:
    """The identity of an encoder of these two checkpoints, or of one given twice; a missing scale is ``assumed``."""
    infos = (vision,) if vision is text else (vision, text)
    scale, bias = _number(weights, "logit_scale"), _number(weights, "logit_bias")
    is_sigmoid = vision.family in ("siglip", "siglip2")
    assumed = {name for info in infos for name in info.unknown}
    assumed |= {"logit_scale"} if scale is None else set()
    assumed |= {"logit_bias"} if is_sigmoid and bias is None else set()
    return Identity(
        name=" + ".join(info.label for info in infos),
        space=space,
        dim=(vision.projection if vision.has_vision_projection or vision.vision is None else None) or 0,
        fingerprint="+".join(info.fingerprint for info in infos),
        cache_key=cache_key(infos, options),
        dtype=options.dtype,
        preprocessing=_preprocessing(vision, options) if vision.vision else None,
        logit_scale=USUAL_SCALE if scale is None else math.exp(scale),
        logit_bias=bias or 0.0,
        is_sigmoid=is_sigmoid,
        assumed=tuple(sorted(assumed)),
        no_texts=_no_texts(text),
        notes=tuple(note for info in infos for note in info.notes),
    )


def _preprocessing(info: CheckpointInfo, options: LoadOptions) -> Preprocessing:
    """How pictures are prepared; raises SpaceError for what was trained on pictures that were prepared otherwise."""
    preprocessing = preprocessing_of(info, **options.preprocessing)
    for one in info.trained:
        check_same(one.file, "preparation of pictures", one.file.base.preprocessing, preprocessing.fingerprint)
    return preprocessing


def _no_texts(info: CheckpointInfo) -> str:
    """Why a text encoder that is there is not used; empty if it is used or if there is none."""
    if info.text is not None:
        return "" if info.has_text_projection else NO_TEXT_PROJECTION
    return next((f"{note}; {OTHER_TEXTS}" for note in info.notes if note.startswith(OTHER_TEXT)), "")


def _number(weights: tuple[Weights, Weights], name: str) -> float | None:
    """The number from the first file that has it; the text file too may be a whole model."""
    return next((number for one in weights if (number := one.number(name)) is not None), None)


def cache_key(infos: tuple[CheckpointInfo, ...], options: LoadOptions) -> str:
    """Everything that embeddings depend on beside pictures, preprocessing and token ids."""
    weights = [
        (info.fingerprint, info.digest, info.activation, info.eps, info.vision, info.text, *_unusual(info))
        for info in infos
    ]
    return repr((weights, options.dtype))


def _unusual(info: CheckpointInfo) -> tuple[str, ...]:
    """What a model has that few have, so that the keys of the others stay as they were."""
    usual = {"text_activation": info.activation, "text_eps": info.eps, "pool": "class"}
    if info.family in KINDS and KINDS[info.family] == "clip":
        usual |= {"text_pool": "end", "is_causal": True}
    else:
        usual |= {"text_pool": "last", "is_causal": False}
    stated = {name: getattr(info, name) for name in usual}
    return tuple(f"{name} {value}" for name, value in stated.items() if value not in (None, usual[name]))


def cache_of(options: LoadOptions) -> EmbeddingCache:
    """A cache of embeddings in memory, with files behind it if the options name a folder."""
    folder = options.cache_folder
    if folder is None:
        return EmbeddingCache()
    return EmbeddingCache(store=DiskStore(folder, options.cache_bytes), file_hashes=FileHashes(folder))


def _vision_encoder(info: CheckpointInfo, weights: Weights, options: LoadOptions) -> TowerVisionEncoder:
    tower = build_vision(
        info, weights, device=options.build_device, dtype=options.torch_dtype, pack=options.device.type == "cpu"
    )
    return TowerVisionEncoder(
        tower=tower,
        capabilities=capabilities_of(tower.config),
        placement=options.place(tower),
        in_fp32=options.in_fp32(lambda fp32: _vision_encoder(info, weights, fp32)),
    )


def text_encoder(info: CheckpointInfo, weights: Weights, options: LoadOptions) -> TextEncoder:
    """The text tower of a model, filled and placed, with its tokenizer; raises CheckpointError without either."""
    tokenizer = options.tokenizer
    if tokenizer is None or isinstance(tokenizer, (str, os.PathLike)):
        tokenizer = find_tokenizer(info, given=tokenizer, search=options.vocabularies)
    for one in info.trained:
        check_same(one.file, "tokenizer", one.file.base.tokenizer, tokenizer.fingerprint)
    tower = build_text(
        info, weights, device=options.build_device, dtype=options.torch_dtype, pack=options.device.type == "cpu"
    )
    known = replace(options, tokenizer=tokenizer)
    return TextEncoder(
        tower=tower,
        tokenizer=tokenizer,
        placement=options.place(tower),
        in_fp32=known.in_fp32(lambda fp32: text_encoder(info, weights, fp32)),
    )
