"""How well each label sets a picture apart from the others of a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, count
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from ...imaging import Progress
from ..scoring.scales import Wide
from ..words.vocabulary import Vocabulary
from .answers import NONE_OF_THESE, Labelled, PictureLabels
from .labels import Word, answers_of, compose, go_together, in_order, is_said, say_most, words_of
from .options import LabelOptions, Rules
from .scores import Scored, score_pictures
from .tree import NodeScores, likeliest, score_nodes, told_apart

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder
    from ..preparing.pictures import Pictures


#: How much the probability of a label counts beside what it tells.
WEIGHT = 0.1
#: Labels of each facet that may stand below a picture.
MOST = 6
#: Worths that differ by less count as equal.
DIGITS = 4
_TINY = 1e-300


@dataclass(frozen=True, kw_only=True)
class Telling:
    """A word with what it is worth below one picture of a grid."""

    word: Word
    #: In nats; see ``gains``.
    gain: float

    @property
    def worth(self) -> float:
        """The gain, and a little of the probability, so that among words that tell nothing the surest comes first."""
        return round(self.gain + WEIGHT * self.word.probability, DIGITS)


def gains(shares: Wide) -> Wide:
    """P log(P / mean of P over the cells), in nats, float64 [N, V].

    shares: P of each cell's labels, float64 [N, V]. The sum over labels, in the mean of the cells, is the mutual
    information between cells and labels (Bridle, Heading and MacKay 1991, "Unsupervised classifiers, mutual information
    and phantom targets"); so a label that all cells share gains nothing.
    """
    logs = np.log(np.maximum(shares, _TINY)) - np.log(np.maximum(shares.mean(axis=0), _TINY))
    told: Wide = shares * logs
    return told


def telling_words(scored: Scored) -> list[list[Telling]]:
    """For each picture the words that it is likely enough to show, those of the greatest worth first."""
    found: list[list[Telling]] = [[] for _ in scored.kept]
    for scores in scored.facets:
        if scored.rules.is_composed and not is_said(scores.facet.name):
            continue
        for row, words in enumerate(_of_facet(scores.facet.name, score_nodes(scores, scored.rules), scored.rules)):
            found[row] += words
    return [sorted(words, key=lambda one: -one.worth) for words in found]


def _of_facet(facet: str, nodes: NodeScores, rules: Rules) -> list[list[Telling]]:
    told = gains(nodes.shares)
    fits = nodes.is_above_noise & (nodes.probabilities >= rules.threshold) & told_apart(nodes, rules)
    fits = nodes.tree.lowest(fits)
    # far below every worth, for a gain is at least -1/e
    places = likeliest(np.where(fits, told + WEIGHT * nodes.probabilities, -1.0), MOST)

    def telling(row: int, place: int) -> Telling:
        word = Word(facet=facet, label=nodes.tree.names[place], probability=float(nodes.probabilities[row, place]))
        return Telling(word=word, gain=float(told[row, place]))

    return [[telling(row, int(place)) for place in ordered if fits[row, place]] for row, ordered in enumerate(places)]


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


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell(Generic[T]):
    """What may stand below one picture."""

    best: T
    #: What may take its place, the best first; asked for only if it must.
    others: Callable[[], Iterable[T]]
    #: The surest cells choose first.
    sureness: float
    #: Cells of equal pictures have the same, and share what the first of them gets.
    content: bytes


def choose_unique(cells: Sequence[Cell[T]], text_of: Callable[[T], str]) -> list[tuple[T, str]]:
    """What each cell gets, and its text, which no other cell has.

    Who is sure chooses first, whatever the order of the cells; numbers follow that order, from 2 on.
    """
    groups: dict[bytes, list[int]] = {}
    for place, cell in enumerate(cells):
        groups.setdefault(cell.content, []).append(place)
    chosen: dict[int, T] = {}
    taken: set[str] = set()
    for content in sorted(groups, key=lambda content: (-cells[groups[content][0]].sureness, content)):
        choice = _first_free(cells[groups[content][0]], text_of, taken)
        taken.add(text_of(choice))
        chosen |= dict.fromkeys(groups[content], choice)
    texts = _numbered([text_of(chosen[place]) for place in range(len(cells))])
    return [(chosen[place], text) for place, text in enumerate(texts)]


def _first_free(cell: Cell[T], text_of: Callable[[T], str], taken: set[str]) -> T:
    """The best whose text is not taken, else the best of all."""
    if text_of(cell.best) not in taken:
        return cell.best
    return next((other for other in cell.others() if text_of(other) not in taken), cell.best)


def _numbered(texts: Sequence[str]) -> list[str]:
    """The texts, those that came before with the next free number behind them."""
    taken, numbers = set(texts), dict[str, int]()
    numbered = []
    for text in texts:
        shown = text
        if number := numbers.get(text):
            number = next(free for free in count(number) if f"{text} {free}" not in taken)
            shown = f"{text} {number}"
        numbers[text] = (number or 1) + 1
        numbered.append(shown)
    return numbered


def contrast_labels(
    encoder: Encoder,
    pictures: Pictures,
    vocabulary: Vocabulary,
    *,
    options: LabelOptions | None = None,
    unique: bool = True,
    progress: Progress | None = None,
) -> Labelled:
    """What sets each picture apart: of several facets one or two labels, of 2 to 5 words in all.

    Of a vocabulary of one facet it is the label itself. unique: no two pictures have the same; the next best words that
    a picture is likely enough to show are taken, and at last a number. "unlabeled" and "none of these" stay as they
    are. The order of the pictures changes nothing but the numbers. The rest is as in ``label_pictures``.
    """
    one_each = replace(options or LabelOptions(), multiple=False)
    scored = score_pictures(encoder, pictures, vocabulary, options=one_each, progress=progress)
    plain = answers_of(scored)
    cells = dict(_cells(scored, plain))
    texts = _texts(list(cells.values()), scored, unique=unique)
    told = {row: _told(plain[row], *text) for row, text in zip(cells, texts, strict=True)}
    return scored.labelled(tuple(told.get(row, answer) for row, answer in enumerate(plain)))


def _cells(scored: Scored, plain: Sequence[PictureLabels]) -> Iterator[tuple[int, Cell[Wording]]]:
    """The pictures that have something to say, by their place."""
    if scored.pictures is None:
        return
    for row, (words, answer) in enumerate(zip(telling_words(scored), plain, strict=True)):
        if wording := best_wording(words, answer):
            yield (
                row,
                Cell(
                    best=wording,
                    others=partial(other_wordings, words, answer),
                    sureness=round(min(word.probability for word in wording), DIGITS),
                    content=scored.pictures.vectors[row].tobytes(),
                ),
            )


def _texts(cells: Sequence[Cell[Wording]], scored: Scored, *, unique: bool) -> list[tuple[Wording, str]]:
    text_of = compose if scored.rules.is_composed else _alone
    if unique:
        return choose_unique(cells, text_of)
    return [(cell.best, text_of(cell.best)) for cell in cells]


def _told(plain: PictureLabels, wording: Wording, text: str) -> PictureLabels:
    score = min(word.probability for word in wording)
    return replace(plain, label=text, score=score, labels=tuple(word.label for word in wording), reason="")


def _alone(wording: Wording) -> str:
    (word,) = wording
    return word.label
