"""What the bundled model knows, about pictures that it was not trained on."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, Scene, draw, random_scene
from clip_grid.tools.shapes_demo.captions import with_article
from clip_grid.tools.shapes_demo.evaluate import evaluate
from PIL import Image, ImageDraw


def rng(seed=0):
    return np.random.default_rng(seed)


def red_circle(**changes):
    words = {"kind": "shape", "colour": "red", "shape": "circle", "size": "large", "background": "blue"}
    return Scene(**{**words, **changes})


def test_the_model_knows_new_pictures():
    result = evaluate(*embedders(), 300, rng(2026))

    assert result.colour_and_shape >= 0.95
    assert result.true_or_changed >= 0.98
    assert result.wrong_phrase >= 0.9
    assert min(result.words.values()) >= 0.95
    assert result.retrieval >= 0.95


def test_the_model_knows_plain_pictures_of_pillow():
    embed_pictures, embed_texts = embedders()
    names = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    drawn = [(colour, shape) for colour in COLOURS for shape in ("circle", "square", "triangle")]
    texts = embed_texts([with_article(" ".join(name)) for name in names])

    results = []
    for ground, spot in product(("white", "black", "blue"), ((20, 30, 120), (70, 60, 204))):
        asked = [name for name in drawn if name[0] != ground]
        pictures = embed_pictures([plain_picture(*name, ground, spot) for name in asked])
        found = [names[best] for best in (pictures @ texts.T).argmax(1)]
        results += [name == right for name, right in zip(found, asked, strict=True)]

    assert np.mean(results) >= 0.95


def plain_picture(colour, shape, ground, spot):
    """A shape as a user of Pillow draws it: pure named colours, hard edges, 224 pixels; spot: left, top, right."""
    picture = Image.new("RGB", (224, 224), ground)
    pen, (left, top, right) = ImageDraw.Draw(picture), spot
    low = top + right - left
    if shape == "circle":
        pen.ellipse((left, top, right, low), fill=colour)
    elif shape == "square":
        pen.rectangle((left, top, right, low), fill=colour)
    else:
        pen.polygon([(left, low), (right, low), ((left + right) // 2, top)], fill=colour)
    return picture


@pytest.mark.parametrize(
    "template", ["a photo of the {}.", "an artwork with a {}", "my favourite {}", "itap of one {}!"]
)
def test_other_words_around_those_it_knows_do_little_harm(template):
    embed_pictures, embed_texts = embedders()
    random = rng(7)
    scenes = [random_scene(random, empty=0, noise=0) for _ in range(200)]
    names = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]

    scores = (
        embed_pictures([draw(scene, 64, random) for scene in scenes])
        @ embed_texts([template.format(name) for name in names]).T
    )

    found = [names[best] for best in scores.argmax(1)]
    assert np.mean([name == f"{scene.colour} {scene.shape}" for name, scene in zip(found, scenes, strict=True)]) >= 0.9


def test_true_captions_fit_pictures_better_than_captions_of_other_things():
    embed_pictures, embed_texts = embedders()
    random = rng(8)
    scenes = [random_scene(random, empty=0, noise=0) for _ in range(200)]
    pictures = embed_pictures([draw(scene, 64, random) for scene in scenes])
    others = [
        "a dog on a beach",
        "a man playing the guitar",
        "an old church in winter",
        "my breakfast",
        "a very fast car",
    ]

    true = (pictures * embed_texts([with_article(f"{one.colour} {one.shape}") for one in scenes])).sum(1)

    assert (true > (pictures @ embed_texts(others).T).max(1)).mean() >= 0.98


def embedders():
    """(pictures -> unit vectors, texts -> unit vectors) by the package's own encoder."""
    pytest.importorskip("torch")
    from clip_grid.clip_backend.loading import load_encoder

    encoder = load_encoder(shapes_demo_path(), device="cpu")
    return lambda pictures: encoder.encode_images(
        pictures
    ).image_embeds_norm.numpy(), lambda texts: encoder.encode_texts(texts).vectors


def test_transformers_gives_the_same_embeddings():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    embed_pictures, embed_texts = embedders()
    pictures = [draw(red_circle(shape=shape), 40, rng()) for shape in SHAPES]
    texts = [with_article(f"red {shape}") for shape in SHAPES]
    model = transformers.CLIPModel.from_pretrained(shapes_demo_path()).float().eval()
    tokenizer = transformers.CLIPTokenizerFast.from_pretrained(shapes_demo_path())
    from clip_grid.tools.shapes_demo.model import normalised

    pixels = normalised(np.stack([np.asarray(picture) for picture in pictures]))

    with torch.no_grad():
        out = model(pixel_values=pixels, **tokenizer(texts, padding=True, return_tensors="pt"))

    assert np.abs(embed_pictures(pictures) - out.image_embeds.numpy()).max() < 1e-5
    assert np.abs(embed_texts(texts) - out.text_embeds.numpy()).max() < 1e-5
