"""The words that may stand together below one picture of a grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from .answers import NONE_OF_THESE, PictureLabels
from .compose import Word, go_together, in_order, say_most
from .picture_answers import words_of
from .separation import DIGITS, Telling

#: Gains below this, in nats, set nothing apart: that of a label which nine cells of ten share.
SEPARATING = 0.1
#: Words of a picture that are tried in pairs.
MOST_PAIRED = 16

#: One or two words, in the order of the facets.
Wording = tuple[Word, ...]


def best_wording(words: Sequence[Telling], plain: PictureLabels) -> Wording:
    """The worthiest word and its best partner; what is said of the picture alone where nothing is set apart.

    Of one facet it is the label that is right for the picture, however many share it. Empty if there is nothing to say.
    words: those of the picture, the worthiest first.
    """
    sure = [word for word in words_of(plain.facets) if word.label != NONE_OF_THESE]
    if len(plain.facets) == 1:
        return tuple(sure)
    alone = say_most(sure)
    if not words or (alone and words[0].gain < SEPARATING):
        return alone
    lead = words[0]
    partner = next((one.word for one in words if go_together(lead.word, one.word)), None)
    return (lead.word,) if partner is None else in_facet_order(lead.word, partner, plain)


def other_wordings(words: Sequence[Telling], plain: PictureLabels) -> Iterator[Wording]:
    """Pairs of words by what they are worth together; single ones where none go together."""
    several = words[:MOST_PAIRED]
    pairs = [pair for pair in combinations(several, 2) if go_together(pair[0].word, pair[1].word)]
    for one, other in sorted(pairs, key=lambda pair: -round(pair[0].worth + pair[1].worth, DIGITS)):
        yield in_facet_order(one.word, other.word, plain)
    if not pairs:
        yield from ((one.word,) for one in words)


def in_facet_order(one: Word, other: Word, plain: PictureLabels) -> Wording:
    """The two words, subject and medium first, the others as the vocabulary has them."""
    places = {answer.facet: place for place, answer in enumerate(plain.facets)}
    return tuple(in_order(sorted((one, other), key=lambda word: places[word.facet])))
