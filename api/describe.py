"""What a model, a run, a LoRA or a head is, where its model is, and which programs can open it; nothing is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..clip_backend.checkpoints.fingerprints import identified
from ..clip_backend.checkpoints.info import CheckpointInfo
from ..clip_backend.checkpoints.training import TrainedFile
from ..clip_backend.finding.catalog import short_model_name
from ..clip_backend.learning.exports.programs import OWN_LOADER, PLAIN_EXPORTS, text_problem, vision_problem
from ..clip_backend.learning.heads.head import Head, read_head
from ..clip_backend.learning.runs.run import Run, is_run, read_run
from ..clip_backend.learning.trained_model import Learnt
from ..errors import InputError
from .models import ModelChoice

#: Bytes of a parameter in float32, and while AdamW trains it: weight, gradient and two moments.
_HELD, _TRAINED = 4, 16


@dataclass(frozen=True, kw_only=True)
class Description:
    """A model or what was learnt on one."""

    #: "model", "run", "LoRA", "trained weights" or "head".
    kind: str
    path: Path
    #: The files of the model, identified; empty where it is not on this machine, and ``missing`` says so.
    infos: tuple[CheckpointInfo, ...] = ()
    missing: str = ""
    learnt: Learnt | None = None
    run: Run | None = None
    head: Head | None = None

    @property
    def trained(self) -> TrainedFile | None:
        """The LoRA or the trained weights."""
        return self.learnt.trained if self.learnt else None

    @property
    def parameters(self) -> int:
        """The number of parameters of the model, both encoders together."""
        return sum(info.parameters for info in self.infos)

    def programs(self) -> dict[str, str]:
        """The loaders of ComfyUI, each with why it cannot open the model; empty if it can."""
        vision = next((info for info in self.infos if info.vision), None)
        text = next((info for info in self.infos[::-1] if info.text), None)
        found = {"Load CLIP Vision": vision_problem(vision)} if vision else {}
        return found | ({"Load CLIP": text_problem(text)} if text else {})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        own: dict[str, Any] = {"kind": self.kind, "path": str(self.path), "missing": self.missing}
        own["models"] = [
            {
                "name": short_model_name(info.label), "path": str(info.path), "family": info.family,
                "fingerprint": info.fingerprint, "parameters": info.parameters, "dtype": info.dtype,
                "projection": info.projection, "vision": info.vision and asdict(info.vision),
                "text": info.text and asdict(info.text),
            }
            for info in self.infos
        ]  # fmt: skip
        if self.infos:
            own["memory_bytes"] = {"loaded": _HELD * self.parameters, "trained": _TRAINED * self.parameters}
            own["programs"] = {name: why or "opens it" for name, why in self.programs().items()}
        if self.learnt:
            own["base"] = asdict(self.learnt.base)
        if file := self.trained:
            ranks = sorted({one.rank for one in file.low_rank.values()})
            own["trained"] = {
                "kind": file.kind, "changes": list(file.changes), "weights": len(file.names), "ranks": ranks,
                "strength": file.strength, "notes": list(file.notes),
            }  # fmt: skip
        if self.run:
            own["run"] = {"method": self.run.method, "kind": self.run.kind, "classes": list(self.run.classes)}
        if self.head:
            own["head"] = {"kind": self.head.kind, "classes": list(self.head.classes), "pictures": self.head.pictures}
        return own


def describe(choice: ModelChoice) -> Description:
    """What a model, a run, a LoRA or a head is; raises InputError for a name that is not found, and a damaged file.

    A model that something was learnt on and that is not on this machine is no error.
    """
    path = choice.files()[0]
    learnt = choice.learnt
    infos, missing = _infos(choice, is_needed=learnt is None)
    if learnt is None:
        return Description(kind="model", path=path, infos=infos)
    trained = learnt.trained
    single = "head" if trained is None else "LoRA" if trained.kind == "lora" else "trained weights"
    kind = "run" if is_run(path) else single
    return Description(
        kind=kind, path=path, infos=infos, missing=missing, learnt=learnt,
        run=read_run(path) if kind == "run" else None, head=read_head(learnt.head) if learnt.head else None,
    )  # fmt: skip


def notes_before_training(choice: ModelChoice) -> list[str]:
    """Which of ComfyUI's own loaders will not open what is made of a model by training; for an open encoder nothing."""
    if not choice.source:
        return []
    model = describe(choice)
    return [
        f"ComfyUI's {name} will not open what is trained: {why}; {OWN_LOADER}, and {PLAIN_EXPORTS} open it too"
        for name, why in model.programs().items() if why
    ]  # fmt: skip


def _infos(choice: ModelChoice, *, is_needed: bool) -> tuple[tuple[CheckpointInfo, ...], str]:
    """The files of the model, and why there are none."""
    found: Sequence[CheckpointInfo]
    try:
        found = choice.checkpoints()
    except InputError as error:
        if is_needed:
            raise
        return (), str(error)
    return tuple(identified(info) for info in found), ""
