"""The model folders that ``extra_model_paths.yaml`` adds to a ComfyUI."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ...errors import InputError

EXTRA_PATHS_FILE = "extra_model_paths.yaml"


@dataclass(frozen=True)
class ExtraFolder:
    """One folder of the file, under the name that ComfyUI gives its kind, such as ``clip_vision``."""

    name: str
    path: Path
    #: To be searched before the folders that ComfyUI has anyway.
    is_default: bool = False


@dataclass(frozen=True)
class ExtraPaths:
    """What the file says."""

    folders: tuple[ExtraFolder, ...] = ()
    #: Why the file, or a part of it, was left out.
    notes: tuple[str, ...] = ()


def read_extra_paths(file: Path) -> ExtraPaths:
    """The folders of the file; none if there is no such file, and a note instead of an error if it cannot be used."""
    if not os.path.isfile(file):
        return ExtraPaths()
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        return ExtraPaths(notes=(f"{file} is not read because PyYAML is missing; install it with: pip install pyyaml",))
    try:
        content = yaml.safe_load(file.read_bytes())
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        return ExtraPaths(notes=(f"{file} cannot be read ({reason}); the folders that it names are not searched",))
    return folders_of(content, file)


def folders_of(content: object, file: Path) -> ExtraPaths:
    """The folders in the content of the file, by ComfyUI's rules: relative to ``base_path``, else to the file."""
    if content is None:
        return ExtraPaths()
    if not isinstance(content, Mapping):
        return ExtraPaths(notes=(f"{file} holds no sections; the folders that it names are not searched",))
    folders: list[ExtraFolder] = []
    notes: list[str] = []
    for title, section in content.items():
        if isinstance(section, Mapping):
            folders += _of_section(section, file)
        elif section is not None:
            notes.append(f"{file}: {title} is no section; it is left out")
    return ExtraPaths(tuple(folders), tuple(notes))


def _of_section(section: Mapping[object, object], file: Path) -> Iterator[ExtraFolder]:
    base = os.path.expandvars(os.path.expanduser(str(section.get("base_path") or "")))
    is_default = bool(section.get("is_default", False))
    for name, lines in section.items():
        if name in ("base_path", "is_default") or lines is None:
            continue
        for line in str(lines).splitlines():
            if line.strip():
                path = os.path.normpath(os.path.join(file.parent, base, line.strip()))
                yield ExtraFolder(str(name), Path(path), is_default)


StrPath = str | os.PathLike[str]
#: Folders, or one of them alone.
Folders = Sequence[StrPath] | StrPath


class ModelType(str, Enum):
    """A kind of model; ComfyUI's folder names, such as ``loras`` and ``clip``, are understood too."""

    CLIP_VISION = "clip_vision"
    TEXT_ENCODER = "text_encoder"
    CLIP = TEXT_ENCODER
    CHECKPOINT = "checkpoint"
    DIFFUSERS = "diffusers"
    LLM = "llm"
    LORA = "lora"
    CONTROLNET = "controlnet"
    VAE = "vae"
    DIFFUSION_MODEL = "diffusion_model"
    STYLE_MODEL = "style_model"
    EMBEDDING = "embedding"
    UPSCALER = "upscaler"
    IPADAPTER = "ipadapter"
    #: What the Hugging Face libraries fetched.
    HUB = "hub"
    #: Folders and files that may hold models of any kind.
    OTHER = "other"

    @property
    def folders(self) -> tuple[str, ...]:
        """The names of ComfyUI's folders of this kind, the usual one first."""
        return _FOLDERS[self]

    @classmethod
    def _missing_(cls, value: object) -> ModelType:
        name = str(value).casefold()
        for kind in cls:
            if name in (kind.value, *map(str.casefold, kind.folders)):
                return kind
        known = ", ".join(kind.value for kind in cls)
        raise InputError(f"there is no kind of model {value!r}; it must be one of {known}")


