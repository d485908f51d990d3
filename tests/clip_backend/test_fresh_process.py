"""What a process that encodes does not do: ask the network, or import transformers or the compiler of torch."""

from __future__ import annotations

import pytest
from PIL import Image

from .fresh import NO_NETWORK, answer, start

for package in ("torch", "tokenizers", "safetensors"):
    pytest.importorskip(package)

ENCODE = """
from clip_grid.api import load_encoder
from clip_grid.errors import InputError
encoder = load_encoder("shapes-demo", device="cpu", cache_folder=sys.argv[2])
images = encoder.encode_images([sys.argv[1]], wants=("embeds", "patch_tokens")).to_features()
texts = encoder.encode_texts(["a red circle", "a blue square"])
try:
    load_encoder("somebody/some-model", device="cpu")
except InputError as error:
    unknown = str(error)
print(json.dumps({
    "cosines": images.similarity(texts).tolist()[0],
    "unknown": unknown,
    "modules": [name for name in ("transformers", "torch._dynamo", "torchvision", "requests") if name in sys.modules],
    "hits": encoder.cache.hits,
    "misses": encoder.cache.misses,
}))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fresh")


@pytest.fixture(scope="module")
def first(place):
    """What a process without a network says of a red picture."""
    Image.new("RGB", (64, 64), "red").save(place / "red.png")
    return answer(start(NO_NETWORK + ENCODE, place / "red.png", place / "cache"))


def test_loading_and_encoding_open_no_socket(first):
    assert len(first["cosines"]) == 2


def test_an_unknown_name_is_refused_without_asking_the_network(first):
    assert first["unknown"].startswith("there is no model 'somebody/some-model'")


def test_own_towers_are_built_without_transformers_and_without_the_compiler_of_torch(first):
    assert first["modules"] == []


def test_the_next_process_computes_nothing_that_is_in_the_folder(first, place):
    code = ENCODE.replace('wants=("embeds", "patch_tokens")', 'wants="embeds"')

    second = answer(start(NO_NETWORK + code, place / "red.png", place / "cache"))

    assert (second["hits"], second["misses"]) == (3, 0)
    assert second["cosines"] == first["cosines"]


WRITE = """
from pathlib import Path
import numpy as np
from clip_grid.clip_backend.encoding.disk_store import DiskStore
store = DiskStore(Path(sys.argv[1]))
name = sys.argv[2]
for number in range(40):
    store.put({f"{name} {number}": np.full(4, number, np.float32), f"both {number}": np.full(4, number, np.float32)})
    store.flush()
print(json.dumps([store.get(f"{name} {number}").tolist()[0] for number in range(40)]))
"""


def test_processes_that_write_into_one_folder_at_once_lose_nothing(tmp_path):
    from clip_grid.clip_backend.encoding.disk_store import DiskStore

    own = [answer(process) for process in [start(WRITE, tmp_path, name) for name in "abc"]]

    assert own == [list(range(40))] * 3
    store = DiskStore(tmp_path)
    for name in ("a", "b", "c", "both"):
        assert [store.get(f"{name} {number}").tolist()[0] for number in range(40)] == list(range(40))
