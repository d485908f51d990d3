"""The training of the bundled model: captions, batches, tokenizer, losses, and the script."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.clip_backend.tokenizing.clip import byte_letters, vocabulary_of
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, Scene, random_scene
from clip_grid.tools.shapes_demo.captions import detailed_caption, random_caption, unrelated_caption, with_article
from clip_grid.tools.shapes_demo.dataset import changed_scene, draw_batch, draw_dataset, true_claims

ROOT = Path(__file__).resolve().parents[2]


def rng(seed=0):
    return np.random.default_rng(seed)


def red_circle(**changes):
    words = {"kind": "shape", "colour": "red", "shape": "circle", "size": "large", "background": "blue"}
    return Scene(**{**words, **changes})


# captions


@pytest.mark.parametrize("write", [random_caption, detailed_caption])
def test_a_caption_is_true_of_its_picture_and_has_the_words_it_claims(write):
    random = rng()
    for _ in range(500):
        scene = random_scene(random)
        caption = write(scene, random)
        claims = caption.claims

        assert true_claims([scene], [claims]).all()
        words = re.findall("[a-z]+", caption.text)
        claimed = [claims.colour, claims.shape, claims.size, claims.background]
        assert all(word in words for word in claimed if word), caption


def test_captions_are_single_phrases_and_whole_sentences():
    random = rng()
    texts = {random_caption(red_circle(), random).text for _ in range(5000)}

    assert {"red", "circle", "a circle", "large", "a blue background", "a red circle"} <= texts
    assert {"a red circle on a blue background", "the red circle, on a blue background"} <= texts
    assert any(text.startswith("a photo of a large red circle") for text in texts)


def test_an_unrelated_caption_names_nothing_that_is_drawn():
    random = rng()
    for _ in range(500):
        caption = unrelated_caption(random)

        assert caption.claims == Scene(kind="other")
        assert not set(caption.text.split()) & {*COLOURS, *SHAPES, "small", "large", "background", "noise", "empty"}


def test_a_claim_is_true_if_all_its_words_are():
    scenes = [red_circle(), red_circle(background="green"), Scene(kind="empty", colour="red", background="red")]
    claims = [Scene(colour="red"), Scene(shape="circle", background="blue"), Scene(kind="shape"), Scene(kind="noise")]

    assert true_claims(scenes, claims).tolist() == [
        [True, True, True, False],
        [True, False, True, False],
        [True, False, False, False],
    ]


def test_a_changed_scene_is_another_one_and_its_colours_differ():
    random = rng()
    scenes = [random_scene(random, empty=0, noise=0) for _ in range(200)]
    changed = [changed_scene(scene, random) for scene in scenes]

    assert all(one != scene for one, scene in zip(changed, scenes, strict=True))
    assert all(one.colour != one.background for one in changed)
    assert red_circle(colour="blue", background="red") in {changed_scene(red_circle(), random) for _ in range(100)}


def test_articles_fit_their_nouns():
    assert (with_article("orange ring"), with_article("red ring")) == ("an orange ring", "a red ring")


def test_the_first_texts_of_a_batch_are_true_and_most_changed_ones_are_not():
    batch = draw_batch(draw_dataset(40, 16, rng()), 32, rng())

    assert batch.pixels.shape == (32, 16, 16, 3)
    assert (len(batch.texts), batch.matches.shape) == (3 * 32 + 8 + 26, (32, 3 * 32 + 8 + 26))
    assert not batch.matches[:, 96:104].any()
    assert batch.fields == [(104, 112), (112, 120), (120, 122), (122, 130)]
    assert batch.matches[:, :32].diagonal().all() and batch.matches[:, 32:64].diagonal().all()
    assert batch.matches[:, 64:96].diagonal().mean() < 0.7
    assert all(batch.matches[:, start:end].sum(1).max() == 1 for start, end in batch.fields)


# the tokenizer


def test_merges_join_the_commonest_pair_first():
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from clip_grid.tools.shapes_demo.model import learn_merges

    # a b</w> stands in two words of three
    assert learn_merges(["ab ab cb"], 1) == [("a", "b</w>")]
    assert learn_merges(["ab ab cb"], 9) == [("a", "b</w>"), ("c", "b</w>")]


def test_the_alphabet_has_a_letter_for_every_byte_and_special_tokens_come_last():
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
    from clip_grid.tools.shapes_demo.train import total_loss

    matches = torch.eye(3, dtype=torch.bool).repeat(1, 4)
    matches[:, 6:9] = False
    right = torch.where(matches, 0.9, -0.4)
    scale, words = torch.tensor(50.0), [(9, 12)]

    assert total_loss(right, scale, matches, words) < 1e-6
    assert total_loss(-right, scale, matches, words) > 50


def test_equal_texts_are_no_negatives_of_one_another():
    torch = pytest.importorskip("torch")
    from clip_grid.tools.shapes_demo.train import contrastive_loss

    logits = torch.tensor([[5.0, 5.0], [5.0, 5.0]])

    assert contrastive_loss(logits, torch.ones(2, 2, dtype=torch.bool)).item() == 0
    assert contrastive_loss(logits, torch.eye(2, dtype=torch.bool)).item() == pytest.approx(np.log(2))


def test_the_word_loss_leaves_out_pictures_without_a_match():
    torch = pytest.importorskip("torch")
    from clip_grid.tools.shapes_demo.train import word_loss

    logits = torch.tensor([[0.0, 0.0], [9.0, 0.0]])

    assert word_loss(logits, torch.tensor([[False, True], [False, False]])).item() == pytest.approx(np.log(2))
    assert word_loss(logits, torch.zeros(2, 2, dtype=torch.bool)).item() == 0


def tiny_trainer():
    pytest.importorskip("torch", minversion="2.9")
    pytest.importorskip("transformers")
    from clip_grid.tools.shapes_demo.model import ModelSizes
    from clip_grid.tools.shapes_demo.train import Settings, Trainer

    sizes = ModelSizes(image_size=16, width=64, layers=1, text_layers=1, projection=32)
    return Trainer(Settings(batch=16, pool=200, merges=150, sizes=sizes))


def test_training_lowers_the_loss_and_is_reproducible():
    first, again = tiny_trainer(), tiny_trainer()

    losses = [first.step(1.0) for _ in range(30)]

    assert [again.step(1.0) for _ in range(3)] == losses[:3]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.5


def test_the_script_writes_what_transformers_opens(tmp_path):
    pytest.importorskip("torch", minversion="2.9")
    transformers = pytest.importorskip("transformers")
    out = tmp_path / "out"
    options = ["--steps", "2", "--pool", "60", "--batch", "8"]
    subprocess.run([sys.executable, "-m", "tools.shapes_demo.train", out, *options], cwd=ROOT, check=True)

    _, report = transformers.CLIPModel.from_pretrained(out, output_loading_info=True)

    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert {file.name for file in out.iterdir()} == {file.name for file in shapes_demo_path().iterdir()}
