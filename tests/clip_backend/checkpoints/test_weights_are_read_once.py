"""Loading reads each tensor once and holds no second copy of the weights, in every dtype."""

from __future__ import annotations

import weakref

import pytest

torch = pytest.importorskip("torch")
from clip_grid.clip_backend.checkpoints.weights import Weights, open_tensors
from clip_grid.clip_backend.towers.build import build_text, build_vision

from .. import tiny_towers as tiny


class WatchedFiles:
    """Files that count how often each tensor is read, and how many bytes are held at a time."""

    def __init__(self, info):
        self._files = open_tensors(info)
        self.shapes = self._files.shapes
        self.times = dict.fromkeys(self.shapes, 0)
        self.most_held = 0
        self._held = []

    def read(self, name, start=0, stop=None):
        self.times[name] += 1
        # a tensor that is made from an array holds it for as long as its numbers are needed
        numbers = self._files.read(name, start, stop).numpy().copy()
        self._held.append(weakref.ref(numbers))
        self.most_held = max(self.most_held, self.held())
        return torch.from_numpy(numbers)

    def held(self):
        return sum(numbers.nbytes for ref in self._held if (numbers := ref()) is not None)

    def release(self):
        self._files.release()


@pytest.fixture(scope="module", params=["clip", "siglip"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def info(family, tmp_path_factory):
    path = tmp_path_factory.mktemp("once") / f"{family}.safetensors"
    return tiny.info(tiny.write(tiny.hf(family), path), family)


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("build", [build_vision, build_text])
def test_each_tensor_is_read_once_and_only_those_of_a_layer_are_held(build, dtype, pack, info):
    files = WatchedFiles(info)

    tower = build(info, Weights(str(info.path), files, info.prefix), device="cpu", dtype=dtype, pack=pack)

    read = [name for name, times in files.times.items() if times]
    assert max(files.times.values()) == 1
    assert len(read) == len(tower.state_dict())
    largest = max(
        sum(parameter.numel() for parameter in module.parameters(recurse=False)) for module in tower.modules()
    )
    assert files.most_held <= 4 * largest
    assert not files.held()
