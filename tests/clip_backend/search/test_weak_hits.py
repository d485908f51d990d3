"""The line of weak hits, on vectors with the statistics of real models and on pictures of known content."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.scoring.scales import encoded_bank
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.query import Part, Query
from clip_grid.clip_backend.search.search import search
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.commands.shape_drawing import Scene, draw

from ..scoring.synthetic import SETTINGS, Synthetic
from .filled import Made, fill, made_path

COUNT, ASKED = 150, 30


def part(vector, bank=None, weight=1.0, kind="text"):
    return Part(kind=kind, name="asked", vector=np.asarray(vector, np.float32), bank=bank, weight=weight)


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda setting: setting.name)
def drawn(request, tmp_path_factory):
    """What draws texts, the topics and details of pictures, and an index of these."""
    synthetic = Synthetic(request.param)
    topics, details = synthetic.topics(COUNT), synthetic.details(COUNT)
    made = [Made(f"{n}.png", vector) for n, vector in enumerate(synthetic.pictures(topics, details))]
    with Index.open(fill(tmp_path_factory.mktemp("weak") / "index", made)) as index:
        yield synthetic, topics, details, index


def judged(index, one):
    """Of each picture in the order that they were made: whether it would be a weak hit."""
    hits = search(index, Query(parts=[one], top=COUNT, duplicates=0)).hits
    weak = np.empty(len(hits), bool)
    weak[[int(made_path(hit.picture.hash)[:-4]) for hit in hits]] = [hit.is_weak for hit in hits]
    return weak


def test_true_hits_of_texts_lie_above_the_line_and_others_below(drawn):
    synthetic, topics, details, index = drawn
    other = synthetic.topics(192)
    captions = synthetic.captions(topics[:ASKED], details[:ASKED])
    bank = synthetic.captions(other[:128], synthetic.details(128)).astype(np.float32)
    weak = np.array([judged(index, part(caption, bank)) for caption in captions])
    words, short = synthetic.words(np.arange(ASKED)), synthetic.words(other[128:]).astype(np.float32)
    weak_words = np.array([judged(index, part(word, short)) for word in words])

    # the shares that the verdict of match keeps, see test_synthetic_scores
    assert weak[np.arange(ASKED), np.arange(ASKED)].mean() <= 0.1
    assert weak[topics[:ASKED, None] != topics].mean() >= 0.94
    assert weak_words[np.arange(ASKED)[:, None] == topics].mean() <= 0.25
    assert weak_words[np.arange(ASKED)[:, None] != topics].mean() >= 0.94


def test_pictures_of_another_kind_are_weak_hits_of_a_picture(drawn):
    synthetic, topics, details, index = drawn
    kinds = synthetic._kind_of
    asked = synthetic.pictures(topics[:ASKED], details[:ASKED])

    weak = np.array([judged(index, part(vector, kind="picture")) for vector in asked])

    is_kin = kinds[topics[:ASKED]][:, None] == kinds[topics]
    # another picture of the same details and topic, which is what a search by picture is for
    assert weak[np.arange(ASKED), np.arange(ASKED)].mean() <= 0.05
    assert weak[~is_kin].mean() >= 0.96


def test_a_third_of_pictures_that_are_alike_do_not_hide_each_other(tmp_path):
    random = np.random.default_rng(0)
    cone = np.ones(512) / 512**0.5

    def near(centre, count, spread):
        return centre + spread * random.standard_normal((count, 512)) / 512**0.5

    foxes, others = near(cone + np.eye(512)[0], 30, 0.7), near(cone, 70, 1.2)
    made = [Made(f"{n}.png", one) for n, one in enumerate([*foxes, *others])]
    with Index.open(fill(tmp_path / "index", made)) as index:
        asked = cone + np.eye(512)[0]
        weak = judged(index, part(asked / np.linalg.norm(asked), kind="picture"))

    assert weak[:30].mean() <= 0.05
    assert weak[30:].mean() >= 0.95


def test_few_pictures_and_equal_ones_are_not_judged(tmp_path):
    few = fill(tmp_path / "few", [Made(f"{n}.png", (1, n)) for n in range(5)])
    equal = fill(tmp_path / "equal", [Made(f"{n}.png") for n in range(20)])

    for folder in (few, equal):
        with Index.open(folder) as index:
            for hit in search(index, Query(parts=[part((1, 0), kind="picture")], duplicates=0)).hits:
                assert hit.parts[0].strength is None
                assert not hit.is_weak


COLOURS, SHAPES = ("red", "blue", "green", "yellow"), ("circle", "square", "star")


@pytest.fixture(scope="module")
def encoder():
    pytest.importorskip("torch")
    from clip_grid.clip_backend.loading import load_encoder

    return load_encoder(shapes_demo_path(), device="cpu")


@pytest.fixture(scope="module")
def scenes(encoder, tmp_path_factory):
    """An index of drawn pictures, and what each of them shows."""
    random = np.random.default_rng(3)
    shown = [
        Scene(kind="shape", colour=colour, shape=shape, size="large", background=background)
        for colour in COLOURS
        for shape in SHAPES
        for background in ("white", "black", "purple")
    ]
    vectors = encoder.encode_images([draw(one, 64, random) for one in shown]).image_embeds_norm.numpy()
    made = [Made(f"{n}.png", vector, {"seed": str(n)}) for n, vector in enumerate(vectors)]
    with Index.open(fill(tmp_path_factory.mktemp("scenes") / "index", made)) as index:
        yield index, shown, vectors


def asked(encoder, text, weight=1.0):
    return part(encoder.encode_texts([text]).vectors[0], encoded_bank(encoder).short.vectors, weight)


def scene_of(hit, shown):
    return shown[int(made_path(hit.picture.hash)[:-4])]


@pytest.mark.parametrize("text", ["a red circle", "a blue star", "a green square"])
def test_hits_are_the_pictures_that_show_the_text_and_the_others_are_weak(encoder, scenes, text):
    index, shown, _ = scenes
    _, colour, shape = text.split()

    hits = search(index, Query(parts=[asked(encoder, text)], top=len(shown), duplicates=0)).hits

    right = [(one.colour, one.shape) == (colour, shape) for one in (scene_of(hit, shown) for hit in hits)]
    assert right[0]
    assert sum(right[:6]) == 3
    assert not any(hit.is_weak for hit, is_right in zip(hits, right, strict=True) if is_right)
    # of these neither the colour nor the shape is right
    strange = [hit for hit in hits if scene_of(hit, shown).colour != colour and scene_of(hit, shown).shape != shape]
    assert len(strange) == 18
    assert np.mean([hit.is_weak for hit in strange]) >= 0.9


@pytest.mark.parametrize("text", ["a church", "my breakfast"])
def test_what_no_picture_shows_has_weak_hits_alone(encoder, scenes, text):
    index, _, _ = scenes

    hits = search(index, Query(parts=[asked(encoder, text)], top=12)).hits

    assert all(hit.is_weak for hit in hits)


def test_a_text_with_a_minus_takes_its_pictures_away(encoder, scenes):
    index, shown, _ = scenes
    parts = [asked(encoder, "a circle"), asked(encoder, "red", -1.0)]

    hits = search(index, Query(parts=parts, top=9, duplicates=0)).hits

    found = [scene_of(hit, shown) for hit in hits]
    assert {one.shape for one in found} == {"circle"}
    assert "red" not in {one.colour for one in found[:6]}


def test_a_picture_and_a_text_are_both_heard(encoder, scenes):
    """A plain sum of cosines would be a search by picture with a little text."""
    index, shown, vectors = scenes
    # a red circle on white
    like = Part(kind="picture", name="0.png", vector=vectors[0])

    both = search(index, Query(parts=[like, asked(encoder, "a star")], top=4, duplicates=0)).hits
    alone = search(index, Query(parts=[like], top=4, duplicates=0)).hits

    stars = [one for one in (scene_of(hit, shown) for hit in both) if one.shape == "star"]
    assert (stars[0].colour, stars[0].background) == ("red", "white")
    assert "star" not in {scene_of(hit, shown).shape for hit in alone}
