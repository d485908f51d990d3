"""Labels and scores that CLIP finds for the pictures of a sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..clip_backend.labelling.distinctive import distinctive_labels
from ..clip_backend.labelling.result import PictureLabels
from ..clip_backend.learning.heads.labels import label_by_head
from ..clip_backend.matching.match import match_pictures
from ..clip_backend.matching.result import MatchOptions
from ..clip_backend.words.sources import vocabulary_from_text
from ..clip_backend.words.vocabulary import Vocabulary
from ..grid.labels.clip import Labeller, Scorer
from ..grid.labels.sources import ClipLabel
from ..grid.pictures.survey import Picture
from ..imaging import Progress
from ..options import option, options_of, read_options
from .heads import chosen_head
from .models import AUTO, LazyModel, ModelChoice

#: Names of the scores in the report: the probability of a label, and a cosine.
LABEL_SCORE = "clip probability"
TEXT_SCORE = "cosine"


@dataclass(frozen=True, kw_only=True)
class ClipOptions:
    """What CLIP is to do for a sheet."""

    use_clip: bool = option(False, "Label by CLIP the pictures that no given text, column or table names")
    clip_model: str = option(
        AUTO,
        "Model for it: a name that clip-grid models lists, a path, or a run of clip-grid train, by whose head pictures "
        "are labelled; auto = the first whole CLIP that was found",
    )
    vocabulary: str = option(
        "",
        "Words that labels are made of: a .txt, .csv or .json file, +FILE for the pack's own words and the file's, or "
        "words separated by commas; empty = the pack's own",
    )
    score_text: str = option("", "Score each picture by CLIP against this text, and show its cosine as a badge")


def split_options(keywords: Mapping[str, object]) -> tuple[ClipOptions, dict[str, object]]:
    """The options of CLIP among some keywords, and the keywords that are left."""
    known = options_of(ClipOptions)
    options = read_options(ClipOptions, {name: value for name, value in keywords.items() if name in known})
    return options, {name: value for name, value in keywords.items() if name not in known}


@dataclass(frozen=True, kw_only=True)
class ClipFunctions:
    """The functions that label and score the pictures of a sheet; None for what the options do not ask for."""

    labeller: Labeller | None = None
    scorer: Scorer | None = None
    #: What the user should know of their results; it grows while they run.
    notes: list[str] = field(default_factory=list)


def clip_functions(
    options: ClipOptions,
    progress: Progress | None = None,
    *,
    model: LazyModel | None = None,
    vocabulary: Vocabulary | None = None,
) -> ClipFunctions:
    """The functions that the options ask for; model and vocabulary are opened when the first picture needs them.

    A model that is a run or a head labels by the head, unless a vocabulary is named. model, vocabulary: instead of
    those that the options name.
    """
    notes: list[str] = []
    opened = model or ModelChoice(options.clip_model)
    words = cache(lambda: vocabulary or vocabulary_from_text(options.vocabulary))
    has_words = bool(vocabulary or options.vocabulary)
    labeller = _labeller(opened, words, progress, notes, has_words=has_words)
    return ClipFunctions(
        labeller=labeller if options.use_clip else None,
        scorer=_scorer(opened, options.score_text, progress, notes) if options.score_text else None,
        notes=notes,
    )


def _labeller(
    opened: LazyModel,
    vocabulary: Callable[[], Vocabulary],
    progress: Progress | None,
    notes: list[str],
    *,
    has_words: bool,
) -> Labeller:
    """Finds labels that tell the pictures of a sheet apart, no two the same, or their classes by the model's head.

    has_words: whether a vocabulary is named, which beats the head of a run. ``notes`` gets what is to be known.
    """

    def label(pictures: Sequence[Picture]) -> list[ClipLabel | None]:
        _, head = chosen_head(None, opened, has_words=has_words) if isinstance(opened, ModelChoice) else (opened, None)
        if head:
            run = label_by_head(opened(), shown(pictures), head.head, name=head.name, progress=progress)
        else:
            run = distinctive_labels(opened.for_texts(), shown(pictures), vocabulary(), progress=progress)
        _add(notes, (*opened.notes, *run.notes))
        found = {one.index: _found(one) for one in run.pictures if one.labels}
        return [found.get(place) for place in range(len(pictures))]

    return label


def _scorer(opened: LazyModel, text: str, progress: Progress | None, notes: list[str]) -> Scorer:
    """Finds the cosine of each picture of a sheet to a text; ``notes`` gets what is to be known."""

    def score(pictures: Sequence[Picture]) -> list[Mapping[str, float]]:
        options = MatchOptions(mode="broadcast", phrases=False)
        run = match_pictures(opened.for_texts(), shown(pictures), [text], options=options, progress=progress)
        _add(notes, (*opened.notes, *run.notes))
        found: dict[int, Mapping[str, float]] = {one.image_index: {TEXT_SCORE: one.cosine} for one in run.results}
        return [found.get(place, {}) for place in range(len(pictures))]

    return score


def _add(notes: list[str], told: Sequence[str]) -> None:
    notes += [note for note in told if note not in notes]


def shown(pictures: Sequence[Picture]) -> Iterator[Any]:
    """The pictures as an encoder takes them: files by their path, so that those which it knows are not decoded."""
    for picture in pictures:
        yield picture.path if picture.path and not picture.frame else picture.load(None)


def _found(one: PictureLabels) -> ClipLabel:
    runner_up = next((other.label for other in one.others), "")
    return ClipLabel(one.label, {LABEL_SCORE: one.score}, runner_up)
