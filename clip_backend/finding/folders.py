"""Kinds of models and the folders where they are: of ComfyUI, of the Hugging Face libraries, and any others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ...errors import InputError
from ...input_files import read_file

StrPath = str | os.PathLike[str]
#: Folders, or one of them alone.
Folders = Sequence[StrPath] | StrPath
#: Usual names of ComfyUI's folder, and folders that users share.
_FOLDER_NAMES = ("ComfyUI", "comfyui", "comfy/ComfyUI", "ComfyUI_windows_portable/ComfyUI")
_SHARED_FOLDERS = ("/opt", "/srv", "/workspace")


class ModelType(str, Enum):
    """A kind of model; ComfyUI's folder names, such as ``loras`` and ``clip``, are understood too."""

    #: The names of ComfyUI's folders of this kind, the usual one first.
    folders: tuple[str, ...]

    def __new__(cls, value: str, *folders: str) -> ModelType:
        member = str.__new__(cls, value)
        member._value_ = value
        member.folders = folders
        return member

    CLIP_VISION = "clip_vision", "clip_vision"
    TEXT_ENCODER = "text_encoder", "text_encoders", "clip"
    CLIP = TEXT_ENCODER
    CHECKPOINT = "checkpoint", "checkpoints"
    DIFFUSERS = "diffusers", "diffusers"
    LLM = "llm", "LLM"
    LORA = "lora", "loras"
    CONTROLNET = "controlnet", "controlnet", "t2i_adapter"
    VAE = "vae", "vae"
    DIFFUSION_MODEL = "diffusion_model", "diffusion_models", "unet"
    STYLE_MODEL = "style_model", "style_models"
    EMBEDDING = "embedding", "embeddings"
    UPSCALER = "upscaler", "upscale_models"
    IPADAPTER = "ipadapter", "ipadapter", "ipadapter-flux", "xlabs/ipadapters"
    #: The cache of the Hugging Face libraries.
    HUB = "hub"
    #: Folders and files that may hold models of any kind.
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> ModelType:
        name = str(value).casefold()
        for kind in cls:
            if name in (kind.value, *map(str.casefold, kind.folders)):
                return kind
        known = ", ".join(kind.value for kind in cls)
        raise InputError(f"there is no kind of model {value!r}; it must be one of {known}")


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
        base = resolve_path(root)
        if not os.path.isdir(base):
            raise InputError(f"there is no folder {os.fspath(root)!r}; give the folder of ComfyUI")
        config = cls()
        models = base / "models" if os.path.isdir(base / "models") else base
        for kind in ModelType:
            for folder in kind.folders:
                if os.path.isdir(models / folder):
                    config.add_model_path(kind, models / folder)
        extra, notes = read_extra_paths(base / "extra_model_paths.yaml")
        config.notes = tuple(notes)
        kinds = {folder.casefold(): kind for kind in ModelType for folder in kind.folders}
        for name, path, is_default in extra:
            # other packs have folders of their own names here
            if named := kinds.get(name.casefold()):
                config.add_model_path(named, path, first=is_default)
        return config

    def add_model_path(self, kind: ModelType | str, path: StrPath, *, first: bool = False) -> None:
        """Search one more folder for models of this kind, after the others or before them."""
        name = f"{ModelType(kind).value}_paths"
        known = _as_list(getattr(self, name))
        setattr(self, name, [path, *known] if first else [*known, path])

    def get_paths(self, kind: ModelType | str) -> list[Path]:
        """The folders of this kind, links resolved, each once; they need not exist."""
        paths = _as_list(getattr(self, f"{ModelType(kind).value}_paths"))
        return list(dict.fromkeys(map(resolve_path, paths)))

    def all_paths(self) -> list[Path]:
        """The folders of all kinds, each once."""
        return list(dict.fromkeys(path for kind in ModelType for path in self.get_paths(kind)))


def merge_configs(configs: Iterable[ModelPathConfig]) -> ModelPathConfig:
    """The folders and notes of all, in their order."""
    merged = ModelPathConfig()
    for config in configs:
        merged.notes = (*merged.notes, *config.notes)
        for kind in ModelType:
            for path in config.get_paths(kind):
                merged.add_model_path(kind, path)
    return merged


def find_model_folders(folders: Iterable[StrPath] = (), *, comfyui: StrPath | None = None) -> ModelPathConfig:
    """Where to look for models: these folders and files and this ComfyUI; without any, wherever this machine has them.

    One of the folders that is a ComfyUI counts as ``comfyui``. Raises InputError for what does not exist.
    """
    configs = []
    for folder in folders:
        if not os.path.exists(os.path.expanduser(folder)):
            raise InputError(f"there is no folder or file {os.fspath(folder)!r}; check the spelling")
        is_root = is_comfyui(resolve_path(folder))
        configs.append(ModelPathConfig.from_root(folder) if is_root else ModelPathConfig(other_paths=[folder]))
    if comfyui is not None:
        configs.append(ModelPathConfig.from_root(comfyui))
    if not configs:
        root, hub = detect_comfyui_installation(), hub_cache()
        configs += [ModelPathConfig.from_root(root)] if root else []
        configs += [ModelPathConfig(hub_paths=[hub])] if os.path.isdir(hub) else []
    return merge_configs(configs)


