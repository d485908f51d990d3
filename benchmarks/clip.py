"""How fast CLIP encodes beside its peers: ratios of interleaved rounds in one run, random weights of true shapes.

    python benchmarks/clip.py --comfyui FOLDER [--rounds 5] [--work FOLDER] [--only TEXT]

Needs ``pip install 'clip-grid[benchmark,clip]'`` and a folder of ComfyUI with what it requires: its vocabulary is
used, and its own encoder measured. open_clip joins in when it is installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from clip_grid.clip_backend.encoding.encoder import ClipEncoder
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.towers.cpu import has_fast_bf16
from clip_models import gflop_of, model_folder
from clip_peers import Transformers, core_encoder, has_open_clip, open_clip_files
from rounds import interleaved, ratios
from work import make_files, make_tensors, source_pictures

Contenders = dict[str, Callable[[], Any]]

#: Prompts as people write them, short and long; the last six repeat, as in a sheet of repeated prompts.
PROMPTS = [
    "a cat",
    "noise",
    "a red car",
    "an old oak tree in the fog",
    "portrait of an old sailor, dramatic light",
    "watercolor painting of a lighthouse",
    "isometric low poly village, pastel colors",
    "a bowl of ramen on a wooden table, steam, top view",
    "pixel art of a castle at night",
    "macro photo of a dragonfly on a blade of grass, morning dew, bokeh",
    "a photo of a red car on a wet street at night, neon reflections, 35 mm, shallow depth of field",
    "art nouveau poster of a woman with flowers in her hair, gold and emerald, ornamental border",
    "a knight in rusty armor kneeling before a ruined altar, volumetric light, dust, oil on canvas",
    "minimalist logo of a fox, flat, vector, white background",
    "aerial view of terraced rice fields at sunrise, mist between the hills, long shadows, high resolution",
    "a cozy library with a spiral staircase, rain on the windows, warm lamps, a sleeping dog, detailed illustration",
    "cyberpunk market street, crowds with umbrellas, holograms, rain, cinematic, anamorphic lens flare, film grain",
    "blueprint of a steam locomotive",
    "a glass of water with a slice of lemon, studio lighting, product shot",
    "two children building a sandcastle",
    "black and white street photography, paris, 1950s, a man with a hat jumping over a puddle, motion blur",
    "ukiyo-e print of a stormy sea",
    "masterpiece, best quality, 1girl, silver hair, long coat, standing on a bridge over a river in autumn, falling "
    "leaves, warm evening light, highly detailed background, soft shadows, looking at the viewer, slight smile",
    "concept art of an abandoned space station overgrown with plants, wide angle, god rays, matte painting, by "
    "nobody in particular, trending, 8k, intricate details, muted colors, sense of scale, tiny figure for reference",
    "a plate of pancakes",
    "gothic cathedral interior, stained glass, fog",
]
PROMPTS += PROMPTS[-6:]


def main() -> None:
    """Run every case and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comfyui", type=Path, required=True, help="folder of ComfyUI")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=Path, help="folder of pictures to cut the work from")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    args = parser.parse_args()
    limits = {dtype: rate(dtype) for dtype in (torch.float32, torch.bfloat16)}
    print(", ".join(f"{dtype}: {limit:.0f} GFLOP/s" for dtype, limit in limits.items()), "by torch's own product")
    print("| work | contender | time, s | times the first | of that rate | 1 - cosine |\n|---|---|---|---|---|---|")
    for case in cases(args.work, args.pictures, args.comfyui):
        if args.only in case.name:
            run_case(case, args.rounds, limits)


class Case(NamedTuple):
    """Some work, and what makes its contenders; the first one is what the others are measured by."""

    name: str
    contenders: Callable[[], Contenders]
    #: 10^9 operations of the matrix products and convolutions in it; 0 where that says nothing.
    gflop: float = 0


def cases(work: Path, pictures: Path | None, comfyui: Path) -> list[Case]:
    """All of them."""
    model = partial(model_folder, work, vocabulary=comfyui / "comfy" / "sd1_tokenizer")
    sources = partial(source_pictures, pictures)
    files = partial(make_files, work / "512.jpg", sources(), side=512, suffix=".jpg")
    return [
        Case("B/32, 48 JPEG files of 512²", lambda: files_case(model("B/32"), files(count=48)), 48 * gflop_of("B/32")),
        Case(
            "L/14, forward of 4 pictures",
            lambda: forward_case(model("L/14"), make_tensors(sources(), 4, 224), comfyui),
            4 * gflop_of("L/14"),
        ),
        Case("L/14, 32 texts of mixed lengths", lambda: texts_case(model("L/14"))),
        Case("B/32, start to first embedding", lambda: cold_case(model("B/32"), files(count=1)[0])),
    ]


