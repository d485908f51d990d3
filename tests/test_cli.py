"""The command line: its exit statuses, what it prints where, and the flags of the tool that it replaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clip_grid.cli import labeled_grid_exporter, main
from PIL import Image

from .grid.samples import colour, flat, generated, pixels_of, save, truncated

ROOT = Path(__file__).resolve().parent.parent
KEYS = [
    "status", "images_found", "images_processed", "skipped", "grid_dimensions", "canvas_size", "export_format",
    "pages", "label_sources", "label_position", "axes", "cells", "warnings",
]  # fmt: skip
CELL_KEYS = ["page", "row", "column", "path", "label", "source", "box", "image_box", "values", "scores", "index"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of five pictures of 300 x 200 pixels."""
    for index in range(5):
        save(tmp_path / "in" / f"{index}.png", flat(colour(index), 300, 200))
    return tmp_path / "in"


def listed(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


# --- exit status and talk


def test_a_sheet_is_made_and_summed_up_on_stdout(tmp_path, pictures, capsys):
    status = main(
        ["export", str(pictures), str(tmp_path / "s.png"), "--cell-size", "30", "20", "--label-position", "over"]
    )

    out, err = capsys.readouterr()
    assert status == 0
    assert out == f"5 of 5 pictures, grid 2x3, canvas 130x70, png\n{tmp_path / 's.png'}\n"
    assert err == ""


def test_json_holds_the_stable_keys_and_nothing_else_is_on_stdout(tmp_path, pictures, capsys):
    status = main(["export", str(pictures), str(tmp_path / "s.png"), "--json"])

    report = json.loads(capsys.readouterr().out)
    assert status == 0
    assert list(report) == KEYS
    assert list(report["cells"][0]) == CELL_KEYS
    assert report == json.loads((tmp_path / "s.json").read_text("utf-8"))


def test_a_broken_picture_means_status_3_and_its_name_on_stderr(tmp_path, pictures, capsys):
    truncated(pictures / "9.png")

    status = main(["export", str(pictures), str(tmp_path / "s.png")])

    out, err = capsys.readouterr()
    assert status == 3
    assert "5 of 6 pictures" in out
    reason = "cannot be decoded (image file is truncated); it is damaged, make or fetch it again"
    assert err.splitlines() == [
        "note: 9.png: its end is missing; what stood behind its pixels is lost",
        f"note: skipped {pictures / '9.png'}: {reason}",
    ]


def test_many_skips_are_counted_unless_asked_for(tmp_path, pictures, capsys):
    for index in range(12):
        (pictures / f"broken{index}.png").write_bytes(b"")

    main(["export", str(pictures), str(tmp_path / "s.png")])
    short = capsys.readouterr().err.splitlines()
    main(["export", str(pictures), str(tmp_path / "s.png"), "--verbose"])
    long = capsys.readouterr().err.splitlines()
    main(["export", str(pictures), str(tmp_path / "s.png"), "--quiet"])
    quiet = capsys.readouterr().err

    assert (len(short), len(long), quiet) == (11, 14, "")
    assert short[-1].startswith("note: and 2 more were skipped")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rows", "-1"], "rows is -1; it must be in the range 0 to 10,000"),
        (["--margin", "-5"], "margin is -5"),
        (["--columns", "many"], "columns is 'many'; it must be a number"),
        (["--labels", "nope"], "'nope' is not among the columns"),
        (["--csv", "missing.csv"], "missing.csv"),
        (["--template", "missing.json"], "there is no template 'missing.json'"),
        (["--format", "gif"], "format is 'gif'"),
        (["--format", "jpg"], "s.png ends in .png but format is jpeg"),
        (["--resize", "0", "5"], "--resize is 0 5"),
        (["--background", "blurple"], "background is 'blurple'"),
        (["--x-axis", "nope"], "'nope' is not among the columns (there are none: no generation data, and no table)"),
    ],
)
def test_a_failure_is_one_line_on_stderr_and_status_1(tmp_path, pictures, capsys, flags, message):
    status = main(["export", str(pictures), str(tmp_path / "s.png"), *flags])

    out, err = capsys.readouterr()
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "s.png").exists()


