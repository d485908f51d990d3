"""Files in which torch keeps weights as a pickle: told apart by the names in their zip, never unpickled here."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import CheckpointError
from .configs import read_object
from .safetensors_header import Opener, TensorEntry, check_start, foreign_kind, read_header

_MOST_MEMBERS = 100_000
_ARCHIVE_CONSTANTS = "constants.pkl"


@dataclass(frozen=True)
class PickleFile:
    """What a file of torch is, and why it is not loaded."""

    #: "torchscript", "pt2", "pickle" or "zip".
    layout: str
    problem: str
    #: Whether it is loaded after all when the user allows pickles.
    can_be_allowed: bool = False


_SAFE = "use the .safetensors file of the same model"
_ALLOW = f"{_SAFE}, or allow pickles for this file if you trust where it came from"
OLD_PICKLE = PickleFile(
    "pickle",
    f"weights in an old pickle, which is opened by running what it says; {_SAFE}, or save it anew with torch",
)
PICKLE = PickleFile("pickle", f"weights in a pickle, which may run code when it is opened; {_ALLOW}", True)
TORCHSCRIPT = PickleFile(
    "torchscript", f"a TorchScript program, which runs code when it is opened; {_SAFE} (openai's .pt files are such)"
)
PT2 = PickleFile("pt2", f"an exported program of torch (.pt2), which is never opened here; {_SAFE}")
ZIP = PickleFile("zip", "a zip archive without weights of torch; unpack it, or choose another file")


def inspect_zip(path: Path) -> PickleFile:
    """What the zip file is, by the names and sizes of its members; CheckpointError if it is damaged or a bomb."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, EOFError) as error:
        reason = f"a zip file of torch that is damaged or cut short ({error}); fetch it again"
        raise CheckpointError(str(path), reason) from error
    except OSError as error:
        raise CheckpointError(str(path), f"cannot be read ({error.strerror}); check the file") from error
    kind = _kind([member.filename for member in members[:_MOST_MEMBERS]])
    if kind.can_be_allowed:
        _check_members(path, members)
    return kind


def _kind(names: list[str]) -> PickleFile:
    # every member lies in one folder that bears the name of the archive
    inner = {name.split("/", 1)[-1] for name in names}
    if any(name.startswith("code/") for name in inner) or _ARCHIVE_CONSTANTS in inner:
        return TORCHSCRIPT
    if "archive_format" in inner or any(name.startswith("models/") and name.endswith(".json") for name in inner):
        return PT2
    if "serialized_exported_program.json" in inner:
        return PT2
    if "data.pkl" in inner:
        return PICKLE
    return ZIP


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """torch stores without packing; a member that grows when it is read was not written by torch."""
    if len(members) > _MOST_MEMBERS:
        raise CheckpointError(str(path), f"a zip file with {len(members):,} members, which no model has; do not use it")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED and member.file_size > 0:
            reason = (
                f"a zip file whose member {member.filename[:80]!r} is compressed, as torch never does; do not use it"
            )
            raise CheckpointError(str(path), reason)
        if member.compress_type == zipfile.ZIP_STORED and member.file_size > member.compress_size:
            reason = f"a zip file whose member {member.filename[:80]!r} claims more than it holds; do not use it"
            raise CheckpointError(str(path), reason)
    if sum(member.file_size for member in members) > os.path.getsize(path):
        raise CheckpointError(str(path), "a zip file whose members overlap, as torch's never do; do not use it")


_START_BYTES = 512
#: In the order of preference.
_SINGLE = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "model.fp16.safetensors",
    "diffusion_pytorch_model.safetensors",
)
_INDEX = ("model.safetensors.index.json", "open_clip_model.safetensors.index.json")
_PICKLES = ("pytorch_model.bin", "open_clip_pytorch_model.bin")
_CONFIGS = ("config.json", "open_clip_config.json", "preprocessor_config.json")
_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}\.safetensors")
_CANONICAL = re.compile(r"(open_clip_)?(pytorch_)?model(\.\w+)?(-\d{5}-of-\d{5})?\.(safetensors|bin)")
_WEIGHTS = (".safetensors", ".sft", ".bin", ".pt", ".pth", ".ckpt")
GGUF = (
    "weights in a GGUF file, which the GGUF loaders of text models read and this package does not; "
    "use the .safetensors file of the same model"
)


