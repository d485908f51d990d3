"""The one model that is connected to a node that scores pictures, in either of its two forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import InputError
from ..core.encoder import core_encoder, core_vision_encoder
from ..host.host import Host
from ..sockets.inputs import MODEL_INPUTS
from ..sockets.types import Lists
from .loaded import linked_model

if TYPE_CHECKING:
    from ...clip_backend.encoding.encoder import Encoder


_CONNECT = "connect model (from CLIP Model Loader), or clip and clip_vision (from Load CLIP and Load CLIP Vision)"


@dataclass(frozen=True)
class ConnectedModel:
    """The model that is connected, under the name by which the user chose it."""

    name: str
    encoder: Encoder

    @classmethod
    def of(cls, encoder: Encoder) -> ConnectedModel:
        """Of a model of ComfyUI's own loaders."""
        return cls(encoder.identity.name, encoder)


def connected_model(inputs: Lists, host: Host, *, reads_texts: bool = True) -> ConnectedModel:
    """The connected model, or the one that the connected halves make.

    reads_texts: whether texts will be asked for too; for pictures alone a CLIP_VISION is enough.
    Raises InputError for none, for too many and for one half alone, SpaceError for halves of two CLIPs.
    """
    given = {name: one for name in MODEL_INPUTS if (one := _connected(name, inputs)) is not None}
    if not given:
        raise InputError(f"no model is connected; {_CONNECT}")
    if "model" in given:
        return _loaded(given)
    if set(given) == {"clip_vision"} and not reads_texts:
        return ConnectedModel.of(core_vision_encoder(given["clip_vision"], host))
    if len(given) == 1:
        other = {"clip": "clip_vision", "clip_vision": "clip"}[next(iter(given))]
        raise InputError(
            f"{next(iter(given))} is half of a model; connect {other} of the same CLIP too, or model alone"
        )
    return ConnectedModel.of(core_encoder(given["clip_vision"], given["clip"], host))


def _connected(name: str, inputs: Lists) -> object:
    found = [one for one in inputs.get(name) or () if one is not None]
    if len(found) > 1:
        raise InputError(f"{len(found)} models are connected to {name}; leave one of them")
    return found[0] if found else None


def _loaded(given: Mapping[str, object]) -> ConnectedModel:
    if len(given) > 1:
        raise InputError(f"models are connected to {' and '.join(given)}; leave model, or the two halves")
    loaded = linked_model(given["model"], "model")
    return ConnectedModel(loaded.name, loaded.encoder)
