"""How fast pictures are labelled beside the zero-shot pipeline of transformers: interleaved rounds in one run.

    python benchmarks/labels.py --vocabulary FOLDER [--rounds 3] [--pictures 100] [--labels 500] [--work FOLDER]

Both label the same files with the same labels, by one model of CLIP's true shape (ViT-B/32, random weights), in fp32
and with as many threads. The pipeline encodes all labels anew for each picture, so that its time grows evenly with the
pictures: it is measured on a few of them and multiplied, and on half as many to show that this is fair. CLIP Grid
labels all of them and forgets everything before each round, but for the second run. Needs
``pip install 'clip-grid[benchmark,clip]'`` and a folder with CLIP's ``vocab.json`` and ``merges.txt``, such as
``comfy/sd1_tokenizer`` of ComfyUI.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import torch
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.encoding.encoder import ClipEncoder
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.labelling.result import Labelled
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.words.sources import default_vocabulary
from clip_grid.clip_backend.words.vocabulary import vocabulary_from_labels
from clip_models import model_folder
from clip_peers import zero_shot_labels
from rounds import interleaved, ratios
from torch.nn.modules.module import register_module_forward_pre_hook
from work import make_files, source_pictures

TEMPLATE = "a photo of {}."
#: The least ratio to reach with as many pictures and labels as these, or more.
TARGET, PICTURES, LABELS = 20, 100, 500
#: The part of a probability by which it may differ from the pipeline's; with 500 labels most are about 0.002.
TOLERANCE = 1e-3
#: Exactly what the pipeline does: one softmax over the labels.
SAME_WORK = LabelOptions(top_k=1000, none_of_these=False)


def main() -> None:
    """Measure, compare the answers, and print a table in Markdown."""
    args = parsed()
    work = Work(
        model=model_folder(args.work, "B/32", args.vocabulary),
        files=make_files(args.work / "512.jpg", source_pictures(None), args.pictures, side=512, suffix=".jpg"),
        labels=labels_of(args.labels),
    )
    sizes = f"{len(work.files)} pictures, {len(work.labels)} labels"
    print(f"ViT-B/32 in fp32, {torch.get_num_threads()} threads, {sizes}, {args.rounds} rounds")
    measure(work, args.rounds, args.peer_pictures)
    with tempfile.TemporaryDirectory() as folder:
        unchanged(work, Path(folder))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=Path, required=True, help="folder with vocab.json and merges.txt")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--labels", type=int, default=LABELS)
    parser.add_argument("--peer-pictures", type=int, default=4, help="pictures that the pipeline labels in a round")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    return parser.parse_args()


@dataclass(frozen=True)
class Work:
    """The same for all contenders."""

    model: Path
    files: Sequence[Path]
    labels: Sequence[str]


def labels_of(count: int) -> list[str]:
    """The first words of CLIP Grid's own vocabulary."""
    words = [label for facet in default_vocabulary().facets for label in facet.labels]
    if count > len(words):
        raise SystemExit(f"there are {len(words)} labels; give --labels {len(words)} or fewer")
    return words[:count]


def labelled(encoder: ClipEncoder, work: Work, options: LabelOptions) -> Labelled:
    """CLIP Grid's answer."""
    return label_pictures(
        encoder, work.files, vocabulary_from_labels(work.labels, templates=(TEMPLATE,)), options=options
    )


def anew(encoder: ClipEncoder, work: Work, options: LabelOptions) -> Labelled:
    """The same, when nothing is remembered."""
    encoder.cache.clear()
    return labelled(encoder, work, options)


def measure(work: Work, rounds: int, few: int) -> None:
    """The table: seconds for all pictures, and how many times as fast as the pipeline."""
    pipeline, half = zero_shot_labels(work.model, TEMPLATE), max(1, few // 2)
    encoder = load_encoder(work.model, dtype="fp32", device="cpu")
    # once before the rounds: the answers are compared, and everything that is built at first use is built
    compare(pipeline(work.files[:few], work.labels), anew(encoder, work, SAME_WORK))
    times = interleaved(
        {
            "pipeline": lambda: pipeline(work.files[:few], work.labels),
            "pipeline, half as many": lambda: pipeline(work.files[:half], work.labels),
            "CLIP Grid": partial(anew, encoder, work, SAME_WORK),
            "CLIP Grid, default options": partial(anew, encoder, work, LabelOptions()),
            "CLIP Grid, second run": partial(labelled, encoder, work, LabelOptions()),
        },
        rounds,
    )
    growth = ratios(times["pipeline"], times.pop("pipeline, half as many"))
    print(f"the pipeline takes {growth} times as long for {few} pictures as for {half}")
    times["pipeline"] = [seconds * len(work.files) / few for seconds in times["pipeline"]]
    print("| contender | time, s | times the pipeline |\n|---|---|---|")
    for name, seconds in times.items():
        print(f"| {name} | {median(seconds):.3f} | {ratios(times['pipeline'], seconds)} |", flush=True)
    reached = median(b / t for b, t in zip(times["pipeline"], times["CLIP Grid"], strict=True))
    if reached < TARGET and len(work.files) >= PICTURES and len(work.labels) >= LABELS:
        raise SystemExit(f"{reached:.1f} times the pipeline is less than the target, {TARGET}")


def compare(theirs: Sequence[dict[str, float]], ours: Labelled) -> None:
    """Both must say the same of the pictures that both have labelled."""
    found = [{one.label: one.probability for one in picture.top} for picture in ours.pictures[: len(theirs)]]
    pairs = [(their[label], our[label]) for their, our in zip(theirs, found, strict=True) for label in their]
    worst = max(abs(b / a - 1) for a, b in pairs)
    same = [max(their, key=their.__getitem__) == next(iter(our)) for their, our in zip(theirs, found, strict=True)]
    print(f"the best label is the same for {sum(same)} of {len(same)} pictures")
    print(f"probabilities differ by {worst:.0e} of theirs at most")
    if not all(same) or worst > TOLERANCE:
        raise SystemExit("CLIP Grid and the pipeline do not agree")


def unchanged(work: Work, cache_folder: Path) -> None:
    """Modules of the model that run for pictures and labels that are known: none, and none after a restart either."""
    load = partial(load_encoder, work.model, device="cpu", cache_folder=cache_folder)
    encoder = load(encoders=EncoderCache())
    runs = {"the first run": encoder, "a second run": encoder, "a run after a restart": load(encoders=EncoderCache())}
    calls = {name: calls_of(partial(labelled, each, work, LabelOptions())) for name, each in runs.items()}
    print("calls of the model's modules: " + ", ".join(f"{name} {count}" for name, count in calls.items()))
    if not calls.pop("the first run") or any(calls.values()):
        raise SystemExit("the first run must make forward passes, and those over unchanged pictures none")


def calls_of(work: Callable[[], object]) -> int:
    """How many modules of torch run meanwhile."""
    calls: list[str] = []
    hook = register_module_forward_pre_hook(lambda module, _: calls.append(type(module).__name__))
    try:
        work()
    finally:
        hook.remove()
    return len(calls)


if __name__ == "__main__":
    main()
