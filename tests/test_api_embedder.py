"""CLIPEmbedder: results, failures, cancelling, closing and other work while pictures are computed."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import shutil
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")
from clip_grid import api
from clip_grid.clip_backend.encoding.cache import shared_encoders
from clip_grid.clip_backend.shapes_demo import SHAPES_DEMO, shapes_demo_path
from clip_grid.errors import CheckpointError, InputError, PictureError
from PIL import Image

from .clip_backend.encoding.test_images import expected, files, picture
from .clip_backend.encoding.toy_encoder import ABLE, ToyText, ToyVision, toy_encoder


def unit(level):
    return np.array(expected(level)) / np.linalg.norm(expected(level))


@dataclass
class SlowVision(ToyVision):
    """Waits for each batch, and knows the threads that it was called in."""

    threads: set[threading.Thread] = field(default_factory=set)
    started: threading.Event = field(default_factory=threading.Event)

    def __call__(self, pixels, *, states=False):
        self.threads.add(threading.current_thread())
        self.started.set()
        time.sleep(0.02)
        return super().__call__(pixels, states=states)


def many(folder):
    """Different files without end."""
    for number in itertools.count():
        path = folder / f"{number}.png"
        Image.new("RGB", (4, 4), (number % 256, number // 256, 9)).save(path)
        yield path


def run(work):
    """The result of a coroutine, in a thread without the event loop that tests of the browser leave in theirs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def test_a_file_becomes_a_unit_vector(tmp_path):
    (path,) = files(tmp_path, [40])

    vector = run(api.CLIPEmbedder(toy_encoder()).generate_embedding(str(path)))

    assert vector == pytest.approx(unit(40), abs=1e-6) and vector.dtype == np.float32


def test_a_missing_file_is_an_error_and_a_broken_one_is_none_with_its_reason(tmp_path, caplog):
    embedder = api.CLIPEmbedder(toy_encoder())
    (path,) = files(tmp_path, [1])
    path.write_bytes(b"no picture")

    with pytest.raises(FileNotFoundError) as caught:
        run(embedder.generate_embedding(tmp_path / "gone.png"))
    assert run(embedder.generate_embedding(path)) is None

    assert caught.value.filename == str(tmp_path / "gone.png")
    assert f"{path} has no embedding: " in caplog.text


def test_a_batch_has_none_for_each_file_that_failed_and_says_why(tmp_path, caplog):
    paths = files(tmp_path, [1, 2, 3, 4])
    paths[1].write_bytes(b"no picture")
    given = [*paths, tmp_path / "gone.png", tmp_path, paths[0]]

    vectors = run(api.CLIPEmbedder(toy_encoder()).generate_embeddings_batch(given, batch_size=2, show_progress=False))

    levels = (1, None, 3, 4, None, None, 1)
    for vector, level in zip(vectors, levels, strict=True):
        assert vector is None if level is None else vector == pytest.approx(unit(level), abs=1e-6)
    assert [record.levelno for record in caplog.records if "has no embedding" in record.message] == [
        logging.WARNING
    ] * 3


def test_pictures_of_a_batch_are_computed_in_batches_of_this_size(tmp_path):
    vision = ToyVision()

    run(api.CLIPEmbedder(toy_encoder(vision=vision)).generate_embeddings_batch(files(tmp_path, range(7)), batch_size=3))

    assert vision.sizes == [3, 3, 1]


def test_one_path_is_a_batch_of_one_and_none_opens_no_model(tmp_path):
    (path,) = files(tmp_path, [1])

    assert len(run(api.CLIPEmbedder(toy_encoder()).generate_embeddings_batch(str(path)))) == 1
    assert run(api.CLIPEmbedder("there is no such model").generate_embeddings_batch([])) == []


def test_what_is_no_path_costs_itself_and_a_list_among_paths_is_refused(tmp_path):
    (path,) = files(tmp_path, [1])
    embedder = api.CLIPEmbedder(toy_encoder())

    vectors = run(embedder.generate_embeddings_batch([None, path, 5]))

    assert [vector is None for vector in vectors] == [True, False, True]
    with pytest.raises(InputError, match=r"image_paths\[1\] is a list"):
        run(embedder.generate_embeddings_batch([path, [path]]))


def test_a_progress_bar_is_shown_on_a_terminal_alone(tmp_path, capsys, monkeypatch):
    paths = files(tmp_path, [1, 2])
    embedder = api.CLIPEmbedder(toy_encoder())

    run(embedder.generate_embeddings_batch(paths))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    run(embedder.generate_embeddings_batch(paths, show_progress=False))
    assert capsys.readouterr().err == ""
    run(embedder.generate_embeddings_batch(paths))

    assert "2/2" in capsys.readouterr().err


