"""Damage to files, chosen by a random generator of a known seed: to bytes, to chunks of PNG files, to text, to JSON."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from random import Random

PNG = b"\x89PNG\r\n\x1a\n"
#: Lengths, counts and offsets that readers trip over.
_NUMBERS = (0, 1, 3, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_SNIPPETS = (
    '"', "'", '""', "\0", "\r", "\n", "\r\n", "\t", ",", ";", "|", "\\", "{", "}", "[", "]", "=", ":", "\u2028",
    "\ufeff", "\u202e", "\u200b", "🏳️‍🌈", "é", "e\u0301", "猫", "\x1b[2J", "=1+1", "%s{0}", "../../../etc/passwd", "NaN",
    "-1e999", "9" * 5000, "a" * 70_000, "<lora:a:1>", "sep=;\n", "# ", "file://%00%FF", " ", "Steps: 1, ", "&lol;",
)  # fmt: skip
_KEYS = ("", "label", "filename", "prompt", "nodes", "\ud800", "x" * 300)
_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"iCCP", b"tRNS", b"comf", b"xxXx")
_ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp1252", "cp932", "gbk", "cp1251", "utf-7")
_VALUES: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 2, 0.5, 1e308, -1e308, float("nan"), float("inf"), 2**63, 2**64, 10**40, "", " ", "a",
    "-1", "NaN", "\ud800", "\0", "a.png", "x" * 3000, [], {}, [[]], [None], ["1", 0], ["1", -1], ["1", 10**20],
    [1, "1"], [{}], {"": ""}, {"a": {"b": {}}}, [1, 2], ["3", 0], {"content": "x"}, {"text": ["4", 0]},
)  # fmt: skip
_RAW_VALUES = ("[" * 20_000, '{"a":' * 20_000, "1" * 5000, "1e999999", '"\\ud800"', "{1: 2}", "-", "undefined", "0x10")


def damaged(data: bytes, random: Random, other: bytes = b"") -> bytes:
    """The data with one to four kinds of damage. other: a file of which pieces may be put in."""
    changed = data
    for _ in range(random.randint(1, 4)):
        if changed.startswith(PNG) and random.random() < 0.5:
            changed = _chunks_damaged(changed, random)
        else:
            changed = random.choice(_DAMAGES)(changed, random, other)
    return changed


def _flip(data: bytes, random: Random, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 20)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _insert(data: bytes, random: Random, other: bytes) -> bytes:
    at = random.randint(0, len(data))
    start = random.randint(0, len(other))
    piece = other[start : start + random.randint(1, 200)] if random.random() < 0.3 else random.randbytes(4)
    return data[:at] + piece + data[at:]


def _span(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.choice((1, 4, 50, 1000)))


def _delete(data: bytes, random: Random, _: bytes) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[end:]


def _repeat(data: bytes, random: Random, _: bytes) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[start:end] * random.choice((2, 3, 50)) + data[end:]


def _cut(data: bytes, random: Random, _: bytes) -> bytes:
    return data[: random.randint(0, len(data))]


def _swap(data: bytes, random: Random, _: bytes) -> bytes:
    first, second, third = sorted(random.randint(0, len(data)) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def _number(data: bytes, random: Random, _: bytes) -> bytes:
    """One of the numbers that are odd lengths, in place of two or four bytes, mostly among the first."""
    form = random.choice((">I", "<I", ">H", "<H"))
    number = random.choice(_NUMBERS) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
    at = random.randint(0, min(len(data), random.choice((64, 512, len(data)))))
    piece = struct.pack(form, number)
    return data[:at] + piece + data[at + len(piece) :]


_DAMAGES: tuple[Callable[[bytes, Random, bytes], bytes], ...] = (
    _flip, _flip, _insert, _delete, _repeat, _cut, _swap, _number, _number,
)  # fmt: skip


def _chunks_damaged(data: bytes, random: Random) -> bytes:
    """The PNG file with one chunk changed, moved, repeated or dropped; the checksums fit, so that it is looked into."""
    chunks, at = [], len(PNG)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return data
    chosen = random.randrange(len(chunks))
    kind, content = chunks[chosen]
    change = random.randrange(5)
    if change == 0:
        chunks[chosen] = kind, random.choice(_DAMAGES)(content, random, b"")
    elif change == 1:
        chunks.insert(random.randint(0, len(chunks)), (kind, content))
    elif change == 2:
        chunks.insert(random.randrange(len(chunks)), chunks.pop(chosen))
    elif change == 3:
        chunks[chosen] = random.choice(_CHUNKS), content
    else:
        del chunks[chosen]
    return PNG + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """The chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def damaged_text(text: str, random: Random) -> bytes:
    """The text with quotes, separators, control characters and the like put in, mostly in UTF-8."""
    for _ in range(random.randint(0, 4)):
        at = random.randint(0, len(text))
        end = at + random.choice((0, 0, 1, 5, 40))
        text = text[:at] + random.choice(_SNIPPETS) * random.choice((1, 1, 1, 3)) + text[end:]
    if random.random() < 0.2:
        lines = text.splitlines(keepends=True)
        random.shuffle(lines)
        text = "".join(lines)
    encoding = "utf-8" if random.random() < 0.7 else random.choice(_ENCODINGS)
    return text.encode(encoding, "replace")


def damaged_json(value: object, random: Random) -> str:
    """JSON text of the value with some values, keys and texts of it replaced, moved or left out."""
    for _ in range(random.randint(1, 5)):
        value = _replaced(value, random)
    text = json.dumps(value, ensure_ascii=random.random() < 0.7, indent=random.choice((None, None, 1)))
    if random.random() < 0.1:
        scalars = [at for at, sign in enumerate(text) if sign == ":"]
        at = random.choice(scalars) + 1 if scalars else 0
        text = text[:at] + random.choice(_RAW_VALUES) + text[at:]
    return text


def _replaced(value: object, random: Random) -> object:
    """A copy in which one place, found by going down at random, holds something else."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        key = random.choice(list(value))
        copy = dict(value)
        change = random.random()
        if change < 0.1:
            del copy[key]
        elif change < 0.2:
            copy[random.choice((*_KEYS, key + "_2"))] = copy.pop(key)
        else:
            copy[key] = _replaced(value[key], random)
        return copy
    if isinstance(value, list) and value and random.random() < 0.85:
        at = random.randrange(len(value))
        change = random.random()
        if change < 0.1:
            return value[:at] + value[at + 1 :]
        if change < 0.2:
            return value * random.choice((2, 2, 30))
        return [*value[:at], _replaced(value[at], random), *value[at + 1 :]]
    if isinstance(value, str) and random.random() < 0.5:
        at = random.randint(0, len(value))
        return value[:at] + random.choice(_SNIPPETS) + value[at:]
    return random.choice(_VALUES)
