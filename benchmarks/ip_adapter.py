"""What an IP-Adapter costs per step, beside the same attention written out by hand, and what it holds over many runs.

    cd COMFYUI && python CHECKOUT/benchmarks/ip_adapter.py [--rounds 15] [--size 32] [--steps 6] [--families sd15,sdxl]

Runs in ComfyUI's own Python and folder, in one thread of the CPU, with the tiny UNets of the tests. Times are those of
the processor, in interleaved runs; a ratio is the median over their steps, with its interval of 95 %.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from rounds import paired

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--size", type=int, default=32, help="of the latent, in cells")
    parser.add_argument("--steps", type=int, default=6, help="of a run")
    parser.add_argument("--families", default="sd15,sdxl")
    options = parser.parse_args()
    prepare()
    for family in options.families.split(","):
        measure_steps(family, options.rounds, options.size, options.steps)
        measure_bytes(family)
    measure_memory()


def prepare() -> None:
    """ComfyUI on the CPU, and the checkout as ``clip_grid``."""
    sys.argv = [sys.argv[0], "--cpu"]
    tests = ROOT / "tests"
    sys.path[:0] = [str(Path.cwd()), str(tests / "comfyui" / "ip_adapter"), str(tests / "clip_backend" / "ip_adapter")]
    import comfy.options
    import torch

    torch.set_num_threads(1)
    comfy.options.enable_args_parsing()
    init = ROOT / "__init__.py"
    spec = importlib.util.spec_from_file_location("clip_grid", init, submodule_search_locations=[str(ROOT)])
    assert spec
    assert spec.loader
    package = importlib.util.module_from_spec(spec)
    sys.modules["clip_grid"] = package
    spec.loader.exec_module(package)


def measure_steps(family: str, rounds: int, size: int, steps: int) -> None:
    """A step with the adapter against the same step with patches written by hand."""
    import bench

    plain, given = bench.model(family), bench.adapter(family)
    contenders = {
        "ours": bench.apply(plain, given, bench.picture()),
        "by hand": by_hand(plain, given, is_held=True),
        "by hand, keys and values in each step": by_hand(plain, given, is_held=False),
        "no adapter": plain,
    }
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            taken[name] += step_times(contenders[name], size, steps)
    ours = taken.pop("ours")
    print(f"{family}: {1000 * median(ours):.0f} ms for a step of {size} x {size} cells, {len(ours)} steps", flush=True)
    for name, others in taken.items():
        print(f"  {paired(ours, others)} times as long as {name}", flush=True)


def step_times(patcher: Any, size: int, steps: int) -> list[float]:
    """Seconds of the steps of a run but the first, which also opens the run."""
    import bench

    ends: list[float] = []
    bench.sample(patcher, size=(size, size), steps=steps, callback=lambda *_: ends.append(time.process_time()))
    return [after - before for before, after in pairwise(ends)]


def measure_bytes(family: str) -> None:
    """Bytes of the adapter's weights in ComfyUI's memory management, and of what a run of one picture keeps."""
    import bench
    import torch
    from clip_grid.clip_backend.ip_adapter import sampling
    from clip_grid.clip_backend.ip_adapter.roles import Run

    given, noted = bench.adapter(family), []
    patched = bench.apply(bench.model(family), given, bench.picture())

    class NotedRun(Run):
        def __init__(self, guider: Any) -> None:
            super().__init__(guider)
            noted.append(self.held)

    sampling.Run = NotedRun
    try:
        bench.sample(patched, size=(8, 8), steps=2)
    finally:
        sampling.Run = Run
    kept = [one for value in noted[0].values() if isinstance(value, tuple) for one in value]
    counted = sum(one.nbytes for one in kept if isinstance(one, torch.Tensor))
    # two sides of 4 tokens, each with a key and a value in float32
    least = sum(2 * 2 * 4 * 4 * len(pair.k) for pair in given.pairs)
    weights = sum(one.model_size() for one in set(patched.model_patches_models()))
    print(f"  {weights} bytes of weights, {counted} of keys and values of one picture, of {least} needed", flush=True)


def by_hand(plain: Any, given: Any, *, is_held: bool) -> Any:
    """The model with the attention of one picture as one writes it for one guider and no mask."""
    import bench
    import torch
    from clip_grid.clip_backend.ip_adapter.projections import States, project
    from clip_grid.clip_backend.ip_adapter.sites import find_sites
    from torch.nn.functional import linear

    embeds = bench.picture().states.embeds
    tokens = project(given, States(embeds=torch.cat([torch.zeros_like(embeds), embeds])))
    clone = plain.clone()
    for site, pair in zip(find_sites(plain.model.diffusion_model), given.pairs, strict=True):
        held = (linear(tokens, pair.k), linear(tokens, pair.v)) if is_held else None

        def patch(q: Any, k: Any, v: Any, options: Any, held: Any = held, pair: Any = pair) -> Any:
            keys, values = held or (linear(tokens, pair.k), linear(tokens, pair.v))
            heads = options["n_heads"]
            text = bench.optimized_attention(q, k, v, heads, transformer_options=options)
            return text + bench.optimized_attention(q, keys, values, heads, transformer_options=options)

        clone.set_model_attn2_replace(patch, *site.key)
    return clone


def measure_memory() -> None:
    """Bytes of tensors that are alive after 2 and after 50 runs."""
    import bench
    import torch

    def held() -> int:
        gc.collect()
        return sum(one.nbytes for one in gc.get_objects() if issubclass(type(one), torch.Tensor))

    plain, given = bench.model("sd15"), bench.adapter("sd15")
    for number in range(50):
        bench.sample(bench.apply(plain, given, bench.picture(), weight=1 + number), size=(8, 8), steps=1)
        if number in (1, 49):
            print(f"{held()} bytes of tensors after {number + 1} runs")


if __name__ == "__main__":
    main()
