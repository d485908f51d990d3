"""How the peak memory of loading and of encoding grows, with the model and with the number of pictures.

    python benchmarks/clip_memory.py --comfyui FOLDER [--counts 100 1000 3000] [--work FOLDER]

One process per row. Memory is the peak resident set above that after imports; the weights are those of the vision
tower in the type in which they are held.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from clip_models import model_folder
from work import make_files, source_pictures

CHILD = """
import json, resource, sys, time
import torch, safetensors.torch, PIL.JpegImagePlugin
from pathlib import Path
from clip_grid.clip_backend import assembly
from clip_grid.clip_backend.loading import load_encoder
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
model, dtype, files = sys.argv[1], sys.argv[2], sorted(Path(sys.argv[3]).iterdir())[: int(sys.argv[4])]
start, began = peak(), time.perf_counter()
encoder = load_encoder(model, dtype=dtype, device="cpu")
encoder.encode_images(files[:1])
loaded, seconds = peak(), time.perf_counter() - began
encoder.encode_images(files)
print(json.dumps({"loaded": loaded - start, "s": seconds, "encoded": peak() - start}))
"""


def main() -> None:
    """Run every row and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comfyui", type=Path, required=True, help="folder of ComfyUI, for its vocabulary")
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000, 3000])
    parser.add_argument("--pictures", type=Path, help="folder of pictures to cut the work from")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    args = parser.parse_args()
    vocabulary = args.comfyui / "comfy" / "sd1_tokenizer"
    folder = args.work / "512.jpg"
    # all of them different, for equal ones are computed once
    make_files(folder, source_pictures(args.pictures), max(args.counts), 512, ".jpg")
    print(
        "| model | pictures | first embedding, s | peak after loading, MB | peak after all, MB |\n|---|---|---|---|---|"
    )
    for dtype in ("fp32", "bf16"):
        measure("L/14", dtype, args.work, vocabulary, folder, 1)
    for count in args.counts:
        measure("B/32", "bf16", args.work, vocabulary, folder, count)


def measure(name: str, dtype: str, work: Path, vocabulary: Path, folder: Path, count: int) -> None:
    """One row of the table, from a process of its own."""
    model = model_folder(work, name, vocabulary)
    command = [sys.executable, "-c", CHILD, str(model), dtype, str(folder), str(count)]
    done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    row = f"| {name}, {dtype} | {count} | {done['s']:.1f} | {done['loaded']:.0f} | {done['encoded']:.0f} |"
    print(row, flush=True)


if __name__ == "__main__":
    main()
