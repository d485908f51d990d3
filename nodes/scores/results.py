"""The label node and the match node: linked images to one row of results each, also if an image cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import isfinite
from typing import TYPE_CHECKING, Any

from ...clip_backend.labelling.labels import label_pictures
from ...clip_backend.labelling.options import LabelOptions
from ...clip_backend.labelling.result import UNLABELED, Labelled, PictureLabels
from ...clip_backend.learning.heads.labels import label_by_head
from ...clip_backend.matching.match import match_pictures
from ...clip_backend.matching.result import STATUS, Matches, MatchOptions, MatchResult
from ...clip_backend.matching.texts import check_texts
from ...errors import InputError
from ..host.host import Host
from ..models.choice import demo_notes
from ..models.heads import check_head, model_of
from ..models.loaded import MODEL_INPUTS, connected_model
from ..sockets.inputs import Inputs, Values, first_text, first_value, read_widgets
from ..sockets.notes import log_notes
from ..sockets.tensors import single_images
from ..sockets.vocabularies import choose_vocabulary

if TYPE_CHECKING:
    from ...clip_backend.encoding.image_features import FailedPicture

#: Lines of text, and characters of a matched text, that a node shows; the report has all of them.
MAX_LINES, MAX_TEXT = 30, 60
#: Label, score, entry for programs, line for people.
_LabelRow = tuple[str, float, dict[str, Any], str]
#: Cosine, whether it is a match, status, entry for programs, line for people.
_MatchRow = tuple[float, bool, str, dict[str, Any], str]


def label_images(images: Values, labels: Values, inputs: Inputs, host: Host) -> dict[str, Any]:
    """What the label node returns; its lists have one item per image.

    An image that cannot be read is "unlabeled" with the score NaN. Raises InputError if none can be read, and for
    options, labels, vocabularies and models that cannot be used.
    """
    pictures = single_images(images)
    name, run = _labelled(pictures, labels, inputs, host)
    _check_readable(run.pictures, run.failed)
    run = replace(run, notes=(*demo_notes(name, host), *run.notes))
    rows = {one.index: _label_row(one) for one in run.pictures} | {one.index: _unlabeled(one) for one in run.failed}
    texts, scores, entries, lines = zip(*(rows[index] for index in range(len(pictures))), strict=True)
    outputs = (list(texts), list(scores), pictures, json_text(replace(run, model=name).to_dict()))
    return node_result("clip_labels", entries, lines, run.notes, outputs)


def _labelled(pictures: Sequence[Any], labels: Values, inputs: Inputs, host: Host) -> tuple[str, Labelled]:
    """The name of the model and the labels: classes of a connected head, else those that labels or vocabulary say."""
    options = read_widgets(LabelOptions, inputs)
    linked = first_value(inputs, "head")
    words = first_text(inputs, "vocabulary")
    if linked is None:
        vocabulary = choose_vocabulary(labels, words, host)
        name, encoder = connected_model(inputs, host)
        return name, label_pictures(encoder, pictures, vocabulary, options=options, progress=host.progress())
    if words or any(str(one).strip() for one in labels if one is not None):
        raise InputError("both head and labels or vocabulary are given; disconnect head, or empty these")
    head = check_head(linked)
    if any(first_value(inputs, one) is not None for one in MODEL_INPUTS):
        name, encoder = connected_model(inputs, host, reads_texts=False)
    else:
        loaded = model_of(head, host)
        name, encoder = loaded.name, loaded.encoder
    return name, label_by_head(encoder, pictures, head.head, name=head.name, options=options, progress=host.progress())


def _label_row(one: PictureLabels) -> _LabelRow:
    reason = f" ({one.reason})" if one.reason else ""
    others = ", ".join(f"{other.label} {other.probability:.3f}" for other in one.others)
    line = f"{one.name}: {one.label}{reason} {one.score:.3f} ({one.scale}){f'; next: {others}' if others else ''}"
    return one.label, float(one.score), one.to_dict(), line


def _unlabeled(one: FailedPicture) -> _LabelRow:
    entry = {"path": one.name, "label": UNLABELED, "score": None, "scale": "", "source": "clip", "reason": one.reason}
    return UNLABELED, float("nan"), entry, f"{one.name}: not read, {one.reason}"


def match_images(images: Values, texts: Values, inputs: Inputs, host: Host) -> dict[str, Any]:
    """What the match node returns; its lists have one item per pair of image and text.

    A pair whose image cannot be read has the score NaN. Raises InputError if none can be read, for empty texts, for
    counts that do not fit the mode, and for options and models that cannot be used.
    """
    options = read_widgets(MatchOptions, inputs)
    prompts = check_texts(["" if text is None else str(text) for text in texts])
    name, encoder = connected_model(inputs, host)
    pictures = single_images(images)
    run = match_pictures(encoder, pictures, prompts, options=options, progress=host.progress())
    _check_readable(run.results, run.failed)
    run = replace(run, notes=(*demo_notes(name, host), *run.notes))
    matches = replace(run, model=name, results=tuple(replace(one, model=name) for one in run.results))
    results = {(one.image_index, one.text_index): one for one in matches.results}
    failed = {one.index: one for one in matches.failed}
    rows = [
        _match_row(results[image, text]) if (image, text) in results else _unmatched(failed[image], prompts[text])
        for image, text in _pairs(matches)
    ]
    scores, verdicts, states, entries, lines = zip(*rows, strict=True)
    outputs = (list(scores), list(verdicts), list(states), pictures, json_text(matches.to_dict()))
    return node_result("clip_match", entries, lines, matches.notes, outputs)


def _match_row(one: MatchResult) -> _MatchRow:
    words = " ".join(one.text.split())
    text = words if len(words) <= MAX_TEXT else f"{words[: MAX_TEXT - 1]}…"
    scores = f"z {one.z:.2f}, cosine {one.cosine:.3f}, percentile {one.percentile:.1f}, CLIPScore {one.clip_score:.3f}"
    missing = ", ".join(repr(phrase.text) for phrase in one.missing_phrases)
    lacks = f"; missing: {missing}" if missing else ""
    line = f"{one.image}, {text!r}: {STATUS[one.verdict]} ({one.reason}); {scores}{lacks}"
    return float(one.cosine), one.is_match, one.status, one.to_dict(), line


def _unmatched(one: FailedPicture, text: str) -> _MatchRow:
    status = f"Not read: {one.reason}"
    entry: dict[str, Any] = {"image": one.name, "text": text, "cosine": None, "verdict": None, "reason": one.reason}
    entry |= {"clip_similarity_score": None, "clip_match_status": status, "clip_is_match": False}
    return float("nan"), False, status, entry, f"{one.name}: {status}"


def _pairs(matches: Matches) -> Iterable[tuple[int, int]]:
    """(image, text) of every pair, in the order of the mode."""
    images, texts = matches.shape
    if matches.mode == "pairs":
        return zip(range(images), range(texts), strict=True)
    return product(range(images), range(texts))


def _check_readable(read: Sequence[object], failed: Sequence[FailedPicture]) -> None:
    """Raises InputError if no image could be read."""
    if not read:
        first = failed[0]
        none = "the picture cannot" if len(failed) == 1 else f"none of the {len(failed)} pictures can"
        raise InputError(f"{none} be read; {first.name}: {first.reason}")


def node_result(
    key: str, entries: Iterable[object], lines: Sequence[str], notes: Sequence[str], outputs: tuple[Any, ...]
) -> dict[str, Any]:
    """What a scoring node returns; ``entries`` are for programs, under ``key``, ``lines`` are shown on the node."""
    log_notes(notes)
    ui = {key: [json_value(entry) for entry in entries], "clip_notes": list(notes), "text": [shown_text(lines, notes)]}
    return {"ui": ui, "result": outputs}


def json_value(value: object) -> object:
    """The value as plain JSON: numpy and torch numbers as Python's, numbers that are not finite as None.

    ComfyUI breaks on a ``ui`` that is not JSON.
    """
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float):
        return number if isfinite(number) else None
    return number if isinstance(number, (bool, int)) else str(value)


def json_text(value: object) -> str:
    """The value as JSON text."""
    return json.dumps(json_value(value), indent=2, ensure_ascii=False, allow_nan=False)


def shown_text(lines: Sequence[str], notes: Sequence[str] = ()) -> str:
    """The first lines, how many are left out, and the notes."""
    more = [f"and {len(lines) - MAX_LINES} more; the report has all of them"] if len(lines) > MAX_LINES else []
    return "\n".join([*lines[:MAX_LINES], *more, *notes])
