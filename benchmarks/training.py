"""Training of towers on the bundled model: what it reaches and keeps, whether kills change it, what the loop costs.

    python benchmarks/training.py [accuracy] [kills] [frozen] [loop] [--methods lora] [--seeds 3] [--kills 10]

accuracy: 16 pictures of each of four shapes that the model has never seen, 64 for val and 400 to measure on, by LoRA,
last blocks and all weights, as trained and with ``keep`` 0.95; "exam" is the model's own: 400 pictures of its shapes
in their colours, of 64 captions. kills: a process is killed by SIGKILL at random steps and resumed; the files must be
those of an uninterrupted training. It needs fork. frozen: what an epoch takes once frozen towers or blocks are
computed, beside the first. loop: LoRA steps of 32 pictures beside a bare loop of PyTorch with
the same towers, in turns. Times are of one thread of the processor. Needs ``pip install 'clip-grid[clip]'``.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.learning.options import TrainOptions
from clip_grid.clip_backend.learning.tuned import encoder_with
from clip_grid.clip_backend.learning.tuning.base import TrainableBase
from clip_grid.clip_backend.learning.tuning.lora import LoraSettings
from clip_grid.clip_backend.learning.tuning.pairs import Pairs, Retention
from clip_grid.clip_backend.learning.tuning.result import Step
from clip_grid.clip_backend.learning.tuning.trainable import TowerPlan, make_trainable, trained_parameters
from clip_grid.clip_backend.learning.tuning.tune import tune
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.scoring.scales import softmax
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, Scene, draw, one_of
from PIL import Image

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


def measure_accuracy(base: TrainableBase, methods: Sequence[str], seeds: Sequence[int], work: Path) -> None:
    test, own = new_shapes(100, 999), exam()
    print(f"base: accuracy {accuracy(base.encoder, test):.3f}, exam {accuracy(base.encoder, own):.3f}", flush=True)
    for method in methods:
        for seed in seeds:
            data = new_shapes(16, seed), new_shapes(16, 100 + seed)
            for keep in (0.0, 0.95):
                # lora trains other weights if something is to be kept; of the others only the strength is chosen anew
                folder = work / f"{method} {seed} {keep if method == 'lora' else ''}"
                begun = time.process_time()
                tuned = tune(base, *data, TrainOptions(method=method, seed=seed, keep=keep), folder, resume=True)
                seconds = time.process_time() - begun
                trained = encoder_with(base, tuned.path)
                print(
                    f"{method}, seed {seed}, keep {keep}: accuracy {accuracy(trained, test):.3f}, exam "
                    f"{accuracy(trained, own):.3f}, strength {tuned.strength:.3f}, kept {tuned.retained:.3f}, rate "
                    f"{tuned.learning_rate:.1e}, best step {tuned.best_step} of {tuned.steps}, {seconds:.0f} s",
                    flush=True,
                )


def kill_at(step: int, told: Step) -> None:
    """Ends this process at a step, as nothing that cleans up can."""
    if told.step == step:
        os.kill(os.getpid(), signal.SIGKILL)


def measure_kills(base: TrainableBase, methods: Sequence[str], kills: int, work: Path) -> None:
    """Every third time the newest checkpoint is torn besides, so that the one before it must be used."""
    for method in methods:
        options = TrainOptions(method=method, steps=30, batch=8, learning_rate=1e-3, evaluate_every=4, keep=0)
        data, whole = (new_shapes(4, 1), new_shapes(3, 2)), work / f"{method} whole"
        tune(base, *data, options, whole)
        equal, torn, steps = 0, 0, list[int]()
        for number in range(kills):
            folder = work / f"{method} killed {number}"
            steps.append(random.Random(f"{method} {number}").randrange(1, 30))
            child = os.fork()
            if not child:
                tune(base, *data, options, folder, checkpoint_every=3, on_step=partial(kill_at, steps[-1]))
                os._exit(1)
            status = os.waitpid(child, 0)[1]
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
            newest = sorted((folder / "last").glob("step-*"))[-2:]
            if number % 3 == 2 and len(newest) == 2:
                os.truncate(newest[-1], newest[-1].stat().st_size // 2)
                torn += 1
            tune(base, *data, options, folder, resume=True)
            equal += all((folder / name).read_bytes() == (whole / name).read_bytes() for name in FILES)
        print(
            f"{method}: {equal} of {kills} trainings, killed at steps {sorted(steps)}, ended with the same bits; of "
            f"{torn} the newest checkpoint was torn",
            flush=True,
        )


def measure_frozen(base: TrainableBase, work: Path) -> None:
    """The first two epochs of 64 photographs of 1024 x 1024 pixels, and of 64 drawings of 64 x 64."""
    drawn = new_shapes(16, 1)
    for side in (1024, 64):
        folder = work / f"pictures {side}"
        folder.mkdir()
        files = [folder / f"{place}.jpg" for place in range(len(drawn))]
        for file, picture in zip(files, drawn.pictures, strict=True):
            picture.resize((side, side)).save(file, quality=95)
        data = replace(drawn, pictures=files)
        first, second = head_epochs(base, data)
        print(f"{side}: a head on frozen towers: {told(first, second)}", flush=True)
        for name, options in (
            ("the text tower, vision frozen", {"method": "lora", "vision_tower": "frozen"}),
            ("last blocks, activations cached", {"method": "last-blocks", "last_blocks": 1}),
            ("last blocks, not cached", {"method": "last-blocks", "last_blocks": 1, "cache_activations": False}),
        ):
            first, second = tower_epochs(base, data, options, work / f"{name} {side}")
            print(f"{side}: {name}: {told(first, second)}", flush=True)


def told(first: float, second: float) -> str:
    return f"first epoch {first * 1e3:.1f} ms, second {second * 1e3:.2f} ms, {first / second:.1f} times"


def head_epochs(base: TrainableBase, data: Pairs) -> tuple[float, float]:
    """Seconds of the first two passes of gradient descent on a logistic head, embeddings included."""
    encoder = load_encoder("shapes-demo", encoders=EncoderCache())
    encoder.encode_images([Image.new("RGB", (8, 8))])
    weights, seconds, own = np.zeros((len(TEXTS), base.encoder.dim)), [], np.eye(len(TEXTS))[data.text_of]
    features = None
    for _ in range(2):
        begun = time.process_time()
        features = encoder.encode_images(list(data.pictures)).to_features().vectors if features is None else features
        for start in range(0, len(own), 32):
            part, truth = features[start : start + 32], own[start : start + 32]
            weights -= (softmax(part @ weights.T) - truth).T @ part
        seconds.append(time.process_time() - begun)
    return seconds[0], seconds[1]


def tower_epochs(base: TrainableBase, data: Pairs, options: dict, folder: Path) -> tuple[float, float]:
    """Seconds of the first two epochs of a training, what comes before its first step included."""
    ends = [0.0]
    encoder = load_encoder("shapes-demo", encoders=EncoderCache())
    fresh = replace(base, encoder=encoder)
    wanted = TrainOptions(epochs=3, batch=32, learning_rate=1e-4, keep=0, evaluate_every=1000, **options)
    nothing = Retention(pictures=[Image.new("RGB", (8, 8))], texts=["a"])
    ends[0] = time.process_time()
    tune(
        fresh, data, None, wanted, folder, retention=nothing, checkpoint_every=1000,
        on_step=lambda step: ends.append(time.process_time()) if step.step % 2 == 0 else None,
    )  # fmt: skip
    return ends[1] - ends[0], ends[2] - ends[1]


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
    parser.add_argument("what", nargs="*", default=["accuracy", "kills", "frozen", "loop"])
    parser.add_argument("--methods", nargs="+", default=["lora", "last-blocks", "full"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    base = TrainableBase.of(load_encoder("shapes-demo"))
    with TemporaryDirectory() as folder:
        if "loop" in args.what:
            measure_loop(base, Path(folder))
        if "frozen" in args.what:
            measure_frozen(base, Path(folder))
        if "kills" in args.what:
            measure_kills(base, args.methods, args.kills, Path(folder))
        if "accuracy" in args.what:
            measure_accuracy(base, args.methods, range(args.seeds), Path(folder))


if __name__ == "__main__":
    main()
