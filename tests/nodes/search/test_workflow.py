"""Tests: pictures are indexed and found within a workflow, with the bundled model and scenes whose truth is known."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.api.index import index_images
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.search.status import index_status
from clip_grid.clip_backend.search.writer import IndexWriter
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.errors import InputError, OutputError
from clip_grid.nodes.host import set_host
from clip_grid.nodes.host.fake import FakeHost, Interrupted
from clip_grid.nodes.learning_nodes import CLIPLoRA
from clip_grid.nodes.search import workflow
from clip_grid.nodes.search.models import query_encoder
from clip_grid.nodes.search.service import search_service
from clip_grid.nodes.search_nodes import IndexImages, SearchImages
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ...clip_backend.learning.trained import save_lora
from ..demo_images import demo_model, image, shape

COLOURS, SHAPES = ("red", "green", "blue", "yellow"), ("circle", "square", "star")
LONG_AGO = 1_600_000_000


def save(path: Path, picture: Image.Image, seed: int | None = None) -> Path:
    info = PngInfo()
    if seed is not None:
        info.add_text("parameters", f"a glossy thing\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: {seed}")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, pnginfo=info)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def fill(host: FakeHost) -> None:
    """12 shapes in the output folder, each of another size, and one in the input folder."""
    for place, (colour, kind) in enumerate((colour, kind) for colour in COLOURS for kind in SHAPES):
        side = 64 + 2 * place
        seed = place if colour == "red" else None
        save(host.folders.output / "shapes" / f"{colour} {kind}.png", shape(f"{colour} {kind}", side=side), seed)
    save(host.folders.input / "mine.png", shape("black ring"))


def run(node, **inputs):
    """What a node returns; every input goes in as a list."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
    return node().execute(**lists)


def find(**inputs):
    """The outputs of the search node: images, paths, scores, and the report as an object."""
    images, paths, scores, report = run(SearchImages, **inputs)["result"]
    return images, [Path(path).name for path in paths], scores, json.loads(report)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    """A host with an index, which no test changes."""
    host = FakeHost(tmp_path_factory.mktemp("comfyui"))
    fill(host)
    previous = set_host(host)
    run(IndexImages, model=demo_model())
    set_host(previous)
    return host


@pytest.fixture
def ready(indexed):
    """That host, during the test."""
    previous = set_host(indexed)
    yield indexed
    set_host(previous)


def test_without_folders_output_and_input_are_indexed_with_all_below_them(host):
    fill(host)

    result = run(IndexImages, model=demo_model())

    (report,) = result["ui"]["clip_index"]
    assert (report["found"], report["computed"], report["pictures"], report["failed"]) == (13, 13, 13, [])
    assert json.loads(result["result"][1]) == report
    assert result["ui"]["text"][0].startswith("13 pictures in the index, model: shapes-demo")
    assert host.steps[-1] == (13, 13)
    (again,) = run(IndexImages)["ui"]["clip_index"]
    assert (again["unchanged"], again["computed"]) == (13, 0)


