"""The model that an index is made and searched with: its own, else the first complete one in the model folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...api.models import ModelChoice, index_model
from ...clip_backend.finding.advice import COMFYUI, how_to_get_one
from ...clip_backend.search.database import FILE
from ...clip_backend.search.status import index_status
from ...errors import InputError
from ..host.host import Host
from ..models.choice import DEMO, auto_model, find_model
from ..models.loaded import LoadedModel, loaded_encoders

if TYPE_CHECKING:
    from ...clip_backend.checkpoints.info import CheckpointInfo
    from ...clip_backend.encoding.encoder import Encoder


def source_of_index(host: Host) -> str:
    """The files of the model that the index was made with, a line each; empty while it has none."""
    return index_status(host.index_folder, measured=False).source if has_index(host) else ""


def has_index(host: Host) -> bool:
    """Whether there is an index in the host's folder, even an empty one."""
    return (host.index_folder / FILE).is_file()


def demo_note(source: str) -> str:
    """What to know of an index that was made with the demo's model; empty for any other model."""
    from ...clip_backend.shapes_demo import shapes_demo_path

    if source != str(shapes_demo_path().absolute()):
        return ""
    return (
        f"This index was made with {DEMO}, which knows coloured shapes only and finds nothing in photographs and "
        f"paintings; {how_to_get_one(COMFYUI)}, then remove the folder user/clip_grid/index and index again"
    )


def query_encoder(host: Host, *, reads_texts: bool) -> Encoder:
    """The encoder of texts and dropped pictures, on the processor: a search neither waits for a workflow nor slows it.

    Raises InputError for a model that is gone or reads no texts, and what loading it raises.
    """
    choice = _choice(host, device="cpu")
    return choice.for_texts() if reads_texts else choice()


def indexing_choice(host: Host, before_batch: Callable[[], None]) -> ModelChoice:
    """The model that reads the pictures to index, on ComfyUI's device; opened when the first picture is to be read.

    before_batch: called before every batch, to pause; what it raises ends the run.
    """
    device = host.model_device
    return _choice(host, device=device, placement=lambda model: host.place_model(model, before_batch))


def workflow_choice(host: Host, linked: LoadedModel | None) -> ModelChoice:
    """The model of a node: the linked one, else as for all; placed and interrupted as other models of workflows."""
    if linked:
        path, given = linked.info.path, dict[str, Any]()
        if len(linked.info.trained) == 1:
            # so that the sidebar and the command line find the index's own model again
            (training,) = linked.info.trained
            path, given = training.file.path, {"base": linked.info.path, "strength": training.strength}
        return ModelChoice(path, encoder=linked.encoder, wording=COMFYUI, text_encoder=linked.text_info, **given)
    return _choice(host, device=host.model_device, placement=host.place_model, encoders=loaded_encoders())


def _choice(host: Host, **given: Any) -> ModelChoice:
    given |= {"vocabularies": host.vocabulary_folders, "cache_folder": host.embeddings_folder, "reference": "comfy"}
    source = source_of_index(host)
    if source:
        return index_model(ModelChoice(wording=COMFYUI, **given), source)
    return ModelChoice(_default(host).path, wording=COMFYUI, **given)


def _default(host: Host) -> CheckpointInfo:
    """The first complete model, and the demo's only where there is none."""
    try:
        name, _ = auto_model(host)
    except InputError:
        name = DEMO
    return find_model(name, host)
