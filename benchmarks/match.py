"""How fast pairs of pictures and texts are scored beside a script with transformers: interleaved rounds in one run.

    python benchmarks/match.py --vocabulary FOLDER [--rounds 3] [--pairs 1000] [--work FOLDER]

The script encodes pictures and texts with CLIPModel, 32 at a time, and takes the cosine of each pair: what a CLIP score
is. CLIP Grid also gives z and percentile among 192 unrelated texts, verdicts and reasons, without phrases and with
them. Both run one model of CLIP's true shape (ViT-B/32, random weights), in fp32 and with as many threads. CLIP Grid
forgets everything before each round, but for the second run. Needs ``pip install 'clip-grid[benchmark,clip]'`` and a
folder with CLIP's ``vocab.json`` and ``merges.txt``, such as ``comfy/sd1_tokenizer`` of ComfyUI.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from clip_grid.clip_backend.encoding.encoder import ClipEncoder
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import Matches, MatchOptions
from clip_grid.clip_backend.words.sources import default_vocabulary
from clip_models import model_folder
from clip_peers import Transformers
from rounds import interleaved, ratios
from work import make_files, source_pictures

BATCH = 32
#: How much cosines may differ from the script's.
TOLERANCE = 1e-4


def main() -> None:
    """Measure, compare the cosines, and print a table in Markdown."""
    args = parsed()
    folder = model_folder(args.work, "B/32", args.vocabulary)
    files = make_files(args.work / "512.jpg", source_pictures(None), args.pairs, side=512, suffix=".jpg")
    texts = texts_of(args.pairs)
    encoder, script = load_encoder(folder, dtype="fp32", device="cpu"), Transformers(folder)
    options = {phrases: MatchOptions(phrases=phrases, prompt_syntax=False) for phrases in (False, True)}
    # once before the rounds: the cosines are compared, and everything that is built at first use is built
    ours = [one.cosine for one in match_pictures(encoder, files[:BATCH], texts[:BATCH], options=options[False]).results]
    worst = np.abs(np.subtract(ours, cosines(script, files[:BATCH], texts[:BATCH]))).max()
    if worst > TOLERANCE:
        raise SystemExit(f"cosines differ by {worst:.0e}")
    print(f"ViT-B/32 in fp32, {torch.get_num_threads()} threads, {args.pairs} pairs, {args.rounds} rounds")
    print(f"cosines differ by {worst:.0e} at most\n")
    times = interleaved(
        {
            "script with transformers": partial(cosines, script, files, texts),
            "CLIP Grid": partial(anew, encoder, files, texts, options[False]),
            "CLIP Grid with phrases": partial(anew, encoder, files, texts, options[True]),
            "CLIP Grid with phrases, second run": partial(match_pictures, encoder, files, texts, options=options[True]),
        },
        args.rounds,
    )
    print("| contender | time, s | times the script |\n|---|---|---|")
    for name, seconds in times.items():
        print(f"| {name} | {median(seconds):.2f} | {ratios(times['script with transformers'], seconds)} |", flush=True)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=Path, required=True, help="folder with vocab.json and merges.txt")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    return parser.parse_args()


def texts_of(count: int) -> list[str]:
    """Different prompts of a subject, a style and a lighting."""
    words = {facet.name: facet.labels for facet in default_vocabulary().facets}
    rng = np.random.default_rng(0)
    return [
        ", ".join(f"{rng.choice(words[name])}" for name in ("subject", "style", "lighting")) + f", number {number}"
        for number in range(count)
    ]


def cosines(script: Transformers, files: Sequence[Path], texts: Sequence[str]) -> np.ndarray:
    """The cosine of each pair [N], by the script."""
    pictures = script.files(files, BATCH)
    rows = np.concatenate([script.texts(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)])
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (pictures, rows)]
    return np.einsum("nd,nd->n", *unit)


def anew(encoder: ClipEncoder, files: Sequence[Path], texts: Sequence[str], options: MatchOptions) -> Matches:
    """CLIP Grid's answer, when nothing is remembered."""
    encoder.cache.clear()
    return match_pictures(encoder, files, texts, options=options)


if __name__ == "__main__":
    main()
