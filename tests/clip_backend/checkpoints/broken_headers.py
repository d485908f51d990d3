"""Broken files: each a valid header that a seeded generator damaged in one of many kinds."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .safetensors_files import header_of, size_of
from .tensor_names import Shapes, Text, Vision, dinov2, eva02, hf_clip, hf_siglip, oc_clip, resnet50, timm_siglip

_V, _S, _T = Vision(16, 1, 32, 8, 5), Vision(16, 1, 32, 8, 4), Text(16, 1, 32, 8, 49)
#: Small models of many layouts, whose headers are damaged.
VALID: tuple[Shapes, ...] = (
    hf_clip(_V, _T, 12), oc_clip(_V, _T, 12), hf_siglip(_S, _T), timm_siglip(_S, _T), dinov2(_V), eva02(_V, _T, 12),
    resnet50(_T, 12), {f"conditioner.embedders.1.model.{name}": shape for name, shape in oc_clip(_V, _T, 12).items()},
)  # fmt: skip
_DTYPES = ("F32", "F16", "F16", "F16", "BF16", "I64", "F8_E4M3", "U8")
#: Values in the place of a number, a name or a list.
ODD: tuple[object, ...] = (
    None, True, -1, 0, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**400, 1.5, 1e308, float("nan"), float("inf"),
    "", "F32", "x" * 5000, "\x00", "\ud800", "²", [], {}, [[]], [-1], [0], [2**62, 2**62], [1] * 500, [1.5], ["1"],
    [None], {"dtype": {}}, [[[[[[]]]]]], {"a": {"b": {"c": []}}},
)  # fmt: skip
_NAMES = (
    "", ".", "..weight", "\x00", "\ud800", "é", "vision_model.encoder.layers.99999999999999999999.x",
    "vision_model.encoder.layers.-1.mlp.fc1.weight", "visual.transformer.resblocks.².ln_1.weight", "__metadata__",
    "visual.transformer.resblocks.1000000.ln_1.weight", "text_model.encoder.layers.٣.layer_norm1.weight", "logit_scale",
    "encoder.layer.4294967296.norm1.weight", "x" * 100_000, "positional_embedding", "visual.attn_pool.query",
)  # fmt: skip
_LENGTHS = (0, 1, 2, 7, 8, 2**16, 2**24, 100_000_000, 100_000_001, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
_STARTS = (
    b"", b"\x00", b"GGUF", b"GGUF\x03\x00\x00\x00" + b"\xff" * 16, b"PK\x03\x04", b"PK\x05\x06" + b"\x00" * 18,
    b"version https://git-lfs.github.com/spec/v1\noid sha256:", b"<!DOCTYPE html>", b"\x80\x02}q\x00", b"\x1f\x8b",
    b"{\"error\":", b"\xef\xbb\xbf{", b"\xff\xfe", b"<html>", b"Entry not found", b"\x89PNG\r\n\x1a\n", b"SQLite",
)  # fmt: skip

Header = dict[str, object]


@dataclass(frozen=True)
class BrokenFile:
    """The first bytes of a file, and its size with the zeros that follow them."""

    data: bytes
    size: int

    def write(self, path: Path) -> Path:
        # some file systems flush a file that is truncated and written again
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            file.write(self.data)
            file.truncate(self.size)
        return path


def broken_files(count: int, seed: int) -> Iterator[BrokenFile]:
    """As many files, the same for one seed; some of them are still valid."""
    chance = random.Random(seed)
    for _ in range(count):
        shapes = dict(chance.choice(VALID))
        kind = chance.random()
        if kind < 0.35:
            for _ in range(chance.choice((1, 1, 2, 3, 8))):
                chance.choice(_CHANGES)(shapes, chance)
        entries = {name: (chance.choice(_DTYPES), shape) for name, shape in shapes.items()}
        header, size = header_of(entries), sum(map(size_of, entries.values()))
        if kind < 0.35:
            yield _file(json.dumps(header).encode(), size)
        elif kind < 0.65:
            yield _damaged_bytes(_file(json.dumps(header).encode(), size), chance)
        else:
            for _ in range(chance.choice((1, 1, 1, 2, 5))):
                chance.choice(_DAMAGES)(header, chance)
            yield _file(_dumped(header, chance), size)


def _file(text: bytes, size: int) -> BrokenFile:
    return BrokenFile(struct.pack("<Q", len(text)) + text, 8 + len(text) + size)


def _odd_shape(shapes: Shapes, chance: random.Random) -> None:
    sizes = (0, 1, 2, 3, 5, 8, 14, 16, 48, 49, 257, 1000)
    shapes[chance.choice(list(shapes))] = tuple(chance.choice(sizes) for _ in range(chance.randrange(5)))


def _odd_size(shapes: Shapes, chance: random.Random) -> None:
    name = chance.choice(list(shapes))
    sizes = list(shapes[name])
    if sizes:
        sizes[chance.randrange(len(sizes))] = chance.choice((0, 1, 7, 16, 32, 48, 2**20))
    shapes[name] = tuple(sizes)


def _remove_tensors(shapes: Shapes, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 4))):
        if len(shapes) > 1:
            del shapes[chance.choice(list(shapes))]


def _odd_name(shapes: Shapes, chance: random.Random) -> None:
    name = chance.choice([name for name in _NAMES if name != "__metadata__"])
    shapes[name] = shapes.pop(chance.choice(list(shapes)))


def _part_of_another(shapes: Shapes, chance: random.Random) -> None:
    shapes |= dict(chance.sample(list(chance.choice(VALID).items()), 5))


_CHANGES = (_odd_shape, _odd_size, _remove_tensors, _odd_name, _part_of_another)


def _dumped(header: Header, chance: random.Random) -> bytes:
    """The header as text, sometimes with duplicate keys, deep nesting, or bytes that are no UTF-8."""
    text = json.dumps(header, ensure_ascii=chance.random() < 0.7).encode("utf-8", "surrogatepass")
    kind = chance.random()
    if kind < 0.05:
        return text[:-1] + b"," + text[1:]
    if kind < 0.08:
        return text.replace(b"[", b"[" * chance.choice((2, 900, 20_000)), 1)
    if kind < 0.10:
        return b'{"a":' * 5000 + text + b"}" * 5000
    if kind < 0.12:
        return text.replace(b"0", b"9" * chance.choice((20, 5000)), 1)
    if kind < 0.16:
        return text.replace(b"e", bytes([chance.randrange(128, 256)]), 3)
    return text


def _damaged_bytes(valid: BrokenFile, chance: random.Random) -> BrokenFile:
    raw = bytearray(valid.data)
    end = len(raw)
    size = valid.size
    kind = chance.randrange(7)
    if kind == 0:
        for _ in range(chance.choice((1, 1, 3, 30))):
            raw[chance.randrange(end)] ^= 1 << chance.randrange(8)
    elif kind == 1:
        size = chance.choice((0, 4, 7, 8, 9, chance.randrange(end), chance.randrange(size), size - 1, size + 1))
        del raw[size:]
    elif kind == 2:
        near = max(0, end - 8 + chance.randrange(-40, 4200))
        raw[:8] = struct.pack("<Q", chance.choice((*_LENGTHS, near, near)))
    elif kind == 3:
        place = chance.randrange(8, end)
        raw[place:place] = chance.randbytes(chance.randrange(1, 40))
    elif kind == 4:
        place = chance.randrange(8, end)
        del raw[place : place + chance.randrange(1, 400)]
    elif kind == 5:
        filling = (b"{" * end)[: end - 8], b"[" * (end - 8), b'{"a":' * (end // 5), b'{"' + b"\xff" * (end - 10)
        raw[8:] = chance.choice(filling)
    else:
        start = chance.choice(_STARTS)
        raw[: len(start)] = start
        del raw[chance.randrange(len(start), len(raw)) :]
    return BrokenFile(bytes(raw), max(len(raw), size) if kind != 1 else size)


def _some(header: Header, chance: random.Random) -> str:
    return chance.choice(list(header) or ["x"])


def _odd_entry(header: Header, chance: random.Random) -> None:
    header[_some(header, chance)] = chance.choice(ODD)


def _odd_field(header: Header, chance: random.Random) -> None:
    entry = header.get(_some(header, chance))
    if isinstance(entry, dict):
        field = chance.choice(("dtype", "shape", "data_offsets", "more"))
        entry[field] = chance.choice(ODD)


def _remove_field(header: Header, chance: random.Random) -> None:
    entry = header.get(_some(header, chance))
    if isinstance(entry, dict):
        entry.pop(chance.choice(("dtype", "shape", "data_offsets")), None)


def _odd_number(header: Header, chance: random.Random) -> None:
    entry = header.get(_some(header, chance))
    numbers = entry.get(chance.choice(("shape", "data_offsets"))) if isinstance(entry, dict) else None
    if isinstance(numbers, list) and numbers:
        numbers[chance.randrange(len(numbers))] = chance.choice(ODD)


def _other_shape(header: Header, chance: random.Random) -> None:
    entry = header.get(_some(header, chance))
    if isinstance(entry, dict):
        count = chance.randrange(6)
        entry["shape"] = [chance.choice((0, 1, 2, 3, 5, 8, 14, 16, 49, 257, 10**6)) for _ in range(count)]


def _swap_shapes(header: Header, chance: random.Random) -> None:
    one, other = header.get(_some(header, chance)), header.get(_some(header, chance))
    if isinstance(one, dict) and isinstance(other, dict):
        one["shape"], other["shape"] = other.get("shape"), one.get("shape")


def _move(header: Header, chance: random.Random) -> None:
    entry = header.get(_some(header, chance))
    if isinstance(entry, dict):
        start = chance.choice((0, 1, 64, 10**6, 2**62))
        entry["data_offsets"] = [start, start + chance.choice((-64, 0, 1, 64, 10**6, 2**62))]


def _remove_entries(header: Header, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 3, 20))):
        header.pop(_some(header, chance), None)


def _rename(header: Header, chance: random.Random) -> None:
    header[chance.choice(_NAMES)] = header.pop(_some(header, chance), None)


def _odd_metadata(header: Header, chance: random.Random) -> None:
    inner = {
        chance.choice(_NAMES): chance.choice(ODD),
        "config": '{"model_type": "clip", "projection_dim": [[',
        "a": 1,
    }
    header["__metadata__"] = chance.choice((inner, *ODD))


def _odd_pair(header: Header, chance: random.Random) -> None:
    text = json.dumps({"hidden_act": chance.choice(ODD[:20]), "image_mean": chance.choice(ODD[:20])})
    header["__metadata__"] = {"config.json": text, "format": "pt", "mean": text, "activation": "none"}


_DAMAGES: tuple[Callable[[Header, random.Random], None], ...] = (
    _odd_entry, _odd_field, _remove_field, _odd_number, _other_shape, _swap_shapes, _move, _remove_entries, _rename,
    _odd_metadata, _odd_pair,
)  # fmt: skip
