"""A data set from its path to what can be trained on: read, looked at, checked and split."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import InputError
from ....imaging import Progress
from ...finding.folders import StrPath
from .checks import check_examples
from .dataset import Dataset, FactsOf, Part
from .groups import Floats
from .inspect import Inspected, inspect_pictures
from .model_checks import embed, embed_pictures, label_noise, long_texts
from .read import read_dataset
from .report import DataReport
from .split import Split, read_split
from .splits import Shares, split_dataset

if TYPE_CHECKING:
    from ...encoding.encoder import Encoder


@dataclass(frozen=True, eq=False)
class PreparedData:
    """A data set that was checked and split; ``split.train`` and the like are indices into ``dataset.examples``."""

    dataset: Dataset
    inspected: tuple[Inspected, ...]
    report: DataReport
    split: Split
    #: Unit vectors of the pictures [N, D], zeros for those that cannot be read; None without a model.
    vectors: Floats | None = None


def prepare_data(
    path: StrPath,
    *,
    shares: Shares | None = None,
    root: StrPath | None = None,
    facts_of: FactsOf | None = None,
    encoder: Encoder | None = None,
    previous: StrPath | None = None,
    parts: Mapping[Part, StrPath] | None = None,
    check: Callable[[Dataset], None] | None = None,
    progress: Progress | None = None,
) -> PreparedData:
    """The data set in a file or folder with its report and split; see ``read_dataset`` and ``split_dataset``.

    encoder: also checks texts and labels by the model, and compares embeddings to find near-duplicates. previous: the
    file of an earlier split, whose pictures stay in their parts. parts: data sets that are the val or test part;
    ``path`` is then what is trained on. check: called with the data set before its pictures and the weights of the
    model are read; what it raises ends the call. progress: called with (pictures read, all).
    Raises InputError for what is no data set; what is wrong in one is in the report, see ``check_trainable``.
    """
    earlier = read_split(Path(os.path.expanduser(previous))) if previous is not None else None
    dataset = _read(path, parts or {}, root, facts_of)
    if check:
        check(dataset)
    inspected = inspect_pictures(dataset, progress)
    size = encoder.preprocessing.size if encoder and encoder.preprocessing else None
    findings, left_out = check_examples(dataset, inspected, size)
    unchecked, lost, vectors = [], None, None
    if encoder is None:
        unchecked.append("sizes of pictures, lengths of texts and unlikely labels: they need a model")
    else:
        try:
            embedded = embed(encoder, dataset, inspected)
            vectors = embedded.pictures
            noise, lost = label_noise(dataset, embedded)
            findings += [*long_texts(dataset, embedded), *noise]
        except InputError as error:
            unchecked.append(f"lengths of texts and unlikely labels: {error}")
            vectors = embed_pictures(encoder, dataset, inspected)
    report = DataReport.of(dataset, findings, frozenset(left_out), unchecked=tuple(unchecked), lost_to_others=lost)
    split = split_dataset(
        dataset, inspected, shares or Shares(), vectors=vectors, left_out=left_out, previous=earlier
    )  # fmt: skip
    return PreparedData(dataset, inspected, report.with_split(split), split, vectors)


def _read(path: StrPath, parts: Mapping[Part, StrPath], root: StrPath | None, facts_of: FactsOf | None) -> Dataset:
    """The data set, with those of other parts behind it; raises InputError for data sets of different kinds."""
    dataset = read_dataset(path, root=root, facts_of=facts_of)
    for part, other in parts.items():
        more = read_dataset(other, root=root, facts_of=facts_of)
        if more.kind != dataset.kind:
            raise InputError(f"{dataset.path} holds {dataset.kind}, and {more.path} {more.kind}; give data of one kind")
        file = more.path.name
        # names are only comparable where they are relative to one folder
        within = "" if root is not None or _folder(more) == _folder(dataset) else f"{part}/"
        train = [one if one.part else replace(one, part="train") for one in dataset.examples]
        examples = [replace(one, part=part, name=f"{within}{one.name}", file=one.file or file) for one in more.examples]
        findings = [replace(one, file=one.file or file) for one in more.findings]
        dataset = replace(
            dataset, examples=(*train, *examples), findings=(*dataset.findings, *findings),
            rows=dataset.rows + more.rows,
        )  # fmt: skip
    return dataset


def _folder(dataset: Dataset) -> Path:
    """The folder that the names of its pictures are relative to."""
    return dataset.path if dataset.path.is_dir() else dataset.path.parent