def test_named_folders_alone_are_indexed_and_a_broken_file_costs_itself_alone(host):
    fill(host)
    (host.folders.output / "shapes" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")

    (report,) = run(IndexImages, directories="shapes", model=demo_model())["ui"]["clip_index"]

    assert (report["computed"], report["pictures"]) == (12, 12)
    assert [one["path"] for one in report["failed"]] == ["output/shapes/broken.png"]
    assert str(host.folders.output) not in json.dumps(report)


@pytest.mark.parametrize(
    ("text", "problem"), [("/etc", "outside"), ("../..", "outside"), ("missing", "no file or folder")]
)
def test_a_folder_that_may_not_be_read_is_refused_before_and_in_the_run(host, text, problem):
    assert problem in IndexImages.VALIDATE_INPUTS(directories=[text])
    with pytest.raises(InputError, match=problem):
        run(IndexImages, directories=text)
    assert not host.index_folder.exists()


def test_folders_that_are_linked_or_left_out_are_no_problem_before_the_run(host):
    assert IndexImages.VALIDATE_INPUTS() is True
    assert IndexImages.VALIDATE_INPUTS(directories=(None,)) is True
    assert IndexImages.VALIDATE_INPUTS(directories=[""]) is True


def test_what_was_finished_before_an_interrupt_is_kept(host):
    fill(host)
    host.interrupt_after = 5

    with pytest.raises(Interrupted):
        run(IndexImages, model=demo_model(), batch_size=2)
    host.interrupt_after = None
    (report,) = run(IndexImages, model=demo_model())["ui"]["clip_index"]

    assert report["unchanged"] >= 5 and report["pictures"] == 13


def test_another_model_than_that_of_the_index_is_refused(host):
    fill(host)
    with IndexWriter(host.index_folder) as writer:
        writer.bind("another space", 8, "another model")

    with pytest.raises(InputError, match="holds embeddings of another model, and shapes-demo has another"):
        run(IndexImages, model=demo_model())


def test_while_another_program_writes_the_index_that_is_said(host):
    fill(host)
    with IndexWriter(host.index_folder), pytest.raises(OutputError, match="is updating the index"):
        run(IndexImages, model=demo_model())


def test_an_update_beside_the_workflows_gives_way_to_the_node_and_goes_on_after_it(host):
    fill(host)
    indexing = search_service(host).indexing
    host.is_busy = True
    assert indexing.start()

    (report,) = run(IndexImages, model=demo_model())["ui"]["clip_index"]
    assert report["computed"] == 13 and indexing.now.state != "idle"
    host.is_busy = False
    indexing.join(30)

    assert (indexing.now.state, indexing.now.error, indexing.now.result.unchanged) == ("idle", "", 13)


def test_a_text_finds_what_it_names_in_the_sizes_of_the_files(ready):
    images, names, scores, report = find(text="a red star", top=3)

    assert names[0] == "red star.png"
    assert [tuple(one.shape) for one in images] == [
        (1, height, width, 3) for width, height in ((hit["width"], hit["height"]) for hit in report["hits"])
    ]
    assert scores == sorted(scores, reverse=True)
    assert images[0].dtype == np.float32
    pixels = np.asarray(Image.open(ready.folders.output / "shapes" / "red star.png").convert("RGB"))
    np.testing.assert_array_equal((images[0][0] * 255).round().astype(np.uint8), pixels)


def test_texts_stand_in_lines_with_weights_and_what_is_unwanted_beside_them(ready):
    _, names, _, report = find(text="a star::2\nblue", without="green", top=1)

    assert names == ["blue star.png"]
    assert [(part["name"], part["weight"]) for part in report["hits"][0]["parts"]] == [
        ("a star", 2.0), ("blue", 1.0), ("green", -1.0)
    ]  # fmt: skip


def test_pictures_find_what_is_like_them_and_what_is_unlike(ready):
    _, like, _, _ = find(like=[image("yellow circle"), image("yellow star")], top=2)
    _, unlike, _, _ = find(unlike=[image("yellow circle")], top=6)

    assert like == ["yellow circle.png", "yellow star.png"]
    assert not any(name.startswith("yellow") or name.endswith("circle.png") for name in unlike)


def test_filters_and_keywords_choose_before_the_ranking(ready):
    _, filtered, _, report = find(text="a star", where="seed>=1 and cfg=7", top=12)
    _, worded, _, by_words = find(keywords="glossy", top=12)

    assert filtered[0] == "red star.png" and {*filtered} == {"red square.png", "red star.png"}
    assert (report["passed"], report["total"]) == (2, 13)
    assert {*worded} == {"red circle.png", "red square.png", "red star.png"}
    assert all(hit["keyword_rank"] and not hit["is_weak"] for hit in by_words["hits"])


def test_the_node_shows_z_percentile_and_the_line_of_weak_hits(ready):
    result = run(SearchImages, text="a red star", top=13)

    head, first, *others = result["ui"]["text"][0].splitlines()
    hits = result["ui"]["clip_search"]
    strong = [hit for hit in hits if not hit["is_weak"]]
    assert head == "13 of 13 pictures; index of 13, model: shapes-demo"
    assert first == f"1. red star.png: z {hits[0]['z']:.1f}, better than {hits[0]['percentile']:.1f} %"
    assert 0 < len(strong) < 13 and hits[: len(strong)] == strong
    assert others.index("--- these fit weakly ---") == len(strong) - 1
    assert list(result["ui"]["images"][0]) == ["filename", "subfolder", "type"]
    previews = [ready.folders.temp / one["filename"] for one in result["ui"]["images"]]
    assert len(previews) == 13 and all(0 < path.stat().st_size <= 15_000 for path in previews)
    # for everybody who reads the history
    assert str(ready.folders.output) not in json.dumps(result["ui"])
    assert hits[0]["path"] == "output/shapes/red star.png"


def test_only_strong_hits_and_only_different_ones_can_be_asked_for(ready):
    _, strong, _, report = find(text="a red star", top=13, strong=True)
    _, diverse, _, _ = find(text="a red star", top=4, diversity=1.0)
    _, plain, _, _ = find(text="a red star", top=4)

    assert "red star.png" in strong and not any(hit["is_weak"] for hit in report["hits"])
    assert diverse[0] == plain[0] == "red star.png" and diverse != plain


def test_without_a_query_the_newest_pictures_are_given(ready):
    images, names, _, report = find(top=5)

    assert len(images) == len(names) == 5 and report["passed"] == 13
    assert report["hits"][0]["z"] is None


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"where": "seed=999"}, "no picture passes the filter of where"),
        ({"keywords": "unicorn"}, "no picture has these keywords"),
    ],
)
def test_no_hits_are_an_error_with_the_reason_or_block_what_follows(ready, inputs, problem):
    with pytest.raises(InputError, match=problem):
        run(SearchImages, **inputs)
    result = run(SearchImages, when_empty="block", **inputs)

    images, paths, scores, report = result["result"]
    assert [type(one[0]).__name__ for one in (images, paths, scores)] == ["Blocker"] * 3
    assert problem in json.loads(report)["notes"][-1] and problem in result["ui"]["text"][0]
    assert (result["ui"]["clip_search"], result["ui"]["images"]) == ([], [])


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"where": "seed="}, "filter"),
        ({"text": "a star", "top": 0}, "top is 0"),
        ({"text": "a star::0"}, "the weight of 'a star::0' is 0"),
        ({"like": ["/etc/passwd"]}, "images holds a str"),
        ({"text": "a star", "model": "shapes-demo"}, "connect the output of CLIP Model Loader"),
        ({"when_empty": "never"}, "when_empty is 'never'"),
    ],
)
def test_inputs_that_cannot_be_used_are_named(ready, inputs, problem):
    with pytest.raises(InputError, match=problem):
        run(SearchImages, **inputs)


