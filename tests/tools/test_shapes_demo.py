"""The training of the bundled model: captions, batches, tokenizer, loss, optimizer, and the script."""

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
from clip_grid.tools.shapes_demo.captions import detailed_caption, random_caption, with_article
from clip_grid.tools.shapes_demo.dataset import changed_scene, colours_of, draw_batch, draw_dataset, true_claims

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


def test_a_caption_of_everyday_things_is_true_of_pictures_of_its_noun_alone():
    random = rng()
    dog, cat = Scene(kind="other", shape="dog"), Scene(kind="other", shape="cat")
    scenes = [dog, cat, red_circle(), Scene(kind="noise"), Scene(kind="empty", colour="red", background="red")]
    for _ in range(500):
        caption = random_caption(dog, random)

        assert "dog" in caption.text.split()
        assert not set(caption.text.split()) & {*COLOURS, *SHAPES, "background", "noise", "empty"}
        assert true_claims(scenes, [caption.claims])[:, 0].tolist() == [True, False, False, False, False]


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


def test_each_picture_of_a_batch_comes_with_two_captions_that_are_true_of_it():
    batch = draw_batch(draw_dataset(40, 16, rng()), 30, rng())

    assert batch.pixels.shape == (30, 16, 16, 3)
    assert (len(batch.texts), batch.matches.shape) == (60, (30, 60))
    assert batch.matches[:, :30].diagonal().all() and batch.matches[:, 30:].diagonal().all()
    assert batch.matches.mean() < 0.5


def test_some_pictures_show_anything_else_with_a_caption_of_everyday_things():
    dataset = draw_dataset(400, 16, rng())

    others = [index for index, scene in enumerate(dataset.scenes) if scene.kind == "other"]
    assert 40 < len(others) < 80
    assert len({dataset.pixels[index].tobytes() for index in others}) == len(others)


def test_pictures_of_the_same_colours_come_together_in_a_batch():
    dataset = draw_dataset(400, 16, rng())
    batch = draw_batch(dataset, 64, rng())

    shown = [dataset.scenes[find(dataset.pixels, pixels)] for pixels in batch.pixels]
    colours = [colours_of(scene) for scene in shown]
    assert colours == [one for one in colours[::8] for _ in range(8)]
    assert len(set(colours)) > 4 and len(set(shown)) > 20


def find(pixels, picture):
    """The index of a picture, mirrored or not."""
    same = (pixels == picture).all((1, 2, 3)) | (pixels == picture[:, ::-1]).all((1, 2, 3))
    return int(same.argmax())


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


def test_the_loss_is_that_of_clip_by_transformers():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from clip_grid.tools.shapes_demo.model import normalised
    from clip_grid.tools.shapes_demo.train import contrastive_loss

    batch = draw_batch(draw_dataset(40, 40, rng()), 8, rng())
    tokenizer = transformers.CLIPTokenizerFast.from_pretrained(shapes_demo_path())
    model = transformers.CLIPModel.from_pretrained(shapes_demo_path()).float().eval()
    texts = tokenizer(batch.texts[:8], padding=True, return_tensors="pt")
    with torch.no_grad():
        out = model(pixel_values=normalised(batch.pixels), **texts, return_loss=True)

    loss = contrastive_loss(out.logits_per_image, torch.eye(8, dtype=torch.bool))
    assert loss.item() == pytest.approx(out.loss.item(), rel=1e-5)


def test_adding_a_constant_to_all_cosines_changes_no_loss():
    torch = pytest.importorskip("torch")
    from clip_grid.tools.shapes_demo.train import contrastive_loss

    logits, own = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)), torch.eye(6, dtype=torch.bool)

    assert contrastive_loss(logits + 7, own).item() == pytest.approx(contrastive_loss(logits, own).item(), abs=1e-5)


def test_captions_that_are_true_of_a_picture_are_no_negatives_of_it():
    torch = pytest.importorskip("torch")
    from clip_grid.tools.shapes_demo.train import contrastive_loss

    logits = torch.tensor([[5.0, 5.0], [5.0, 5.0]])

    assert contrastive_loss(logits, torch.ones(2, 2, dtype=torch.bool)).item() == 0
    assert contrastive_loss(logits, torch.eye(2, dtype=torch.bool)).item() == pytest.approx(np.log(2))


def test_muon_orthogonalises_as_torch_does():
    torch = pytest.importorskip("torch", minversion="2.9")
    from clip_grid.tools.shapes_demo.muon import Muon, orthogonalised

    weights = torch.randn(2, 8, 24, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(weights))
    assert values.min() > 0.5 and values.max() < 1.3
    assert torch.allclose(orthogonalised(weights.mT), orthogonalised(weights).mT)

    ours, theirs = (torch.nn.Parameter(weights[0].clone()) for _ in range(2))
    optimizers = Muon([ours]), torch.optim.Muon([theirs], weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    for step in range(3):
        for one in (ours, theirs):
            one.grad = weights[1] * (step + 1)
        for optimizer in optimizers:
            optimizer.step()
    # torch's iterations are in bfloat16
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert not torch.allclose(ours, weights[0], atol=1e-4)


def tiny_trainer():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from clip_grid.tools.shapes_demo.model import ModelSizes
    from clip_grid.tools.shapes_demo.train import Settings, Trainer

    sizes = ModelSizes(image_size=16, width=64, layers=1, text_layers=1, projection=32)
    return Trainer(Settings(batch=16, pool=200, merges=150, sizes=sizes))


def test_training_lowers_the_loss_and_is_reproducible():
    first, again = tiny_trainer(), tiny_trainer()

    losses = [first.step(1.0) for _ in range(80)]

    assert [again.step(1.0) for _ in range(3)] == losses[:3]
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) - 0.1, losses


def test_vision_layers_of_another_model_bring_no_projection_and_no_text_tower():
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    safetensors = pytest.importorskip("safetensors.torch")
    from clip_grid.tools.shapes_demo.model import ModelSizes, make_model, take_vision_layers

    model = make_model(ModelSizes(), 934, 0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    take_vision_layers(model, shapes_demo_path())

    other = safetensors.load_file(shapes_demo_path() / "model.safetensors")
    for name, weight in model.state_dict().items():
        expected = other[name].float() if name.startswith("vision_model.") else before[name]
        assert torch.equal(weight, expected), name
    assert not torch.equal(before["visual_projection.weight"], other["visual_projection.weight"].float())


def test_the_script_writes_what_transformers_opens(tmp_path):
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    out = tmp_path / "out"
    options = ["--steps", "2", "--pool", "60", "--batch", "8"]
    subprocess.run([sys.executable, "-m", "tools.shapes_demo.train", out, *options], cwd=ROOT, check=True)

    _, report = transformers.CLIPModel.from_pretrained(out, output_loading_info=True)

    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert {file.name for file in out.iterdir()} == {file.name for file in shapes_demo_path().iterdir()}
