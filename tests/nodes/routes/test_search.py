"""Tests: the search tab's routes over HTTP, with real pictures in ComfyUI's folders and the bundled model."""

from __future__ import annotations

import io
import json
import os
from http.client import HTTPConnection

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.nodes.host import set_host
from clip_grid.nodes.host.fake import FakeHost
from clip_grid.nodes.routes import search as routes
from clip_grid.nodes.search.service import search_service
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..demo_images import shape
from .serving import ask, send, served

COLOURS = ("red", "green", "blue", "yellow", "black", "white")
SHAPES = ("circle", "square", "star")
LONG_AGO = 1_600_000_000


def save(folder, name, image, *, seed=None, workflow=None):
    info = PngInfo()
    if seed is not None:
        info.add_text("parameters", f"a prompt\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: {seed}, Size: 64x64")
    if workflow:
        info.add_text("workflow", workflow)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, pnginfo=info)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def fill(host):
    """18 shapes in the output folder; those that are red have a seed, and the red star a workflow."""
    for place, (colour, kind) in enumerate((colour, kind) for colour in COLOURS for kind in SHAPES):
        is_star = (colour, kind) == ("red", "star")
        picture = shape(f"{colour} {kind}", seed=place)
        seed = place if colour == "red" else None
        save(host.folders.output, f"{colour}/{kind}.png", picture, seed=seed, workflow="{}" if is_star else None)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """One host for all tests, whose pictures are indexed once."""
    fake = FakeHost(tmp_path_factory.mktemp("comfyui"))
    fill(fake)
    previous = set_host(fake)
    yield fake
    set_host(previous)


@pytest.fixture(scope="module")
def port(host):
    """The port of its server."""
    with served(host) as port:
        update(port, host)
        yield port


@pytest.fixture
def empty(tmp_path):
    """Another host, without pictures and without an index, for one test."""
    fake = FakeHost(tmp_path)
    previous = set_host(fake)
    yield fake
    set_host(previous)


def update(port, host):
    ask(port, "POST", "/clip_grid/index/update", {})
    search_service(host).indexing.join(60)


def find(port, **request):
    return ask(port, "POST", "/clip_grid/search", request)


def named(answer):
    return [f"{hit['file']['subfolder']}/{hit['file']['filename']}" for hit in answer["hits"]]


def test_a_text_finds_the_pictures_that_show_it(port):
    found = find(port, parts=[{"text": "a red star"}], top=3)

    assert named(found)[0] == "red/star.png"
    assert found["hits"][0]["file"] == {"type": "output", "subfolder": "red", "filename": "star.png"}
    assert (found["total"], found["passed"], found["next"]) == (18, 18, 3)
    # no path of the server is told to a page
    assert not any("path" in hit for hit in found["hits"])


def test_the_second_page_goes_on_where_the_first_ended(port):
    parts = [{"text": "a blue square"}]
    whole = named(find(port, parts=parts, top=12))

    assert named(find(port, parts=parts, top=6, offset=6)) == whole[6:]
    assert find(port, parts=parts, top=100)["next"] is None


def test_more_like_this_leaves_out_the_picture_itself_and_minus_is_unlike(port):
    star = find(port, parts=[{"text": "a red star"}], top=1)["hits"][0]["id"]

    like = find(port, parts=[{"id": star}], top=5)
    unlike = find(port, parts=[{"text": "a star"}, {"text": "red", "weight": -1}], top=4)

    assert star not in [hit["id"] for hit in like["hits"]]
    assert any(name.startswith("red/") or name.endswith("star.png") for name in named(like)[:2])
    assert not any(name.startswith("red/") for name in named(unlike)[:3])


def test_a_filter_passes_what_it_says_and_a_wrong_one_is_explained(port):
    found = find(port, where="seed>=1 and cfg=7")

    assert sorted(named(found)) == ["red/square.png", "red/star.png"]
    assert "where" in find(port, where="seed=")["error"] or "ends" in find(port, where="seed=")["error"]