def test_a_stream_gives_each_picture_before_the_next_batch_is_computed(tmp_path):
    vision = ToyVision()
    paths = files(tmp_path, range(6))
    paths[3].write_bytes(b"no picture")
    sizes = []

    async def work():
        got = []
        async for outcome in api.CLIPEmbedder(toy_encoder(vision=vision)).stream(paths, batch_size=2):
            got.append(outcome)
            sizes.append(list(vision.sizes))
        return got

    got = run(work())

    assert [outcome.index for outcome in got] == [0, 1, 2, 3, 4, 5]
    assert [isinstance(outcome, api.Ok) for outcome in got] == [True, True, True, False, True, True]
    assert got[4].embedding == pytest.approx(unit(4), abs=1e-6)
    assert isinstance(got[3], api.FailedPicture) and got[3].stage == "read"
    assert sizes[0] == [2]


def test_an_endless_stream_may_be_left_and_its_threads_end(tmp_path):
    vision, before = SlowVision(), threading.active_count()
    embedder = api.CLIPEmbedder(toy_encoder(vision=vision))

    async def work():
        async with aclosing(embedder.stream(many(tmp_path), batch_size=2)) as stream:
            async for _ in stream:
                break
        await embedder.aclose()

    run(work())

    assert vision.sizes == [2] and threading.active_count() <= before + 1  # a thread of asyncio.to_thread


def test_the_event_loop_runs_while_pictures_are_computed(tmp_path):
    vision = SlowVision()
    embedder = api.CLIPEmbedder(toy_encoder(vision=vision))

    async def work():
        ticks, task = (
            0,
            asyncio.create_task(embedder.generate_embeddings_batch(files(tmp_path, range(8)), batch_size=1)),
        )
        while not task.done():
            await asyncio.sleep(0.001)
            ticks += 1
        return ticks

    assert run(work()) >= 20
    assert len(vision.threads) == 1 and threading.main_thread() not in vision.threads


