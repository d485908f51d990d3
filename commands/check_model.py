"""``clip-grid check-model``: whether a model's files belong together and the default rules suit it."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata

from ..api import check_model
from ..api.configuration import version
from ..clip_backend.encoding.devices import choose_device
from ..clip_backend.model_check.result import (
    MOST_MATCHED,
    PUBLISHED_TOLERANCE,
    USUAL_DEVIATIONS,
    USUAL_MEANS,
    USUAL_RATIOS,
    ModelCheck,
    NothingFigures,
    OwnText,
    Range,
)
from .flags import add_model_flags, model_choice
from .output import DONE, FAILED, Bar, add_output_flags, fail, note, print_json, show

USAGE = "[options] [MODEL]"
HELP = """\
check that a model is read rightly and that the default rules suit it

  clip-grid check-model clip-vit-large-patch14
  clip-grid check-model clip_vision_g --text-encoder clip_g > report.md

Looks at five photographs of scikit-image, if it is installed, and at drawings,
and prints tables in Markdown, for an issue report. They end in one sentence: the
defaults hold; or the order is right and the spread unusual, so that you should
calibrate; or the order is wrong. Exit status 1: the order is wrong, or the model
cannot be used.
"""
#: Packages that the numbers depend on.
_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "Pillow", "scikit-image")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument("paths", nargs="*", metavar="MODEL", help="the model, as --model")
    add_output_flags(parser)
    add_model_flags(parser)
    parser.set_defaults(run=check)


def check(args: argparse.Namespace) -> int:
    """The figures as tables or JSON, and the conclusion."""
    named = [*args.paths, *([args.model] if args.model else [])]
    if len(named) > 1:
        return fail(f"one model is checked at a time, and there are {len(named)}: {', '.join(named)}")
    args.model = named[0] if named else None
    with Bar(args.quiet) as bar:
        run = check_model(model_choice(args), progress=bar)
    used = {**versions(), "device": str(choose_device(args.device or "auto"))}
    if args.json:
        print_json(run.to_dict() | {"versions": used})
    else:
        show(report(run, used))
    note(args, run.notes)
    return DONE if run.conclusion in ("defaults hold", "calibrate") else FAILED


def versions() -> dict[str, str]:
    """Versions of this program, Python, the system and the installed packages that the scores depend on."""
    found = {"clip-grid": version(), "Python": platform.python_version(), "system": platform.system()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def report(run: ModelCheck, used: Mapping[str, str]) -> Iterator[str]:
    """The tables and the sentence, in Markdown."""
    yield f"## Check of {run.model.name}"
    yield from _table(("property", "value"), _properties(run, used))
    yield from _table(("cosines with the bank", "short texts", "captions", "usual"), _bank(run))
    yield from _table(("figure", "value", "usual"), _spread(run))
    numbered = (f"{place}: {caption}" for place, caption in enumerate(run.captions, 1))
    yield from ("", f"Captions: {'; '.join(numbered)}.")
    places = (f"caption {place}" for place in range(1, len(run.captions) + 1))
    yield from _table(("picture", *places, "own caption", "word"), (_own(one, run.captions) for one in run.order))
    head = ("pictures of nothing", "told by pixels", "least alike pair", "texts at z >= 2", "nearest picture")
    yield from _table(head, map(_nothing, run.nothing))
    yield from ("", *(f"- {warning}" for warning in run.warnings), *([""] if run.warnings else []), run.sentence)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown, after an empty line."""
    yield ""
    for cells in (head, ["---"] * len(head), *rows):
        escaped = (cell.replace("|", r"\|") for cell in cells)
        yield f"| {' | '.join(escaped)} |"


def _properties(run: ModelCheck, used: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    model, looks = run.model, run.model.preprocessing
    yield "fingerprint", model.fingerprint
    if model.space:
        yield "space", model.space
    yield "embedding", f"{model.dim} dimensions, {model.dtype}"
    kind = ", sigmoid" if model.is_sigmoid else ""
    yield "logits", f"scale {model.logit_scale:.2f}, bias {model.logit_bias:.2f}{kind}"
    if looks:
        mean, std = (", ".join(f"{value:.4g}" for value in looks[name]) for name in ("mean", "std"))
        yield "preprocessing", f"{looks['size']} px, {looks['fit']}, {looks['interpolation']}; mean {mean}; std {std}"
    yield "assumed", ", ".join(model.assumed) or "nothing"
    yield "versions", ", ".join(f"{name} {value}" for name, value in used.items())
    yield "pictures", "5 photographs, 7 drawings" if run.pictures == "photographs" else "12 drawings"
    yield "bank", f"version {run.bank_version}"


def _bank(run: ModelCheck) -> Iterator[tuple[str, ...]]:
    short, long = run.banks["short"], run.banks["long"]
    yield "mean", f"{short.mean:.3f}", f"{long.mean:.3f}", _range(USUAL_MEANS)
    yield "deviation within a picture", f"{short.deviation:.3f}", f"{long.deviation:.3f}", _range(USUAL_DEVIATIONS)
    yield "deviation of the pictures' means", f"{short.picture_deviation:.3f}", f"{long.picture_deviation:.3f}", ""
    yield "deviation of the texts' means", f"{short.text_deviation:.3f}", f"{long.text_deviation:.3f}", ""


def _spread(run: ModelCheck) -> Iterator[tuple[str, str, str]]:
    yield "deviation of captions / of short texts", f"{run.ratio:.2f}", _range(USUAL_RATIOS)
    yield "cosines among pictures", "{:.3f} ± {:.3f}".format(*run.among_pictures), ""
    yield "cosines among captions", "{:.3f} ± {:.3f}".format(*run.among_captions), ""
    yield "distance of the mean picture and the mean caption", f"{run.gap:.3f}", ""
    for model, difference in run.published.items():
        yield (
            f"largest difference to the published cosines of {model}",
            f"{difference:.3f}",
            f"{PUBLISHED_TOLERANCE:g} for this very model",
        )
    yield "texts called a match of pictures of nothing", f"{run.nothing_matched:.1%}", f"at most {MOST_MATCHED:.0%}"


def _range(usual: Range) -> str:
    return f"{usual[0]:g} to {usual[1]:g}"


def _own(one: OwnText, captions: Sequence[str]) -> tuple[str, ...]:
    own = captions.index(one.caption)
    cosines = (f"**{value:.3f}**" if place == own else f"{value:.3f}" for place, value in enumerate(one.cosines))
    place = "first" if one.rank == 1 else f"number {one.rank}"
    return (one.picture, *cosines, f"{place}, z {one.z:.1f}", f"{one.word}: {one.word_cosine:.3f}, z {one.word_z:.1f}")


def _nothing(one: NothingFigures) -> tuple[str, ...]:
    told = f"{one.by_pixels} of {one.pictures}"
    return one.kind, told, f"{one.least_alike:.3f}", f"{one.above_z:.1%}", f"{one.nearest}, {one.nearest_cosine:.3f}"