def test_a_dropped_picture_finds_its_like_and_is_read_in_memory(port, host):
    data = io.BytesIO()
    shape("green circle", seed=77).save(data, "PNG")
    before = sorted(path for path in host.folders.input.parent.rglob("*.png"))

    dropped = upload(port, data.getvalue(), "mine.png")
    found = find(port, parts=[{"picture": dropped["picture"]}], top=3)

    assert dropped["name"] == "mine.png"
    assert named(found)[0] == "green/circle.png"
    assert sorted(path for path in host.folders.input.parent.rglob("*.png")) == before
    assert "drop it again" in find(port, parts=[{"picture": "unknown"}])["error"]


def upload(port, data, name, field="picture"):
    mark = b"----mark"
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    body = b"--" + mark + b"\r\n" + head.encode() + data + b"\r\n--" + mark + b"--\r\n"
    kind = {"Content-Type": f"multipart/form-data; boundary={mark.decode()}"}
    status, answer, _ = send(port, "POST", "/clip_grid/search/picture", body, kind)
    return json.loads(answer) if status == 200 else status


def test_what_is_no_picture_and_what_is_too_large_is_refused(port, monkeypatch):
    monkeypatch.setattr(routes, "MAX_PICTURE", 1 << 20)

    assert "notes.txt cannot be used" in upload(port, b"hello", "notes.txt")["error"]
    assert "more than 1 MB" in upload(port, b"x" * ((1 << 20) + 1), "large.png")["error"]
    assert "more than 1 MB" in upload(port, b"x" * (2 << 20), "larger.png")["error"]
    assert upload(port, b"hello", "a.png", field="other") == 400
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert send(port, "POST", "/clip_grid/search/picture", b"no form", kind)[0] == 400


def test_a_thumbnail_is_small_kept_by_browsers_and_made_again(port, host):
    hit = find(port, parts=[{"text": "a red star"}], top=1)["hits"][0]

    status, data, headers = send(port, "GET", hit["thumbnail"])
    for file in (host.index_folder / "thumbs").rglob("*.webp"):
        file.unlink()
    again = send(port, "GET", hit["thumbnail"])
    unchanged = send(port, "GET", hit["thumbnail"], headers={"If-None-Match": headers["ETag"]})

    assert (status, headers["Content-Type"], again[0]) == (200, "image/webp", 200)
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert len(data) <= 15_000
    assert Image.open(io.BytesIO(again[1])).size == (64, 64)
    assert (unchanged[0], unchanged[1]) == (304, b"")


def test_one_picture_tells_its_data_its_files_and_whether_it_has_a_workflow(port):
    star, square = (
        find(port, parts=[{"text": f"a red {kind}"}], top=1)["hits"][0]["id"] for kind in ("star", "square")
    )
    plain = find(port, parts=[{"text": "a black circle"}], top=1)["hits"][0]["id"]

    told = ask(port, "GET", f"/clip_grid/picture/{star}")

    assert told["files"] == [{"type": "output", "subfolder": "red", "filename": "star.png"}]
    assert (told["width"], told["height"], told["properties"]["seed"]) == (64, 64, "2")
    assert told["has_graph"]
    assert ask(port, "GET", f"/clip_grid/picture/{square}")["has_graph"]
    assert not ask(port, "GET", f"/clip_grid/picture/{plain}")["has_graph"]


@pytest.mark.parametrize("path", ["/clip_grid/picture/99999", "/clip_grid/thumbnail/99999"])
def test_an_unknown_id_is_not_found_and_a_path_is_no_id(port, path):
    assert send(port, "GET", path)[0] == 404
    assert send(port, "GET", "/clip_grid/thumbnail/..%2F..%2Fetc%2Fpasswd")[0] == 404
    assert send(port, "GET", "/clip_grid/picture/1x")[0] == 404


def test_a_link_that_now_leads_out_of_comfyuis_folders_is_not_shown(port, host, tmp_path):
    hit = find(port, parts=[{"text": "a red star"}], top=1)["hits"][0]
    outside = save(tmp_path / "elsewhere", "secret.png", shape("red star", seed=2))
    inside = host.folders.output / "red" / "star.png"
    inside.unlink()
    inside.symlink_to(outside)

    found = find(port, parts=[{"text": "a red star"}], top=18)
    thumbnail = send(port, "GET", hit["thumbnail"])
    told = ask(port, "GET", f"/clip_grid/picture/{hit['id']}")
    inside.unlink()
    save(inside.parent, inside.name, shape("red star", seed=2), seed=2, workflow="{}")

    assert "red/star.png" not in named(found) and len(found["hits"]) == 17
    assert (thumbnail[0], told["files"]) == (404, [])


