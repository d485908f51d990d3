"""What IP-Adapter Reference does: pictures, faces and a mask to references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from ...clip_backend.ip_adapter.reference_settings import ReferenceSettings
from ...clip_backend.ip_adapter.references import Reference
from ...errors import InputError
from ..core.vision import CoreVision
from ..host.host import Host
from ..models.loaded import LoadedModel
from ..sockets.inputs import Inputs, first_value, flatten, read_widgets
from ..sockets.tensors import single_images
from .adapters import LoadedAdapter, adapter_of

if TYPE_CHECKING:
    from torch import Tensor

    from ...clip_backend.encoding.encoder import Encoder
    from ...clip_backend.encoding.image_features import ImageFeatures
    from ...clip_backend.preparing.preprocessing import Preprocessing

#: Pictures shown in the node at most.
SHOWN = 12


@dataclass(frozen=True)
class Source:
    """A vision encoder of either kind."""

    model: CoreVision | Encoder
    host: Host

    @property
    def preprocessing(self) -> Preprocessing:
        """How it makes pixels of a picture; raises InputError for a model of texts alone."""
        found = self.model.model.preprocessing if isinstance(self.model, CoreVision) else self.model.preprocessing
        if found is None:
            raise InputError("model reads texts alone and sees no pictures; choose a model with a vision encoder")
        return found

    @property
    def crops(self) -> bool:
        """Whether it cuts a square from a picture of any shape."""
        return not isinstance(self.model, CoreVision) or not self.model.model.keeps_shapes

    def encode(self, pictures: Sequence[Tensor], preprocessing: Preprocessing) -> ImageFeatures:
        """Embeddings and the states before the last layer."""
        progress = self.host.progress()
        if isinstance(self.model, CoreVision):
            return self.model.encode(pictures, progress=progress, preprocessing=preprocessing).features
        wants = ("embeds", "penultimate_hidden")
        return self.model.encode_images(pictures, wants=wants, progress=progress, preprocessing=preprocessing)

    def blank(self, blank: str) -> Tensor | None:
        """The states of a blank picture; see ``ReferenceSettings``."""
        from ...clip_backend.ip_adapter.encoders import blank_states

        if isinstance(self.model, CoreVision):
            return self.model.blank_states(blank)
        return blank_states(self.model, "black" if blank == "black" else "mean color")


def references_and_preview(inputs: Inputs, host: Host) -> tuple[tuple[Reference, ...], list[Tensor]]:
    """(the references that were connected and the new ones, the squares that the encoder sees).

    Raises InputError for a mask, pictures, faces or weights that cannot be used, and without an encoder.
    """
    from ...clip_backend.ip_adapter.faces import face_vectors
    from ...clip_backend.ip_adapter.from_pictures import make_references

    settings = read_widgets(ReferenceSettings, inputs)
    given = [one for value in inputs.get("references") or () for one in references_of(value)]
    images = list(flatten(list(inputs.get("image") or ())))
    pictures = [one[0] for one in single_images(images)] if images else []
    faces = face_vectors(inputs.get("face") or (), len(pictures), together=settings.combine == "concat")
    if not pictures and faces is None:
        raise InputError("there is no picture and no face; connect image, face, or both")
    source = _source(inputs, host) if pictures else None
    new, shown = make_references(pictures, settings, source, faces=faces, mask=first_value(inputs, "mask"))
    return (*given, *new), shown


def _source(inputs: Inputs, host: Host) -> Source:
    """The vision encoder that is connected, else the one that the adapter needs; raises InputError without one."""
    named: dict[str, Any] = {name: first_value(inputs, name) for name in ("clip_vision", "model")}
    connected = {name: value for name, value in named.items() if value is not None}
    if len(connected) > 1:
        raise InputError("clip_vision and model are both connected; leave one of them")
    adapter = first_value(inputs, "adapter")
    if connected:
        (value,) = connected.values()
        return Source(value.encoder if isinstance(value, LoadedModel) else CoreVision(value, host), host)
    if adapter is None:
        raise InputError(
            "there is nothing to encode pictures with; connect adapter, whose vision encoder is then found in your "
            "model folders, or clip_vision, or model"
        )
    loaded: LoadedAdapter = adapter_of(adapter)
    if loaded.clip_vision is not None:
        return Source(CoreVision(loaded.clip_vision, host), host)
    return Source(loaded.encoder(host), host)


def references_of(value: object) -> Iterator[Reference]:
    """The references of a socket: ours, or the tensors of ComfyUI_IPAdapter_plus; raises InputError for others."""
    from ...clip_backend.ip_adapter.embeds_file import reference_of_tensor

    if value is None:
        return
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from references_of(one)
    else:
        yield reference_of_tensor(value, "references")


def preview(shown: Sequence[Tensor], host: Host) -> list[dict[str, str]]:
    """The squares as files in ComfyUI's temp folder, as the page shows them below the node."""
    from PIL import Image

    folder = host.folders.temp
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for square in shown[:SHOWN]:
        pixels = np.ascontiguousarray(square.cpu().numpy())
        name = f"clip_grid_reference_{blake2b(pixels.tobytes(), digest_size=8).hexdigest()}.png"
        if not (folder / name).exists():
            Image.fromarray(pixels).save(folder / name, compress_level=1)
        found.append({"filename": name, "subfolder": "", "type": "temp"})
    return found


def preview_batch(shown: Sequence[Tensor], host: Host) -> object:
    """The squares as one IMAGE; without any a black pixel."""
    if not shown:
        return host.image(np.zeros((1, 1, 1, 3), np.float32))
    levels = np.stack([one.cpu().numpy() for one in shown])
    return host.image(levels.astype(np.float32) / np.float32(255))


def describe(references: Sequence[Reference]) -> str:
    """One line for the node."""
    positive = [one for one in references if not one.is_negative]
    # of a picture with a face the face is no other reference
    alone = [one.states for one in positive if one.states.embeds is None and one.states.hidden is None]
    faces = sum(one.face[..., 0].numel() for one in alone if one.face is not None)
    pictures = sum(len(one.states) for one in positive) - sum(map(len, alone))
    negative = sum(len(one.states) for one in references if one.is_negative)
    masks = sum(one.mask is not None for one in references)
    parts = [_counted(pictures, "picture")] if pictures or not faces else []
    parts += [_counted(faces, "face")] if faces else []
    parts += [f"{negative} negative"] if negative else []
    parts += [f"{masks} with a mask"] if masks else []
    terms = len(positive)
    return ", ".join(parts) + (f" in {terms} references" if terms > 1 else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
