"""The ``ui`` that nodes send to the page: of sheets that are really made, and of scores as the nodes write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from clip_grid.clip_backend.labelling.result import RankedLabel
from clip_grid.clip_backend.matching.result import MatchResult, PhraseScore, PhraseStatus
from clip_grid.clip_backend.matching.scores import LEAST_Z
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


def many_cells(count: int) -> dict[str, Any]:
    """The ``ui`` of a sheet with that many cells, which all show its one picture."""
    output = sheet(["cell"])
    ((report,),) = output["clip_grid"]
    (cell,) = report["cells"]
    report["cells"] = [cell | {"column": place, "label": f"cell {place}"} for place in range(count)]
    return output


def matches(*texts: str, z: float = 3.2, **changes: object) -> dict[str, Any]:
    """The ``ui`` of CLIP Match Score: each text has a z less by 1.5, and phrases of all three states."""
    pairs = [match(place, text, z - 1.5 * place, **changes).to_dict() for place, text in enumerate(texts)]
    return {"clip_match": [json_value(pair) for pair in pairs], "clip_notes": [], "text": [""]}


def match(place: int, text: str, z: float, **changes: Any) -> MatchResult:
    """A text of this z by preset auto, with a cosine in proportion."""
    cosine = 0.15 + 0.05 * z
    states: Sequence[tuple[PhraseStatus, float]] = (("shown", 2.5), ("unclear", 1.75), ("missing", 0.25))
    phrases = tuple(
        PhraseScore(text=f"{text} {status}", cosine=0.05 * z, z=z, percentile=40, support=z - 1.75, status=status)
        for status, z in states
    )
    names = {"image": "picture 1", "image_index": 0, "text": text, "text_index": place, "model": "shapes-demo"}
    scores = {"cosine": cosine, "clip_score": 2.5 * max(cosine, 0), "probability": 0.9, "probability_scale": "sigmoid"}
    limits = {"z": z, "percentile": 99.0, "threshold": 2.0, "threshold_scale": "z", "reason": f"its z is {z:.1f}"}
    verdict = "match" if z >= 2 else "mismatch" if z < LEAST_Z else "weak"
    return MatchResult(**{**names, **scores, **limits, "verdict": verdict, "phrases": phrases, **changes})


#: What version 0.1 saved with a workflow.
OLD_MATCHES = {
    "clip_match": [
        {"image": "picture 1", "text": "a red circle", "cosine": 0.31, "probability": 0.9, "percentile": 99.0}
        | {"probability_scale": "softmax against 256 captions", "noise_floor": 0.2, "verdict": "match", "reason": ""}
        | {"threshold": 0.25, "threshold_scale": "cosine", "model": "shapes-demo"}
        | {
            "phrases": [
                {"text": "a red circle", "cosine": 0.31, "percentile": 99.0, "support": 0.1, "is_missing": False},
                {"text": "a hat", "cosine": 0.1, "percentile": 40.0, "support": -0.125, "is_missing": True},
            ]
        }
    ]
}


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
    return RankedLabel(label=label, facet="label", probability=probability, cosine=0.3, z=4.5).to_dict()


def ranks(*scores: float) -> dict[str, Any]:
    """The ``ui`` of Rank Images by these scores, of which the best two are kept."""
    names = [f"picture {place}" for place in range(1, len(scores) + 1)]
    ranking = rank_scores(list(scores), options=RankOptions(keep="top k", k=2), names=names)
    entries = [json_value(one.to_dict() | {"scale": ranking.scale}) for one in ranking.pictures]
    return {"clip_rank": entries, "clip_notes": list(ranking.notes), "text": [""]}


def hits(*z: float | None) -> dict[str, Any]:
    """The ``ui`` of Search Images for hits with these z, of which those below 2 are weak; without z one by keywords."""
    entries = [
        {
            "id": place,
            "path": f"output/{place}.png",
            "paths": [],
            "z": one,
            "percentile": None if one is None else 99.04,
        }
        | {"keyword_rank": place if one is None else None, "is_weak": one is not None and one < 2, "parts": []}
        for place, one in enumerate(z, 1)
    ]
    return {"clip_search": entries, "clip_notes": [], "text": [""]}
