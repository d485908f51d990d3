"""``IPAdapterConfig``: which adapter is wanted and how strongly it acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from ..clip_backend.finding.folders import ModelPathConfig, StrPath
from ..clip_backend.ip_adapter.apply_settings import ApplySettings
from ..clip_backend.ip_adapter.catalog import adapter_named
from ..clip_backend.ip_adapter.detection import AdapterInfo

if TYPE_CHECKING:
    from ..clip_backend.ip_adapter.weights import Adapter


class IPAdapterVariant(str, Enum):
    """The kinds of IP-Adapters."""

    BASE = "base"
    LIGHT = "light"
    PLUS = "plus"
    PLUS_FACE = "plus-face"
    COMPOSITION = "composition"
    FULL_FACE = "full-face"
    FACEID = "faceid"
    FACEID_PLUS = "faceid-plus"
    FACEID_PLUS_V2 = "faceid-plus-v2"
    FACEID_PORTRAIT = "faceid-portrait"
    FACEID_PORTRAIT_UNNORM = "faceid-portrait-unnorm"
    INSTANTID = "instantid"
    KOLORS_PLUS = "kolors-plus"
    KOLORS_FACEID_PLUS = "kolors-faceid-plus"
    XLABS_FLUX = "xlabs-flux"
    XLABS_FLUX_V2 = "xlabs-flux-v2"
    INSTANTX_FLUX = "instantx-flux"
    INSTANTX_SD35 = "instantx-sd35"


@dataclass(frozen=True, kw_only=True)
class IPAdapterConfig:
    """An adapter, and how it acts; see ``ApplySettings`` for the fields of ``settings``."""

    #: The path of its file, or the name of one in ComfyUI's models/ipadapter, or a part of it.
    model_id: StrPath
    #: Which one, where several variants have the same tensors or several files the name; None for what the file is.
    variant: IPAdapterVariant | str | None = None
    #: Family of the diffusion models that it is for, where several files have the name: "sd15", "sdxl", "flux".
    family: str | None = None
    #: Its strength, by which the scale of each reference is multiplied.
    scale: float = 1.0
    #: Whether .bin files of torch are read too; nothing but tensors is loaded from them.
    allow_pickle: bool = False
    #: Where in the model and in the steps it acts; its ``weight`` is multiplied by ``scale``.
    settings: ApplySettings = field(default_factory=ApplySettings)

    def find(self, paths: ModelPathConfig | None = None) -> AdapterInfo:
        """What the adapter is; raises what ``adapter_named`` raises.

        paths: where to look for a name; without it in ComfyUI's folders.
        """
        return adapter_named(
            self.model_id, variant=self._variant, family=self.family, config=paths, allow_pickle=self.allow_pickle
        )

    def load(self, paths: ModelPathConfig | None = None) -> Adapter:
        """The adapter with its weights; raises as ``find``, for numbers not finite, and for one without use."""
        from ..clip_backend.ip_adapter.weights import load_adapter

        info = self.find(paths)
        # before gigabytes of weights are read
        info.check_usable()
        path = info.path
        return load_adapter(path or self.model_id, variant=self._variant, allow_pickle=self.allow_pickle)

    @property
    def _variant(self) -> str | None:
        return self.variant.value if isinstance(self.variant, IPAdapterVariant) else self.variant
