from __future__ import annotations

import json
import re
from itertools import product

import numpy as np
import pytest
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.clip_backend.shapes_demo.drawing import COLOURS, SHAPES, Scene, changed_scene, draw, random_scene
from clip_grid.clip_backend.tokenizing.clip import byte_letters, vocabulary_of
from clip_grid.tools.shapes_demo.bpe import learn_merges
from clip_grid.tools.shapes_demo.captions import full_caption, other_caption, random_caption, with_article
from clip_grid.tools.shapes_demo.exam import examine
from clip_grid.tools.shapes_demo.lessons import draw_batch, draw_pool, true_of
from PIL import Image, ImageDraw


def rng(seed=0):
    return np.random.default_rng(seed)


def red_circle(**changes):
    words = {"kind": "shape", "colour": "red", "shape": "circle", "size": "large", "background": "blue"}
    return Scene(**{**words, **changes})


# drawing


@pytest.mark.parametrize(
    "scene", [red_circle(), Scene(kind="empty", colour="red", background="red"), Scene(kind="noise")]
)
def test_a_picture_is_the_same_for_the_same_seed(scene):
    first, again, other = (np.asarray(draw(scene, 48, rng(seed))) for seed in (1, 1, 2))

    assert first.shape == (48, 48, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_has_its_colour_and_lies_within_the_picture(shape):
    for seed in range(5):
        pixels = np.asarray(draw(red_circle(shape=shape), 64, rng(seed))).astype(int)
        is_red = pixels[..., 0] - pixels[..., 2] > 60
        is_blue = pixels[..., 2] - pixels[..., 0] > 60

        assert is_red.mean() > 0.05
        assert is_blue[[0, -1]].mean() > 0.9 and is_blue[:, [0, -1]].mean() > 0.9


def test_large_shapes_are_larger_than_small_ones():
    def area(size, seed):
        pixels = np.asarray(draw(red_circle(size=size), 64, rng(seed))).astype(int)
        return (pixels[..., 0] - pixels[..., 2] > 60).mean()

    assert max(area("small", seed) for seed in range(10)) < min(area("large", seed) for seed in range(10))


def test_a_shape_never_has_the_colour_of_its_ground():
    scenes = [random_scene(rng(seed)) for seed in range(300)]
    scenes += [changed_scene(scene, rng(seed)) for seed, scene in enumerate(scenes)]

    assert all(scene.colour != scene.background for scene in scenes if scene.kind == "shape")


# captions


@pytest.mark.parametrize("write", [random_caption, full_caption])
def test_a_caption_is_true_of_its_picture_and_says_what_it_claims(write):
    random = rng()
    for _ in range(500):
        scene = random_scene(random)
        caption = write(scene, random)
        claims = caption.claims

        assert true_of([scene], [claims]).all()
        words = re.findall("[a-z]+", caption.text)
        said = [claims.colour, claims.shape, claims.size, claims.background]
        assert all(word in words for word in said if word), caption


def test_captions_have_phrases_alone_and_whole_sentences():
    random = rng()
    texts = {random_caption(red_circle(), random).text for _ in range(5000)}

    assert {"red", "circle", "a circle", "large", "a blue background", "a red circle"} <= texts
    assert {"a red circle on a blue background", "the red circle, on a blue background"} <= texts
    assert any(text.startswith("a photo of a large red circle") for text in texts)


def test_a_caption_of_something_else_names_nothing_that_is_drawn():
    random = rng()
    for _ in range(500):
        caption = other_caption(random)

        assert caption.claims == Scene(kind="other")
        assert not set(caption.text.split()) & {*COLOURS, *SHAPES, "small", "large", "background", "noise", "empty"}


def test_a_claim_is_true_if_all_it_says_is_so():
    scenes = [red_circle(), red_circle(background="green"), Scene(kind="empty", colour="red", background="red")]
    claims = [Scene(colour="red"), Scene(shape="circle", background="blue"), Scene(kind="shape"), Scene(kind="noise")]

    assert true_of(scenes, claims).tolist() == [
        [True, True, True, False],
        [True, False, True, False],
        [True, False, False, False],
    ]


def test_a_changed_scene_is_another_one():
    random = rng()
    scenes = [random_scene(random, empty=0, noise=0) for _ in range(200)]

    assert all(changed_scene(scene, random) != scene for scene in scenes)
    assert red_circle(colour="blue", background="red") in {changed_scene(red_circle(), random) for _ in range(100)}


def test_articles_fit_their_nouns():
    assert (with_article("orange ring"), with_article("red ring")) == ("an orange ring", "a red ring")


def test_the_first_texts_of_a_batch_are_true_and_most_altered_ones_are_not():
    batch = draw_batch(draw_pool(40, 16, rng()), 32, rng())

    assert batch.pixels.shape == (32, 16, 16, 3)
    assert (len(batch.texts), batch.matches.shape) == (3 * 32 + 8 + 26, (32, 3 * 32 + 8 + 26))
    assert not batch.matches[:, 96:104].any()
    assert batch.fields == [(104, 112), (112, 120), (120, 122), (122, 130)]
    assert batch.matches[:, :32].diagonal().all() and batch.matches[:, 32:64].diagonal().all()
    assert batch.matches[:, 64:96].diagonal().mean() < 0.7
    assert all(batch.matches[:, start:end].sum(1).max() == 1 for start, end in batch.fields)


# the tokenizer


def test_merges_join_the_commonest_pair_first():
    # a b</w> stands in two words of three
    assert learn_merges(["ab ab cb"], 1) == [("a", "b</w>")]
    assert learn_merges(["ab ab cb"], 9) == [("a", "b</w>"), ("c", "b</w>")]


def test_the_alphabet_has_a_letter_for_every_byte_and_the_marks_stand_last():
    numbers = vocabulary_of([("a", "b</w>")])

    assert len(set(byte_letters().values())) == 256
    assert (numbers["!"], numbers["!</w>"], numbers["ab</w>"]) == (0, 256, 512)
    assert list(numbers)[-2:] == ["<|startoftext|>", "<|endoftext|>"]


def test_the_tokenizers_files_agree_with_one_another():
    tokenizers = pytest.importorskip("tokenizers")
    folder = shapes_demo_path()
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    numbers = json.loads((folder / "vocab.json").read_text("utf-8"))
    merges = [tuple(line.split()) for line in (folder / "merges.txt").read_text("utf-8").splitlines()[1:]]

    assert numbers == vocabulary_of(merges) == tokenizer.get_vocab()
    ids = tokenizer.encode("A red CIRCLE").ids
    assert ids == [numbers[token] for token in ("<|startoftext|>", "a</w>", "red</w>", "circle</w>", "<|endoftext|>")]
    assert ids[-1] == max(ids) == len(numbers) - 1


# training


def test_the_loss_is_low_for_right_cosines_and_high_for_wrong_ones():
    torch = pytest.importorskip("torch")
    from clip_grid.tools.shapes_demo.losses import loss_of

    matches = torch.eye(3, dtype=torch.bool).repeat(1, 4)
    matches[:, 6:9] = False
    right = torch.where(matches, 0.9, -0.4)
    scale, words = torch.tensor(50.0), [(9, 12)]

    assert loss_of(right, scale, matches, words) < 1e-6
    assert loss_of(-right, scale, matches, words) > 50


def test_equal_texts_are_no_negatives_of_one_another():
    torch = pytest.importorskip("torch")
    from clip_grid.tools.shapes_demo.losses import contrast

    logits = torch.tensor([[5.0, 5.0], [5.0, 5.0]])

    assert contrast(logits, torch.ones(2, 2, dtype=torch.bool)).item() == 0
    assert contrast(logits, torch.eye(2, dtype=torch.bool)).item() == pytest.approx(np.log(2))


def test_a_choice_leaves_out_pictures_without_an_answer():
    torch = pytest.importorskip("torch")
    from clip_grid.tools.shapes_demo.losses import choice

    logits = torch.tensor([[0.0, 0.0], [9.0, 0.0]])

    assert choice(logits, torch.tensor([[False, True], [False, False]])).item() == pytest.approx(np.log(2))
    assert choice(logits, torch.zeros(2, 2, dtype=torch.bool)).item() == 0


def tiny_trainer():
    pytest.importorskip("torch", minversion="2.9")
    pytest.importorskip("transformers")
    from clip_grid.tools.shapes_demo.model import Sizes
    from clip_grid.tools.shapes_demo.train import Settings, Trainer

    sizes = Sizes(image_size=16, width=64, layers=1, text_layers=1, projection=32)
    return Trainer(Settings(batch=16, pool=200, merges=150, sizes=sizes))


def test_the_training_learns_and_repeats_itself():
    first, again = tiny_trainer(), tiny_trainer()

    losses = [first.step(1.0) for _ in range(30)]

    assert [again.step(1.0) for _ in range(3)] == losses[:3]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.5


def test_the_script_writes_what_transformers_opens(tmp_path):
    pytest.importorskip("torch", minversion="2.9")
    transformers = pytest.importorskip("transformers")
    from clip_grid.tools.shapes_demo.train import main

    main([str(tmp_path / "out"), "--steps", "2", "--pool", "60", "--batch", "8"])
    _, report = transformers.CLIPModel.from_pretrained(tmp_path / "out", output_loading_info=True)

    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert {file.name for file in (tmp_path / "out").iterdir()} == {file.name for file in shapes_demo_path().iterdir()}


# what the model knows


def test_the_model_knows_pictures_that_it_has_never_seen():
    marks = examine(*embedders(), 300, rng(2026))

    assert marks.colour_and_shape >= 0.95
    assert marks.true_or_changed >= 0.98
    assert marks.wrong_phrase >= 0.9
    assert min(marks.words.values()) >= 0.95
    assert marks.limit_holds >= 0.9
    assert marks.nothing_scores < marks.true_scores


def test_the_model_knows_plain_pictures_of_pillow():
    embed_pictures, embed_texts = embedders()
    names = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    drawn = [(colour, shape) for colour in COLOURS for shape in ("circle", "square", "triangle")]
    texts = embed_texts([with_article(" ".join(name)) for name in names])

    marks = []
    for ground, spot in product(("white", "black", "blue"), ((20, 30, 120), (70, 60, 204))):
        asked = [name for name in drawn if name[0] != ground]
        pictures = embed_pictures([plain_picture(*name, ground, spot) for name in asked])
        found = [names[best] for best in (pictures @ texts.T).argmax(1)]
        marks += [name == right for name, right in zip(found, asked, strict=True)]

    assert np.mean(marks) >= 0.95


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
    "opening", ["a photo of the {}.", "an artwork with a {}", "my favourite {}", "itap of one {}!"]
)
def test_the_model_hears_the_words_it_knows_among_others(opening):
    embed_pictures, embed_texts = embedders()
    random = rng(7)
    scenes = [random_scene(random, empty=0, noise=0) for _ in range(200)]
    names = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]

    scores = (
        embed_pictures([draw(scene, 64, random) for scene in scenes])
        @ embed_texts([opening.format(name) for name in names]).T
    )

    found = [names[best] for best in scores.argmax(1)]
    assert np.mean([name == f"{scene.colour} {scene.shape}" for name, scene in zip(found, scenes, strict=True)]) >= 0.95


def test_captions_of_other_things_fit_no_picture():
    embed_pictures, embed_texts = embedders()
    random = rng(8)
    pictures = embed_pictures([draw(random_scene(random), 64, random) for _ in range(200)])
    others = [
        "a dog on a beach",
        "a man playing the guitar",
        "an old church in winter",
        "my breakfast",
        "a very fast car",
    ]

    assert (pictures @ embed_texts(others).T > 0.25).mean() < 0.05


def embedders():
    """(pictures -> unit vectors, texts -> unit vectors) by the package's own encoder."""
    pytest.importorskip("torch")
    from clip_grid.clip_backend.loading import load_encoder

    encoder = load_encoder(shapes_demo_path(), device="cpu")
    return lambda pictures: encoder.encode_images(
        pictures
    ).image_embeds_norm.numpy(), lambda texts: encoder.encode_texts(texts).vectors


def test_transformers_reads_it_as_the_package_does():
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
