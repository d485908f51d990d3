"""A model that reads: a picture is a file with a word in it, and fits every text that holds the word; runs of it."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from clip_grid.clip_backend.encoding.image_features import FailedPicture
from clip_grid.clip_backend.match_files.batch import match_batch
from clip_grid.clip_backend.matching.result import Matches, MatchOptions, MatchResult, PhraseScore
from clip_grid.errors import InputError

TRUE, FALSE = 0.31, 0.12


@dataclass
class ToyModel:
    """Opens and matches; its counters tell what was asked of it."""

    fingerprint: str = "f"
    name: str = "toy"
    space: str = "toy"
    dtype: str = "fp32"
    #: What is wrong with the model itself, if anything.
    fault: str = ""
    opened: int = 0
    matched: list[tuple[str, str]] = field(default_factory=list)

    @property
    def identity(self):
        return SimpleNamespace(name=self.name, cache_key=f"{self.fingerprint} {self.dtype}", preprocessing=None)

    def open(self):
        self.opened += 1
        return self

    def match(self, encoder, pictures, texts, *, options, calibration):
        assert encoder is self
        assert options.mode == "pairs"
        if self.fault:
            raise InputError(self.fault)
        if "<>" in texts:
            raise InputError(f"text {list(texts).index('<>') + 1} holds nothing but prompt syntax")
        self.matched += [(str(picture)[-60:], text) for picture, text in zip(pictures, texts, strict=True)]
        words = [word_of(picture) for picture in pictures]
        failed = [n for n, word in enumerate(words) if word == "broken"]
        return Matches(
            results=tuple(
                self._result(n, word, texts[n], options, calibration) for n, word in enumerate(words) if n not in failed
            ),
            mode="pairs",
            shape=(len(words), len(words)),
            failed=tuple(FailedPicture(n, str(pictures[n]), "read", "is no picture") for n in failed),
            model=self.name,
            notes=("a toy",),
        )

    def _result(self, place, word, text, options, calibration):
        cosine = float("nan") if word == "nan" else TRUE if word in text else FALSE
        probability = float(calibration.probability(cosine)) if calibration else 0.5
        return MatchResult(
            image=word,
            image_index=place,
            text=text,
            text_index=place,
            cosine=cosine,
            clip_score=2.5 * cosine,
            probability=probability,
            probability_scale="calibrated" if calibration else "sigmoid",
            z=20 * cosine - 4,
            percentile=50.0,
            verdict="match" if cosine > 0.25 else "mismatch",
            reason="as the toy says",
            threshold=0.25,
            threshold_scale="cosine",
            phrases=(
                PhraseScore(text="in é", cosine=0.2, z=0.1, percentile=9.0, support=-0.01, status="missing"),
                PhraseScore(text=text, cosine=0.3, z=3.0, percentile=9.0, support=0.01, status="shown"),
            ),
            picture_percentile=50.0,
            model=self.name,
        )


def word_of(picture: Path | np.ndarray) -> str:
    return "noise" if isinstance(picture, np.ndarray) else picture.read_text("utf-8")


def pairs_of(folder, *rows, columns="image_path,text,label"):
    path = folder / "pairs.csv"
    path.write_text("\n".join([columns, *rows]), "utf-8")
    return path


def run(pairs, out, toy, **given):
    options = given.pop("options", MatchOptions())
    return match_batch(pairs, out, toy.open, options=options, match=toy.match, **given)


def table_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cosines(report):
    return [one.result.cosine if one.result else None for one in report.results]
