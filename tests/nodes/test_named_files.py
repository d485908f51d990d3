"""Whatever is typed into a widget, nothing outside the allowed folders is opened, and the answer is a message."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import clip_grid
import pytest
import torch
from clip_grid.clip_backend.ip_adapter.projections import States
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.errors import ClipGridError
from clip_grid.grid.table.table import read_table
from clip_grid.grid.text.fonts import find_faces
from clip_grid.nodes.checks import batch_state, data_state, file_state, head_state, lora_state, sheet_state
from clip_grid.nodes.host.fake import FakeHost
from clip_grid.nodes.ip_adapter.adapters import find_adapter
from clip_grid.nodes.ip_adapter.applying import gather_embeds
from clip_grid.nodes.learning.learn import LearnOptions, learn_from_folder
from clip_grid.nodes.models.choice import DEMO, NONE, find_model
from clip_grid.nodes.models.heads import load_head
from clip_grid.nodes.models.loaded import LoadOptions, load_model
from clip_grid.nodes.models.loras import find_lora
from clip_grid.nodes.sheets.batch import make_batch
from clip_grid.nodes.sheets.request import read_request, save_template
from clip_grid.nodes.sockets.inputs import directory_lines
from clip_grid.nodes.sockets.vocabularies import choose_vocabulary

#: The widgets of text that name a file, folder, font, template or model, of all nodes.
NAMES = {
    "csv", "vocabulary", "font", "template", "filename_prefix", "directories", "clip_model", "model", "text_encoder",
    "name", "labels", "data", "head", "lora", "file", "save_as", "adapter",
}  # fmt: skip
#: Those whose text is shown, parsed or looked for in a table, and never a name of anything outside the graph.
TEXTS = {
    "background", "badge", "border_color", "column_headers", "footer", "header", "keywords", "label_columns",
    "label_format", "label_sources", "metadata", "outline_color", "pad_color", "page_axis", "page_text_color",
    "picture_weights", "place_weights",
    "row_headers", "score_text", "sort_by", "templates", "text", "text_color", "title", "where", "without", "x_axis",
    "y_axis",
}  # fmt: skip
NETWORK = ("//host/share/a.csv", r"\\host\share\a.csv", r"\\?\UNC\host\share\a.csv", r"\\.\pipe\a", r"\??\C:\a.csv")
OPENED: list[str] = []
WATCHED = [False]


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if WATCHED[0] and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes)):
        OPENED.append(os.fsdecode(arguments[0]))


def texts(folder: Path) -> list[str]:
    """200 texts that try to lead out of the folder of the host."""
    outside = folder / "outside"
    endings = ("txt", "csv", "json", "ttf", "safetensors")
    starts = ("../../outside/secret.", f"{outside}/secret.", "a/../../../outside/secret.", "link.", "linked/secret.",
              "..\\..\\outside\\secret.", "[output]/../../../outside/secret.", f"file://{outside}/secret.",
              "~/secret.", "$HOME/secret.", "%HOME%\\secret.")  # fmt: skip
    plain = [start + ending for start, ending in itertools.product(starts, endings)]
    wrapped = [f"{before}{text}{after}" for text in plain[::4] for before, after in (
        ("+", ""), ("a, b\n+", ""), ('"', '"'), (" ", " [output]"), ("", " [temp]"), ("", "\0.csv"),
        ("a.csv [input]\n", ""),
    )]  # fmt: skip
    odd = [
        *NETWORK, "C:\\secret.csv", "C:secret.csv", "/etc/passwd", "/etc/passwd [input]", "/dev/zero",
        "/proc/self/environ", "/dev/stdin", "CON", "NUL.txt", "aux.csv", "a\0b.csv", "\ud800.csv", "\udc80.txt",
        "a" * 300 + ".csv",
        "a/" * 3000 + "a.csv", "x" * 100_000, "", " ", ".", "..", "/", "\\", "//", "~", "~root", "$HOME", "*",
        "**", "../*", f"{outside}/*", "linked/*", "*/*", "[", "]", "[input]", "[output]", "loop", "loop/a.csv",
        "loop.csv", "pipe.csv", "\n", "\r\n../secret.csv", "%2e%2e/secret.csv", "..%c0%af", "․․/secret.csv",
        "../secret.csv", "+", "++../a.txt",
    ]  # fmt: skip
    made = list(dict.fromkeys([*plain, *odd, *wrapped]))[:200]
    assert len(made) == 200
    return made


@pytest.fixture(scope="module", autouse=True)
def _audited() -> None:
    sys.addaudithook(watch)


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """A host whose folders hold links that lead out, with a secret of every kind beside them."""
    host = FakeHost(tmp_path / "comfyui")
    outside = tmp_path / "outside"
    outside.mkdir()
    for ending, content in {"txt": "secret", "csv": "file,label\na,secret", "json": '{"a": "secret"}'}.items():
        (outside / f"secret.{ending}").write_text(content)
    for ending in ("ttf", "safetensors", "png"):
        (outside / f"secret.{ending}").write_bytes(b"secret")
    for ending in ("txt", "csv", "json", "ttf", "safetensors", "png"):
        (host.folders.input / f"link.{ending}").symlink_to(outside / f"secret.{ending}")
    (host.folders.input / "linked").symlink_to(outside)
    (host.folders.input / "loop").symlink_to("loop")
    (host.folders.input / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(host.folders.input / "pipe.csv")
    monkeypatch.setenv("HOME", str(outside))
    monkeypatch.chdir(outside)
    yield host


def uses(host: FakeHost) -> dict[str, Callable[[str], object]]:
    """What the nodes do with the text of each widget that may name something."""

    def sheet(name: str) -> Callable[[str], object]:
        def use(text: str) -> object:
            inputs = {name: [text], "use_clip": [True]}
            sheet_state(inputs, host)
            request = read_request(inputs, host)
            find_faces(request.template.font, machine_fonts=())
            host.folders.check_prefix(request.prefix)
            return read_table(request.inputs.csv) if request.inputs.csv else None

        return use

    def directories(text: str) -> object:
        batch_state({"directories": [text]}, host)
        return make_batch(directory_lines([text]), read_request({}, host), host)

    model = load_model(DEMO, NONE, LoadOptions(), host)
    reference = Reference(States(embeds=torch.ones(1, 8)))

    def data(text: str) -> object:
        data_state(text, host)
        return learn_from_folder(text, model, LearnOptions(), host)

    return {
        **{name: sheet(name) for name in ("csv", "font", "template", "filename_prefix", "vocabulary")},
        "directories": directories,
        "data": data,
        "head": lambda text: (head_state(text, host), load_head(text, host)),
        "lora": lambda text: (lora_state(text, host), find_lora(text, host)),
        "file": lambda text: (file_state(text, host), gather_embeds(None, {"file": text}, host)),
        "save_as": lambda text: gather_embeds((reference,), {"save_as": text}, host),
        "adapter": lambda text: find_adapter(text, host),
        "labels": lambda text: choose_vocabulary([text], "", host),
        "clip_model": lambda text: find_model(text, host),
        "model": lambda text: find_model(text, host),
        "text_encoder": lambda text: find_model(text, host),
        "name": lambda text: save_template(replace(read_request({}, host).template, name=text), host),
    }


def widgets_of_text() -> set[str]:
    """The names of all inputs of all nodes into which a text may be typed, or put by an API workflow."""
    found = set()
    for node in clip_grid.NODE_CLASS_MAPPINGS.values():
        groups = node.INPUT_TYPES()
        for name, (kind, *options) in {**groups.get("required", {}), **groups.get("optional", {})}.items():
            widget = options[0].get("widgetType") if options else None
            is_open = isinstance(kind, list) and name in NAMES
            if kind == "STRING" or widget in ("STRING", "COMBO") or is_open:
                found.add(name)
    return found


def test_every_widget_of_text_is_known_to_name_a_file_or_not(host):
    assert widgets_of_text() == NAMES | TEXTS
    assert set(uses(host)) == NAMES


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need a privilege on Windows")
@pytest.mark.parametrize("widget", sorted(NAMES))
def test_nothing_outside_is_opened_whatever_a_widget_holds(widget, closed, tmp_path, monkeypatch):
    use = uses(closed)[widget]
    looked: list[str] = []
    for name in ("stat", "lstat"):
        true = getattr(os, name)

        def recording(path, *args, _true=true, **options):
            looked.append(os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else "")
            return _true(path, *args, **options)

        monkeypatch.setattr(os, name, recording)
    OPENED.clear()
    answers = set()
    for text in texts(tmp_path):
        WATCHED[0] = True
        try:
            use(text)
        except ClipGridError as error:
            answers.add(type(error).__name__)
            assert str(error).strip() and "secret" not in str(error).replace(text, "").replace("secret.", "")
        finally:
            WATCHED[0] = False

    outside = tmp_path / "outside"
    real = {os.path.realpath(path) for path in OPENED if "\0" not in path}
    assert [path for path in real if path.startswith((str(outside), "/etc", "/proc", "/dev"))] == []
    assert [path for path in looked if "host" in path.split("/")[:4] and "share" in path] == []
    assert answers
