"""The rank node: linked images sorted by a text, by scores or by reference images, the kept ones and the rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...clip_backend.ranking.ranking import rank_by_references, rank_by_scores, rank_by_text, rank_scores
from ...clip_backend.ranking.result import ABOVE_THRESHOLD, RankedPicture, Ranking, RankOptions
from ...errors import InputError
from ...grid.arrange.numbers import format_score
from ...options import option
from ..host.host import Host
from ..models.choice import demo_notes
from ..models.loaded import connected_model
from ..sockets.inputs import Inputs, Values, read_widgets
from ..sockets.tensors import single_images
from .results import json_text, node_result

if TYPE_CHECKING:
    from torch import Tensor

BEST, STOP, BLOCK = "best", "stop", "block"


@dataclass(frozen=True, kw_only=True)
class EmptyOptions:
    """The option of the node that ranking itself does not have."""

    when_empty: str = option(
        BEST,
        "If no picture is kept: best keeps the best one all the same and says so, stop is an error, block runs nothing "
        "that follows",
        choices=(BEST, STOP, BLOCK),
    )


def rank_images(images: Values, inputs: Inputs, host: Host) -> dict[str, Any]:
    """What the rank node returns.

    An output that would be an empty list, which ComfyUI cannot handle, holds ComfyUI's blocker instead.
    Raises InputError unless exactly one of text, scores and references is given, for options and models that cannot
    be used, and if nothing is kept and ``when_empty`` is "stop".
    """
    criterion, values = _criterion(inputs)
    options = read_widgets(RankOptions, inputs)
    when_empty = read_widgets(EmptyOptions, inputs).when_empty
    pictures = single_images(images)
    ranking = _rank(pictures, criterion, values, options=options, inputs=inputs, host=host)
    ranking = _keep_something(ranking, when_empty)
    kept, rejected = ranking.kept, ranking.rejected
    outputs = (
        [pictures[one.index] for one in kept],
        [one.score for one in kept],
        [one.index for one in kept],
        json_text(ranking.to_dict()),
        [pictures[one.index] for one in rejected],
        [one.index for one in rejected],
    )
    threshold = options.threshold if options.keep == ABOVE_THRESHOLD else None
    entries = [one.to_dict() | {"scale": ranking.scale, "threshold": threshold} for one in ranking.pictures]
    lines = [f"{len(kept)} of {len(pictures)} kept, by {ranking.scale}"]
    lines += [_line(place, one) for place, one in enumerate(ranking.pictures, 1)]
    filled = tuple(output or [host.blocker()] for output in outputs)
    return node_result("clip_rank", entries, lines, ranking.notes, filled)


def _criterion(inputs: Inputs) -> tuple[str, list[Any]]:
    """The one input of "text", "scores" and "references" to rank by, and its values; raises InputError otherwise."""
    texts = list(dict.fromkeys(str(text).strip() for text in inputs.get("text") or () if text is not None))
    if len(texts) > 1:
        raise InputError(f"{len(texts)} different texts are linked to text; rank by one of them")
    scores = inputs.get("scores")
    criteria = {
        "text": texts if any(texts) else None,
        "scores": None if scores is None or list(scores) == [None] else _flatten(scores),
        "references": [batch for batch in inputs.get("references") or () if batch is not None] or None,
    }
    given = {name: values for name, values in criteria.items() if values is not None}
    if not given:
        raise InputError("there is nothing to rank by; write a text, or connect scores or references")
    if len(given) > 1:
        raise InputError(f"pictures cannot be ranked by {' and '.join(given)} at once; leave one of them")
    return given.popitem()


def _flatten(values: Sequence[object]) -> list[object]:
    """The items of nested lists, which is how a constant list comes from the API; None stands for no score."""
    return [item for value in values for item in (_flatten(value) if isinstance(value, (list, tuple)) else [value])]


def _rank(
    pictures: Sequence[Tensor], criterion: str, values: list[Any], *, options: RankOptions, inputs: Inputs, host: Host
) -> Ranking:
    if criterion == "scores" and not options.duplicates:
        names = [f"picture {number}" for number in range(1, len(pictures) + 1)]
        return rank_scores(values, options=options, names=names)
    name, encoder = connected_model(inputs, host, reads_texts=criterion == "text")
    progress = host.progress()
    if criterion == "scores":
        ranking = rank_by_scores(encoder, pictures, values, options=options, progress=progress)
    elif criterion == "text":
        ranking = rank_by_text(encoder, pictures, values[0], options=options, progress=progress)
    else:
        ranking = rank_by_references(encoder, pictures, single_images(values), options=options, progress=progress)
    return replace(ranking, model=name, notes=(*demo_notes(name, host), *ranking.notes))


def _keep_something(ranking: Ranking, when_empty: str) -> Ranking:
    """The ranking; if nothing is kept, with a note and, for "best", with its best image kept.

    Raises InputError for "stop".
    """
    if ranking.kept:
        return ranking
    best = ranking.pictures[0]
    problem = f"no picture is kept: {best.name} is the best one, and {best.reason}"
    if when_empty == STOP:
        raise InputError(f"{problem}; change the threshold, or choose best or block for when_empty")
    if when_empty == BLOCK:
        return replace(ranking, notes=(*ranking.notes, f"{problem}; what follows is not run"))
    pictures = (replace(best, is_kept=True, reason=""), *ranking.pictures[1:])
    return replace(ranking, pictures=pictures, notes=(*ranking.notes, f"{problem}; it is kept all the same"))


def _line(place: int, one: RankedPicture) -> str:
    return f"{place}. {one.name}: {format_score(one.score)}{', kept' if one.is_kept else f', not kept: {one.reason}'}"
