"""The keyword options of the API's functions as types, so that editors complete and type checkers check them.

The options themselves, with defaults, bounds and help, are declared on ``GridTemplate``, ``ClipOptions``,
``LabelOptions``, ``MatchOptions``, ``RankOptions``, ``IndexOptions``, ``SearchOptions``, ``TrainOptions``,
``ApplySettings`` and ``ReferenceSettings``; a test holds these types equal to the declarations.
"""

from __future__ import annotations

from typing import Literal, TypedDict


class AssembleKeywords(TypedDict, total=False):
    """Options of ``assemble_grid_enhanced`` beside its parameters: fields of GridTemplate and ClipOptions."""

    rows: int
    columns: int
    cell_width: int
    cell_height: int
    fit: Literal["contain", "cover", "stretch", "pad", "original"]
    margin: int
    font: str
    font_size: int
    text_color: str
    background: str
    label_position: Literal["over", "below", "above", "none"]
    title: str
    row_headers: str
    column_headers: str
    x_axis: str
    y_axis: str
    sort_by: str
    label_format: str
    format: Literal["png", "jpeg", "webp", "avif", "tiff", "pdf", "html"]
    quality: int
    on_overflow: Literal["split", "scale", "stop"]
    page_axis: str
    reverse: bool
    gap: int
    enlarge: bool
    label_sources: str
    min_font_size: int
    label_align: Literal["left", "center", "right"]
    outline_color: str
    outline_width: int
    page_text_color: str
    pad_color: str
    border_width: int
    border_color: str
    header: str
    footer: str
    legend: Literal["auto", "on", "off"]
    badge: str
    winner: Literal["none", "highest", "lowest"]
    resample: Literal["fast", "lanczos", "torch"]
    frame: int
    sidecar: bool
    heatmap: Literal["off", "on"]
    scores_csv: bool
    vocabulary: str
    score_text: str


class SheetKeywords(AssembleKeywords, total=False):
    """Options of ``export_grid``, ``plan_export`` and ``export_batch``: fields of GridTemplate and ClipOptions."""

    label_columns: str
    use_clip: bool
    clip_model: str


class LabelKeywords(TypedDict, total=False):
    """Options of ``label_images`` and ``CLIPLabeler``: fields of LabelOptions."""

    top_k: int
    threshold: float
    templates: str
    margin: float
    multiple: bool
    none_of_these: bool


class IndexKeywords(TypedDict, total=False):
    """Options of ``index_images``: fields of IndexOptions."""

    retry_failed: bool
    batch_size: int


class SearchKeywords(TypedDict, total=False):
    """Options of ``search``: fields of SearchOptions."""

    top: int
    keywords: str
    where: str
    diversity: float
    duplicates: float
    collapse: bool
    strong: bool


class PhraseKeywords(TypedDict, total=False):
    """Options of ``analyze_image_text_match``: fields of MatchOptions beside the threshold."""

    mode: Literal["auto", "pairs", "matrix", "broadcast"]
    preset: Literal[
        "auto", "threshold", "z 1.5", "z 2.5", "percentile 90", "percentile 95", "percentile 99", "lenient", "balanced",
        "strict",
    ]  # fmt: skip
    phrases: bool
    long_text: Literal["mean", "max", "truncate"]
    template: str
    prompt_syntax: bool


class MatchKeywords(PhraseKeywords, total=False):
    """Options of ``match`` and ``match_pairs``: fields of MatchOptions."""

    threshold: float


class RankKeywords(TypedDict, total=False):
    """Options of ``rank``: fields of RankOptions."""

    keep: Literal["top k", "above threshold", "all"]
    k: int
    threshold: float
    descending: bool
    duplicates: float
    prompt_syntax: bool


class TrainKeywords(TypedDict, total=False):
    """Options of ``train``: fields of TrainOptions."""

    method: Literal["auto", "nearest", "ridge", "logistic", "lda", "tip", "platt", "lora", "last-blocks", "full"]
    val: float
    test: float
    seed: int
    group_prompts: bool
    templates: str
    tip_alpha: float
    tip_beta: float
    loss: Literal["auto", "infonce", "siglip", "bce"]
    steps: int
    epochs: int
    batch: int
    learning_rate: float
    rate_search: Literal["range", "grid"]
    weight_decay: float
    rank: int
    alpha: float
    alpha_rule: Literal["alpha/r", "alpha/sqrt(r)"]
    lora_targets: str
    dropout: float
    last_blocks: int
    vision_tower: Literal["auto", "frozen", "lora", "full"]
    text_tower: Literal["auto", "frozen", "lora", "full"]
    patience: int
    evaluate_every: int
    keep: float
    cache_activations: bool


class ConditioningKeywords(TypedDict, total=False):
    """Options of ``apply_conditioning``: fields of ApplySettings, and of ReferenceSettings beside the weight."""

    weight: float
    weight_type: Literal[
        "full", "ease in", "ease out", "ease in-out", "reverse in-out", "weak input", "weak middle", "weak output",
        "strong middle", "style", "strong style", "precise style", "composition", "precise composition",
    ]  # fmt: skip
    start: float
    end: float
    place_weights: str
    lora_strength: float
    face_structure: float
    scaling: Literal["V only", "K+V", "K+mean(V)", "K+V w/ C penalty", "K+mean(V) w/ C penalty"]
    combine: Literal["concat", "separate", "per frame", "average", "norm average", "add", "subtract", "slerp"]
    fit: Literal["crop", "pad", "tiles", "squash"]
    position: float
    negative: bool
    picture_weights: str
    blank: Literal["mean color", "black"]
