"""What heads learn of four shapes that the bundled model has never seen, how long it takes, and what chance gives.

    python -m benchmarks.learning [--draws 5] [--shuffled 100]

Accuracies on 400 new pictures: the median of draws, for 1 to 16 pictures per class; scikit-learn's logistic regression,
its C chosen on 64 further pictures, stands beside them. Then the calibration error before and after the temperature, on
2,000 new pictures, since on few even right probabilities show one, and how often the verdict is "not better than
chance" where labels are shuffled.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from functools import partial

import numpy as np
from clip_grid.clip_backend.learning.heads.learn import learn_head
from clip_grid.clip_backend.learning.measures.classes import (
    calibration_error_by_chance,
    expected_calibration_error,
    log_loss,
    measure_classes,
)
from clip_grid.clip_backend.learning.measures.verdict import BASE, CHANCE, RIDGE, TRAINED, verdict_on
from clip_grid.clip_backend.learning.options import TrainOptions
from clip_grid.clip_backend.scoring.scales import softmax
from clip_grid.errors import InputError
from sklearn.linear_model import LogisticRegression

from tests.clip_backend.learning.new_shapes import new_shape_features, shape_pool, shape_texts, shapes_base

_SHOTS = (1, 2, 4, 8, 16)
_METHODS = ("nearest", "ridge", "logistic", "lda", "tip")
print = partial(print, flush=True)


def main() -> None:
    """Prints Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--shuffled", type=int, default=100)
    given = parser.parse_args()
    features, labels = new_shape_features(100, 7)
    print(f"zero-shot {((features @ shape_texts().T).argmax(axis=1) == labels).mean():.3f}\n")
    _accuracies(features, labels, given.draws)
    _calibration(given.draws)
    _chance(features, labels, given.shuffled)


def _accuracies(features, labels, draws):
    print(f"| pictures per class | {' | '.join(map(str, _SHOTS))} | seconds for 16 |\n|---|{'---|' * 6}")
    for method in (*_METHODS, "scikit-learn, C on val"):
        cells, seconds = [], 0.0
        for shots in _SHOTS:
            began = time.process_time()
            found = [_accuracy(method, shape_pool(shots, draw), features, labels) for draw in range(draws)]
            seconds = (time.process_time() - began) / draws
            cells.append("–" if None in found else f"{np.median(found):.3f} ({min(found):.2f}–{max(found):.2f})")
        print(f"| {method} | {' | '.join(cells)} | {seconds:.2f} |")
    published = TrainOptions(tip_alpha=1.17, tip_beta=1.0)
    found = [learn_head(shape_pool(16, draw), shapes_base(), "tip", published) for draw in range(draws)]
    right = [(one.head.probabilities(features).argmax(axis=1) == labels).mean() for one in found]
    print(f"\ntip with the published alpha and beta: {np.median(right):.3f}; warned {sum(map(bool, found[0].notes))}\n")


def _accuracy(method, pool, features, labels):
    if method not in _METHODS:
        val, own = new_shape_features(16, 99)
        fitted = [LogisticRegression(C=cost, max_iter=5000).fit(pool.features, pool.labels)
                  for cost in np.logspace(-2, 4, 13)]  # fmt: skip
        return max(fitted, key=lambda one: one.score(val, own)).score(features, labels)
    try:
        head = learn_head(pool, shapes_base(), method).head
    except InputError:
        return None
    return (head.probabilities(features).argmax(axis=1) == labels).mean()


def _calibration(draws):
    features, labels = new_shape_features(500, 7)
    print("| method, 16 per class | ECE before | after | of right probabilities | log-loss before | after |")
    print(f"|---|{'---|' * 5}")
    for method in _METHODS:
        rows = []
        for draw in range(draws):
            head = learn_head(shape_pool(16, draw), shapes_base(), method).head
            before, after = softmax(head.logits(features) * head.temperature), head.probabilities(features)
            errors = [expected_calibration_error(one, labels) for one in (before, after)]
            losses = [log_loss(one, labels) for one in (before, after)]
            rows.append([*errors, calibration_error_by_chance(after, 20), *losses])
        print(f"| {method} | {' | '.join(f'{one:.3f}' for one in np.median(rows, axis=0))} |")


def _chance(features, labels, runs):
    told = []
    learn, test = np.arange(400) % 2 == 0, np.arange(400) % 2 == 1
    groups = tuple(map(str, range(200)))
    for run in range(runs):
        shuffled = np.random.default_rng(run).permutation(labels)
        pool = replace(shape_pool(16, 0), features=features[learn], labels=shuffled[learn], groups=groups, seed=run)
        said = learn_head(pool, shapes_base(), "ridge").head.probabilities(features[test])
        base = softmax(features[test].astype(np.float64) @ shape_texts().T * pool.logit_scale)
        share = np.bincount(shuffled[learn], minlength=4) / learn.sum()
        arms = {BASE: base, RIDGE: said, TRAINED: said, CHANCE: np.tile(share, (test.sum(), 1))}
        measured = {name: measure_classes(one, shuffled[test], groups, seed=run) for name, one in arms.items()}
        told.append(verdict_on(measured, "ridge").word)
    print(f"\nshuffled labels: {told.count('not better than chance')} of {runs} runs not better than chance")


if __name__ == "__main__":
    main()
