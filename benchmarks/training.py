"""Training of towers on the bundled model: what it reaches and keeps, whether kills change it, what the loop costs.

    python benchmarks/training.py [accuracy] [kills] [loop] [--seeds 3] [--kills 20]

accuracy: 16 pictures of each of four shapes that the model has never seen, 64 for val and 400 to measure on, by LoRA,
last blocks and all weights, as trained and with ``keep`` 0.95; "exam" is the model's own: 400 pictures of its shapes
in their colours, of 64 captions. kills: a process is killed by SIGKILL at random steps and resumed; the files must be
those of an uninterrupted training. It needs fork. loop: LoRA steps of 32 pictures beside a bare loop of PyTorch with
the same towers, in turns. Times are of one thread of the processor. Needs ``pip install 'clip-grid[clip]'``.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from clip_grid.clip_backend.learning.options import TrainOptions
from clip_grid.clip_backend.learning.tuned import encoder_with
from clip_grid.clip_backend.learning.tuning.base import TrainableBase
from clip_grid.clip_backend.learning.tuning.lora import LoraSettings
from clip_grid.clip_backend.learning.tuning.pairs import Pairs
from clip_grid.clip_backend.learning.tuning.result import Step
from clip_grid.clip_backend.learning.tuning.trainable import TowerPlan, make_trainable, trained_parameters
from clip_grid.clip_backend.learning.tuning.tune import tune
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, Scene, draw, one_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "clip_backend" / "learning"))
from new_shapes import NEW_SHAPES, draw_new_shape

FILES = ("best.safetensors", "log.csv")
TEXTS = [f"a photo of a {name}" for name in NEW_SHAPES]


def new_shapes(per_class: int, seed: int) -> Pairs:
    """Pictures of the four shapes with their names."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(NEW_SHAPES)), per_class)
    return Pairs(
        kind="classes", pictures=[draw_new_shape(NEW_SHAPES[label], rng) for label in labels], texts=TEXTS,
        picture_of=np.arange(len(labels)), text_of=labels, labels=np.ones(len(labels), np.float32),
    )  # fmt: skip


def exam(count: int = 400) -> Pairs:
    """The model's own shapes in colours, each of which has a caption."""
    rng, pictures, labels = np.random.default_rng(7), [], []
    texts = [f"{'an' if colour == 'orange' else 'a'} {colour} {shape}" for shape in SHAPES for colour in COLOURS]
    for _ in range(count):
        colour, shape = one_of(COLOURS, rng), one_of(SHAPES, rng)
        behind = one_of([name for name in COLOURS if name != colour], rng)
        pictures.append(draw(Scene(kind="shape", colour=colour, shape=shape, size="large", background=behind), 64, rng))
        labels.append(SHAPES.index(shape) * len(COLOURS) + COLOURS.index(colour))
    return Pairs(
        kind="classes", pictures=pictures, texts=texts, picture_of=np.arange(count), text_of=np.array(labels),
        labels=np.ones(count, np.float32),
    )  # fmt: skip


def accuracy(encoder, pairs: Pairs) -> float:
    """The share of pictures whose own text fits best."""
    cosines = encoder.encode_images(list(pairs.pictures)).to_features().similarity(encoder.encode_texts(pairs.texts))
    return float((cosines.argmax(1) == pairs.text_of).mean())


def measure_accuracy(base: TrainableBase, seeds: int, work: Path) -> None:
    test, own = new_shapes(100, 999), exam()
    print(f"base: accuracy {accuracy(base.encoder, test):.3f}, exam {accuracy(base.encoder, own):.3f}", flush=True)
    for method in ("lora", "last-blocks", "full"):
        for seed in range(seeds):
            for keep in (0.0, 0.95):
                begun = time.process_time()
                options = TrainOptions(method=method, seed=seed, keep=keep)
                folder = work / f"{method} {seed} {keep}"
                tuned = tune(base, new_shapes(16, seed), new_shapes(16, 100 + seed), options, folder)
                seconds = time.process_time() - begun
                trained = encoder_with(base, tuned.path)
                print(
                    f"{method}, seed {seed}, keep {keep}: accuracy {accuracy(trained, test):.3f}, exam "
                    f"{accuracy(trained, own):.3f}, strength {tuned.strength:.3f}, rate {tuned.learning_rate:.1e}, "
                    f"best step {tuned.best_step} of {tuned.steps}, {seconds:.0f} s",
                    flush=True,
                )