@pytest.mark.parametrize(
    ("csv", "message"), [("seed,cfg\n1,2\n", "labels.csv"), ("", "labels.csv"), ("filename,a\nx.png,1\n", None)]
)
def test_a_csv_without_a_key_column_fails_and_one_that_matches_nothing_is_told(
    tmp_path, pictures, capsys, csv, message
):
    (tmp_path / "labels.csv").write_text(csv)

    status = main(["export", str(pictures), str(tmp_path / "s.png"), "--csv", str(tmp_path / "labels.csv")])

    err = capsys.readouterr().err
    assert status == (1 if message else 0)
    assert (message or "no row of the table matches a picture") in err


@pytest.mark.parametrize(
    "arguments",
    [[], ["export"], ["export", "one"], ["export", "--batch", "one"], ["export", "--no-such-flag"], ["zzz"]],
)
def test_wrong_usage_is_status_2(arguments, capsys):
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code

    assert status == 2
    assert capsys.readouterr().err


def test_zero_rows_are_automatic(tmp_path, pictures):
    assert main(["export", str(pictures), str(tmp_path / "s.png"), "--rows", "0", "--cols", "0"]) == 0


def test_a_dry_run_plans_and_writes_nothing(tmp_path, pictures, capsys):
    before = listed(tmp_path)

    status = main(["export", str(pictures), str(tmp_path / "s.jpg"), "--rows", "1", "--cols", "2", "--dry-run"])

    out = capsys.readouterr().out.splitlines()
    assert status == 0
    assert out[0].startswith("plan: 5 of 5 pictures, grid 1x2")
    assert [Path(line).name for line in out[1:]] == ["s.jpg", "s-2.jpg", "s-3.jpg"]
    assert listed(tmp_path) == before


def test_somebody_elses_file_needs_overwrite(tmp_path, pictures, capsys):
    save(tmp_path / "s.png")
    before = (tmp_path / "s.png").read_bytes()

    refused = main(["export", str(pictures), str(tmp_path / "s.png")])
    assert (tmp_path / "s.png").read_bytes() == before
    forced = main(["export", str(pictures), str(tmp_path / "s.png"), "--overwrite"])

    assert (refused, forced) == (1, 0)


def test_a_table_beside_the_sheet_is_not_lost_to_the_sidecar(tmp_path, pictures, capsys):
    table = tmp_path / "s.json"
    table.write_text('[{"filename": "0.png", "label": "first"}]')
    arguments = ["export", str(pictures), str(tmp_path / "s.png"), "--csv", str(table), "--overwrite"]

    refused = main(arguments)
    without = main([*arguments, "--no-sidecar"])

    assert (refused, without) == (1, 0)
    assert "first" in table.read_text()


def test_paths_may_stand_between_and_after_the_flags(tmp_path, pictures):
    out = str(tmp_path / "s.png")

    assert main(["export", str(pictures), "--rows", "1", out, "--margin", "3"]) == 0
    assert main(["export", "--rows", "1", "--background", "30", "30", "30", str(pictures), out]) == 0
    assert tuple(pixels_of(tmp_path / "s.png")[0, 0]) == (30, 30, 30)
    assert main(["export", "--background", "#204060", str(pictures), out]) == 0
    assert tuple(pixels_of(tmp_path / "s.png")[0, 0]) == (32, 64, 96)
    assert main(["export", str(pictures), out, "--background", "1, 2, 3"]) == 0
    assert tuple(pixels_of(tmp_path / "s.png")[0, 0]) == (1, 2, 3)


def test_templates_are_listed_for_people_and_machines(capsys):
    assert main(["templates"]) == 0
    assert "default        auto x 3 cells of 256 x 256, margin 10, png" in capsys.readouterr().out
    assert main(["templates", "--json"]) == 0
    assert {"default", "compact", "tall"} <= {template["name"] for template in json.loads(capsys.readouterr().out)}


# --- batches


def test_one_broken_folder_of_three_gives_two_sheets_and_status_3(tmp_path, capsys):
    for name in ("a", "c"):
        save(tmp_path / name / "x.png")
    (tmp_path / "b").mkdir()

    status = main(["export", "--batch", *(f"{tmp_path}/{name}/" for name in "abc"), str(tmp_path / "out")])

    out, err = capsys.readouterr()
    assert status == 3
    assert listed(tmp_path / "out") == ["a_grid.json", "a_grid.png", "c_grid.json", "c_grid.png"]
    assert [line.split(": ")[0] for line in out.splitlines() if ": " in line] == [f"{tmp_path}/a/", f"{tmp_path}/c/"]
    assert err.startswith(f"{tmp_path}/b/: error: ")


def test_a_batch_as_json_lists_grids_and_failures(tmp_path, capsys):
    save(tmp_path / "a" / "x.png")

    status = main(["export", "--json", "--batch", str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "out")])

    report = json.loads(capsys.readouterr().out)
    assert status == 3
    assert list(report) == ["status", "grids", "failed"]
    assert (report["status"], len(report["grids"])) == ("partial", 1)
    assert report["failed"][0]["directory"] == str(tmp_path / "b")
    assert list(report["grids"][0]) == KEYS


def test_a_batch_in_which_nothing_worked_is_status_1(tmp_path, capsys):
    assert main(["export", "--batch", str(tmp_path / "a"), str(tmp_path / "out")]) == 1


# --- the older command


def test_every_flag_of_the_older_command_is_taken(tmp_path, pictures, capsys):
    csv = tmp_path / "l.csv"
    csv.write_text("filename,seed,sampler,steps\n" + "".join(f"{i}.png,{i}1,euler,20\n" for i in range(5)))
    arguments = [
        str(pictures), str(tmp_path / "s.jpg"), "--csv", str(csv), "--labels", "seed,sampler", "steps", "--rows", "2",
        "--cols", "3", "--cell-size", "60", "50", "--margin", "4", "--font-size", "10",
        "--background", "10", "20", "30", "--format", "jpg", "--resize", "40", "40", "--resize-mode", "fill",
        "--use-clip", "--clip-model", "any/name", "--verbose", "--save-template", str(tmp_path / "t.json"), "--json",
    ]  # fmt: skip

    status = labeled_grid_exporter(arguments)

    report = json.loads(capsys.readouterr().out)
    assert status == 0
    assert report["canvas_size"] == f"{3 * 60 + 4 * 4}x{2 * 50 + 3 * 4}"
    assert report["cells"][1]["label"] == "seed: 11\nsampler: euler\nsteps: 20"
    assert report["cells"][0]["image_box"][2:] == [40, 40]
    template = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert (template["name"], template["columns"], template["background"]) == ("t", 3, "10 20 30")


def test_the_older_command_has_cells_of_256_unless_told_otherwise(tmp_path, pictures, capsys):
    arguments = [str(pictures), str(tmp_path / "s.png")]

    assert labeled_grid_exporter(arguments) == 0
    assert size_of(tmp_path / "s.png") == (3 * 256 + 40, 2 * 256 + 30)
    assert labeled_grid_exporter([*arguments, "--cell-width", "60", "--cell-height", "40"]) == 0
    assert size_of(tmp_path / "s.png") == (3 * 60 + 40, 2 * 40 + 30)
    assert labeled_grid_exporter([*arguments, "--template", "compact"]) == 0
    assert size_of(tmp_path / "s.png") == (4 * 200 + 25, 2 * 200 + 15)


def test_a_saved_template_makes_the_same_sheet_again(tmp_path, pictures):
    template = str(tmp_path / "t.json")
    flags = ["--cell-size", "50", "40", "--background", "1", "2", "3", "--label-position", "below"]

    assert main(["export", str(pictures), str(tmp_path / "a.png"), *flags, "--save-template", template]) == 0
    assert main(["export", str(pictures), str(tmp_path / "b.png"), "--template", template]) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_template_can_be_saved_without_making_a_sheet(tmp_path):
    assert main(["export", "--rows", "4", "--save-template", str(tmp_path / "t.json")]) == 0
    assert json.loads((tmp_path / "t.json").read_text("utf-8"))["rows"] == 4


@pytest.mark.parametrize("tail", [["--input-dir", "IN", "--output", "OUT"], ["--input-dir", "IN", "OUT"]])
def test_the_oldest_spellings_are_taken(tmp_path, pictures, tail, capsys):
    csv = tmp_path / "l.csv"
    csv.write_text("filename,seed\n0,7\n")
    names = {"IN": str(pictures), "OUT": str(tmp_path / "s.png")}

    status = labeled_grid_exporter(
        ["--csv", str(csv), "--label-columns", "seed", *(names.get(word, word) for word in tail), "--json"]
    )

    assert status == 0
    assert json.loads(capsys.readouterr().out)["cells"][0]["label"] == "seed: 7"


def test_a_model_that_is_not_there_costs_the_labels_and_never_the_sheet(tmp_path, pictures, capsys):
    status = labeled_grid_exporter([str(pictures), str(tmp_path / "s.png"), "--use-clip", "--clip-model", "/no/model"])

    err = capsys.readouterr().err
    report = json.loads((tmp_path / "s.json").read_text("utf-8"))
    assert status == 0
    assert err.startswith("note: no labels from CLIP: ") and err.count("\n") == 1
    assert "the next source was used" in report["warnings"][0]
    assert report["label_sources"] == {"filename": 5}


def test_the_older_batch_puts_its_sheets_into_the_last_folder(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / name / "x.png")

    status = labeled_grid_exporter(["--batch", f"{tmp_path}/a/", f"{tmp_path}/b/", f"{tmp_path}/out/"])

    assert status == 0
    assert {"a_grid.png", "b_grid.png"} <= set(listed(tmp_path / "out"))


@pytest.mark.parametrize("command", [main, labeled_grid_exporter])
def test_the_version_is_told(command, capsys):
    with pytest.raises(SystemExit) as stop:
        command(["--version"])

    assert stop.value.code == 0
    assert capsys.readouterr().out.count(".") >= 1


# --- the demo


def test_the_demo_makes_its_sheets_in_an_empty_folder_and_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    first = main(["demo", "--quiet"])
    capsys.readouterr()
    status = labeled_grid_exporter(["--demo", "--json"])

    table = json.loads(capsys.readouterr().out)["grids"][0]
    assert (first, status) == (0, 0)
    assert {"table.png", "labels.jpg", "page.html"} <= set(os.listdir(tmp_path / "clip-grid-demo"))
    assert table["grid_dimensions"] == "4x5"
    assert (table["images_found"], len(table["cells"])) == (19, 19)
    assert (table["axes"]["x"]["name"], table["axes"]["y"]["name"]) == ("cfg", "sampler")


# --- as a process


def run(*arguments: str, cwd: Path, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, encoding=encoding, timeout=60, env=environment)


def checkout(parent: Path, name: str) -> Path:
    """A copy of the package under another folder name."""
    target = parent / name
    target.mkdir()
    for path in (*ROOT.glob("*.py"), ROOT / "pyproject.toml"):
        shutil.copy(path, target)
    for folder in ("api", "atomic", "commands", "grid", "clip_backend", "nodes"):
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return target


@pytest.mark.parametrize("name", ["clip_grid", "ComfyUI-CLIP-Grid"])
def test_the_checkout_runs_from_its_parent_folder_whatever_it_is_called(tmp_path, name):
    checkout(tmp_path, name)
    for seed in (1, 2):
        generated(tmp_path / "in" / f"{seed}.png", Seed=seed)

    result = run("-m", name, "export", "in", "s.png", cwd=tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("s.png\n")
    assert (tmp_path / "s.png").is_file()


def test_a_pipe_sees_no_progress_bar(tmp_path):
    checkout(tmp_path, "pack")
    save(tmp_path / "in" / "a.png")

    shown = run("-m", "pack", "export", "in", "s.png", "--json", cwd=tmp_path)
    failed = run("-m", "pack", "export", "nowhere", "s2.png", cwd=tmp_path)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout)["status"] == "ok"
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: there is no folder or file 'nowhere'")
    assert failed.stderr.count("\n") == 1


def test_names_that_the_pipe_cannot_encode_are_written_as_escapes(tmp_path):
    checkout(tmp_path, "pack")
    save(tmp_path / "in" / "\u65e5.png")

    people = run("-m", "pack", "export", "in", "\u65e5\u672c.png", cwd=tmp_path, encoding="cp1252")
    machine = run("-m", "pack", "export", "in", "\u65e5\u672c.png", "--json", cwd=tmp_path, encoding="cp1252")

    assert (people.returncode, machine.returncode) == (0, 0)
    assert people.stdout.splitlines()[1] == r"\u65e5\u672c.png"
    assert json.loads(machine.stdout)["pages"][0]["path"] == "\u65e5\u672c.png"


def test_control_characters_of_names_and_tables_never_reach_the_terminal(tmp_path, capsys):
    save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b\x1b[2J\x07.png").write_bytes(b"no picture")
    (tmp_path / "t.csv").write_text("filename,seed\na.png,1\n\x9b2J.png,2\n", "utf-8")

    assert main(["export", str(tmp_path / "in"), str(tmp_path / "s.png"), "--csv", str(tmp_path / "t.csv")]) == 3

    notes = capsys.readouterr().err
    assert r"b\x1b[2J\x07.png" in notes
    assert r"\x9b2J.png" in notes
    assert all(line.isprintable() for line in notes.splitlines())


def test_error_messages_show_control_characters_as_escapes(tmp_path, capsys):
    assert main(["export", "no\x1b[31mwhere", str(tmp_path / "s.png")]) == 1
    assert main(["export", "--batch", "no\x1b[31mwhere", str(tmp_path)]) == 1

    said = capsys.readouterr().err
    assert said.startswith(r"error: no picture matches 'no\x1b[31mwhere'")
    assert all(line.isprintable() for line in said.splitlines())


# --- files that are not ours, and signals


@pytest.mark.parametrize("name", ["a.png", "notes.json"])
def test_a_template_never_replaces_a_file_that_is_none_unless_it_may(tmp_path, capsys, name):
    save(tmp_path / "a.png")
    (tmp_path / "notes.json").write_text('{"name": "mine", "rows": 3}', "utf-8")
    before = (tmp_path / name).read_bytes()
    command = ["export", "--rows", "4", "--save-template", str(tmp_path / name)]

    assert main(command) == 1
    assert f"{name} exists and is not a template of this program; choose another name" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == before

    assert main([*command, "--overwrite"]) == 0
    # it is a template now
    assert main(command) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such devices")
@pytest.mark.parametrize("out", ["/dev/zero", "/dev/null", "pipe.png", "pipe.html"])
def test_a_sheet_never_replaces_a_device_or_pipe(tmp_path, capsys, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "in" / "a.png")
    if out.startswith("pipe"):
        os.mkfifo(tmp_path / out)

    assert main(["export", "in", out, "--overwrite"]) == 1

    assert "and no file; choose another name" in capsys.readouterr().err
    assert not Path(out).is_file()


def test_a_folder_without_pictures_is_named(tmp_path, capsys):
    (tmp_path / "renders").mkdir()

    assert main(["export", str(tmp_path / "renders"), str(tmp_path / "s.png")]) == 1

    assert f"there are no pictures in {tmp_path / 'renders'}; give a folder" in capsys.readouterr().err


def test_the_report_may_be_printed_into_the_sidecar(tmp_path):
    checkout(tmp_path, "pack")
    save(tmp_path / "in" / "a.png")

    for _ in range(2):
        with (tmp_path / "s.json").open("wb") as printed:
            command = [sys.executable, "-m", "pack", "export", "in", "s.png", "--json"]
            done = subprocess.run(command, cwd=tmp_path, stdout=printed, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads((tmp_path / "s.json").read_text("utf-8"))["images_processed"] == 1
