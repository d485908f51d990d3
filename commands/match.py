"""``clip-grid match``: whether pictures show what texts say, every score under the name of its scale."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from ..api import match
from ..clip_backend.matching.result import Matches, MatchOptions, MatchResult, PhraseScore
from .flags import (
    TEXT_OPTIONS,
    add_model_flags,
    add_options,
    add_text_options,
    model_choice,
    model_name,
    read_checked_flags,
)
from .output import Bar, add_output_flags, aligned_lines, fail, note, print_json, show, status_of

USAGE = "[options] IMAGES... --text TEXT..."
HELP = """\
say whether pictures show what texts say

  clip-grid match product.jpg --text 'a red shirt'
  clip-grid match renders/ --text 'a red car, at night' --preset percentile-95
  clip-grid match a.png b.png --text 'a cat' 'a dog' --mode matrix

Each phrase of a text is scored too: its own cosine, and as support how much the
cosine of the whole text falls without it. Exit status: 0 whatever the verdicts
are, 3 if a picture could not be read.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("paths", nargs="*", metavar="IMAGES", help="folders, files, globs or .txt lists of them")
    add(
        "--image", nargs="+", action="extend", default=[], metavar="IMAGE",
        help="more of them, as in: --image a.png --text 'a cat' --image b.png --text 'a dog'",
    )  # fmt: skip
    add("--text", nargs="+", action="extend", required=True, metavar="TEXT", help="what they should show")
    add(
        "--calibration", metavar="FILE|RUN",
        help="what clip-grid match-batch or train learnt: probabilities for your pictures (default: that of a run that "
        "--model is)",
    )  # fmt: skip
    add_output_flags(parser)
    add_options(parser.add_argument_group("the verdict"), MatchOptions, without=TEXT_OPTIONS)
    add_text_options(parser, MatchOptions)
    add_model_flags(parser)
    parser.set_defaults(run=match_texts)


def match_texts(args: argparse.Namespace) -> int:
    """The scores as a table or JSON."""
    images = [*args.paths, *args.image]
    if not images:
        return fail("give the pictures, before --text, as in: clip-grid match renders/ --text 'a red car'")
    options = read_checked_flags(args, MatchOptions)
    with Bar(args.quiet) as bar:
        run = match(images, args.text, model=model_choice(args), calibration=args.calibration, progress=bar, **options)
    if args.json:
        print_json(run.to_dict())
    else:
        show(lines_of(run, model_name(args, run.model)))
    note(args, run.notes)
    return status_of(args, len(run.results), run.failed)


_INDENT = "    "
_PERCENTILE = "of 100 unrelated texts of its length fit this picture worse"
_Z = "standard deviations above the mean of these texts"


def lines_of(run: Matches, model: str) -> Iterator[str]:
    """The run in lines; none of its results, no line. model: what the user calls it."""
    if len(run.results) == 1:
        yield from one_pair(run.results[0])
        yield f"{_INDENT}model: {model}"
    elif run.results:
        yield threshold_line(run.results, model)
        yield from matrix(run.results) if run.mode == "matrix" else pairs(run.results)


def one_pair(one: MatchResult) -> Iterator[str]:
    """Every score of one pair on a line of its own, with its scale."""
    yield f"{one.verdict}: {one.image} · {one.text}"
    yield _INDENT + one.reason
    limit = {one.threshold_scale: f"a match from {one.threshold:g} on"}
    rows = [
        ("z", f"{one.z:.2f}", limit.get("z"), _Z),
        ("cosine", f"{one.cosine:.3f}", limit.get("cosine"), ""),
        ("percentile", f"{one.percentile:.1f}", limit.get("percentile"), _PERCENTILE),
        ("probability", f"{one.probability:.3f}", limit.get("probability"), one.probability_scale),
        ("CLIPScore", f"{one.clip_score:.3f}", None, "2.5 x cosine, at least 0"),
    ]
    lines = [(name, number, "; ".join(filter(None, notes))) for name, number, *notes in rows]
    yield from (_INDENT + line for line in aligned_lines(lines, right=[1]))
    if one.phrases:
        yield from (_INDENT + line for line in phrases(one.phrases))
    if one.dropped:
        yield f"{_INDENT}the model reads no further than this: {one.dropped}"


def phrases(several: Sequence[PhraseScore]) -> Iterator[str]:
    """A line per phrase, and which of them the picture lacks."""
    yield from aligned_lines([("phrase", "z", "support", ""), *map(_phrase, several)], right=[1, 2])


def _phrase(one: PhraseScore) -> tuple[str, str, str, str]:
    return one.text, f"{one.z:.2f}", f"{one.support:+.2f}", one.status


def threshold_line(results: Sequence[MatchResult], model: str) -> str:
    """What makes a match, and the model."""
    one = results[0]
    return f"match from {one.threshold_scale} {one.threshold:g} on; model: {model}"


def scales_of(results: Sequence[MatchResult]) -> str:
    """The scales that the columns of ``pairs`` do not name."""
    scales = " or ".join(sorted({one.probability_scale for one in results}))
    return f"z: {_Z}; percentile: how many {_PERCENTILE}; probability: {scales}"


def pairs(results: Sequence[MatchResult]) -> Iterator[str]:
    """A line per result, and why it is no plain match below it; what they all share stands above."""
    yield scales_of(results)
    shared = [
        (name, told.pop()) for name in ("image", "text") if len(told := {getattr(one, name) for one in results}) == 1
    ]
    for name, value in shared:
        yield f"{_COLUMN[name]}: {value}"
    own = [name for name in _COLUMN if name not in dict(shared)]
    head = ("verdict", "z", "cosine", "percentile", "probability", *(_COLUMN[name] for name in own))
    lines = aligned_lines(
        [head, *((*_scores(one), *(getattr(one, name) for name in own)) for one in results)], right=_NUMBERS
    )
    yield next(lines)
    for line, one in zip(lines, results, strict=True):
        yield line
        yield _INDENT + _why(one)


_COLUMN = {"image": "picture", "text": "text"}
_NUMBERS = (1, 2, 3, 4)


def _scores(one: MatchResult) -> tuple[str, ...]:
    numbers = (f"{one.z:.2f}", f"{one.cosine:.3f}", f"{one.percentile:.1f}", f"{one.probability:.3f}")
    return (one.verdict, *numbers)


def _why(one: MatchResult) -> str:
    """The reason, and what is missing if that is a part of the text."""
    missing = [f"{phrase.text} (z {phrase.z:.2f})" for phrase in one.missing_phrases]
    lacks = [f"missing: {', '.join(missing)}"] if missing and len(one.phrases) > 1 else []
    return "; ".join([one.reason, *lacks])


def matrix(results: Sequence[MatchResult]) -> Iterator[str]:
    """A line per picture with its cosine and verdict for each text; the texts are numbered above."""
    texts = {one.text_index: one.text for one in results}
    for place, text in sorted(texts.items()):
        yield f"text {place + 1}: {text}"
    images = {one.image_index: one.image for one in results}
    cells = {(one.image_index, one.text_index): f"{one.cosine:6.3f} {one.verdict}" for one in results}
    head = (*(f"cosine to text {place + 1}" for place in sorted(texts)), "picture")
    rows = [(*(cells[place, text] for text in sorted(texts)), image) for place, image in sorted(images.items())]
    yield from aligned_lines([head, *rows])
