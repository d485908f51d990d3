"""Through how many files of the package one piece of work runs: what somebody has to read to follow it.

``python -m pytest -s tests/test_call_paths.py`` prints the files of each in the order of their first call.
"""

from __future__ import annotations

import inspect
import shutil
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.api import label_images, load_encoder, match
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
LABELS = ("a red circle", "a blue star")


def files_of(work):
    """The files below the root whose named functions run, in every thread, in the order of their first call."""
    root = f"{ROOT}/"
    files: dict[str, None] = {}

    def record(frame, event, argument):
        code = frame.f_code
        # modules and class bodies lack this flag; comprehensions and lambdas have no name of their own
        is_function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
        if event == "call" and is_function and code.co_filename.startswith(root):
            files.setdefault(code.co_filename[len(root) :])

    before = sys.getprofile()
    threading.setprofile(record)
    sys.setprofile(record)
    try:
        work()
    finally:
        sys.setprofile(before)
        threading.setprofile(before)
    return list(files)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Six different pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{level}.png" for level in range(0, 240, 40)]
    for path in paths:
        Image.new("RGB", (48, 48), (int(path.stem), 100, 200)).save(path)
    return paths


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Two copies of the weights, so that each can be loaded for the first time."""
    folder = tmp_path_factory.mktemp("weights")
    return [shutil.copytree(shapes_demo_path(), folder / name) / "model.safetensors" for name in ("first", "second")]


@pytest.fixture(scope="module")
def warm(pictures, weights):
    """An encoder that has done all of the work once, with other pictures and texts."""
    encoder = load_encoder(weights[0], device="cpu")
    label_images(pictures[0], labels=LABELS, model=encoder)
    match(pictures[1], "a red star", model=encoder)
    return encoder


@pytest.mark.parametrize(
    ("name", "most"), [("picture", 16), ("text", 10), ("load_encoder", 23), ("label", 31), ("match", 30)]
)
def test_work_can_be_followed_through_few_files(name, most, warm, pictures, weights):
    work = {
        "picture": lambda: warm.encode_images([pictures[2]]),
        "text": lambda: warm.encode_texts("a small purple ring"),
        "load_encoder": lambda: load_encoder(weights[1], device="cpu"),
        "label": lambda: label_images(pictures[3], labels=LABELS, model=warm),
        "match": lambda: match(pictures[4], "a red star on green", model=warm),
    }[name]

    files = files_of(work)

    sys.stdout.write(f"{name}: {len(files)} files: {', '.join(files)}\n")
    assert 0 < len(files) <= most
