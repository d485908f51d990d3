"""Files in which torch keeps weights as a pickle: told apart by the names in their zip, never unpickled here."""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from ...errors import CheckpointError

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