def files_case(model: Path, files: list[Path]) -> Contenders:
    """From files to embeddings."""
    peer = Transformers(model)
    contenders: Contenders = {
        "transformers, one by one": lambda: peer.files(files, 1),
        "transformers, batches of 16": lambda: peer.files(files, 16),
    }
    if has_open_clip():
        encode = open_clip_files("B/32")
        contenders["open_clip, batches of 16"] = lambda: encode(files, 16)
    return contenders | ours(model, lambda encoder: encoder.encode_images(files).image_embeds)


def forward_case(model: Path, arrays: list[np.ndarray], comfyui: Path) -> Contenders:
    """From an IMAGE batch to all that ComfyUI's own node gives."""
    images = torch.from_numpy(np.stack(arrays))
    core = core_encoder(comfyui, model / "model.safetensors")
    wants = ("embeds", "last_hidden", "penultimate_hidden")
    return {"ComfyUI's own encoder": lambda: core(images)} | ours(
        model, lambda encoder: encoder.encode_images(images, wants=wants).image_embeds
    )


def texts_case(model: Path) -> Contenders:
    """From texts to embeddings."""
    peer = Transformers(model)
    contenders: Contenders = {"transformers, padded to 77": lambda: peer.texts(PROMPTS)}
    return contenders | ours(model, lambda encoder: encoder.encode_texts(PROMPTS).vectors)


def ours(model: Path, encode: Callable[[ClipEncoder], Any]) -> Contenders:
    """Our encoder in fp32, and in bf16 where the processor has it; nothing is remembered between rounds."""
    kinds = {"CLIP Grid, fp32": "fp32"} | ({"CLIP Grid, bf16": "bf16"} if has_fast_bf16() else {})

    def anew(encoder: ClipEncoder) -> Any:
        encoder.cache.clear()
        return encode(encoder)

    encoders = {name: load_encoder(model, dtype=dtype, device="cpu") for name, dtype in kinds.items()}
    return {name: partial(anew, encoder) for name, encoder in encoders.items()}


COLD = """
import sys, time
import torch
from pathlib import Path
sys.path[:0] = [{here!r}]
began = time.perf_counter()
model, file = Path(sys.argv[1]), Path(sys.argv[2])
{body}
print(time.perf_counter() - began)
"""
COLD_PEER = "from clip_peers import Transformers\nTransformers(model).files([file], 1)"
COLD_OURS = """
from clip_grid.clip_backend.loading import load_encoder
load_encoder(model, device="cpu").encode_images(file)"""


def cold_case(model: Path, file: Path) -> Contenders:
    """A new process, torch imported: the time until the first embedding is there."""

    def run(body: str) -> float:
        code = COLD.format(here=str(Path(__file__).parent), body=body)
        done = subprocess.run([sys.executable, "-c", code, model, file], capture_output=True, text=True, check=True)
        return float(json.loads(done.stdout.splitlines()[-1]))

    return {"transformers": lambda: run(COLD_PEER), "CLIP Grid, fp32": lambda: run(COLD_OURS)}


def run_case(case: Case, rounds: int, limits: dict[torch.dtype, float]) -> None:
    """One row per contender; the cosine is that of the worst picture or text to the first contender's."""
    contenders = case.contenders()
    results = {key: encode() for key, encode in contenders.items()}
    timed = all(isinstance(result, float) for result in results.values())
    times = told(contenders, rounds) if timed else interleaved(contenders, rounds)
    base = next(iter(contenders))
    for key, seconds in times.items():
        limit = limits[torch.bfloat16 if "bf16" in key else torch.float32]
        part = f"{case.gflop / median(seconds) / limit:.2f}" if case.gflop else ""
        error = "" if timed or key == base or "open_clip" in key else f"{distance(results[base], results[key]):.0e}"
        row = f"| {case.name} | {key} | {median(seconds):.3f} | {ratios(times[base], seconds)} | {part} | {error} |"
        print(row, flush=True)


def told(contenders: Contenders, rounds: int) -> dict[str, list[float]]:
    """The seconds that contenders measure themselves, in interleaved rounds."""
    answers = [{key: encode() for key, encode in contenders.items()} for _ in range(rounds)]
    return {key: [answer[key] for answer in answers] for key in contenders}


def distance(reference: Any, other: Any) -> float:
    """1 - cosine of the worst row."""
    a, b = (np.asarray(rows, np.float64) for rows in (reference, other))
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return max(0.0, float(1 - cosines.min()))


def rate(dtype: torch.dtype) -> float:
    """GFLOP/s of torch's matrix product: the best of some, and of both libraries that compute it."""
    a, b = torch.rand(2048, 1024).to(dtype), torch.rand(1024, 4096).to(dtype)
    seconds: list[float] = []
    for precision in ("highest", "medium"):
        torch.set_float32_matmul_precision(precision)
        seconds += interleaved({"product": lambda: a @ b}, 12)["product"]
    torch.set_float32_matmul_precision("highest")
    return float(2 * a.shape[0] * a.shape[1] * b.shape[1] / min(seconds) / 1e9)


if __name__ == "__main__":
    main()
