"""Tests: a head learnt in a workflow, loaded again and used by CLIP Label; and a LoRA on a loaded model."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.clip_backend.learning.heads.head import read_head
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.errors import ForbiddenPath, InputError, SpaceError
from clip_grid.nodes.clip_nodes import CLIPModelLoader
from clip_grid.nodes.learning_nodes import CLIPLoRA, LearnFromFolder, LoadHead
from clip_grid.nodes.score_nodes import CLIPLabel
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ...clip_backend.learning.trained import save_lora
from ..demo_images import image, run

COLOURS = ("red", "orange", "green", "blue", "purple", "black")


@pytest.fixture
def model(host):
    return CLIPModelLoader().execute("shapes-demo")["result"][0]


@pytest.fixture
def shapes(host):
    """Two folders of pictures of two shapes."""
    for shape in ("circle", "star"):
        folder = host.folders.input / "shapes" / shape
        folder.mkdir(parents=True)
        for place, colour in enumerate(COLOURS):
            levels = (image(f"{colour} {shape}")[0].numpy() * 255).round().astype("uint8")
            Image.fromarray(levels).save(folder / f"{place}.png")
    return "shapes"


def learn(shapes, model, **options):
    return LearnFromFolder().execute(shapes, model, **{"test": 0.0, **options})


def test_a_head_is_learnt_kept_as_a_run_and_labels_new_pictures(host, shapes, model):
    answer = learn(shapes, model, name="my shapes")
    head, name, report = answer["result"]

    folder = host.folders.output / "heads" / "my shapes_00001_"
    assert name == "heads/my shapes_00001_ [output]"
    assert {"run.json", "head.safetensors", "report.md", "curves.png", "findings.csv"} <= {
        one.name for one in folder.iterdir()
    }
    assert read_head(folder).classes == ("circle", "star") and json.loads(report)["classes"] == ["circle", "star"]
    json.dumps(answer["ui"], allow_nan=False)
    labels, scores, _, _ = run(CLIPLabel, [image("yellow circle", "white star")], head=head, model=model)["result"]
    assert labels == ["circle", "star"] and min(scores) > 0.5


def test_pictures_of_one_prompt_are_never_both_learnt_and_measured(host, shapes, model):
    for path in sorted((host.folders.input / shapes).rglob("*.png")):
        told = PngInfo()
        told.add_text(
            "parameters", f"a {path.parent.name} {int(path.stem) // 2}\nSteps: 20, Seed: {path.stem}, Model: m"
        )
        with Image.open(path) as picture:
            picture.load()
        picture.save(path, pnginfo=told)

    learn(shapes, model, test=0.4)

    split = json.loads((host.folders.output / "heads/head_00001_/split.json").read_text())
    assert split["joined_by"] == {"the same prompt": 6}
    parts = {one["name"]: one["part"] for one in split["pictures"]}
    assert all(parts[name] == parts[name.replace("0", "1")] for name in ("circle/0.png", "star/0.png"))
    assert set(parts.values()) == {"train", "test"}


def test_a_second_run_gets_the_next_number_and_both_are_offered_the_newest_first(host, shapes, model):
    names = [learn(shapes, model, method="nearest")["result"][1] for _ in range(2)]

    assert names == ["heads/head_00001_ [output]", "heads/head_00002_ [output]"]
    assert set(LoadHead.INPUT_TYPES()["required"]["head"][0]) == set(names)


def test_a_loaded_head_takes_its_own_model(host, shapes, model):
    name = learn(shapes, model)["result"][1]

    head = LoadHead().execute(name)["result"][0]

    assert run(CLIPLabel, image("yellow star"), model=None, head=head)["result"][0] == ["star"]


def test_a_head_and_labels_are_one_too_many(host, shapes, model):
    head = learn(shapes, model, method="nearest")["result"][0]

    with pytest.raises(InputError, match="both head and labels or vocabulary are given"):
        run(CLIPLabel, image("red circle"), labels="a, b", head=head)


def test_without_a_head_the_node_says_how_to_get_one(host):
    assert LoadHead.INPUT_TYPES()["required"]["head"][0] == ["none found"]
    assert "learn one with Learn From Folder" in LoadHead.VALIDATE_INPUTS("none found")


def test_pictures_outside_the_allowed_folders_are_refused(host, model, tmp_path):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    for number in range(2):
        Image.new("RGB", (40, 40), COLOURS[number]).save(outside / f"{number}.png")
    rows = "".join(f"{outside}/{number}.png,{'ab'[number]}\n" for number in range(2))
    (host.folders.input / "data.csv").write_text(f"image_path,label\n{rows}")

    with pytest.raises(ForbiddenPath, match=r"is outside the folders that this server allows"):
        learn("data.csv", model)
    assert "is outside the folders" in LearnFromFolder.VALIDATE_INPUTS(str(outside))
    assert not (host.folders.output / "heads").exists()


def test_captions_are_not_learnt_in_a_workflow(host, model):
    for number in range(2):
        Image.new("RGB", (40, 40), COLOURS[number]).save(host.folders.input / f"{number}.png")
        (host.folders.input / f"{number}.txt").write_text(f"picture {number}")

    with pytest.raises(InputError, match="the data are captions, and a head learns classes"):
        learn(".", model)


def test_a_new_picture_makes_comfyui_run_the_node_again(host, shapes):
    before = LearnFromFolder.IS_CHANGED(data=shapes)
    Image.new("RGB", (40, 40)).save(host.folders.input / "shapes" / "star" / "new.png")

    assert LearnFromFolder.IS_CHANGED(data=shapes) != before


@pytest.fixture
def lora(host):
    folder = host.models_folder / "loras"
    folder.mkdir(parents=True)
    return save_lora(folder / "mine.safetensors", shapes_demo_path(), strength=0.5).name


def vectors(loaded):
    return loaded.encoder.encode_texts(["a red circle"]).vectors


def test_a_lora_changes_the_model_by_its_strength_and_0_does_not(host, model, lora):
    with torch.inference_mode():
        answers = {s: CLIPLoRA().execute(model, lora, strength=s) for s in (0.0, 1.0, 2.0)}
        found = {s: vectors(answer["result"][0]) for s, answer in answers.items()}

    assert (found[0.0] == vectors(model)).all()
    assert abs(found[2.0] - found[0.0]).max() > abs(found[1.0] - found[0.0]).max() > 1e-3
    assert "training chose the strength 0.5, so that it is used at 0.5" in answers[1.0]["ui"]["text"][0]
    assert answers[1.0]["result"][0].info.trained[0].strength == 0.5


def test_loras_follow_one_another(host, model, lora):
    once = CLIPLoRA().execute(model, lora, strength=1.0)["result"][0]
    twice = CLIPLoRA().execute(once, lora, strength=1.0)["result"][0]

    alone = CLIPLoRA().execute(model, lora, strength=2.0)["result"][0]
    assert abs(vectors(twice) - vectors(alone)).max() < 1e-5


def test_a_head_of_the_base_is_refused_for_a_model_with_a_lora(host, shapes, model, lora):
    head = learn(shapes, model, method="nearest")["result"][0]
    changed = CLIPLoRA().execute(model, lora)["result"][0]

    with pytest.raises(SpaceError, match=r"was learnt on shapes-demo \(weights [0-9a-f]{16}, not [0-9a-f]{16}"):
        run(CLIPLabel, image("red circle"), head=head, model=changed)


def test_a_lora_that_is_not_there_is_named_with_the_nearest(host, lora):
    assert CLIPLoRA.INPUT_TYPES()["required"]["lora"][0] == ["mine.safetensors"]
    assert CLIPLoRA.VALIDATE_INPUTS("min.safetensors").endswith("did you mean 'mine.safetensors'")