def detect_comfyui_installation(search_paths: Iterable[StrPath] | None = None) -> Path | None:
    """The first folder of ComfyUI among the paths and right below them; None if there is none.

    search_paths: instead of the usual places, which are the current folder, this package, the home folder and those
    above the first two.
    """
    places = usual_places() if search_paths is None else map(resolve_path, search_paths)
    for place in places:
        for folder in (place, *(place / name for name in _FOLDER_NAMES)):
            if is_comfyui(folder):
                return resolve_path(folder)
    return None


def is_comfyui(folder: Path) -> bool:
    """Whether a folder is one of ComfyUI; that of the desktop program has custom_nodes, but no code."""
    names = ("folder_paths.py", "custom_nodes")
    return os.path.isdir(folder / "models") and any(os.path.exists(folder / name) for name in names)


def usual_places() -> Iterator[Path]:
    """Where people put ComfyUI, the nearest first."""
    here, package, home = Path.cwd(), Path(__file__).resolve().parents[1], resolve_path("~")
    yield from (here, *here.parents, *package.parents)
    yield from (home, home / "Documents", home / "Desktop", home / "Downloads", *map(Path, _SHARED_FOLDERS))


def hub_cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the Hugging Face libraries put what they download; the folder need not exist."""
    variables = {"HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "", "HF_HOME": "hub", "XDG_CACHE_HOME": "huggingface/hub"}
    for name, below in variables.items():
        if environment.get(name):
            return resolve_path(os.path.expandvars(environment[name])) / below
    return resolve_path("~/.cache") / "huggingface" / "hub"


def resolve_path(path: StrPath) -> Path:
    """The path with ~ expanded and links followed, but for the name of a file.

    What a link of the hub's cache leads to has no suffix that tells its format. Of links that lead to each other the
    path stays as it is.
    """
    expanded = Path(os.path.expanduser(path))
    if os.path.isfile(expanded):
        return Path(os.path.realpath(expanded.parent), expanded.name)
    return Path(os.path.realpath(expanded))


def _as_list(folders: Folders) -> Sequence[StrPath]:
    return [folders] if isinstance(folders, (str, os.PathLike)) else folders


#: What is read of an extra_model_paths.yaml: real ones have some thousand bytes, three levels and no alias.
_MOST_YAML_BYTES, _MOST_LEVELS, _MOST_ALIASES = 256 << 10, 20, 10
#: A folder of extra_model_paths.yaml: the name of its kind there, its path, and whether it comes before ComfyUI's own.
ExtraFolder = tuple[str, Path, bool]


def read_extra_paths(file: Path) -> tuple[list[ExtraFolder], list[str]]:
    """The folders of an extra_model_paths.yaml, and why it or a part of it cannot be used; no file: no folders."""
    if not os.path.exists(file):
        return [], []
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        return [], [f"{file} is not read because PyYAML is missing; install it with: pip install pyyaml"]
    try:
        text = read_file(file, "the list of folders", most_bytes=_MOST_YAML_BYTES)
        _check_size(yaml.parse(text, yaml.SafeLoader))
        content = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        return [], [f"{file} cannot be read ({reason}); the folders that it names are not searched"]
    return extra_folders(content, file)


def _check_size(events: Iterable[object]) -> None:
    """Raises InputError for YAML that is nested deep, or whose aliases could make it grow without end."""
    depth = aliases = 0
    for event in events:
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        aliases += kind == "AliasEvent"
        if depth > _MOST_LEVELS or aliases > _MOST_ALIASES:
            raise InputError(f"more than {_MOST_LEVELS} levels or {_MOST_ALIASES} aliases; write it out flat")


def extra_folders(content: object, file: Path) -> tuple[list[ExtraFolder], list[str]]:
    """The folders in the content of the file, and notes about what is left out, by the rules of ComfyUI.

    A path is relative to the ``base_path`` of its section, and that to the folder of the file.
    """
    if content is not None and not isinstance(content, Mapping):
        return [], [f"{file} holds no sections; the folders that it names are not searched"]
    folders: list[ExtraFolder] = []
    notes: list[str] = []
    for title, section in (content or {}).items():
        if isinstance(section, Mapping):
            folders += _folders_of_section(section, file)
            odd = [name for name, lines in section.items() if isinstance(lines, (list, Mapping))]
            notes += [f"{file}: {name} in {title} is no text; write one folder per line" for name in odd]
        elif section is not None:
            notes.append(f"{file}: {title} is no section; it is left out")
    return folders, notes


def _folders_of_section(section: Mapping[object, object], file: Path) -> Iterator[ExtraFolder]:
    base = os.path.expandvars(os.path.expanduser(str(section.get("base_path") or "")))
    is_default = bool(section.get("is_default", False))
    for name, lines in section.items():
        if name in ("base_path", "is_default") or lines is None or isinstance(lines, (list, Mapping)):
            continue
        for line in filter(None, map(str.strip, str(lines).splitlines())):
            path = os.path.normpath(os.path.join(file.parent, base, line))
            yield str(name), Path(path), is_default