def test_cancelling_stops_the_work_within_a_batch(tmp_path):
    vision = SlowVision()
    embedder = api.CLIPEmbedder(toy_encoder(vision=vision))
    paths = files(tmp_path, range(40))

    async def work():
        task = asyncio.create_task(embedder.generate_embeddings_batch(paths, batch_size=2))
        await asyncio.to_thread(vision.started.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # the worker is free again once what was cancelled has ended
        return await asyncio.to_thread(embedder.get_embedding_dimension)

    assert run(work()) == 4
    assert len(vision.sizes) <= 2
    assert not embedder._streams


def test_texts_do_not_wait_for_a_whole_batch_of_pictures_even_in_the_loop_that_takes_them(tmp_path):
    vision = SlowVision()
    embedder = api.CLIPEmbedder(toy_encoder(vision=vision))

    async def work():
        seen = []
        async for _ in embedder.stream(files(tmp_path, range(6)), batch_size=2):
            seen.append((embedder.encode_text("ab").shape, len(vision.sizes)))
        return seen

    seen = run(work())

    assert len(seen) == 6 and seen[0] == ((4,), 1)


def test_several_tasks_share_an_embedder(tmp_path):
    paths = files(tmp_path, range(6))
    embedder = api.CLIPEmbedder(toy_encoder())

    async def work():
        return await asyncio.gather(*(embedder.generate_embedding(path) for path in paths))

    for level, vector in enumerate(run(work())):
        assert vector == pytest.approx(unit(level), abs=1e-6)


def test_texts_are_unit_vectors_one_or_several(caplog):
    embedder = api.CLIPEmbedder(toy_encoder())

    one, two, none = embedder.encode_text("ab"), embedder.encode_text(["ab", "abcdefghijkl"]), embedder.encode_text([])

    assert (one.shape, two.shape, none.shape) == ((4,), (2, 4), (0, 4))
    np.testing.assert_allclose(np.linalg.norm([one, *two], axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(one, two[0])
    assert "'abcdefghijkl' is longer than the model reads; left out: 'ijkl'" in caplog.text
    with pytest.raises(InputError, match="empty"):
        embedder.encode_text("")


def test_similarity_is_the_cosine():
    embedder = api.CLIPEmbedder(toy_encoder())

    assert embedder.compute_similarity(np.array([3.0, 0]), np.array([1.0, 1])) == pytest.approx(0.5**0.5)
    assert embedder.compute_similarity(np.ones((1, 3)), -np.ones(3)) == -1.0
    with pytest.raises(InputError, match="2 and 3 dimensions"):
        embedder.compute_similarity(np.ones(2), np.ones(3))
    with pytest.raises(InputError, match="is zero"):
        embedder.compute_similarity(np.zeros(2), np.ones(2))


def test_closing_ends_running_work_within_a_batch_and_later_use_says_so(tmp_path):
    vision = SlowVision()
    embedder = api.CLIPEmbedder(toy_encoder(vision=vision))
    paths = files(tmp_path, range(40))

    async def work():
        task = asyncio.create_task(embedder.generate_embeddings_batch(paths, batch_size=2))
        await asyncio.to_thread(vision.started.wait)
        await embedder.aclose()
        with pytest.raises(InputError, match="the embedder is closed; make a new CLIPEmbedder"):
            await task
        with pytest.raises(InputError, match="is closed"):
            await embedder.generate_embedding(paths[0])

    run(work())

    assert len(vision.sizes) <= 2
    with pytest.raises(InputError, match="is closed"):
        embedder.encode_text("a")
    embedder.close()


def test_a_scope_opens_the_model_and_frees_it(tmp_path):
    paths = files(tmp_path, [1, 2])
    # a model of its own: other tests of this process may hold the one that everybody shares
    own = tmp_path / "model"
    shutil.copytree(shapes_demo_path(), own)

    async def work():
        async with api.CLIPEmbedder(str(own), device="cpu") as embedder:
            vectors = await embedder.generate_embeddings_batch(paths)
            model = weakref.ref(embedder._encoder)
            assert model() in shared_encoders()._encoders._values.values()
            return vectors, embedder.get_embedding_dimension(), model

    vectors, dim, model = run(work())

    assert [vector.shape for vector in vectors] == [(dim,), (dim,)]
    deadline = time.monotonic() + 5
    # its thread may still be on its way out
    while model() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
        gc.collect()
    assert model() is None


def test_an_encoder_that_the_caller_brings_stays_in_memory():
    encoder = api.load_encoder(SHAPES_DEMO, device="cpu")
    embedder = api.CLIPEmbedder(encoder)
    embedder.encode_text("a red circle")

    embedder.close()

    assert api.load_encoder(SHAPES_DEMO, device="cpu") is encoder


def test_an_embedder_that_is_dropped_ends_its_thread():
    embedder = api.CLIPEmbedder(toy_encoder())
    embedder.encode_text("a")
    (worker,) = embedder._worker._threads

    del embedder
    gc.collect()
    worker.join(5)

    assert not worker.is_alive()


def test_a_model_that_is_not_there_says_so_at_its_first_use(tmp_path):
    embedder = api.CLIPEmbedder("openai/clip-vit-of-nobody")

    with pytest.raises(InputError, match="there is no model 'openai/clip-vit-of-nobody'"):
        run(embedder.generate_embedding(files(tmp_path, [1])[0]))
    with pytest.raises(CheckpointError, match="no such file"):
        api.CLIPEmbedder(tmp_path / "model.safetensors").encode_text("a")
    with pytest.raises(InputError, match="device is 'gpu'"):
        api.CLIPEmbedder(SHAPES_DEMO, device="gpu").get_embedding_dimension()


def test_a_download_happens_where_it_is_asked_for_alone(monkeypatch):
    asked = []

    def download(name):
        asked.append(name)
        raise InputError("no network")

    monkeypatch.setattr("clip_grid.clip_backend.finding.names.download_model", download)
    with pytest.raises(InputError, match="there is no model"):
        api.CLIPEmbedder("openai/clip-vit-of-nobody").encode_text("a")
    assert asked == []
    with pytest.raises(InputError, match="no network"):
        api.CLIPEmbedder("openai/clip-vit-of-nobody", download=True).encode_text("a")
    assert asked == ["openai/clip-vit-of-nobody"]


def test_a_model_without_embeddings_or_texts_says_so(tmp_path, caplog):
    embedder = api.CLIPEmbedder(toy_encoder(able=replace(ABLE, projection=None), text=False))

    with pytest.raises(InputError, match="no visual projection"):
        run(embedder.generate_embedding(files(tmp_path, [1])[0]))
    with pytest.raises(InputError, match="no text tower"):
        embedder.encode_text("a")


def test_an_embedding_without_direction_costs_its_picture_alone(tmp_path, caplog):
    class Blank(ToyVision):
        def project(self, tokens):
            return super().project(tokens) * (tokens[..., :1] > -0.5)

    dark, bright = files(tmp_path, [1, 200])

    vectors = run(api.CLIPEmbedder(toy_encoder(vision=Blank())).generate_embeddings_batch([dark, bright]))

    assert vectors[0] is None and vectors[1] is not None
    assert f"{dark} has no embedding: the vector of {dark} is zero" in caplog.text


def test_the_earlier_name_encodes_pictures_in_memory():
    model = api.CLIPModel(toy_encoder(text=False))

    assert model.encode_image(picture(9)) == pytest.approx(unit(9), abs=1e-6)
    assert isinstance(model, api.CLIPEmbedder)
    with pytest.raises(PictureError, match="nowhere"):
        model.encode_image("nowhere.png")


def test_errors_of_the_model_itself_reach_the_caller():
    class Broken(ToyText):
        def __call__(self, ids, ends):
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        api.CLIPEmbedder(toy_encoder(text=Broken())).encode_text("a")
