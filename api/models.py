"""The model that a call of the API works with: one that is given, a name or path, or the default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..clip_backend.finding.default_model import default_model
from ..clip_backend.loading import load_encoder
from ..clip_backend.running.cache_folder import default_cache_folder
from .images_in import StrPath

if TYPE_CHECKING:
    from ..clip_backend.encoder import Encoder

#: The name that stands for the default model.
AUTO = "auto"


def open_encoder(model: Encoder | StrPath | None = None, *, cache: bool = True, **given: Any) -> Encoder:
    """The encoder of a model; without a name that of the default model (``default_model``).

    cache: keep embeddings in the user's cache folder, so that another run computes only what is new. given: as for
    ``load_encoder``. Raises what that raises, and InputError when there is no default model.
    """
    return open_with_note(model, cache=cache, **given)[0]


def open_with_note(
    model: Encoder | StrPath | None, *, cache: bool = True, **given: Any
) -> tuple[Encoder, tuple[str, ...]]:
    """The encoder, and a note on how the model was chosen if nobody named it."""
    if hasattr(model, "encode_images"):
        return cast("Encoder", model), ()
    notes: tuple[str, ...] = ()
    if model is None or model == AUTO:
        model, note = default_model()
        notes = (note,)
    if cache:
        given.setdefault("cache_folder", default_cache_folder())
    return load_encoder(model, **given), notes
