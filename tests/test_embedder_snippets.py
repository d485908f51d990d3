"""Every snippet of embedder_snippets.md runs as it is written, with a model of that name that is on this machine."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from clip_grid import api
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

PAGE = (Path(__file__).parent / "embedder_snippets.md").read_text("utf-8")
SNIPPETS = dict(re.findall(r"^## (.+?)\n\n```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))
PICTURES = (
    "path/to/image.jpg", "path/to/image1.jpg", "path/to/image2.jpg", "path/to/image3.jpg", "car.jpg", "sofa.jpg",
    "table.jpg", "image.jpg", "good.jpg", "good2.jpg", "product1.jpg", "product2.jpg", "large_image.jpg",
)  # fmt: skip
#: The length of an embedding of shapes-demo.
DIM = 64


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The cache of the Hugging Face hub with the names of the snippets; their weights are those of shapes-demo."""
    cache = tmp_path_factory.mktemp("hub")
    for name in ("base-patch32", "large-patch14"):
        repository = cache / f"models--openai--clip-vit-{name}"
        shutil.copytree(shapes_demo_path(), repository / "snapshots" / "1234abcd")
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("1234abcd")
    return cache


@pytest.fixture
def names(hub, tmp_path, monkeypatch):
    """What the snippets take for granted; the working folder has their pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    for number, name in enumerate(PICTURES):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (96, 64), (20 * number, 90, 200)).save(name)
    Path("corrupted.jpg").write_bytes(b"no picture")
    names = {"np": np, "CLIPEmbedder": api.CLIPEmbedder, "embedder": api.CLIPEmbedder(device="cpu")}
    names |= {"image_paths": ["car.jpg", "sofa.jpg"], "pil_image": Image.new("RGB", (30, 30), "red")}
    vectors = np.random.default_rng(0).normal(size=(2, DIM))
    return names | {"img_embedding": vectors[0], "text_embedding": vectors[1]}


def run(title, names):
    code = compile(SNIPPETS[title], title, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    def execute():
        result = FunctionType(code, names)()
        if inspect.iscoroutine(result):
            asyncio.run(result)

    # in a thread of its own: tests of the browser have left an event loop in this one
    with ThreadPoolExecutor(1) as pool:
        pool.submit(execute).result()
    return names


ELSEWHERE = {"Missing files", "Qdrant example", "Logging"}


@pytest.mark.parametrize("title", [title for title in SNIPPETS if title not in ELSEWHERE])
def test_a_snippet_runs_as_it_is_written(title, names):
    run(title, names)

    vectors = names.get("embeddings", []), [names[one] for one in ("embedding",) if one in names]
    for vector in [*vectors[0], *vectors[1]]:
        assert vector is None or (vector.shape, round(float(np.linalg.norm(vector)), 4)) == ((DIM,), 1)


def test_the_snippets_give_what_their_comments_say(names, capsys):
    corrupted = [one is None for one in run("Corrupted files", names)["embeddings"]]
    nothing = run("Empty batch", names)["embeddings"]
    texts = run("Text encoding", names)
    dim = run("get_embedding_dimension", names)["dim"]
    run("Single image embedding", names)
    run("Batch image embeddings", names)

    assert (corrupted, nothing, dim) == ([False, True, False], [], DIM)
    assert texts["text_embedding"].shape == (DIM,) and texts["text_embeddings"].shape == (3, DIM)
    out = capsys.readouterr().out.splitlines()
    assert f"Shape: ({DIM},)" in out and "Image 2: (64,)" in out
    with pytest.raises(FileNotFoundError, match=r"nonexistent\.jpg"):
        run("Missing files", names)


def test_pictures_are_found_in_qdrant(names, monkeypatch):
    qdrant = pytest.importorskip("qdrant_client")

    class Local(qdrant.QdrantClient):
        """Works without a server, whose client makes points of dicts."""

        def __init__(self, **server):
            super().__init__(":memory:")

        def upsert(self, collection_name, points):
            return super().upsert(collection_name, [qdrant.models.PointStruct(**point) for point in points])

    monkeypatch.setattr(qdrant, "QdrantClient", Local)

    results = run("Qdrant example", names)["results"]

    cosines = [float(names["query_embedding"] @ one) for one in names["embeddings"]]
    best = int(np.argmax(cosines))
    assert [one.payload["image_path"] for one in results] == [f"product{best + 1}.jpg", f"product{2 - best}.jpg"]
    assert [one.score for one in results] == pytest.approx(sorted(cosines, reverse=True), abs=1e-5)


def test_loguru_may_be_configured_beside_it(names):
    pytest.importorskip("loguru")
    run("Logging", names)
