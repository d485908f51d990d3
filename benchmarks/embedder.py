"""Files to vectors: how well reading overlaps with computing, and how fast the embedder is beside rclip's loop.

    python benchmarks/embedder.py [--comfyui FOLDER] [--rounds 5] [--count 64] [--work FOLDER]

The overlap is measured with stages that only wait: a picture is "decoded" in a thread and "computed" in a batch for
a given time, so that the best possible time is that of the slower stage. rclip's loop decodes with Pillow in one
thread and computes batches of 8 in fp32; both run the same ViT-B/32 with random weights.
Needs ``pip install 'clip-grid[benchmark,clip]'``; without a folder of ComfyUI, whose vocabulary is used, the overlap
alone is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from clip import distance
from clip_grid.api import CLIPEmbedder
from clip_grid.clip_backend.encoding.batching import THREADS, LocalPlacement
from clip_grid.clip_backend.encoding.cache import EmbeddingCache
from clip_grid.clip_backend.encoding.encoder import ClipEncoder
from clip_grid.clip_backend.encoding.features import Identity
from clip_grid.clip_backend.encoding.image_features import VisionCapabilities
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.preparing.preprocessing import Preprocessing
from clip_grid.clip_backend.towers.cpu import has_fast_bf16
from clip_models import model_folder
from clip_peers import RclipLoop
from rounds import interleaved, ratios
from work import make_files, source_pictures

#: Pictures of the waiting stages, and how many are computed at a time.
WAITING, BATCH = 240, 4


def main() -> None:
    """Run every case and print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comfyui", type=Path, help="folder of ComfyUI")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=64, help="number of files")
    parser.add_argument("--pictures", type=Path, help="folder of pictures to cut the work from")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    args = parser.parse_args()
    run_waiting(args.rounds)
    if args.comfyui:
        model = model_folder(args.work, "B/32", vocabulary=args.comfyui / "comfy" / "sd1_tokenizer")
        sources = source_pictures(args.pictures)
        print("\n| files | contender | time, s | times rclip's loop | 1 - cosine |\n|---|---|---|---|---|")
        for side, suffix in ((512, ".jpg"), (1024, ".png"), (2048, ".png")):
            files = make_files(args.work / f"{side}{suffix}", sources, args.count, side, suffix)
            run_files(model, files, args.rounds, f"{suffix[1:].upper()}, {side}²")


def run_waiting(rounds: int) -> None:
    """One row for each pair of times, in ms: decoding in a thread, and computing."""
    print("| a picture is decoded, ms | and computed, ms | time, s | of the slower stage |\n|---|---|---|---|")
    for decoding, computing in ((10, 20), (20 * THREADS, 20), (20 * THREADS, 10)):
        runs = [waiting_stages(decoding / 1000, computing / 1000) for _ in range(rounds)]
        seconds, ratio = median(run[0] for run in runs), median(run[0] / run[1] for run in runs)
        print(f"| {decoding} in each of {THREADS} threads | {computing} | {seconds:.2f} | {ratio:.2f} |", flush=True)


@dataclass
class WaitingVision:
    """A vision encoder that waits in both stages."""

    decoding_s: float
    computing_s: float
    capabilities: VisionCapabilities = field(
        default_factory=lambda: VisionCapabilities(width=4, tokens=1, grid=(1, 1), projection=4)
    )
    placement: LocalPlacement = field(default_factory=lambda: LocalPlacement(torch.nn.Identity(), torch.device("cpu")))
    in_fp32: None = None
    #: How long the stages took, all threads together; a busy machine wakes them late.
    decoded_s: float = 0
    computed_s: float = 0

    def memory_bytes(self, batch: int) -> int:
        return batch

    def prepare(self, picture: object, preprocessing: Preprocessing) -> torch.Tensor:
        began = time.perf_counter()
        time.sleep(self.decoding_s)
        self.decoded_s += time.perf_counter() - began
        return torch.from_numpy(np.array(picture))

    def states(self, prepared: Sequence[torch.Tensor], *rest: object) -> dict[str, torch.Tensor]:
        began = time.perf_counter()
        time.sleep(self.computing_s * len(prepared))
        self.computed_s += time.perf_counter() - began
        return {"embeds": torch.ones(len(prepared), 4)}


def waiting_stages(decoding_s: float, computing_s: float) -> tuple[float, float]:
    """Seconds until all pictures have passed both stages, and those that the slower stage alone took."""
    preprocessing = Preprocessing(size=4, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    identity = Identity(
        name="waiting", space="waiting", dim=4, fingerprint="", cache_key="", dtype="fp32", preprocessing=preprocessing
    )
    vision = WaitingVision(decoding_s, computing_s)
    encoder = ClipEncoder(identity, vision=lambda: vision, cache=EmbeddingCache(max_bytes=0))
    pictures = (np.full((4, 4, 3), (number % 256, number // 256, 0), np.uint8) for number in range(WAITING))
    began = time.perf_counter()
    done = sum(1 for _ in encoder.stream_images(pictures, batch_size=BATCH))
    assert done == WAITING
    return time.perf_counter() - began, max(vision.decoded_s / THREADS, vision.computed_s)


def run_files(model: Path, files: list[Path], rounds: int, name: str) -> None:
    """One row per contender; the cosine is that of the worst picture to rclip's loop."""
    loop = RclipLoop(model)
    contenders: dict[str, Callable[[], np.ndarray]] = {"rclip's loop": lambda: loop.embed(files)}
    kinds = {"CLIPEmbedder, fp32": "fp32"} | ({"CLIPEmbedder, bf16": "bf16"} if has_fast_bf16() else {})
    for title, dtype in kinds.items():
        contenders[title] = partial(embed, load_encoder(model, dtype=dtype, device="cpu"), files)
    results = {key: contender() for key, contender in contenders.items()}
    times = interleaved(contenders, rounds)
    base = next(iter(contenders))
    for key, seconds in times.items():
        error = "" if key == base else f"{distance(results[base], results[key]):.0e}"
        print(f"| {name} | {key} | {median(seconds):.2f} | {ratios(times[base], seconds)} | {error} |", flush=True)


def embed(encoder: ClipEncoder, files: list[Path]) -> np.ndarray:
    """The unit vectors of files, none of which is remembered."""
    encoder.cache.clear()
    work = CLIPEmbedder(encoder).generate_embeddings_batch(files, batch_size=RclipLoop.BATCH, show_progress=False)
    return np.stack(asyncio.run(work))


if __name__ == "__main__":
    main()