def test_before_there_is_an_index_the_node_that_makes_it_is_named(host):
    with pytest.raises(InputError, match="ClipGrid_IndexImages"):
        run(SearchImages, text="a star")
    run(IndexImages)
    with pytest.raises(InputError, match="ClipGrid_IndexImages"):
        run(SearchImages, text="a star")


def test_files_outside_the_allowed_folders_and_broken_ones_are_left_out_with_a_note(host, tmp_path_factory):
    fill(host)
    outside = tmp_path_factory.mktemp("outside")
    save(outside / "secret.png", shape("white heart"))
    index_images([host.folders.output, outside], index=host.index_folder, model=shapes_demo_path())
    (host.folders.output / "shapes" / "red star.png").write_bytes(b"no picture any more")
    (host.folders.output / "shapes" / "red circle.png").unlink()

    images, names, scores, report = find(top=20)

    assert len(images) == len(names) == len(scores) == len(report["hits"]) == 10
    assert not {"secret.png", "red star.png", "red circle.png"} & {*names}
    told = "\n".join(report["notes"])
    assert "1 of 13 hits left out" in told and "output/shapes/red star.png" in told and str(outside) not in told


def test_images_that_have_too_many_pixels_together_are_reduced_with_a_note(ready, monkeypatch):
    monkeypatch.setattr(workflow, "PIXEL_BUDGET", 12_000)

    images, _, _, report = find(text="a red star", top=5)

    sizes = [hit["width"] for hit in report["hits"]]
    assert [one.shape[2] for one in images] == [-(-size // 2) for size in sizes]
    (note,) = report["notes"]
    assert note.startswith("images are reduced to 1/2 of their width") and "a smaller top keeps their sizes" in note


def test_the_index_runs_again_only_if_a_picture_or_the_index_itself_changed(host):
    def key(*directories):
        return IndexImages.IS_CHANGED(directories=list(directories) or [""], model=(None,))

    fill(host)
    keys = [key(), key()]
    run(IndexImages, model=demo_model())
    keys += [key(), key()]
    (host.folders.output / "notes.txt").write_text("no picture")
    keys.append(key())
    os.utime(host.folders.output / "shapes" / "red star.png", (LONG_AGO + 9, LONG_AGO + 9))
    keys.append(key())
    save(host.folders.output / "deep" / "er" / "a.png", shape("red star"))
    keys.append(key())

    assert keys[0] == keys[1] != keys[2] == keys[3] == keys[4] != keys[5] != keys[6]
    assert key("shapes") != key("deep")
    assert all(isinstance(key(one), str) for one in ("/etc", "missing", "\0")) and isinstance(key(None), str)


def test_a_search_is_done_again_once_the_index_changed(host):
    def key():
        return SearchImages.IS_CHANGED(text=["a star"])

    keys = [key()]
    fill(host)
    run(IndexImages, directories="shapes", model=demo_model())
    keys += [key(), key()]
    find(text="a star")
    keys.append(key())
    run(IndexImages)
    keys.append(key())
    (host.folders.output / "shapes" / "red star.png").rename(host.folders.output / "shapes" / "other.png")
    run(IndexImages)
    keys.append(key())

    assert keys[1] == keys[2] == keys[3]
    assert len({keys[0], keys[1], keys[4], keys[5]}) == 4


def test_an_index_that_a_linked_model_made_is_searched_by_that_model_later(host):
    fill(host)
    run(IndexImages, model=demo_model())

    assert index_status(host.index_folder).source == str(read_checkpoint(shapes_demo_path()).path.absolute())
    # by its files, as nothing is linked
    assert find(text="a blue square", top=1)[1] == ["blue square.png"]


def test_an_index_that_a_model_with_a_lora_made_is_searched_with_it_later(host):
    fill(host)
    lora = host.models_folder / "loras" / "mine.safetensors"
    lora.parent.mkdir(parents=True)
    save_lora(lora, shapes_demo_path())
    model = CLIPLoRA().execute(demo_model(), lora.name, strength=0.5)["result"][0]
    run(IndexImages, model=model)

    # by its files and strength: in the sidebar, and in the node where nothing is linked
    assert query_encoder(host, reads_texts=True).space == model.encoder.space != demo_model().encoder.space
    own, later = find(text="a blue square", model=model), find(text="a blue square")
    assert later[1] == own[1] and later[2] == pytest.approx(own[2], abs=1e-3)
    with pytest.raises(
        InputError, match=r"with mine\.safetensors at 0\.5, and shapes-demo has another embedding space"
    ):
        find(text="a blue square", model=demo_model())