_FOLDERS: Mapping[ModelType, tuple[str, ...]] = {
    ModelType.CLIP_VISION: ("clip_vision",),
    ModelType.TEXT_ENCODER: ("text_encoders", "clip"),
    ModelType.CHECKPOINT: ("checkpoints",),
    ModelType.DIFFUSERS: ("diffusers",),
    ModelType.LLM: ("LLM",),
    ModelType.LORA: ("loras",),
    ModelType.CONTROLNET: ("controlnet", "t2i_adapter"),
    ModelType.VAE: ("vae",),
    ModelType.DIFFUSION_MODEL: ("diffusion_models", "unet"),
    ModelType.STYLE_MODEL: ("style_models",),
    ModelType.EMBEDDING: ("embeddings",),
    ModelType.UPSCALER: ("upscale_models",),
    ModelType.IPADAPTER: ("ipadapter",),
    ModelType.HUB: (),
    ModelType.OTHER: (),
}


@dataclass
class ModelPathConfig:
    """The folders of each kind of model, several per kind, the first one first to be searched."""

    clip_vision_paths: Folders = ()
    text_encoder_paths: Folders = ()
    checkpoint_paths: Folders = ()
    diffusers_paths: Folders = ()
    llm_paths: Folders = ()
    lora_paths: Folders = ()
    controlnet_paths: Folders = ()
    vae_paths: Folders = ()
    diffusion_model_paths: Folders = ()
    style_model_paths: Folders = ()
    embedding_paths: Folders = ()
    upscaler_paths: Folders = ()
    ipadapter_paths: Folders = ()
    hub_paths: Folders = ()
    other_paths: Folders = ()
    #: What the user should know about the folders, such as a list of folders that could not be read.
    notes: tuple[str, ...] = ()

    @classmethod
    def from_root(cls, root: StrPath) -> ModelPathConfig:
        """The model folders that exist in a ComfyUI folder, and those of its ``extra_model_paths.yaml``.

        root: the folder of ComfyUI, or its ``models`` folder. Raises InputError if there is no such folder.
        """
        base = resolved(root)
        if not os.path.isdir(base):
            raise InputError(f"there is no folder {os.fspath(root)!r}; give the folder of ComfyUI")
        config = cls()
        models = base / "models" if os.path.isdir(base / "models") else base
        for kind in ModelType:
            for folder in kind.folders:
                if os.path.isdir(models / folder):
                    config.add_model_path(kind, models / folder)
        config._add_extra(base / EXTRA_PATHS_FILE)
        return config

    def add_model_path(self, kind: ModelType | str, path: StrPath, *, first: bool = False) -> None:
        """Search one more folder for models of this kind, after the others or before them."""
        name = _field_of(ModelType(kind))
        known = _several(getattr(self, name))
        setattr(self, name, [path, *known] if first else [*known, path])

    def get_paths(self, kind: ModelType | str) -> list[Path]:
        """The folders of this kind, links resolved, each once; they need not exist."""
        given = _several(getattr(self, _field_of(ModelType(kind))))
        return list(dict.fromkeys(resolved(path) for path in given))

    def all_paths(self) -> list[Path]:
        """The folders of all kinds, each once."""
        return list(dict.fromkeys(path for kind in ModelType for path in self.get_paths(kind)))

    def _add_extra(self, file: Path) -> None:
        extra = read_extra_paths(file)
        self.notes = (*self.notes, *extra.notes)
        kinds = {folder.casefold(): kind for kind in ModelType for folder in kind.folders}
        for folder in extra.folders:
            # other packs keep folders of their own names here
            if kind := kinds.get(folder.name.casefold()):
                self.add_model_path(kind, folder.path, first=folder.is_default)


def merged(configs: Iterable[ModelPathConfig]) -> ModelPathConfig:
    """The folders and notes of all, in their order."""
    together = ModelPathConfig()
    for config in configs:
        together.notes = (*together.notes, *config.notes)
        for kind in ModelType:
            for path in config.get_paths(kind):
                together.add_model_path(kind, path)
    return together


def resolved(path: StrPath) -> Path:
    """The path without links, ~ being the home folder; a file keeps its name, a chain of links without end stays."""
    given = Path(os.path.expanduser(path))
    if os.path.isfile(given):
        # what a link of the hub's cache leads to has no ending that tells what it is
        return Path(os.path.realpath(given.parent), given.name)
    return Path(os.path.realpath(given))


def _field_of(kind: ModelType) -> str:
    return f"{kind.value}_paths"


def _several(folders: Folders) -> Sequence[StrPath]:
    return [folders] if isinstance(folders, (str, os.PathLike)) else folders
