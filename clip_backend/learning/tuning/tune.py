"""Training the towers of a model on pairs, from the check of memory to the file of what was trained."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....atomic import atomic_file, make_folder, set_kept, the_only_run
from ....errors import InputError
from ....imaging import Progress
from ....plurals import counted
from ...checkpoints.trained_weights import save_trained_file
from ...towers.towers import VisionTower
from ..options import TrainOptions
from ..runs.run import BEST, LOG
from .base import TrainableBase
from .checkpoints import Checkpoints, Progressed
from .feeds import Feed, PictureFeed, TextFeed, frozen_pictures, frozen_texts, picture_key
from .keep import choose_strength, drawn_retention
from .loop import EVALUATIONS, Loop, LoopSettings, planned_steps
from .measure import METRIC_OF, why_unmeasured
from .memory import check_memory, training_bytes
from .pairs import Pairs, Retention
from .rate import GRIDS, Searched, grid_search, range_test, search_steps
from .result import OnStep, Pace, Strength, Tuned
from .rows import Rows, joined
from .trainable import Tower, exported, lora_settings, make_trainable, plan_of, trained_parameters
from .trainee import Trainee, choose_loss

#: Where what the frozen blocks give is kept while a training is not done.
ACTIVATIONS = "activations"
_NAMED = 3


def tune(
    base: TrainableBase,
    train: Pairs,
    val: Pairs | None,
    options: TrainOptions,
    folder: Path,
    *,
    retention: Retention | None = None,
    resume: bool = False,
    checkpoint_every: int | None = None,
    on_begin: Callable[[], None] | None = None,
    on_prepare: Progress | None = None,
    on_step: OnStep | None = None,
) -> Tuned:
    """Trains the towers by ``options.method``, "lora", "last-blocks" or "full", and writes ``best.safetensors``.

    folder: of the run; checkpoints are in ``last`` below it, and ``log.csv`` beside. val: by which the best weights are
    chosen; without it they are the last. retention: by what ``options.keep`` is measured; drawings without one.
    resume: go on from the newest checkpoint, if there is one; on a processor the result is that of an uninterrupted
    training, to the bit. checkpoint_every: steps between checkpoints; without it so that they cost little time.
    on_begin: called before anything is written, once nothing of what is checked below can be refused any more.
    on_prepare: called with (done, all) pictures while the frozen blocks compute. on_step: after every step, those that
    find the learning rate included.
    Raises InputError for options that do not fit the data or the model, LimitError where memory or disk do not
    suffice, OutputError where nothing can be written or another process trains in the folder. Pictures that cannot be
    read are left out and named in the notes.
    """
    with the_only_run(folder / BEST), torch.inference_mode(False), torch.enable_grad():
        training = _Training(base, train, val, options, folder, retention or drawn_retention())
        return training.run(resume, checkpoint_every, on_begin, on_prepare, on_step)


class _Training:
    """One call of ``tune``."""

    def __init__(
        self, base: TrainableBase, train: Pairs, val: Pairs | None, options: TrainOptions, folder: Path,
        retention: Retention,
    ) -> None:  # fmt: skip
        self.base, self.options, self.folder = base, options, folder
        self.plan = plan_of(base.vision, base.text, train.kind, options, base.device)
        self.lora = lora_settings(options)
        self.joined = joined(train, val, retention)
        self.loss = choose_loss(options.loss, self.joined.train)
        check_memory(training_bytes(base, self.plan, options), base.device)
        self.checkpoints = Checkpoints(folder)
        self.towers: list[Tower] = []
        self.notes: list[str] = []

    def run(
        self, resume: bool, checkpoint_every: int | None, on_begin: Callable[[], None] | None,
        on_prepare: Progress | None, on_step: OnStep | None,
    ) -> Tuned:  # fmt: skip
        """See ``tune``."""
        make_folder(self.folder)
        key = self._key()
        found = self.checkpoints.read(key) if resume and self.checkpoints.exist() else None
        if on_begin:
            on_begin()
        if found is None:
            self.checkpoints.remove()
        set_kept(str(self.folder), f"what was computed so far is kept in {self.folder}; go on with --resume")
        random = torch.Generator(self.base.device)
        feeds = self._feeds(random, on_prepare)
        rows, val = self._usable(feeds)
        trainee = Trainee(
            self.towers, *feeds, self.loss, self.base.encoder.identity, random, self.base.device
        )  # fmt: skip
        trainee.begin(rows, self.options.seed)
        settings = self._settings(len(rows), checkpoint_every)
        searching = 0 if found or self.options.learning_rate else search_steps(self.options.rate_search, settings.steps)
        pace = Pace(searching + settings.steps - (found[0].step if found else 0))
        searched = Searched(searching, pace, on_step)
        progressed = found[0] if found else self._begun(key, trainee, rows, val, settings, searched)
        loop = Loop(trainee, rows, val, settings, self.checkpoints, progressed, on_step, pace)
        if found:
            loop.restore(found[1])
        loop.run()
        tuned = self._finish(trainee, val, progressed)
        # gigabytes, and of no use any more
        shutil.rmtree(self.folder / ACTIVATIONS, ignore_errors=True)
        set_kept(str(self.folder), "")
        return tuned

    def _feeds(self, random: torch.Generator, on_prepare: Progress | None) -> tuple[Feed, Feed]:
        base, plan, options, data = self.base, self.plan, self.options, self.joined
        place, cached = self.folder / ACTIVATIONS, options.cache_activations
        pictures: Feed
        if plan.vision.is_frozen:
            pictures = frozen_pictures(base.encoder, data.pictures, base.device, on_prepare)
        else:
            vision = base.build_vision()
            pictures = PictureFeed(base, vision, plan.vision, data.pictures, place, cached=cached, progress=on_prepare)
            make_trainable(vision, plan.vision, self.lora, random, options.seed)
            self.towers.append(vision)
        if plan.text.is_frozen:
            return pictures, frozen_texts(base.encoder, data.texts, base.device)
        text = base.build_text()
        texts = TextFeed(base, text, plan.text, data.texts, place, cached=cached)
        make_trainable(text, plan.text, self.lora, random, options.seed)
        self.towers.append(text)
        return pictures, texts

    def _usable(self, feeds: tuple[Feed, Feed]) -> tuple[Rows, Rows | None]:
        """The rows whose pictures can be read."""
        failed = feeds[0].failed
        if failed:
            named = "; ".join(list(failed.values())[:_NAMED])
            self.notes.append(f"{counted(len(failed), 'picture', 'is/are')} left out (cannot be read): {named}")
        rows = self.joined.train.without(failed)
        if not len(rows):
            raise InputError(f"none of the pictures can be used: {next(iter(failed.values()), '')}")
        val = self.joined.val.without(failed) if self.joined.val is not None else None
        if why := why_unmeasured(val):
            self.notes.append(f"{why}, so that training does not stop early and its last weights are taken")
            val = None
        return rows, val

    def _settings(self, rows: int, checkpoint_every: int | None) -> LoopSettings:
        options = self.options
        steps = planned_steps(options, rows)
        return LoopSettings(
            steps=steps, batch=options.batch, weight_decay=options.weight_decay, seed=options.seed,
            evaluate_every=options.evaluate_every or max(1, steps // EVALUATIONS), patience=options.patience,
            checkpoint_every=checkpoint_every,
        )  # fmt: skip

    def _begun(
        self, key: str, trainee: Trainee, rows: Rows, val: Rows | None, settings: LoopSettings, searched: Searched
    ) -> Progressed:
        options = self.options
        rate, tried = options.learning_rate, list[list[float]]()
        if not rate and options.rate_search == "grid":
            mode = "lora" if "lora" in (self.plan.vision.mode, self.plan.text.mode) else "full"
            rate, tried = grid_search(trainee, rows, val, settings, GRIDS[mode], searched)
        elif not rate:
            rate, tried = range_test(trainee, rows, settings, searched)
        return Progressed(key=key, learning_rate=rate, tried_rates=tried)

    def _key(self) -> str:
        """Hash of everything that the weights depend on."""
        data, options = self.joined, asdict(self.options)
        # its strength is decided after training, and what it freezes is in the plan
        options.pop("keep")
        told = [self.base.encoder.fingerprint, self.base.preprocessing.key, self.base.tokenizer.fingerprint]
        told += [json.dumps(options, sort_keys=True), repr(self.plan), self.loss, *data.texts]
        told += [str(len(data.texts)), *map(picture_key, data.pictures)]
        digest = hashlib.blake2b("\0".join(told).encode("utf-8", "surrogatepass"), digest_size=16)
        for rows in (data.train, data.val):
            if rows is not None:
                for part in (rows.picture_of, rows.text_of, rows.labels):
                    digest.update(np.ascontiguousarray(part).data.cast("B"))
        return digest.hexdigest()

    def _finish(self, trainee: Trainee, val: Rows | None, progressed: Progressed) -> Tuned:
        """Takes the best weights, chooses their strength, and writes both."""
        best = self.checkpoints.read_best(progressed.best_step)
        with torch.no_grad():
            for name, parameter in trainee.parameters().items():
                parameter.copy_(best[name])
        data = self.joined
        failed = list(trainee.pictures.failed)
        kept = data.kept_pictures[~np.isin(data.kept_pictures, failed)], data.kept_texts
        chosen, compared = choose_strength(trainee, val, kept, self._base_weights(), self.options.keep)
        if val is not None and not progressed.best_step:
            self.notes.append(
                "no step was better on val than the base model, whose weights are kept; give more steps, another "
                "learning_rate, or more examples"
            )
        if not chosen.strength:
            self.notes.append(
                f"no strength keeps {self.options.keep:g} of the model's own answers; give a smaller keep, a lower "
                "learning_rate or fewer steps"
            )
        tensors = {name: one for tower in self.towers for name, one in exported(tower).items()}
        path = self.folder / BEST
        is_lora = any(".lora_A." in name for name in tensors)
        save_trained_file(
            path, tensors, "lora" if is_lora else "weights", self.base.identity, strength=chosen.strength,
            alpha=self.lora.alpha, rule=self.lora.rule,
        )  # fmt: skip
        self._write_log(progressed)
        return self._result(path, chosen, compared, progressed)

    def _base_weights(self) -> dict[str, Tensor]:
        """The base model's own of what is trained whole, by the towers' names."""
        found: dict[str, Tensor] = {}
        for tower in self.towers:
            names = set(trained_parameters(tower))
            own = self.base.build_vision() if isinstance(tower, VisionTower) else self.base.build_text()
            found |= {name: one.detach() for name, one in own.named_parameters() if name in names}
        return found

    def _write_log(self, progressed: Progressed) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["step", "loss", "learning_rate", METRIC_OF[self.joined.train.kind].replace(" ", "_")])
        writer.writerows([["" if cell is None else cell for cell in line] for line in progressed.log])
        with atomic_file(self.folder / LOG) as file:
            file.write(text.getvalue().encode())

    def _result(self, path: Path, chosen: Strength, compared: Sequence[Strength], progressed: Progressed) -> Tuned:
        return Tuned(
            path=path, method=self.options.method,
            changes=tuple(
                part for part, plan in (("vision", self.plan.vision), ("text", self.plan.text)) if not plan.is_frozen
            ),
            metric_name=METRIC_OF[self.joined.train.kind],
            metric=chosen.metric, base_metric=progressed.base_metric, strength=chosen.strength,
            retained=chosen.retained, strengths=tuple(compared), best_step=progressed.best_step,
            steps=progressed.step, stopped=progressed.stopped, learning_rate=progressed.learning_rate,
            tried_rates=tuple((rate, value) for rate, value in progressed.tried_rates),
            log=tuple((int(step or 0), loss, rate, metric) for step, loss, rate, metric in progressed.log),
            notes=(*self.notes, *progressed.notes),
        )  # fmt: skip
