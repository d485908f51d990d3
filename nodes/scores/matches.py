"""Pictures and texts of a graph to scores, verdicts and a report, with a place for every pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from ...clip_backend.matching.match import match_pictures
from ...clip_backend.matching.result import STATUS, Matches, MatchOptions, MatchResult
from ...clip_backend.matching.texts import check_texts
from ..host.host import Host
from ..models.connected import ConnectedModel
from .payload import plain, plain_json, shown_text, single_pictures, unread


@dataclass(frozen=True)
class _Unread:
    """A pair whose picture could not be read."""

    image: str
    text: str
    reason: str

    cosine = float("nan")
    is_match = False

    @property
    def status(self) -> str:
        return f"Not read: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """The keys that a program reads of every pair."""
        told = {"image": self.image, "text": self.text, "cosine": None, "verdict": None, "reason": self.reason}
        return told | {"clip_similarity_score": None, "clip_match_status": self.status, "clip_is_match": False}

    def line(self) -> str:
        """For the node."""
        return f"{self.image}: {self.status}"


def match_answer(
    images: Sequence[object], texts: Sequence[str], model: ConnectedModel, options: MatchOptions, host: Host
) -> dict[str, Any]:
    """What the match node gives back; the lists have an entry for every pair of picture and text.

    A picture that cannot be read has NaN for its scores. Raises InputError for texts that are empty, for counts that do
    not fit the mode, and if no picture can be read.
    """
    pictures = single_pictures(images)
    run = match_pictures(model.encoder, pictures, texts, options=options, progress=host.progress())
    matches = replace(run, model=model.name, results=tuple(replace(one, model=model.name) for one in run.results))
    if not matches.results:
        raise unread(matches.failed)
    pairs = _every_pair(matches, texts)
    lines = [match_line(pair) if isinstance(pair, MatchResult) else pair.line() for pair in pairs]
    ui = {
        "clip_match": [plain(pair.to_dict()) for pair in pairs],
        "clip_notes": list(matches.notes),
        "text": [shown_text(lines, matches.notes)],
    }
    scores, verdicts, states = zip(*((pair.cosine, pair.is_match, pair.status) for pair in pairs), strict=True)
    report = plain_json(matches.to_dict())
    return {"ui": ui, "result": ([float(one) for one in scores], list(verdicts), list(states), pictures, report)}


def linked_texts(values: Sequence[object]) -> list[str]:
    """The texts, each one as a whole, of however many lines; raises InputError for none and for an empty one."""
    return list(check_texts(["" if value is None else str(value) for value in values]))


def match_line(result: MatchResult) -> str:
    """One pair for people: every number with its scale."""
    scores = f"cosine {result.cosine:.3f}, percentile {result.percentile:.1f}, CLIPScore {result.clip_score:.3f}"
    missing = ", ".join(repr(phrase.text) for phrase in result.missing_phrases)
    lacks = f"; missing: {missing}" if missing else ""
    reason = f" ({result.reason})" if result.reason else ""
    return f"{result.image}, {_short(result.text)!r}: {STATUS[result.verdict]}{reason}; {scores}{lacks}"


def _every_pair(matches: Matches, texts: Sequence[str]) -> list[MatchResult | _Unread]:
    """The pairs in the order of the mode, those without result too."""
    found = {(one.image_index, one.text_index): one for one in matches.results}
    failed = {one.index: one for one in matches.failed}
    images, count = matches.shape
    wanted = (
        [(place, place) for place in range(images)] if matches.mode == "pairs" else product(range(images), range(count))
    )

    def pair(image: int, text: int) -> MatchResult | _Unread:
        if (image, text) in found:
            return found[image, text]
        return _Unread(failed[image].name, texts[text], failed[image].reason)

    return [pair(image, text) for image, text in wanted]


def _short(text: str, most: int = 60) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= most else one_line[: most - 1] + "…"
