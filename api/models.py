"""The model that a call of the API works with: one that is given, a name or path, or the default."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any, Union

from ..clip_backend.finding.default_model import default_model
from ..clip_backend.loading import load_encoder
from ..clip_backend.running.cache_folder import default_cache_folder
from .images_in import StrPath

if TYPE_CHECKING:
    from ..clip_backend.encoder import Encoder

#: The name that stands for the default model.
AUTO = "auto"
#: An encoder, a model's path or name, a choice of one, or None for the default model.
Model = Union["Encoder", StrPath, "ModelChoice", None]


class ModelChoice:
    """A model and how it is loaded; it is opened once, when it is first called for.

    model: a path or name; None or "auto" for the default model. cache: keep embeddings in the user's cache folder, so
    that another run computes only what is new. given: as for ``load_encoder``.
    """

    def __init__(self, model: StrPath | None = None, *, cache: bool = True, **given: Any) -> None:
        #: Which model was taken, if nobody named it; known once it is open.
        self.notes: tuple[str, ...] = ()
        self._model = model
        self._cache = cache
        self._given = given
        self._encoder: Encoder | None = None
        self._opening = Lock()

    @classmethod
    def of(cls, model: Model) -> ModelChoice:
        """The choice that a caller means."""
        if isinstance(model, ModelChoice):
            return model
        if model is None or isinstance(model, (str, os.PathLike)):
            return cls(model)
        choice = cls()
        choice._encoder = model
        return choice

    @property
    def key(self) -> str:
        """What tells one choice from another; empty where nobody named a model."""
        named = self._model is not None and self._model != AUTO
        return repr((self._model, sorted(self._given.items()))) if named else ""

    def __call__(self) -> Encoder:
        """The encoder. Raises what ``load_encoder`` raises, and InputError when there is no default model."""
        with self._opening:
            if self._encoder is None:
                self._encoder = self._open()
            return self._encoder

    def _open(self) -> Encoder:
        model = self._model
        if model is None or model == AUTO:
            model, note = default_model()
            self.notes = (note,)
        if self._cache:
            self._given.setdefault("cache_folder", default_cache_folder())
        return load_encoder(model, **self._given)


def open_encoder(model: Model = None, *, cache: bool = True, **given: Any) -> Encoder:
    """The encoder of a model, opened at once; see ``ModelChoice`` for what may be given."""
    if model is None or isinstance(model, (str, os.PathLike)):
        return ModelChoice(model, cache=cache, **given)()
    return ModelChoice.of(model)()
