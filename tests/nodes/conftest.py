"""Fixtures for nodes: a fake host with folders of its own, images, and a call of the exporter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_grid.nodes.grid_nodes import LabeledGridExporterNode
from clip_grid.nodes.host import set_host
from clip_grid.nodes.host.fake import FakeHost
from PIL import Image


class FakeTensor:
    """As much of a torch tensor as the nodes use, over an array; counts conversions to float32."""

    def __init__(self, values: Any, dtype: str = "torch.float32") -> None:
        self.values = np.asarray(values)
        self.dtype = dtype
        self.conversions = 0

    def detach(self) -> FakeTensor:
        return self

    def cpu(self) -> FakeTensor:
        return self

    def float(self) -> FakeTensor:
        self.conversions += 1
        return FakeTensor(self.values.astype(np.float32))

    def numpy(self) -> Any:
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values


@pytest.fixture
def tensor() -> type[FakeTensor]:
    return FakeTensor


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    """The host of the nodes during the test."""
    fake = FakeHost(tmp_path)
    previous = set_host(fake)
    yield fake
    set_host(previous)


@pytest.fixture
def batch() -> Callable[..., FakeTensor]:
    """IMAGE of flat grey pictures, one per value."""

    def make(*values: float, height: int = 32, width: int = 48, channels: int = 3) -> FakeTensor:
        pictures = [np.full((height, width, channels), value, np.float32) for value in values]
        return FakeTensor(np.stack(pictures))

    return make


@pytest.fixture
def export(host: FakeHost) -> Callable[..., dict[str, Any]]:
    """Runs the exporter as ComfyUI does: every widget's value in a list of one."""

    def run(images: Any, **inputs: Any) -> dict[str, Any]:
        lists = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
        images = images if isinstance(images, list) else [images]
        return LabeledGridExporterNode().execute(images=images, **lists)

    return run


@pytest.fixture
def folder(host: FakeHost) -> Callable[..., Path]:
    """A folder of small pictures in the input folder."""

    def make(name: str, *files: str) -> Path:
        path = host.folders.input / name
        path.mkdir(parents=True)
        for number, file in enumerate(files):
            Image.new("RGB", (24, 16), (40 * number, 80, 120)).save(path / file)
        return path

    return make
