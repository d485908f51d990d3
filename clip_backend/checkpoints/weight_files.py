"""The files of a model: its weights in one file, in shards, or in another format, and the JSON beside them."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import CheckpointError, InputError
from ...input_files import check_file
from ...json_text import JsonError, parse_object
from .info import FileState
from .safetensors_header import Opener, TensorEntry, Tensors, read_exactly, read_header, read_start, reading

Json = Mapping[str, object]
_LARGEST_JSON = 16_000_000


def read_json(path: Path) -> Json:
    """The object in a JSON file; CheckpointError if there is none."""
    with reading(path) as file:
        size = file.seek(0, os.SEEK_END)
        if size > _LARGEST_JSON:
            raise CheckpointError(str(path), f"is larger than {_LARGEST_JSON:,} bytes, which no configuration is")
        file.seek(0)
        content = read_exactly(path, file, size)
    try:
        return parse_object(content)
    except JsonError as error:
        raise CheckpointError(str(path), f"is no sound JSON ({str(error)[:100]}); fetch it again") from error


def part(raw: Json, name: str) -> Json:
    """An object within an object; an empty one if it is not there."""
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class OtherFormat:
    """What a file is that holds weights in another format than safetensors, and why it is not loaded."""

    #: "gguf", "torchscript", "pt2", "pickle" or "zip".
    layout: str
    problem: str
    #: Whether its tensors can be read if the user allows pickles.
    is_readable_pickle: bool = False


@dataclass(frozen=True, kw_only=True)
class WeightFiles:
    """The files of a model and the content of their headers."""

    #: The file or folder that was asked for.
    path: Path
    files: tuple[Path, ...]
    #: Empty unless the files are safetensors.
    tensors: Tensors = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    other_format: OtherFormat | None = None
    #: The folder whose config.json and the like are about this model; None if there is none.
    folder: Path | None = None

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.stat().st_size for file in self.files)


#: In the order of preference, before and after a *.safetensors of any other name.
_NAMES = (
    "model.safetensors", "open_clip_model.safetensors", "model.fp16.safetensors",
    "diffusion_pytorch_model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors.index.json",
)  # fmt: skip
_PICKLES = ("pytorch_model.bin", "open_clip_pytorch_model.bin")
_CONFIGS = ("config.json", "open_clip_config.json", "preprocessor_config.json", "processor_config.json")
_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}\.safetensors")
_CANONICAL = re.compile(r"(open_clip_)?(pytorch_)?model(\.\w+)?(-\d{5}-of-\d{5})?\.(safetensors|bin)")
_SUFFIXES = (".safetensors", ".sft", ".bin", ".pt", ".pth", ".ckpt")


def find_weights(path: Path, opener: Opener) -> WeightFiles:
    """The files and tensors of a model file or folder; CheckpointError if there is no model."""
    try:
        if os.path.isdir(path):
            return _of_folder(path, opener)
        check_file(path)
    except FileNotFoundError as error:
        raise CheckpointError(str(path), "is not there; check the path") from error
    except (OSError, InputError) as error:
        reason = f"cannot be read ({getattr(error, 'strerror', None) or error}); check the path and its permissions"
        raise CheckpointError(str(path), reason) from error
    shard = _SHARD.fullmatch(path.name)
    if shard and (index := path.with_name(f"{shard['stem']}.safetensors.index.json")).is_file():
        return _of_index(path, index, opener)
    return _of_file(path, path, opener, path.parent if _owns_configs(path) else None)


def _of_folder(folder: Path, opener: Opener) -> WeightFiles:
    any_name = sorted(file.name for file in folder.glob("*.safetensors") if file.is_file())
    for name in (*_NAMES, *(any_name if len(any_name) == 1 else ()), *_PICKLES):
        file = folder / name
        if file.is_file():
            is_index = name.endswith(".json")
            return _of_index(folder, file, opener) if is_index else _of_file(folder, file, opener, folder)
    reason = "a folder without weights; it wants a model.safetensors"
    if any_name:
        reason = f"a folder with {len(any_name)} models ({_some(any_name)}); choose one of them"
    elif inner := sorted(entry.parent.name for entry in folder.glob("*/config.json") if entry.is_file()):
        reason = f"a folder of models ({_some(inner)}); choose one of them"
    raise CheckpointError(str(folder), reason)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def _owns_configs(file: Path) -> bool:
    """Whether the configs in the folder of this file are about it: by its name, or because it is alone there."""
    if not any((file.parent / name).is_file() for name in _CONFIGS):
        return False
    others = (other for other in file.parent.iterdir() if other != file and other.suffix.lower() in _SUFFIXES)
    return bool(_CANONICAL.fullmatch(file.name)) or not any(other.is_file() for other in others)


def _of_file(path: Path, file: Path, opener: Opener, folder: Path | None) -> WeightFiles:
    with reading(file, opener) as opened:
        start, _ = read_start(file, opened)
    if other := _other_format(file, start):
        return WeightFiles(path=path, files=(file,), other_format=other, folder=folder)
    tensors, metadata = read_header(file, opener)
    return WeightFiles(path=path, files=(file,), tensors=tensors, metadata=metadata, folder=folder)


def _of_index(path: Path, index: Path, opener: Opener) -> WeightFiles:
    """The tensors of all files that an index names, each of which must be in its folder."""
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise CheckpointError(str(index), "is no index of shards; fetch it again")
    for name in sorted(set(names.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise CheckpointError(str(index), f"names {name[:80]!r}, which is no safetensors file beside it")
    shards = tuple(index.with_name(name) for name in sorted(set(names.values())))
    tensors: dict[str, TensorEntry] = {}
    metadata: dict[str, str] = {}
    for shard in shards:
        if not shard.is_file():
            raise CheckpointError(str(index), f"the shard {shard.name} is missing; fetch it again")
        own_tensors, own_metadata = read_header(shard, opener)
        if twice := tensors.keys() & own_tensors.keys():
            raise CheckpointError(str(shard), f"{min(twice)[:80]} is in two shards; fetch the folder again")
        tensors |= own_tensors
        metadata |= own_metadata
    return WeightFiles(path=path, files=shards, tensors=tensors, metadata=metadata, folder=index.parent)


def file_states(files: Sequence[Path]) -> tuple[FileState, ...]:
    """The present state of each file; raises CheckpointError if one is gone."""
    states = []
    for file in files:
        try:
            status = os.stat(file)
        except OSError as error:
            raise CheckpointError(str(file), "it is gone; look for the models again") from error
        times = status.st_mtime_ns, status.st_ctime_ns
        states.append((status.st_dev, status.st_ino, status.st_size, *times))
    return tuple(states)


def changed(path: Path) -> CheckpointError:
    """The error for a model whose files are not those that were opened."""
    return CheckpointError(str(path), "it was changed after it was opened, so its parts may not fit; load it again")


def member_digest(files: Sequence[Path]) -> str:
    """A hash over all of the files of torch.save, by the checksums that it stores, and numbers of each member.

    Raises CheckpointError for a file that is none, or damaged.
    """
    digest = hashlib.sha256()
    for file in files:
        with _zip_of(file) as archive:
            for member in archive.infolist():
                digest.update(f"|{member.filename} {member.file_size} {member.CRC}|".encode())
                # torch need not compute checksums
                with archive.open(member) as content:
                    digest.update(content.read(_MEMBER_BYTES))
    return digest.hexdigest()


_SAFE = "use the .safetensors file of the same model"
_GGUF = OtherFormat(
    "gguf", f"weights in a GGUF file, which the GGUF loaders of text models read and this package does not; {_SAFE}"
)
_OLD_PICKLE = OtherFormat(
    "pickle", f"weights in an old pickle, which runs code when it is opened; {_SAFE}, or save it anew with torch"
)
_PICKLE = OtherFormat(
    "pickle", "weights in a pickle, which may run code when it is opened; "
    f"{_SAFE}, or allow pickles for this file if you trust where it came from", is_readable_pickle=True,
)  # fmt: skip
_TORCHSCRIPT = OtherFormat(
    "torchscript", f"a TorchScript program, which runs code when it is opened; {_SAFE} (openai's .pt files are such)"
)
_PT2 = OtherFormat("pt2", f"an exported program of torch (.pt2), which is never opened here; {_SAFE}")
_ZIP = OtherFormat("zip", "a zip archive without weights of torch; unpack it, or choose another file")
_MOST_MEMBERS = 100_000
#: Bytes of each archive member that go into the digest beside its checksum.
_MEMBER_BYTES = 1024


def _other_format(path: Path, start: bytes) -> OtherFormat | None:
    if start[8:9] == b"{":
        return None  # safetensors, whose first 8 bytes are a number and may be any
    if start.startswith(b"GGUF"):
        return _GGUF
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return inspect_zip(path)
    # protocol 2 or newer of pickle, as torch.save wrote before it wrote zip files
    return _OLD_PICKLE if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05" else None


def inspect_zip(path: Path) -> OtherFormat:
    """What a zip file is, by the names and sizes of its members; nothing in it is unpacked or unpickled.

    Raises CheckpointError if it is damaged, or claims to be of torch and would grow when it is read.
    """
    with _zip_of(path) as archive:
        members = archive.infolist()
    # torch puts every member into one folder with the name of the archive
    names = {member.filename.split("/", 1)[-1] for member in members[:_MOST_MEMBERS]}
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        return _TORCHSCRIPT
    has_model = any(name.startswith("models/") and name.endswith(".json") for name in names)
    if has_model or names & {"archive_format", "serialized_exported_program.json"}:
        return _PT2
    if "data.pkl" not in names:
        return _ZIP
    if reason := _unlike_torch(members, os.path.getsize(path)):
        raise CheckpointError(str(path), f"a zip file {reason}; do not use it")
    return _PICKLE


@contextmanager
def _zip_of(path: Path) -> Iterator[zipfile.ZipFile]:
    """The open archive; CheckpointError if it is damaged or cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, EOFError) as error:
        reason = f"a zip file of torch that is damaged or cut short ({error}); fetch it again"
        raise CheckpointError(str(path), reason) from error
    except OSError as error:
        raise CheckpointError(str(path), f"cannot be read ({error.strerror}); check the file") from error


def _unlike_torch(members: Sequence[zipfile.ZipInfo], size: int) -> str:
    """How a zip file differs from what torch writes, which stores members without compressing them; else empty."""
    if len(members) > _MOST_MEMBERS:
        return f"with {len(members):,} members, which no model has"
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED and member.file_size > 0:
            return f"whose member {member.filename[:80]!r} is compressed, as torch never does"
        if member.compress_type == zipfile.ZIP_STORED and member.file_size > member.compress_size:
            return f"whose member {member.filename[:80]!r} claims more than it holds"
    if sum(member.file_size for member in members) > size:
        return "whose members overlap, as torch's never do"
    return ""
