"""What all facets together say of each picture."""

from __future__ import annotations

from collections.abc import Sequence

from .answers import UNLABELED, FacetAnswer, PictureLabels
from .compose import Word, compose, is_said, say_most
from .facet_answers import answer_facet
from .picture_scores import Scored


def answers_of(scored: Scored) -> list[PictureLabels]:
    """An answer for each picture that could be read, in their order."""
    if scored.pictures is None:
        return []
    by_facet = [answer_facet(scores, scored.rules) for scores in scored.facets]
    of_one = _composed if scored.rules.is_composed else _of_one_facet
    rows = zip(scored.pictures.ids, scored.kept, zip(*by_facet, strict=True), strict=True)
    return [of_one(name, index, facets, scored) for name, index, facets in rows]


def _of_one_facet(name: str, index: int, facets: Sequence[FacetAnswer], scored: Scored) -> PictureLabels:
    (answer,) = facets
    return PictureLabels(
        name=name,
        index=index,
        label=answer.label or UNLABELED,
        score=answer.probability,
        scale=scored.rules.scale,
        labels=answer.labels,
        top=answer.top,
        facets=(answer,),
        reason=answer.reason,
    )


def _composed(name: str, index: int, facets: Sequence[FacetAnswer], scored: Scored) -> PictureLabels:
    words = say_most(words_of(facets))
    every = tuple(label for answer in facets for label in answer.labels)
    top = sorted((one for answer in facets for one in answer.top), key=lambda one: -one.probability)
    return PictureLabels(
        name=name,
        index=index,
        label=compose(words) or UNLABELED,
        score=min((word.probability for word in words), default=0.0),
        scale=scored.rules.scale,
        labels=every if scored.rules.multiple else tuple(word.label for word in words),
        top=tuple(top[: scored.rules.top_k]),
        facets=tuple(facets),
        reason="" if words else _why_silent(facets),
    )


def words_of(facets: Sequence[FacetAnswer]) -> list[Word]:
    """The labels of which the facets are sure."""
    sure = (answer for answer in facets if answer.label)
    return [Word(facet=answer.facet, label=answer.label, probability=answer.probability) for answer in sure]


def _why_silent(facets: Sequence[FacetAnswer]) -> str:
    silent = [answer for answer in facets if is_said(answer.facet)]
    if not silent:
        return "the vocabulary names defects only"
    return f"no facet is sure of a label; {silent[0].facet}: {silent[0].reason}"