def test_a_newer_search_of_a_page_takes_the_place_of_an_older_one(port):
    newer = find(port, client="page", sequence=2, parts=[{"text": "red"}])
    older = send(port, "POST", "/clip_grid/search", json.dumps({"client": "page", "sequence": 1}).encode())
    other = find(port, client="another page", sequence=1)

    assert len(newer["hits"]) == len(other["hits"]) == 18
    assert older[0] == 409


def test_without_text_the_newest_pictures_are_shown(port, host):
    os.utime(host.folders.output / "blue" / "star.png", (LONG_AGO + 60, LONG_AGO + 60))
    update(port, host)

    assert named(find(port, top=2))[0] == "blue/star.png"


def test_the_status_names_the_demo_model_loudly_and_every_failure(port, host):
    (host.folders.input / "broken.png").write_bytes(b"no picture")
    update(port, host)

    status = ask(port, "GET", "/clip_grid/index/status")

    assert (status["pictures"], status["failed"], status["has_index"]) == (18, 1, True)
    assert "knows coloured shapes only" in status["note"]
    assert status["failures"][0]["path"] == "broken.png" and status["failures"][0]["reason"]
    assert status["indexing"]["state"] == "idle" and status["indexing"]["result"]["failed"] == 1


def test_before_the_first_update_there_is_no_index_and_a_search_says_what_to_do(empty):
    with served(empty) as port:
        assert not ask(port, "GET", "/clip_grid/index/status")["has_index"]
        assert "press Index pictures" in find(port)["error"]
        assert send(port, "GET", "/clip_grid/thumbnail/1")[0] == 404


def test_a_sheet_of_hits_is_made_in_their_order(port, host):
    ids = [hit["id"] for hit in find(port, parts=[{"text": "a star"}], top=4)["hits"]]

    made = ask(port, "POST", "/clip_grid/search/sheet", {"ids": ids})

    (image,) = made["images"]
    assert (host.folders.output / image["subfolder"] / image["filename"]).is_file()
    assert made["clip_grid"][0]["images_processed"] == 4
    assert [file["filename"][-5:] for file in made["clip_grid_files"]][-1] == ".json"
    assert "search again" in ask(port, "POST", "/clip_grid/search/sheet", {"ids": [99999]})["error"]


WRONG = [b"", b"[]", b"NaN", b'{"path": "/etc/passwd"}', b'{"top": 0}', b'{"offset": -1}', b'{"where": 1}']
WRONG_PARTS = [
    '{"path": "a.png"}',
    '{"text": ""}',
    '{"id": "1"}',
    '{"text": "a", "weight": "x"}',
    '{"text": "a", "id": 1}',
]


@pytest.mark.parametrize("body", [*WRONG, *(b'{"parts": [%s]}' % part.encode() for part in WRONG_PARTS)])
def test_a_request_that_no_page_of_ours_sends_is_refused(port, body):
    assert send(port, "POST", "/clip_grid/search", body)[0] == 400


POSTS = ["search", "search/picture", "search/sheet", "index/update", "index/stop"]


@pytest.mark.parametrize("path", POSTS)
def test_other_sites_and_other_kinds_of_bodies_are_refused(empty, path):
    foreign = {"Content-Type": "application/json", "Origin": "http://evil.example"}
    with served(empty) as port:
        assert send(port, "POST", f"/clip_grid/{path}", b"{}", foreign)[0] == 403
        assert send(port, "POST", f"/clip_grid/{path}", b"{}", {"Content-Type": "text/plain"})[0] == 415
        assert send(port, "GET", f"/clip_grid/{path}")[0] == 405
        assert send(port, "GET", "/clip_grid/index/status", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
        assert send(port, "GET", "/clip_grid/thumbnail/1", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403


def test_a_huge_search_is_refused_unread(empty):
    with served(empty) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/clip_grid/search", b" " * 100_000, {"Content-Type": "application/json"})
        assert connection.getresponse().status == 413
        connection.close()
