"""The inputs of the rank node beside the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from ...clip_backend.ranking.ranking import rank_by_references, rank_by_scores, rank_by_text, rank_scores
from ...clip_backend.ranking.result import ABOVE_THRESHOLD, RankedPicture, Ranking, RankOptions
from ...errors import InputError
from ...grid.arrange.badges import format_score
from ...options import option, options_of, read_options, widgets
from ..host.host import Host
from ..models.connected import connected_model
from ..sockets.types import NUMBERS, Declaration, Lists
from .payload import plain, plain_json, shown_text, single_pictures

if TYPE_CHECKING:
    from torch import Tensor

    from ...clip_backend.encoding.encoder import Encoder
    from ...imaging import Progress


BEST, STOP, BLOCK = "best", "stop", "block"
#: Widgets that come first; saved workflows hold them by position, so that new ones are appended.
_FIRST = ("keep", "k", "threshold", "descending", "duplicates", "when_empty")


@dataclass(frozen=True, kw_only=True)
class EmptyOptions:
    """What the node does beside ranking."""

    when_empty: str = option(
        BEST,
        "If no picture is kept: best keeps the best one all the same and says so, stop is an error, block runs nothing "
        "that follows",
        choices=(BEST, STOP, BLOCK),
    )


def rank_inputs(model: Declaration, clip: Declaration, clip_vision: Declaration) -> dict[str, Declaration]:
    """The optional inputs in the order of their widgets."""
    text = "Rank by how well pictures match this text; or connect scores or references instead"
    scores = "Rank by these numbers, one for each picture, such as the score output of CLIP Match Score"
    references = "Rank by likeness to these pictures; several stand for what they have in common"
    options = {**options_of(RankOptions), **options_of(EmptyOptions)}
    ordered = {name: options[name] for name in dict.fromkeys((*_FIRST, *options))}
    return {
        "text": ("STRING", {"default": "", "multiline": True, "tooltip": text}),
        "scores": (NUMBERS, {"forceInput": True, "tooltip": scores}),
        "references": ("IMAGE", {"tooltip": references}),
        "model": model,
        "clip": clip,
        "clip_vision": clip_vision,
        **widgets(list(ordered.values())),
    }


@dataclass(frozen=True, kw_only=True)
class RankWishes:
    """What pictures are ranked by, one of the three, and how."""

    text: str
    scores: Sequence[object] | None
    references: Sequence[object] | None
    options: RankOptions
    when_empty: str

    @classmethod
    def of(cls, inputs: Lists) -> RankWishes:
        """Raises InputError unless there is exactly one thing to rank by, and for a value that cannot be used."""
        wishes = cls(
            text=_one_text(inputs.get("text") or ()),
            scores=_scores(inputs),
            references=[one for one in inputs.get("references") or () if one is not None] or None,
            options=read_options(RankOptions, _among(inputs, RankOptions)),
            when_empty=read_options(EmptyOptions, _among(inputs, EmptyOptions)).when_empty,
        )
        given = [name for name in ("text", "scores", "references") if getattr(wishes, name) not in (None, "")]
        if not given:
            raise InputError("there is nothing to rank by; write a text, or connect scores or references")
        if len(given) > 1:
            raise InputError(f"pictures cannot be ranked by {' and '.join(given)} at once; leave one of them")
        return wishes


def rank_answer(images: Sequence[object], wishes: RankWishes, inputs: Lists, host: Host) -> dict[str, Any]:
    """What the rank node gives back.

    Where one of its lists would be empty, it holds ComfyUI's blocker: ComfyUI itself fails on empty lists.
    Raises InputError if nothing is kept and that shall be an error.
    """
    pictures = single_pictures(images)
    ranking = with_policy(_ranking(pictures, wishes, inputs, host), wishes.when_empty)
    kept, rejected = ranking.kept, ranking.rejected
    result = (
        _or_blocked([pictures[one.index] for one in kept], host),
        _or_blocked([one.score for one in kept], host),
        _or_blocked([one.index for one in kept], host),
        plain_json(ranking.to_dict()),
        _or_blocked([pictures[one.index] for one in rejected], host),
        _or_blocked([one.index for one in rejected], host),
    )
    lines = [rank_line(place, one) for place, one in enumerate(ranking.pictures, 1)]
    text = shown_text([f"{len(kept)} of {len(pictures)} kept, by {ranking.scale}", *lines], ranking.notes)
    options = wishes.options
    scale = {"scale": ranking.scale, "threshold": options.threshold if options.keep == ABOVE_THRESHOLD else None}
    entries = [plain(one.to_dict() | scale) for one in ranking.pictures]
    return {"ui": {"clip_rank": entries, "clip_notes": list(ranking.notes), "text": [text]}, "result": result}


def with_policy(ranking: Ranking, when_empty: str) -> Ranking:
    """The ranking with a note where nothing is kept, and with its best picture kept if that is wanted."""
    if ranking.kept:
        return ranking
    best = ranking.pictures[0]
    why = f"no picture is kept: {best.name} is the best one, and {best.reason}"
    if when_empty == STOP:
        raise InputError(f"{why}; change the threshold, or choose best or block for when_empty")
    if when_empty == BLOCK:
        return replace(ranking, notes=(*ranking.notes, f"{why}; what follows is not run"))
    kept = replace(best, is_kept=True, reason="")
    notes = (*ranking.notes, f"{why}; it is kept all the same")
    return replace(ranking, pictures=(kept, *ranking.pictures[1:]), notes=notes)


def rank_line(place: int, one: RankedPicture) -> str:
    """One picture for people."""
    return f"{place}. {one.name}: {format_score(one.score)}{', kept' if one.is_kept else f', not kept: {one.reason}'}"


def _ranking(pictures: Sequence[Tensor], wishes: RankWishes, inputs: Lists, host: Host) -> Ranking:
    if wishes.scores is not None and not wishes.options.duplicates:
        names = [f"picture {number}" for number in range(1, len(pictures) + 1)]
        return rank_scores(_numbers(wishes.scores), options=wishes.options, names=names)
    model = connected_model(inputs, host, reads_texts=bool(wishes.text))
    return replace(_by_model(model.encoder, pictures, wishes, host.progress()), model=model.name)


def _by_model(encoder: Encoder, pictures: Sequence[Tensor], wishes: RankWishes, progress: Progress) -> Ranking:
    options = wishes.options
    if wishes.scores is not None:
        return rank_by_scores(encoder, pictures, _numbers(wishes.scores), options=options, progress=progress)
    if wishes.text:
        return rank_by_text(encoder, pictures, wishes.text, options=options, progress=progress)
    liked = single_pictures(wishes.references or ())
    return rank_by_references(encoder, pictures, liked, options=options, progress=progress)


def _or_blocked(values: list[Any], host: Host) -> list[Any]:
    return values or [host.blocker()]


def _one_text(values: Sequence[object]) -> str:
    texts = dict.fromkeys(str(value).strip() for value in values if value is not None)
    if len(texts) > 1:
        raise InputError(f"{len(texts)} different texts are linked to text; rank by one of them")
    return next(iter(texts), "")


def _scores(inputs: Lists) -> Sequence[object] | None:
    values = inputs.get("scores")
    return None if values is None or list(values) == [None] else _flat(values)


def _flat(values: Sequence[object]) -> list[object]:
    """Also a list in a list, which is how a constant list comes in from the API."""
    return [one for value in values for one in (_flat(value) if isinstance(value, (list, tuple)) else [value])]


def _numbers(scores: Sequence[object]) -> list[float | None]:
    return cast("list[float | None]", list(scores))


def _among(inputs: Lists, kind: type[RankOptions] | type[EmptyOptions]) -> dict[str, object]:
    """The values of these options among the inputs."""
    return {name: inputs[name][0] for name in options_of(kind) if inputs.get(name)}
