"""A head: what turns the embedding of a picture into probabilities of classes, and the file that it is kept in."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ....atomic import atomic_file, check_replaceable
from ....errors import InputError
from ....json_text import FINITE, parse_object, to_json
from ...encoding.features import Vectors
from ...scoring.scales import Float64s, softmax
from ..base import Base

if TYPE_CHECKING:
    from ...encoding.encoder import Encoder

#: "texts" is what the towers of a model were trained for: its own texts of the classes.
HeadKind = Literal["nearest", "ridge", "logistic", "lda", "tip", "texts"]
#: Version of the file format.
VERSION = 1
#: Cosines with examples that are held at once.
_MOST_HELD = 4_000_000
#: The name in the metadata under which everything but the tensors is: one alone, since their order is random.
FORMAT = "clip-grid head"


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """The examples that Tip-Adapter compares a picture with."""

    #: Unit vectors [N, D].
    keys: Vectors
    #: The class of each [N].
    classes: NDArray[np.int64]
    #: Weight of the examples beside the texts, and how fast it falls with distance; both above 0.
    alpha: float
    beta: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """K classes by their names, from unit embeddings of D numbers of one base model.

    Logits are (features @ weights.T + bias + examples) / temperature; their softmax are the probabilities.
    """

    kind: HeadKind
    classes: tuple[str, ...]
    #: float32 [K, D].
    weights: Vectors
    #: float32 [K].
    bias: Vectors
    #: Above 0; fitted to scores of pictures that the head had not learnt from.
    temperature: float
    base: Base
    #: The examples of Tip-Adapter; None for other kinds.
    examples: Examples | None = None
    #: Pictures that it learnt from.
    pictures: int = 0

    def logits(self, features: Vectors) -> Float64s:
        """float64 [N, K] of unit vectors [N, D]; raises InputError for vectors of another length."""
        if features.ndim != 2 or features.shape[1] != self.weights.shape[1]:
            raise InputError(
                f"the head takes embeddings of {self.weights.shape[1]} dimensions, not of shape {features.shape}; "
                f"encode the pictures with {self.base.name}"
            )
        raw = features.astype(np.float64) @ self.weights.T.astype(np.float64) + self.bias
        if self.examples:
            raw += example_logits(features, self.examples, len(self.classes))
        logits: Float64s = raw / self.temperature
        return logits

    def probabilities(self, features: Vectors) -> Float64s:
        """float64 [N, K], each row of sum 1; raises as ``logits``."""
        return softmax(self.logits(features))

    def check(self, encoder: Encoder) -> None:
        """Raises SpaceError, with both fingerprints, unless the encoder's pictures are those the head knows."""
        self.base.check_pictures(encoder, f"the head for {', '.join(self.classes[:3])}…")


