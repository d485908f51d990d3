"""The inputs of the label node beside the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...clip_backend.labelling.answers import UNLABELED, Labelled, PictureLabels
from ...clip_backend.labelling.labels import label_pictures
from ...clip_backend.labelling.options import LabelOptions
from ...clip_backend.words.vocabulary import Vocabulary
from ...options import options_of, widgets
from ..host.host import Host
from ..models.connected import ConnectedModel
from ..sockets.types import Declaration
from ..sockets.vocabularies import VOCABULARY_HELP
from .payload import plain, plain_json, shown_text, single_pictures, unread

#: Those that come first; saved workflows hold widgets by position, so that new ones are appended.
_FIRST = ("templates", "top_k", "threshold")


def label_inputs(model: Declaration, clip: Declaration, clip_vision: Declaration) -> dict[str, Declaration]:
    """The optional inputs in the order of their widgets."""
    labels = "Labels to choose from, one per line or between commas, or a linked list; empty = those of the vocabulary"
    options = options_of(LabelOptions)
    ordered = {name: options[name] for name in dict.fromkeys((*_FIRST, *options))}
    return {
        "model": model,
        "labels": ("STRING", {"default": "", "multiline": True, "tooltip": labels}),
        "vocabulary": ("STRING", {"default": "", "tooltip": VOCABULARY_HELP}),
        **widgets(list(ordered.values())),
        "clip": clip,
        "clip_vision": clip_vision,
    }


def label_answer(
    images: Sequence[object], words: Vocabulary, model: ConnectedModel, options: LabelOptions, host: Host
) -> dict[str, Any]:
    """What the label node gives back; the lists have an entry for every picture.

    A picture that cannot be read is "unlabeled", with NaN for its score. Raises InputError if none can be read.
    """
    pictures = single_pictures(images)
    run = label_pictures(model.encoder, pictures, words, options=options, progress=host.progress())
    if not run.pictures:
        raise unread(run.failed)
    found = {one.index: one for one in run.pictures}
    labels = [found[place].label if place in found else UNLABELED for place in range(len(pictures))]
    scores = [float(found[place].score) if place in found else float("nan") for place in range(len(pictures))]
    text = [shown_text(_lines(run), run.notes)]
    ui = {"clip_labels": _entries(run, len(pictures)), "clip_notes": list(run.notes), "text": text}
    return {"ui": ui, "result": (labels, scores, pictures, plain_json(replace(run, model=model.name).to_dict()))}


def label_line(one: PictureLabels) -> str:
    """One picture for people: every number with its scale."""
    others = ", ".join(f"{other.label} {other.probability:.3f}" for other in one.others)
    why = f" ({one.reason})" if one.reason else ""
    also = f"; next: {others}" if others else ""
    return f"{one.name}: {one.label}{why} {one.score:.3f} ({one.scale}){also}"


def _entries(run: Labelled, count: int) -> list[object]:
    """For programs, an entry for every picture in order."""
    entries = {one.index: one.to_dict() for one in run.pictures}
    entries |= {one.index: _failed(one.name, one.reason) for one in run.failed}
    return [plain(entries[place]) for place in range(count)]


def _failed(name: str, reason: str) -> dict[str, Any]:
    return {"path": name, "label": UNLABELED, "score": None, "scale": "", "source": "clip", "reason": reason}


def _lines(run: Labelled) -> list[str]:
    lines = {one.index: label_line(one) for one in run.pictures}
    lines |= {one.index: f"{one.name}: not read, {one.reason}" for one in run.failed}
    return [lines[place] for place in sorted(lines)]
