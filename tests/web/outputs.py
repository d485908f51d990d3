"""The ``ui`` that nodes send to the page: of sheets that are really made, and of scores as the nodes write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from clip_grid.clip_backend.matching.result import MatchResult, PhraseScore
from clip_grid.clip_backend.ranking.ranking import rank_scores
from clip_grid.clip_backend.ranking.result import RankOptions
from clip_grid.nodes.grid_nodes import LabeledGridExporterNode
from clip_grid.nodes.scores.results import json_value

#: A label that would run code if it became markup.
EVIL = """<img src=x onerror="window.harm=1"> "quotes" 'too' & 🐱 <script>window.harm=2</script>"""


def sheet(labels: Sequence[str], *, side: int = 24, **inputs: object) -> dict[str, Any]:
    """The ``ui`` of a sheet with a flat picture for every label, made by the current host."""
    pictures = [np.full((side, side, 3), place / len(labels), np.float32) for place in range(len(labels))]
    lists = {name: [value] for name, value in inputs.items()}
    result = LabeledGridExporterNode().execute(images=pictures, labels=["\n".join(labels)], **lists)
    return result["ui"]


def matches(*texts: str, cosine: float = 0.31) -> dict[str, Any]:
    """The ``ui`` of CLIP Match Score: each text has a phrase that is found and one that is missing."""
    pairs = [json_value(match(place, text, cosine - place / 10).to_dict()) for place, text in enumerate(texts)]
    return {"clip_match": pairs, "clip_notes": [], "text": [""]}


def match(place: int, text: str, cosine: float) -> MatchResult:
    phrases = (
        PhraseScore(text=f"{text} there", cosine=cosine, percentile=99, support=0.1, is_missing=False),
        PhraseScore(text=f"{text} gone", cosine=0.1, percentile=40, support=-0.1, is_missing=True),
    )
    names = {"image": "picture 1", "image_index": 0, "text": text, "text_index": place, "model": "shapes-demo"}
    scores = {"cosine": cosine, "clip_score": 2.5 * max(cosine, 0), "probability": 0.9, "probability_scale": "sigmoid"}
    limits = {"percentile": 99.0, "noise_floor": 0.05, "threshold": 0.25, "threshold_scale": "cosine"}
    return MatchResult(**names, **scores, **limits, verdict="match" if cosine >= 0.25 else "mismatch", phrases=phrases)


def labels(*names: str) -> dict[str, Any]:
    """The ``ui`` of CLIP Label, with "square" as the next label of every picture."""
    scale = "softmax over 8 labels"
    entries = [
        {"path": f"picture {place}", "label": label, "score": 0.75, "scale": scale, "source": "clip", "labels": [label]}
        | {"facets": {}, "top": [ranked(label, 0.75), ranked("square", 0.125)]}
        for place, label in enumerate(names, 1)
    ]
    return {"clip_labels": entries, "clip_notes": [], "text": [""]}


def ranked(label: str, probability: float) -> dict[str, Any]:
    return {"label": label, "facet": "label", "probability": probability, "cosine": 0.3}


def ranks(*scores: float) -> dict[str, Any]:
    """The ``ui`` of Rank Images by these scores, of which the best two are kept."""
    names = [f"picture {place}" for place in range(1, len(scores) + 1)]
    ranking = rank_scores(list(scores), options=RankOptions(keep="top k", k=2), names=names)
    entries = [json_value(one.to_dict() | {"scale": ranking.scale}) for one in ranking.pictures]
    return {"clip_rank": entries, "clip_notes": list(ranking.notes), "text": [""]}
