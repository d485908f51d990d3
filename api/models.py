"""The model that a call of the API works with: one that is given, a name or path, or the default."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Union

from ..clip_backend.checkpoints.info import CheckpointInfo
from ..clip_backend.encoding.cache import default_cache_folder, file_identity
from ..clip_backend.finding.advice import PYTHON, Wording, lone_encoder
from ..clip_backend.finding.catalog import FoundModel, find_models, inspect_model
from ..clip_backend.finding.folders import ModelType
from ..clip_backend.finding.names import default_model, find_model
from ..clip_backend.learning.trained_model import Learnt, is_learnt, read_learnt
from ..clip_backend.loading import find_checkpoints, load_encoder
from ..errors import InputError
from .pictures import StrPath

if TYPE_CHECKING:
    from ..clip_backend.encoding.encoder import Encoder

#: The name that stands for the default model.
AUTO = "auto"
#: How a model is loaded, as far as ``ModelChoice.source`` keeps it, in the order of its lines.
_KEPT = ("text_encoder", "base", "strength")
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

    @property
    def is_loaded(self) -> bool:
        """Whether the encoder is there."""
        return self._encoder is not None

    def __call__(self) -> Encoder:
        """The encoder, the same each time; raises what opening it raises."""
        with self._opening:
            if self._encoder is None:
                self._encoder, self.notes = self._open()
            return self._encoder

    def for_texts(self) -> Encoder:
        """The encoder, where texts are to be encoded too; raises what opening it raises."""
        return self()


class ModelChoice(LazyModel):
    """A model and how it is loaded. Opening it raises what ``load_encoder`` raises, or that there is no default model.

    model: a path or name, also of a run, a LoRA or a head; None or "auto" for the default model. encoder: the model
    itself, if it is open already.
    cache: keep embeddings in the user's cache folder, so that another run computes only what is new. wording: of the
    cure in messages. given: as for ``load_encoder``.
    """

    def __init__(
        self,
        model: StrPath | None = None,
        *,
        encoder: Encoder | None = None,
        cache: bool = True,
        wording: Wording = PYTHON,
        **given: Any,
    ) -> None:
        super().__init__(self._load)
        self._model, self._encoder = model, encoder
        self.cache = cache
        self.wording = wording
        #: How it is loaded, as far as the caller said.
        self.given = given

    @classmethod
    def of(cls, model: Model, **given: Any) -> ModelChoice:
        """The choice that a caller means; given: how a model that is named is loaded."""
        if isinstance(model, ModelChoice):
            return model
        if model is None or isinstance(model, (str, os.PathLike)):
            return cls(model, **given)
        return cls(encoder=model)

    @property
    def is_chosen(self) -> bool:
        """Whether the caller named a model or gave an encoder."""
        return self._encoder is not None or self._model not in (None, AUTO)

    @property
    def key(self) -> str:
        """What tells one choice, and the state of its files, from another; empty where nobody named a model."""
        if self._model is None or self._model == AUTO:
            return ""
        try:
            infos = self.checkpoints()
            files = [file for info in infos for file in (*info.files, *(one.file.file for one in info.trained))]
            states = [file_identity(file) for file in files]
        except InputError:
            # opening it says why
            return ""
        return repr((self._model, sorted(self.given.items()), states))

    def checkpoints(self) -> list[CheckpointInfo]:
        """What the files of the model are, and what each is computed with; raises what ``load_encoder`` raises."""
        first, second, _ = self.files()
        find = partial(
            find_checkpoints,
            allow_pickle=bool(self.given.get("allow_pickle")),
            download=bool(self.given.get("download")),
        )
        infos = find(first, base=self.given.get("base"), strength=self.given.get("strength"))
        return [*infos, *find(second)] if second and len(infos) == 1 else infos

    @property
    def learnt(self) -> Learnt | None:
        """What was learnt, where the model is a run, a LoRA or a head; raises InputError for a damaged one."""
        if self._model is None or self._model == AUTO:
            return None
        try:
            path = self._find(self._model)
        except InputError:
            # opening it says why, once what else is given has been checked
            return None
        return read_learnt(path) if is_learnt(path) else None

    def with_model(self, model: StrPath, **given: Any) -> ModelChoice:
        """The same choice with another model; given: other settings to replace."""
        return ModelChoice(model, cache=self.cache, wording=self.wording, **{**self.given, **given})

    def for_texts(self) -> Encoder:
        """The encoder; raises InputError for a file with one encoder alone, naming the file that completes it."""
        name = self._model
        if self._encoder is None and name is not None and name != AUTO and not self.given.get("text_encoder"):
            path = self._find(name)
            named = None if is_learnt(path) else inspect_model(FoundModel(str(name), path), ModelType.OTHER)
            if named and (lacks := lone_encoder(named, find_models, self.wording)):
                raise InputError(lacks)
        return self()

    def files(self) -> tuple[Path, Path | None, tuple[str, ...]]:
        """The model, its second file or None, and notes on which was taken; nothing is loaded.

        Raises InputError for a name that is not found, and without any model.
        """
        model, notes = self._model, tuple[str, ...]()
        if model is None or model == AUTO:
            model, note = default_model(wording=self.wording, download=bool(self.given.get("download")))
            notes = (note,)
        text_encoder = self.given.get("text_encoder")
        return self._find(model), self._find(text_encoder) if text_encoder else None, notes

    @property
    def source(self) -> str:
        """Its files and the strength of what was trained, for ``index_model``; empty for an encoder that was given.

        A line each for the model, its text encoder, the model that it was trained on, and the strength, as far as the
        caller said, without empty lines at the end.
        """
        if self._encoder is not None and self._model is None:
            return ""
        first, second, _ = self.files()
        base, strength = self.given.get("base"), self.given.get("strength")
        files = (first, second, self._find(base) if base else None)
        lines = [*(str(file.absolute()) if file else "" for file in files), "" if strength is None else repr(strength)]
        return "\n".join(lines).rstrip("\n")

    @property
    def cache_folder(self) -> Path | None:
        """The folder in which embeddings are kept; None for none."""
        if named := self.given.get("cache_folder"):
            return Path(named).expanduser()
        return default_cache_folder() if self.cache else None

    def loading(self) -> Callable[[], Encoder]:
        """What opens the encoder in another process, where no embeddings are cached.

        Raises InputError for an encoder that was given, and what ``files`` raises.
        """
        if self._encoder is not None and self._model is None:
            raise InputError("an encoder that is open cannot be sent to other processes; give the model's path or name")
        model, given, _ = self._arguments()
        return partial(load_encoder, model, **{**given, "cache_folder": None})

    def _load(self) -> tuple[Encoder, tuple[str, ...]]:
        model, given, notes = self._arguments()
        return load_encoder(model, **given), notes

    def _arguments(self) -> tuple[Path, dict[str, Any], tuple[str, ...]]:
        """The model and how it is loaded, as ``load_encoder`` takes it, and notes on which was taken."""
        model, text_encoder, notes = self.files()
        known = self.given.get("text_encoder")
        second = known if isinstance(known, CheckpointInfo) else text_encoder
        return model, {**self.given, "text_encoder": second, "cache_folder": self.cache_folder}, notes

    def _find(self, model: StrPath | CheckpointInfo) -> Path:
        if isinstance(model, CheckpointInfo):
            return model.path
        return find_model(model, download=bool(self.given.get("download")), wording=self.wording)


def open_encoder(model: Model = None, *, cache: bool = True, **given: Any) -> Encoder:
    """The encoder of a model, opened at once; see ``ModelChoice`` for what may be given."""
    return ModelChoice.of(model, cache=cache, **given)()


def index_model(model: Model, source: str) -> ModelChoice:
    """The model that a caller means, else the one that an index was made with.

    source: that model's files and strength, as in ``ModelChoice.source``; empty if they are not known.
    """
    choice = ModelChoice.of(model)
    if source and not choice.is_chosen:
        first, *others = source.split("\n")
        named = [(name, one) for name, one in zip(_KEPT, others, strict=False) if name not in choice.given]
        kept: dict[str, Any] = {name: one for name, one in named if one}
        if "strength" in kept:
            kept["strength"] = float(kept["strength"])
        return choice.with_model(first, **kept)
    return choice
