"""Folders of pictures: captions in files beside them, one folder for each class, or prompts in the files themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ....errors import InputError
from ....imaging import PICTURE_SUFFIXES
from ....input_files import read_file
from .dataset import FactsOf, Finding
from .rows import PART_NAMES, Row

#: Endings of the files with captions: kohya's sd-scripts know both.
CAPTION_SUFFIXES = (".txt", ".caption")
MAX_CAPTION_BYTES = 1 << 20
#: The tables of Hugging Face's imagefolder.
METADATA = ("metadata.csv", "metadata.jsonl")
#: A folder is read as pictures with captions if at least this share of its pictures has one.
MOST_CAPTIONS = 0.5
_REPEATS = re.compile(r"(\d+)_.+")


@dataclass
class PictureTree:
    """The pictures in a folder and below it, and the files that may hold their captions."""

    root: Path
    #: Below the root, in the order of their names.
    pictures: list[Path] = field(default_factory=list)
    #: The captions beside each picture that has some.
    captions: dict[Path, list[Path]] = field(default_factory=dict)
    #: The folders below the root that hold a table of Hugging Face's imagefolder, in their order.
    described: list[Path] = field(default_factory=list)
    #: Folders that cannot be listed.
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_captioned(self) -> bool:
        """Whether captions are meant to stand beside the pictures."""
        return len(self.captions) >= MOST_CAPTIONS * len(self.pictures) > 0

    @property
    def is_flat(self) -> bool:
        """Whether all pictures are in the folder itself."""
        return all(len(path.parts) == 1 for path in self.pictures)

    @property
    def parts(self) -> bool:
        """Whether the folders in it are those of a split."""
        tops = {path.parts[0] for path in self.pictures if len(path.parts) > 1}
        return bool(tops) and not self._loose and all(top.casefold() in PART_NAMES for top in tops)

    @property
    def classes(self) -> set[str]:
        """The names of the folders that hold pictures, below those of a split."""
        depth = 1 if self.parts else 0
        return {path.parts[depth] for path in self.pictures if len(path.parts) > depth + 1}

    @property
    def _loose(self) -> bool:
        return any(len(path.parts) == 1 for path in self.pictures)


def picture_tree(root: Path) -> PictureTree:
    """What is in a folder; hidden files and folders are left out, links to folders are followed once."""
    tree = PictureTree(root)
    seen: set[str] = set()

    def unreadable(error: OSError) -> None:
        name = os.path.relpath(error.filename or root, root)
        message = f"the folder cannot be listed ({error.strerror or error}); check its permissions"
        tree.findings.append(Finding("error", "unreadable-folder", message, picture=name))

    for folder, folders, files in os.walk(root, onerror=unreadable, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if real not in seen else []
        if real in seen:
            continue
        seen.add(real)
        below = Path(folder).relative_to(root)
        names = set(files)
        if names.intersection(METADATA):
            tree.described.append(below)
        for name in sorted(name for name in files if not name.startswith(".")):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() not in PICTURE_SUFFIXES:
                continue
            tree.pictures.append(below / name)
            if found := [below / f"{stem}{end}" for end in CAPTION_SUFFIXES if f"{stem}{end}" in names]:
                tree.captions[below / name] = found
    return tree


def caption_rows(tree: PictureTree) -> Iterator[Row]:
    """A row for each picture and caption beside it, as kohya's sd-scripts have them."""
    for path in tree.pictures:
        for caption in tree.captions.get(path, [None]):
            yield _captioned(tree, path, caption)


def _captioned(tree: PictureTree, path: Path, caption: Path | None) -> Row:
    text, problem = "", None
    if caption is None:
        problem = ("no-text", f"there is no caption beside it; write one into {path.with_suffix('.txt').name}")
    else:
        try:
            data = read_file(tree.root / caption, "the caption", most_bytes=MAX_CAPTION_BYTES)
            lines = [line.strip() for line in data.decode("utf-8-sig").splitlines() if line.strip()]
            text = lines[0] if lines else ""
            if len(lines) > 1:
                _note_lines(tree, path, caption, len(lines))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            problem = ("encoding", f"{caption.name} has bytes in line {line} that are not UTF-8; save it in UTF-8")
        except InputError as error:
            # without the folder of this machine
            problem = ("no-text", str(error).replace(str(tree.root / caption), caption.as_posix()))
    if caption is not None and not text and problem is None:
        problem = ("no-text", f"{caption.name} is empty; write what the picture shows")
    return Row(tree.root / path, text, name=path.as_posix(), part=_part(tree, path), problem=problem)


def _note_lines(tree: PictureTree, path: Path, caption: Path, count: int) -> None:
    message = f"{caption.name} has {count} lines, of which only the first is read, as kohya does; join them"
    tree.findings.append(Finding("warning", "more-lines", message, picture=path.as_posix()))


def class_rows(tree: PictureTree) -> Iterator[Row]:
    """A row for each picture, whose class is the folder that it is in; those beside the folders are no examples."""
    depth = 1 if tree.parts else 0
    for path in tree.pictures:
        if len(path.parts) > depth + 1:
            yield Row(tree.root / path, label=path.parts[depth], name=path.as_posix(), part=_part(tree, path))
        else:
            reason = "it lies beside the folders of the classes; move it into one of them"
            yield Row(tree.root / path, name=path.as_posix(), problem=("no-label", reason))


def prompt_rows(tree: PictureTree, facts_of: FactsOf) -> Iterator[Row]:
    """A row for each picture, whose text is the prompt that it was generated by."""
    reason = "its file tells no prompt; write a caption into a .txt file beside it, or leave it out"
    for path in tree.pictures:
        facts = facts_of(tree.root / path)
        problem = None if facts.prompt else ("no-text", reason)
        yield Row(
            tree.root / path, facts.prompt, name=path.as_posix(), facts=facts, part=_part(tree, path), problem=problem
        )


def note_repeats(tree: PictureTree) -> None:
    """Notes that kohya's numbers of repeats, in the names of folders, are not used."""
    for name in sorted({path.parts[-2] for path in tree.pictures if len(path.parts) > 1}):
        if (found := _REPEATS.fullmatch(name)) and int(found[1][:9]) > 1:
            message = f"the folder asks for {found[1]} repeats, which are not used: each picture counts once"
            tree.findings.append(Finding("warning", "repeats", message, picture=name))


def note_captions(tree: PictureTree, what: str) -> None:
    """Notes captions that are not read because most pictures have none. what: what is read in their place."""
    for path in tree.captions:
        message = f"the caption beside it is not read, since most pictures have none: {what}"
        tree.findings.append(Finding("warning", "unused-caption", message, picture=path.as_posix()))


def _part(tree: PictureTree, path: Path) -> str:
    return path.parts[0] if tree.parts else ""


def tables_in(folder: Path, suffixes: Sequence[str] = (".csv", ".tsv", ".json", ".jsonl")) -> list[Path]:
    """The tables in a folder, by name; raises InputError where it cannot be listed."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read ({error.strerror or error}); check the path") from error
    return [folder / name for name in names if os.path.splitext(name)[1].lower() in suffixes and name[0] != "."]
