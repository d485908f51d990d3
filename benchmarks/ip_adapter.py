"""What an IP-Adapter costs per step, beside the same attention written out by hand, and what it holds over many runs.

    cd COMFYUI && python CHECKOUT/benchmarks/ip_adapter.py [--rounds 15] [--size 32]

Runs in ComfyUI's own Python and folder, on the CPU, with the tiny UNets of the tests. Ratios of interleaved rounds.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from rounds import interleaved

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--size", type=int, default=32, help="of the latent, in cells")
    options = parser.parse_args()
    prepare()
    for family in ("sd15", "sdxl"):
        measure_steps(family, options.rounds, options.size)
    measure_memory()


def prepare() -> None:
    """ComfyUI on the CPU, and the checkout as ``clip_grid``."""
    sys.argv = [sys.argv[0], "--cpu"]
    tests = ROOT / "tests"
    sys.path[:0] = [str(Path.cwd()), str(tests / "comfyui" / "ip_adapter"), str(tests / "clip_backend" / "ip_adapter")]
    import comfy.options

    comfy.options.enable_args_parsing()
    init = ROOT / "__init__.py"
    spec = importlib.util.spec_from_file_location("clip_grid", init, submodule_search_locations=[str(ROOT)])
    assert spec
    assert spec.loader
    package = importlib.util.module_from_spec(spec)
    sys.modules["clip_grid"] = package
    spec.loader.exec_module(package)


def measure_steps(family: str, rounds: int, size: int) -> None:
    """A step with the adapter against the same step with patches written by hand."""
    import bench

    plain, given = bench.model(family), bench.adapter(family)
    contenders = {
        "ours": bench.apply(plain, given, bench.picture()),
        "by hand": by_hand(plain, given, is_held=True),
        "by hand, keys and values in each step": by_hand(plain, given, is_held=False),
        "no adapter": plain,
    }
    steps = {name: sampled_steps(patcher, size) for name, patcher in contenders.items()}
    taken = interleaved(steps, rounds)
    ours = taken["ours"]
    print(f"{family}: {1000 * median(ours):.1f} ms for 4 steps, {size} x {size} cells")
    for name, others in taken.items():
        ratio = median(mine / other for mine, other in zip(ours, others, strict=True))
        print(f"  {ratio:.3f} times as long as {name}")


def sampled_steps(patcher: Any, size: int) -> Callable[[], Any]:
    """A run of four steps."""
    import bench

    return lambda: bench.sample(patcher, size=(size, size), steps=4)


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