@dataclass(frozen=True)
class WeightListing:
    """The files of a model and what their headers say."""

    files: tuple[Path, ...]
    #: Of safetensors; empty for other kinds of files.
    tensors: Mapping[str, TensorEntry] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: What a file of another kind is.
    foreign: PickleFile | None = None
    #: The folder whose configuration is the model's, if there is one.
    folder: Path | None = None

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.stat().st_size for file in self.files)


def list_weights(path: Path, opener: Opener) -> WeightListing:
    """The files and tensors of a model file or folder; CheckpointError if there is no model."""
    if path.is_dir():
        return _of_folder(path, opener)
    if not path.is_file():
        raise CheckpointError(str(path), "is not there; check the path")
    shard = _SHARD.fullmatch(path.name)
    if shard and (index := path.with_name(f"{shard['stem']}.safetensors.index.json")).is_file():
        return _of_index(index, opener)
    folder = path.parent if _is_folders_own(path) else None
    return _of_file(path, opener, folder)


def _of_folder(folder: Path, opener: Opener) -> WeightListing:
    for name in _SINGLE:
        if (folder / name).is_file():
            return _of_file(folder / name, opener, folder)
    for name in _INDEX:
        if (folder / name).is_file():
            return _of_index(folder / name, opener)
    own = sorted(file for file in folder.glob("*.safetensors") if file.is_file())
    if len(own) == 1:
        return _of_file(own[0], opener, folder)
    for name in _PICKLES:
        if (folder / name).is_file():
            return _of_file(folder / name, opener, folder)
    raise CheckpointError(str(folder), _no_weights(folder, own))


def _no_weights(folder: Path, own: Sequence[Path]) -> str:
    if own:
        return f"a folder with {len(own)} models ({_some(own)}); choose one of them"
    inner = sorted(entry for entry in folder.iterdir() if entry.is_dir() and (entry / "config.json").is_file())
    if inner:
        return f"a folder of models ({_some(inner)}); choose one of them"
    return "a folder without weights; it wants a model.safetensors"


def _some(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths[:4]) + (", …" if len(paths) > 4 else "")


def _of_file(path: Path, opener: Opener, folder: Path | None) -> WeightListing:
    try:
        with opener(path) as file:
            start = file.read(_START_BYTES)
        size = path.stat().st_size
    except OSError as error:
        raise CheckpointError(str(path), f"cannot be read ({error.strerror}); check the file") from error
    check_start(path, start, size)
    kind = foreign_kind(start)
    if kind == "gguf":
        return WeightListing((path,), foreign=PickleFile("gguf", GGUF), folder=folder)
    if kind is not None:
        pickle = inspect_zip(path) if kind == "zip" else OLD_PICKLE
        return WeightListing((path,), foreign=pickle, folder=folder)
    header = read_header(path, opener)
    return WeightListing((path,), header.tensors, header.metadata, folder=folder)


def _of_index(index: Path, opener: Opener) -> WeightListing:
    shards = _shards(index)
    tensors: dict[str, TensorEntry] = {}
    metadata: dict[str, str] = {}
    for shard in shards:
        if not shard.is_file():
            raise CheckpointError(str(index), f"the shard {shard.name} is missing; fetch it again")
        header = read_header(shard, opener)
        twice = tensors.keys() & header.tensors.keys()
        if twice:
            raise CheckpointError(str(shard), f"{min(twice)[:80]} is in two shards; fetch the folder again")
        tensors |= header.tensors
        metadata |= header.metadata
    return WeightListing(shards, tensors, metadata, folder=index.parent)


def _shards(index: Path) -> tuple[Path, ...]:
    """The files that an index names, all beside it."""
    names = read_object(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise CheckpointError(str(index), "is no index of shards; fetch it again")
    files = sorted(set(names.values()))
    for name in files:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise CheckpointError(str(index), f"names {name[:80]!r}, which is no safetensors file beside it")
    return tuple(index.with_name(name) for name in files)


def _is_folders_own(path: Path) -> bool:
    """Whether a configuration in the folder of this file is this file's: by its name, or because it is alone."""
    if not any((path.parent / name).is_file() for name in _CONFIGS):
        return False
    if _CANONICAL.fullmatch(path.name):
        return True
    return not any(
        other != path and other.suffix.lower() in _WEIGHTS and other.is_file() for other in path.parent.iterdir()
    )
