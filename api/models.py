"""The model that a call of the API works with: one that is given, a name or path, or the default."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, Union

from ..clip_backend.encoding.cache import default_cache_folder
from ..clip_backend.finding.names import default_model
from ..clip_backend.loading import load_encoder
from .pictures import StrPath

if TYPE_CHECKING:
    from ..clip_backend.encoding.encoder import Encoder

#: The name that stands for the default model.
AUTO = "auto"
#: An encoder, a model's path or name, a choice of one, or None for the default model.
Model = Union["Encoder", StrPath, "ModelChoice", None]


class LazyModel:
    """A model that is opened once, when it is first called for.

    open: gives the encoder, and what the user should know of it.
    """

    def __init__(self, open: Callable[[], tuple[Encoder, tuple[str, ...]]]) -> None:
        #: What the user should know of it, such as which was taken if nobody named one; known once it is open.
        self.notes: tuple[str, ...] = ()
        self._open = open
        self._encoder: Encoder | None = None
        self._opening = Lock()

    def __call__(self) -> Encoder:
        """The encoder, the same each time; raises what opening it raises."""
        with self._opening:
            if self._encoder is None:
                self._encoder, self.notes = self._open()
            return self._encoder


class ModelChoice(LazyModel):
    """A model and how it is loaded. Opening it raises what ``load_encoder`` raises, or that there is no default model.

    model: a path or name; None or "auto" for the default model. cache: keep embeddings in the user's cache folder, so
    that another run computes only what is new. given: as for ``load_encoder``.
    """

    def __init__(self, model: StrPath | None = None, *, cache: bool = True, **given: Any) -> None:
        super().__init__(self._load)
        self._model = model
        self._cache = cache
        self._given = given

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

    def _load(self) -> tuple[Encoder, tuple[str, ...]]:
        model, notes = self._model, tuple[str, ...]()
        if model is None or model == AUTO:
            model, note = default_model()
            notes = (note,)
        given = {"cache_folder": default_cache_folder(), **self._given} if self._cache else self._given
        return load_encoder(model, **given), notes


def open_encoder(model: Model = None, *, cache: bool = True, **given: Any) -> Encoder:
    """The encoder of a model, opened at once; see ``ModelChoice`` for what may be given."""
    if model is None or isinstance(model, (str, os.PathLike)):
        return ModelChoice(model, cache=cache, **given)()
    return ModelChoice.of(model)()