def example_logits(features: Vectors, examples: Examples, classes: int) -> Float64s:
    """alpha * exp(-beta * (1 - cosine)) summed over the examples of each class, float64 [N, classes].

    Source: Zhang et al. 2022 (Tip-Adapter), equation 5.
    """
    keys, own = examples.keys.T.astype(np.float64), np.eye(classes)[examples.classes]
    sums: Float64s = np.empty((len(features), classes))
    step = max(1, _MOST_HELD // max(1, len(examples.keys)))
    for start in range(0, len(features), step):
        cosines = features[start : start + step].astype(np.float64) @ keys
        sums[start : start + step] = examples.alpha * np.exp(-examples.beta * (1 - cosines)) @ own
    return sums


def save_head(head: Head, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Writes the head as safetensors, whole or not at all; raises OutputError if it cannot, or for another's file.

    overwrite: also replace a file that is no head.
    """
    target = Path(os.path.expanduser(path))
    check_replaceable(target, is_head, "a head of this program", overwrite=overwrite)
    with atomic_file(target) as file:
        file.write(head_bytes(head))


def head_bytes(head: Head) -> bytes:
    """The content of the file: float32 tensors, and everything else as JSON in the metadata."""
    from safetensors.numpy import save

    tensors: dict[str, NDArray[np.generic]] = {"weights": head.weights, "bias": head.bias}
    facts: dict[str, object] = {
        "version": VERSION, "kind": head.kind, "classes": list(head.classes), "temperature": head.temperature,
        "base": head.base.to_dict(), "pictures": head.pictures,
    }  # fmt: skip
    if head.examples:
        tensors |= {"keys": head.examples.keys, "values": head.examples.classes}
        facts |= {"alpha": head.examples.alpha, "beta": head.examples.beta}
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    return save(whole, {FORMAT: to_json(facts)})


def is_head(path: Path) -> bool:
    """Whether the file is a head of any version."""
    try:
        return FORMAT in _metadata(path)
    except InputError:
        return False


def read_head(path: str | os.PathLike[str]) -> Head:
    """The head of a file, or that of a run folder; raises InputError, naming the file, if it holds none."""
    file = Path(os.path.expanduser(path))
    if file.is_dir():
        file /= "head.safetensors"
    if FORMAT not in (metadata := _metadata(file)):
        raise InputError(f"{file} is no head of clip-grid train; give a head.safetensors, or the folder of its run")
    try:
        facts = parse_object(metadata[FORMAT], FINITE)
        if facts["version"] != VERSION:
            raise InputError(f"it is of version {facts['version']!r}, and this program reads version {VERSION}")
        return _head(facts, _tensors(file))
    except InputError as error:
        raise InputError(f"{file} cannot be used: {error}; train it anew") from error
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{file} is damaged ({error!r}); train it anew") from error


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        # a pipe would be waited for
        raise InputError(f"{path} is no file; give a head that clip-grid train wrote")
    try:
        with safe_open(str(path), framework="np") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read ({error}); give a head that clip-grid train wrote") from error


def _tensors(path: Path) -> dict[str, NDArray[np.generic]]:
    from safetensors import safe_open

    with safe_open(str(path), framework="np") as file:
        names = sorted(file.keys())
        for name in names:
            # numpy has no bfloat16, and no floats of 8 bits
            if (dtype := file.get_slice(name).get_dtype()) not in ("F32", "I64"):
                raise InputError(f"its {name} are {dtype}")
        return {name: file.get_tensor(name) for name in names}


def _head(facts: dict[str, Any], tensors: dict[str, NDArray[np.generic]]) -> Head:
    """The head of these values; raises InputError, saying what is wrong, or KeyError for one that is missing."""
    kind, listed = facts["kind"], facts["classes"]
    classes = tuple(listed) if isinstance(listed, list) else ()
    if kind not in get_args(HeadKind):
        raise InputError(f"its kind is {kind!r}")
    if len(classes) < 2 or len(set(classes)) < len(classes) or not all(isinstance(name, str) for name in classes):
        raise InputError("its classes are not two or more different names")
    weights = _floats("weights", tensors["weights"], (len(classes), None))
    examples = None
    if kind == "tip":
        keys = _floats("keys", tensors["keys"], (None, weights.shape[1]))
        values = tensors["values"]
        if values.shape != (len(keys),) or values.dtype != np.int64 or not np.isin(values, range(len(classes))).all():
            raise InputError("its examples have no class each")
        alpha, beta = (_positive(name, facts[name]) for name in ("alpha", "beta"))
        examples = Examples(keys=keys, classes=values.astype(np.int64), alpha=alpha, beta=beta)
    return Head(
        kind=kind, classes=classes, weights=weights, bias=_floats("bias", tensors["bias"], (len(classes),)),
        temperature=_positive("temperature", facts["temperature"]), base=Base.from_dict(facts["base"]),
        examples=examples, pictures=int(facts["pictures"]),
    )  # fmt: skip


def _floats(name: str, tensor: NDArray[np.generic], shape: tuple[int | None, ...]) -> Vectors:
    fits = tensor.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, tensor.shape, strict=True)
    )
    if not fits or tensor.dtype != np.float32 or not np.isfinite(numbers := tensor.astype(np.float32)).all():
        raise InputError(f"its {name} are {tensor.dtype} {tensor.shape}, or not finite")
    return numbers


def _positive(name: str, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < math.inf:
        raise InputError(f"its {name} is {value!r}")
    return float(value)
