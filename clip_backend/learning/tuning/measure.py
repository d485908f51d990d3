"""How good a model is on val while it is trained, in the metric that users care about, not in the loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...calibration.metrics import roc_auc
from ..measures.retrieval import ranks
from .pairs import Ints, Kind
from .rows import Rows
from .trainee import Trainee

METRIC_OF: dict[Kind, str] = {"classes": "accuracy", "captions": "recall at 1", "pairs": "ROC-AUC"}
#: Rows of val that are measured at each evaluation.
MOST_ROWS = 2000


def why_unmeasured(val: Rows | None) -> str:
    """Why there is no metric on val; empty if there is one."""
    if val is None or not len(val):
        return "there is no val"
    if val.kind == "pairs" and not ((val.labels > 0).any() and (val.labels <= 0).any()):
        return "val has rows of one label alone"
    return ""


def measure(trainee: Trainee, val: Rows) -> float:
    """Accuracy of classes, the mean recall at 1 of both directions for captions, the area under the ROC curve of pairs.

    Of many rows those of ``sampled``.
    """
    places = sampled(val, MOST_ROWS)
    labels, text_of = val.labels[places], val.text_of[places]
    pictures, picture_rows = np.unique(val.picture_of[places], return_inverse=True)
    images = trainee.embed_pictures(pictures)
    if val.kind == "classes":
        found = (images @ trainee.embed_texts(val.classes).T).argmax(dim=1).cpu().numpy()
        return float((val.classes[found][picture_rows] == text_of).mean())
    texts, text_rows = np.unique(text_of, return_inverse=True)
    cosines = (images @ trainee.embed_texts(texts).T).cpu().numpy()  # [P, T]
    if val.kind == "pairs":
        return roc_auc(labels > 0, cosines[picture_rows, text_rows])
    return _recall(cosines, val.positives(pictures, texts))


def sampled(val: Rows, count: int) -> Ints:
    """The places of at most so many rows, the same each time, of every class and label in its share, ascending.

    The rows of a data set may be sorted by class or label, so that the first ones would be of one alone.
    """
    if len(val) <= count:
        return np.arange(len(val))
    random = np.random.default_rng(0).permutation(len(val))
    group = val.text_of if val.kind == "classes" else val.labels
    order = np.lexsort((random, group))
    # with both ends, so that no label is lost
    return np.sort(order[np.linspace(0, len(val) - 1, count).astype(np.int64)])


def _recall(cosines: NDArray[np.float32], related: NDArray[np.bool_]) -> float:
    """The mean over both directions of the share of queries whose best match is right."""
    by_picture = (ranks(cosines, related) == 1).mean()
    by_text = (ranks(cosines.T, related.T) == 1).mean()
    return float((by_picture + by_text) / 2)
