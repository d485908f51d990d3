"""The adapters that nodes offer by name, and what the socket of an adapter carries."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...clip_backend.ip_adapter.catalog import FoundAdapter, inspect_adapter, possible_adapters
from ...clip_backend.ip_adapter.detection import AdapterInfo, detect_adapter, read_adapter_info
from ...clip_backend.ip_adapter.encoders import encoder_cure, find_encoder, needed_encoder
from ...clip_backend.ip_adapter.variants import FAMILY_TITLES, VARIANT_NAMES
from ...clip_backend.loading import load_encoder
from ...errors import ClipGridError, InputError
from ...log import logger
from ...options import option
from ..host.host import Host
from ..models.loaded import loaded_encoders

if TYPE_CHECKING:
    from ...clip_backend.encoding.encoder import Encoder
    from ...clip_backend.ip_adapter.weights import Adapter

#: The name in the list where no adapter is found.
NOT_FOUND = "none found"
AUTO = "auto"
#: What ComfyUI_IPAdapter_plus writes into its dictionary by the name of the file, and the variant that it means.
_MARKS = {"faceidplusv2": "faceid-plus-v2", "portraitunnorm": "faceid-portrait-unnorm"}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
#: What to do without an adapter.
ADVICE = (
    "put an adapter into ComfyUI's models/ipadapter, such as ip-adapter-plus_sd15.safetensors or "
    "ip-adapter-plus_sdxl_vit-h.safetensors of h94/IP-Adapter on huggingface.co, then press R"
)


@dataclass(frozen=True)
class LoadOptions:
    """The widgets of the loader beside the name of the file."""

    variant: str = option(
        AUTO,
        "What the adapter is, where several variants have the same tensors; auto goes by the name of the file and "
        "reports what was assumed.",
        choices=(AUTO, *VARIANT_NAMES),
        advanced=True,
    )
    allow_pickle: bool = option(
        False,
        "Also read .bin, .pt, .pth and .ckpt files, of which nothing but tensors is read; safetensors needs no "
        "permission.",
        advanced=True,
    )


@dataclass(eq=False)
class LoadedAdapter:
    """What the socket CLIP_GRID_IP_ADAPTER carries."""

    adapter: Adapter
    #: A CLIP_VISION that came with it from another pack.
    clip_vision: Any = None
    _encoders: list[Encoder] = field(default_factory=list)

    def encoder(self, host: Host) -> Encoder:
        """The vision encoder that it needs, found by content in the model folders; raises InputError without one."""
        if not self._encoders:
            path = find_encoder(self.adapter.info, host.model_folders)
            encoder = load_encoder(
                path,
                device=host.model_device,
                placement=host.place_model,
                vocabularies=host.vocabulary_folders,
                cache_folder=host.embeddings_folder,
                encoders=loaded_encoders(),
                reference="comfy",
            )
            self._encoders.append(encoder)
        return self._encoders[0]


def adapter_names(host: Host) -> list[str]:
    """The files that are adapters, and .bin files that may be; never raises."""
    found = _found(host)
    return [name for name, one in found.items() if one.info or one.path.suffix.lower() in _PICKLES] or [NOT_FOUND]


def adapter_families(host: Host) -> dict[str, str]:
    """The family of models that each adapter is for, where that is known; never raises."""
    return {name: one.info.family for name, one in _found(host).items() if one.info and one.info.family}


def find_adapter(name: str, host: Host) -> Path:
    """The file of this name; raises InputError with the closest names, and why a file of the name is none."""
    found = _found(host)
    if name in found:
        return found[name].path
    near = " or ".join(map(repr, get_close_matches(name[:200], found, 2, 0.5)))
    raise InputError(
        f"there is no adapter {name!r} in your model folders; {f'did you mean {near}' if near else ADVICE}"
    )


def load_named(name: str, options: LoadOptions, host: Host) -> LoadedAdapter:
    """The adapter of this name; raises InputError for an unknown one, CheckpointError for one that cannot be used."""
    from ...clip_backend.ip_adapter.weights import load_adapter

    variant = None if options.variant == AUTO else options.variant
    path = find_adapter(name, host)
    # before gigabytes of weights are read
    read_adapter_info(path, variant=variant, allow_pickle=options.allow_pickle).check_usable()
    adapter = load_adapter(path, variant=variant, allow_pickle=options.allow_pickle)
    for sentence in adapter.info.assumed:
        logger.warning("CLIP Grid: %s: %s", name, sentence)
    return LoadedAdapter(adapter)


def adapter_of(value: object) -> LoadedAdapter:
    """The adapter of a socket: ours, or what ComfyUI_IPAdapter_plus passes on; raises InputError for others."""
    from ...clip_backend.ip_adapter.weights import load_adapter

    if isinstance(value, LoadedAdapter):
        return value
    clip_vision = None
    given = value
    if isinstance(value, Mapping) and "ip_adapter" not in value and "ipadapter" in value:
        given, clip_vision = _model(value["ipadapter"]), _model(value.get("clipvision"))
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise InputError(f"adapter holds a {kind}; connect IP-Adapter Loader, or a loader that gives an IPADAPTER")
    return LoadedAdapter(load_adapter(given, variant=_marked_variant(given)), clip_vision)


def _marked_variant(given: Mapping[str, object]) -> str | None:
    """The variant that the other pack has marked, where the tensors may be of it."""
    from ...clip_backend.ip_adapter.containers import nested_tensors

    marked = next((variant for mark, variant in _MARKS.items() if given.get(mark)), None)
    if marked is None:
        return None
    info = detect_adapter({name: tuple(tensor.shape) for name, tensor in nested_tensors(given)})
    return marked if marked in info.possible else None


def _model(entry: object) -> Any:
    """The model in an entry of the other pack, which holds a model and its file."""
    return entry["model"] if isinstance(entry, Mapping) and "model" in entry else entry


def report(info: AdapterInfo, host: Host) -> str:
    """All that is known of an adapter as JSON, without its place on this machine."""
    known = info.to_dict() | {"path": host.folders.shown_path(info.label), "vision_encoder": encoder_sentence(info)}
    return json.dumps(known, indent=2)


def encoder_sentence(info: AdapterInfo) -> str:
    """Which vision encoder an adapter needs."""
    if info.picture_input == "face":
        return "none: it reads vectors of faces"
    needed = needed_encoder(info)
    return needed.title if needed else encoder_cure(info)


def summary(info: AdapterInfo) -> str:
    """Lines for the node."""
    family = f" for {FAMILY_TITLES[info.family]}" if info.family else ""
    lines = [f"{info.variant.title}{family}", f"vision encoder: {encoder_sentence(info)}"]
    return "\n".join([*lines, *info.assumed, *info.notes])


def _found(host: Host) -> Mapping[str, FoundAdapter]:
    try:
        files = list(possible_adapters(host.model_folders))
        return {name: _inspected(name, path, _state(path)) for name, path in files}
    except (ClipGridError, OSError) as error:
        # an error in INPUT_TYPES would remove the node from ComfyUI
        logger.warning("adapters cannot be listed: %s", error)
        return {}


@lru_cache(maxsize=1024)
def _inspected(name: str, path: Path, state: tuple[int, int]) -> FoundAdapter:
    return inspect_adapter(name, path, allow_pickle=False)


def _state(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns
