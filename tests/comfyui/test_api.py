"""Tests: the pack in a real ComfyUI server without a browser: nodes, workflows, files, histories, flags."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.error import HTTPError

import clip_grid
import pytest
from PIL import Image

from .client import cached_nodes, finished_run, get_json, post_json, read_workflow, run_workflow
from .server import PACK, ROOT, Server, runs_alone

#: test_ip_adapter_nodes.py runs those of IP-Adapters with tiny models.
EXAMPLES = [path for path in sorted((ROOT / "examples").rglob("*.json")) if runs_alone(path)]
TEMPLATES = sorted((ROOT / "example_workflows").glob("*.json"))


def test_every_node_is_ours_and_has_its_category(comfy):
    declared = comfy.ask("/object_info")

    for node_id in clip_grid.NODE_CLASS_MAPPINGS:
        assert declared[node_id]["python_module"] == f"custom_nodes.{PACK}"
        assert declared[node_id]["category"].startswith("CLIP Grid/")
        assert declared[node_id]["display_name"] == clip_grid.NODE_DISPLAY_NAME_MAPPINGS[node_id]


def test_the_log_has_no_errors_or_warnings_of_ours(comfy):
    lines = [line for line in comfy.log_text().splitlines() if PACK in line or "clip_grid" in line]

    assert [line for line in lines if "FAILED" in line or "rror" in line or "arning" in line] == []


def test_the_template_browser_gets_our_templates_and_nothing_else(comfy):
    assert set(comfy.ask("/workflow_templates")[PACK]) == {path.stem for path in TEMPLATES}
    assert [path for path in TEMPLATES if not path.with_suffix(".jpg").is_file()] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs_and_its_files_are_there(comfy, path):
    outputs = run_workflow(comfy.address, read_workflow(path))

    assert outputs
    assert all(saved_file(comfy, entry).stat().st_size > 0 for entry in entries(outputs))


@pytest.mark.parametrize("flags", [["--disable-metadata"], ["--cache-none"], ["--fp16-intermediates"]], ids="".join)
def test_a_sheet_is_made_under_every_flag(started, comfy, flags):
    if flags == ["--fp16-intermediates"] and "fp16-intermediates" not in comfy_flags(comfy):
        pytest.skip("this ComfyUI has no --fp16-intermediates")
    workflow = read_workflow(Path(__file__).parent / "sheet_workflow.json")

    with started(*flags) as server:
        outputs = run_workflow(server.address, workflow)
        sheet = saved_file(server, outputs["3"]["images"][0])

        assert (b"prompt" in sheet.read_bytes()[:65536]) == ("--disable-metadata" not in flags)
        assert outputs["3"]["clip_grid"][0][0]["images_processed"] == 1
        assert outputs["4"]["clip_match"][0]["clip_is_match"] is True


def test_a_search_is_done_again_exactly_when_the_index_has_changed(comfy):
    folder = comfy.base / "input" / "search test"
    for colour in ("red", "blue", "green"):
        add_picture(folder / f"{colour}.png", colour)
    index = {"class_type": "ClipGrid_IndexImages", "inputs": {"directories": "search test"}}
    search = {"class_type": "ClipGrid_SearchImages", "inputs": {"where": "path~'search test'", "index": ["1", 0]}}
    show = {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}}
    workflow = {"1": index, "2": search, "3": show}

    runs = [finished_run(comfy.address, workflow) for _ in range(3)]
    add_picture(folder / "white.png", "white")
    runs.append(finished_run(comfy.address, workflow))

    found = [sorted(Path(hit["path"]).name for hit in run["outputs"]["2"]["clip_search"]) for run in runs]
    assert found == [["blue.png", "green.png", "red.png"]] * 3 + [["blue.png", "green.png", "red.png", "white.png"]]
    assert [len(run["outputs"]["3"]["images"]) for run in runs] == [3, 3, 3, 4]
    assert {"1", "2"} <= cached_nodes(runs[2]) and not {"1", "2"} & cached_nodes(runs[3])


def add_picture(path: Path, colour: str) -> None:
    """A picture that was written long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48), colour).save(path)
    os.utime(path, (1_600_000_000, 1_600_000_000))


def test_a_bad_csv_file_is_one_error_of_the_input_csv(comfy):
    workflow = sheet_alone()
    workflow["3"]["inputs"] |= {"csv": "gone.csv", "use_clip": True}

    error, _ = refused(comfy, workflow, "3")

    assert error["extra_info"]["input_name"] == "csv" and "no file or folder 'gone.csv'" in error["details"]


def test_a_bad_csv_file_is_in_the_log_as_often_as_any_error_of_a_saving_node_of_comfyui(comfy):
    workflow = sheet_alone()
    workflow["3"]["inputs"]["csv"] = "gone too.csv"
    save = {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}

    _, lines = refused(comfy, workflow, "3")
    _, core = refused(comfy, {"1": save}, "1")

    told = [line for line in lines if "gone too.csv" in line]
    # ComfyUI names the output, then the node, then refuses the prompt
    assert len(told) == len([line for line in core if "Required input is missing: images" in line]) == 3
    assert not [line for line in told if "clip_grid" in line]


def refused(comfy, workflow, node):
    """The one error of the node in a workflow that the server does not take, and what the log says of it."""
    before = len(comfy.log_text())
    with pytest.raises(HTTPError) as refusal:
        post_json(f"{comfy.address}/prompt", {"prompt": workflow})
    with refusal.value as answer:
        (error,) = json.loads(answer.read())["node_errors"][node]["errors"]
    return error, comfy.log_text()[before:].splitlines()


def test_a_warning_is_in_the_log_once(comfy):
    workflow = sheet_alone()
    workflow["3"]["inputs"] |= {"winner": "highest", "labels": "once"}
    before = len(comfy.log_text())

    outputs = run_workflow(comfy.address, workflow)

    (note,) = outputs["3"]["clip_notes"]
    assert comfy.log_text()[before:].count(note) == 1


def test_a_sheet_is_one_output_of_its_job(comfy):
    workflow = sheet_alone()
    workflow["3"]["inputs"]["labels"] = "one job"
    run_workflow(comfy.address, workflow)
    try:
        (job, *_) = get_json(f"{comfy.address}/api/jobs?limit=1")["jobs"]
    except HTTPError as error:
        error.close()
        pytest.skip("this ComfyUI lists no jobs")

    assert (job["outputs_count"], job["preview_output"]["filename"][-4:]) == (1, ".png")


def sheet_alone():
    """A workflow with one image and its sheet."""
    workflow = read_workflow(Path(__file__).parent / "sheet_workflow.json")
    return {key: workflow[key] for key in ("1", "3")}


def entries(outputs):
    """All files that the outputs name."""
    lists = [values for output in outputs.values() for values in output.values()]
    nested = [one for values in lists for item in values for one in (item if isinstance(item, list) else [item])]
    return [one for one in nested if isinstance(one, dict) and "filename" in one]


def saved_file(server: Server, entry: dict[str, str]) -> Path:
    return server.base / entry["type"] / entry["subfolder"] / entry["filename"]


def comfy_flags(server: Server) -> str:
    return (server.comfyui / "comfy" / "cli_args.py").read_text("utf-8")
