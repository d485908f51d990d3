"""What commands print of names and labels: text that a terminal only shows."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from clip_grid.cli import labeled_grid_exporter, main

from ..grid.samples import colour, flat, save

#: Sets a title, changes colours by one byte, breaks the line, turns the direction.
BAD = "\x1b]0;title\x07 \x9b31m\n\u202e"
ORDERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
MODEL = ["--model", "shapes-demo", "--no-cache"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a folder with pictures and other files, all of bad names."""
    monkeypatch.chdir(tmp_path)
    name = f"in{BAD}"
    for number in range(3):
        parameters = f"a cat{BAD}\nSteps: {number}, Sampler: eul\x1ber{BAD.strip()}{number}, Model: m{BAD.strip()}"
        save(tmp_path / name / f"{number}{BAD}.png", flat(colour(number), 30, 30), parameters=parameters)
    (tmp_path / name / f"broken{BAD}.png").write_bytes(b"nothing")
    (tmp_path / f"t{BAD}.csv").write_text(f"file,label\n0,\x1b]0;x\x07a\n9{BAD.strip()},b\n", "utf-8")
    (tmp_path / f"w{BAD}.txt").write_text("red \x1b[31m\nblue \x9b1m\n", "utf-8")
    (tmp_path / f"m{BAD}.safetensors").write_bytes(b"no model")
    rows = "".join(f'"{name}/{number}{BAD}.png","red \x1b[1m"\n' for number in (0, 1, 9))
    (tmp_path / "pairs.csv").write_text(f"image_path,text\n{rows}", "utf-8")
    return name


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command printed; statuses of every kind are right."""
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = int(str(ended.code))
    assert status in (0, 1, 2, 3)
    out, err = capsys.readouterr()
    assert out + err
    return out + err


@posix
@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "{in}", "s{bad}.png", "--csv", "t{bad}.csv", "--title", "{bad}", "--overwrite"],
        ["export", "{in}", "s{bad}.gif"],
        ["export", "no{bad}", "s.png"],
        ["export", "--batch", "{in}", "no{bad}", "out{bad}"],
        ["export", "{in}", "s.png", "--csv", "no{bad}.csv"],
        ["export", "{in}", "s.png", "--template", "no{bad}"],
        ["export", "{in}", "s.png", "--font", "no{bad}.ttf"],
        ["export", "{in}", "s.png", "--x-axis", "no{bad}"],
        ["export", "{in}", "s.png", "--rows", "{bad}"],
        ["export", "{in}", "s.png", "--unknown{bad}"],
        ["export", "{in}", "s.png", "--save-template", "w{bad}.txt"],
        ["{bad}"],
        ["label", "{in}", "--labels", "w{bad}.txt", *MODEL, "--csv", "l{bad}.csv"],
        ["label", "{in}", "--labels", "a{bad}", "b", *MODEL],
        ["label", "{in}", "--labels", "a{bad}", "b", "--csv", "pairs.csv", *MODEL],
        ["match", "--image", "{in}", "--text", "red{bad}", "a{bad}, b{bad}", "--mode", "matrix", *MODEL],
        ["match", "--image", "{in}/0{bad}.png", "--text", "a{bad}, b", *MODEL],
        ["match", "--image", "{in}", "--text", "a", "--model", "m{bad}.safetensors"],
        ["match-batch", "pairs.csv", *MODEL],
        ["match-batch", "pairs.csv", "--out", "r{bad}.csv", *MODEL],
        ["match-batch", "w{bad}.txt", *MODEL],
        ["rank", "{in}", "--text", "red{bad}", *MODEL],
        ["rank", "{in}", "--text", "red", "--k", "3", "--list", *MODEL],
        ["rank", "{in}", "--text", "red", "--copy-to", "{in}", *MODEL],
        ["models", "{in}"],
        ["models", ".", "--all"],
        ["check-model", "m{bad}.safetensors"],
        ["info", "--model", "m{bad}.safetensors"],
        ["info", "--cache", "c{bad}", "--model", "no{bad}"],
        ["templates", "{bad}"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_name_label_or_argument_gives_the_terminal_orders(folder, capsys, arguments):
    told = shown(capsys, *(text.replace("{bad}", BAD).replace("{in}", folder) for text in arguments))

    assert ORDERS.findall(told) == [] and "31m\n\\u202e" not in told


@posix
def test_the_older_command_is_as_safe(folder, capsys):
    assert labeled_grid_exporter([folder, f"s{BAD}.png", "--labels", f"no{BAD}"]) in (1, 3)

    out, err = capsys.readouterr()
    assert ORDERS.findall(out + err) == [] and r"\x1b]0" in out + err


@posix
def test_what_is_data_stays_as_it_is(folder, tmp_path, capsys):
    main(["export", folder, f"s{BAD}.png", "--json"])
    report = json.loads(capsys.readouterr().out)
    main(["label", folder, "--labels", "red", "blue", "--csv", "l.csv", "--json", *MODEL])
    labels = json.loads(capsys.readouterr().out)

    assert report["pages"][0]["path"] == f"s{BAD}.png"
    assert f"0{BAD}.png" in labels["images"][0]["path"]
    assert BAD in (tmp_path / "l.csv").read_bytes().decode()
