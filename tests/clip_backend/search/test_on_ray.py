"""An index made on a Ray cluster equals one made here, whatever happens to the workers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
# read when ray is imported; without it a cluster listens for other machines
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
pytest.importorskip("ray", reason="ray is not installed")

import psutil
import ray
from clip_grid.api.index import describe, index_images
from clip_grid.api.models import ModelChoice
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.search import on_ray
from clip_grid.clip_backend.search.on_ray import RayEncoder
from clip_grid.clip_backend.search.update import update_index
from clip_grid.clip_backend.search.writer import IndexWriter
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.errors import ClipGridError, InputError
from PIL import Image

from .folders import LONG_AGO, query
from .ray_parts import dying_describe, dying_encoder, no_encoder

ROOT = Path(__file__).resolve().parents[3]
BROKEN = "broken.png"

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of two cores on this machine, whose workers import this checkout and these tests."""
    site = tmp_path_factory.mktemp("site")
    (site / "clip_grid").symlink_to(ROOT)
    places = [str(site), *(path for path in sys.path if path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # workers would be the last to get a core of a busy machine
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(places))
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20,
        )  # fmt: skip
        ray.data.DataContext.get_current().execution_no_progress_timeout_s = 120
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of 40 pictures, one of which is broken, and a copy of another."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(1)
    for number in range(40):
        name = "poison" if number == 21 else str(number)
        size = (30 + number, 50 + 3 * number % 17)
        Image.fromarray(random.integers(0, 255, (*size, 3), np.uint8)).save(folder / f"{name}.png")
    (folder / "copy.png").write_bytes((folder / "3.png").read_bytes())
    data = (folder / "5.png").read_bytes()
    (folder / BROKEN).write_bytes(data[: len(data) // 2])
    for path in folder.iterdir():
        # what had just changed would be read again at the next update
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


def vectors(index, folder):
    """The vector of each file by its name."""
    with IndexWriter(index) as writer:
        dim = int(writer.settings()["dim"])
        file = next(index.glob("vectors.*.f32"))
        rows = np.fromfile(file, "<f4", offset=4096).reshape(-1, dim)
        found = writer.connection.execute("SELECT name, row FROM files JOIN pictures ON pictures.id = picture")
        return {os.fsdecode(name): rows[row] for name, row in found}


@pytest.fixture(scope="module")
def right(pictures, tmp_path_factory):
    """What the local engine makes of the folder."""
    index = tmp_path_factory.mktemp("local") / "index"
    done = index_images(pictures, index=index, model=ModelChoice("shapes-demo", cache=False))
    assert (done.computed, len(done.failed)) == (40, 1)
    return vectors(index, pictures), query(index, FAILURES), query(index, PROPERTIES)


FAILURES = "SELECT name, stage, reason FROM files WHERE stage <> ''"
PROPERTIES = "SELECT hash, width, height, has_thumbnail FROM pictures ORDER BY hash"


def check_equal(index, pictures, right):
    expected, failures, described = right
    found = vectors(index, pictures)
    assert found.keys() == expected.keys()
    for name, vector in expected.items():
        np.testing.assert_allclose(found[name], vector, atol=1e-6, rtol=0)
    assert query(index, FAILURES) == failures
    assert query(index, PROPERTIES) == described


def test_an_index_made_on_ray_equals_one_made_here(cluster, pictures, right, tmp_path):
    index = tmp_path / "index"
    model = ModelChoice("shapes-demo", cache=False)

    done = index_images(pictures, index=index, model=model, engine="ray", workers=1)

    assert (done.computed, done.known, [failure.stage for failure in done.failed]) == (40, 1, ["read"])
    check_equal(index, pictures, right)
    assert index_images(index=index, model=model, engine="ray").unchanged == 42


@pytest.mark.parametrize("killed", ["a task that reads", "an actor that computes"])
def test_a_worker_that_is_killed_changes_nothing(cluster, pictures, right, tmp_path, monkeypatch, killed):
    monkeypatch.setattr(on_ray, "READ_AT_ONCE", 8)
    flag, model = tmp_path / "killed", shapes_demo_path()
    encoder = load_encoder(model)
    is_task = killed.startswith("a task")
    index = tmp_path / "index"
    with IndexWriter(index) as writer:
        opening = ModelChoice(model).loading() if is_task else dying_encoder(model, flag)
        on_cluster = RayEncoder(encoder.identity, opening, index, actors=1)
        update_index(writer, [pictures], lambda: (on_cluster, ""), dying_describe(flag) if is_task else describe)

    assert flag.exists()
    check_equal(index, pictures, right)


def test_what_the_index_has_is_not_computed_again(cluster, pictures, right, tmp_path):
    index, other = tmp_path / "index", tmp_path / "other"
    model = ModelChoice("shapes-demo", cache=False)
    index_images(pictures, index=index, model=model)
    other.mkdir()
    for name in ("1.png", "2.png"):
        (other / name).write_bytes((pictures / name).read_bytes())

    done = index_images(other, index=index, model=model, engine="ray", workers=1)

    assert (done.computed, done.known) == (0, 2)


def test_pictures_of_any_shape_are_computed_as_they_are(cluster, pictures, tmp_path):
    """Such models prepare pictures where they compute, since that depends on the model."""
    pytest.importorskip("transformers")
    from ..tiny_hub_models import tiny_naflex

    tiny_naflex(tmp_path / "model")
    model = ModelChoice(tmp_path / "model", cache=False)
    assert model().identity.keeps_shape
    local, index = tmp_path / "local", tmp_path / "index"

    index_images(pictures, index=local, model=model)
    index_images(pictures, index=index, model=model, engine="ray", workers=1)

    check_equal(index, pictures, (vectors(local, pictures), query(local, FAILURES), query(local, PROPERTIES)))


def test_the_cluster_listens_on_this_machine_alone(cluster):
    """No other machine reaches its ports."""
    own = psutil.Process()
    family = [own, *own.children(recursive=True)]
    listening = [
        (process.name(), connection.laddr)
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert [place for place in listening if place[1].ip not in ("127.0.0.1", "::1", "::ffff:127.0.0.1")] == []


def test_a_model_that_cannot_be_opened_ends_the_run_with_its_reason(cluster, pictures, right, tmp_path):
    identity = load_encoder(shapes_demo_path()).identity
    index = tmp_path / "index"
    with IndexWriter(index) as writer, pytest.raises(ClipGridError, match=r"Ray gave up .*no such model"):
        update_index(writer, [pictures], lambda: (RayEncoder(identity, no_encoder, index, 1), ""), describe)


def test_a_file_that_a_machine_does_not_see_is_said(cluster, tmp_path, monkeypatch):
    """One machine stands for two, and forgets the file between the two looks."""
    path = tmp_path / "a.png"
    path.touch()
    monkeypatch.setattr(ray, "nodes", lambda nodes=ray.nodes: nodes() * 2)
    on_ray._check_shared(os.fsencode(path))
    monkeypatch.setattr(os.path, "exists", lambda path, exists=os.path.exists: path == os.fsencode(tmp_path / "b.png"))

    with pytest.raises(
        InputError, match=r"b\.png is not there on 127\.0\.0\.1, 127\.0\.0\.1; put the pictures where all"
    ):
        on_ray._check_shared(os.fsencode(tmp_path / "b.png"))


@pytest.mark.parametrize(
    ("resources", "actors", "needs"),
    [
        ({"CPU": 2}, None, (1, {"num_cpus": 1})),
        ({"CPU": 2}, 2, (2, {"num_cpus": 0.5})),
        ({"CPU": 16}, None, (1, {"num_cpus": 8})),
        ({"CPU": 16, "GPU": 4}, None, (4, {"num_gpus": 1})),
        ({"CPU": 16, "GPU": 1}, 2, (2, {"num_gpus": 0.5})),
    ],
)
def test_actors_leave_cores_for_reading(tmp_path, resources, actors, needs):
    found = SimpleNamespace(
        cluster_resources=lambda: resources,
        nodes=lambda: [{"Alive": True}, {"Alive": False}],
        data=SimpleNamespace(ActorPoolStrategy=lambda size: size),
    )
    pool = RayEncoder(load_encoder(shapes_demo_path()).identity, no_encoder, tmp_path, actors)._pool(found)

    assert (pool.pop("compute"), pool) == needs


def test_an_open_encoder_cannot_be_sent_to_other_processes(pictures, tmp_path):
    with pytest.raises(InputError, match="give the model's path or name"):
        index_images(pictures, index=tmp_path / "index", model=load_encoder(shapes_demo_path()), engine="ray")


def test_workers_are_at_least_one(pictures, tmp_path):
    with pytest.raises(InputError, match="workers is 0; it must be at least 1"):
        index_images(pictures, index=tmp_path / "index", model="shapes-demo", engine="ray", workers=0)