def kill_at(step: int, told: Step) -> None:
    """Ends this process at a step, as nothing that cleans up can."""
    if told.step == step:
        os.kill(os.getpid(), signal.SIGKILL)


def measure_kills(base: TrainableBase, kills: int, work: Path) -> None:
    for method in ("lora", "full"):
        options = TrainOptions(method=method, steps=30, batch=8, learning_rate=1e-3, evaluate_every=4, keep=0)
        data = new_shapes(4, 1), new_shapes(3, 2)
        tune(base, *data, options, work / f"{method} whole")
        equal = 0
        for number in range(kills // 2):
            folder = work / f"{method} {number}"
            step = random.Random(number).randrange(1, 30)
            child = os.fork()
            if not child:
                tune(base, *data, options, folder, checkpoint_every=3, on_step=partial(kill_at, step))
                os._exit(1)
            status = os.waitpid(child, 0)[1]
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
            tune(base, *data, options, folder, resume=True)
            same = [(folder / name).read_bytes() == (work / f"{method} whole" / name).read_bytes() for name in FILES]
            equal += all(same)
        print(f"{method}: {equal} of {kills // 2} killed trainings ended with the same bits", flush=True)


def measure_loop(base: TrainableBase, work: Path, steps: int = 40) -> None:
    data, ours, bare = new_shapes(16, 1), list[float](), list[float]()
    step_of = bare_loop(base, data)
    options = TrainOptions(method="lora", steps=steps, learning_rate=1e-3, keep=0)
    last = [0.0]

    def on_step(told) -> None:
        # each step of ours is followed by one of the bare loop
        if told.step > 3:
            ours.append(time.process_time() - last[0])
        begun = time.process_time()
        step_of()
        if told.step > 3:
            bare.append(time.process_time() - begun)
        last[0] = time.process_time()

    tune(base, data, None, options, work / "loop", on_step=on_step)
    one, other = median(ours), median(bare)
    print(f"a step: {one * 1e3:.1f} ms, bare PyTorch {other * 1e3:.1f} ms, {one / other:.3f} times", flush=True)


def bare_loop(base: TrainableBase, data: Pairs):
    """A function that does one step on the same towers, as a script without this package's loop would."""
    from clip_grid.clip_backend.preparing.preprocessing import normalised, prepare
    from torch.nn import functional
    from torch.optim import AdamW

    vision, text, source = base.build_vision(), base.build_text(), torch.Generator()
    prepared = [prepare(picture, base.preprocessing) for picture in data.pictures]
    with torch.no_grad():
        tokens = vision.tokens_before(normalised(prepared, base.preprocessing, "cpu"), 0)
    for tower in (vision, text):
        make_trainable(tower, TowerPlan(mode="lora", first=0), LoraSettings(), source, 0)
        tower.train()
    parameters = [one for tower in (vision, text) for one in trained_parameters(tower).values()]
    optimizer, labels = AdamW(parameters, lr=1e-3, weight_decay=0.01), torch.from_numpy(data.text_of)
    from clip_grid.clip_backend.tokenizing.tokenizer import batch_of

    ids, ends = (torch.from_numpy(one) for one in batch_of(base.tokenizer.encode(TEXTS), base.tokenizer))

    def step() -> None:
        chosen = torch.randperm(len(labels))[:32]
        images = functional.normalize(vision.embeds_from(tokens[chosen], 0), dim=-1)
        texts = functional.normalize(text(ids, ends), dim=-1)
        loss = functional.cross_entropy(base.encoder.logit_scale * images @ texts.T, labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        loss.item()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["accuracy", "kills", "loop"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    base = TrainableBase.of(load_encoder("shapes-demo"))
    with TemporaryDirectory() as folder:
        if "loop" in args.what:
            measure_loop(base, Path(folder))
        if "kills" in args.what:
            measure_kills(base, args.kills, Path(folder))
        if "accuracy" in args.what:
            measure_accuracy(base, args.seeds, Path(folder))


if __name__ == "__main__":
    main()
