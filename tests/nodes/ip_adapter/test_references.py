"""IP-Adapter Reference: what it makes of pictures, faces and masks, and what it refuses."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from clip_grid.clip_backend.ip_adapter.encoders import blank_states
from clip_grid.errors import InputError
from clip_grid.nodes.clip_nodes import CLIPModelLoader
from clip_grid.nodes.ip_adapter_nodes import IPAdapterReference
from PIL import Image

from ..toy_comfyui import ToyClipVision


@pytest.fixture
def model(host):
    return CLIPModelLoader().execute("shapes-demo")["result"][0]


def run(**inputs):
    return IPAdapterReference().execute(**{k: v if isinstance(v, list) else [v] for k, v in inputs.items()})


def references(**inputs):
    return run(**inputs)["result"][0]


def pictures(count=1, height=40, width=100):
    return torch.rand(count, height, width, 3, generator=torch.Generator().manual_seed(3))


def test_its_states_are_those_of_the_encoder_for_the_square(model):
    (one,) = references(image=pictures(), model=model, position=1.0)

    wanted = model.encoder.encode_images([pictures()[:, :, 60:]], wants=("embeds", "penultimate_hidden"))
    assert torch.allclose(one.states.embeds, wanted.require("image_embeds"), atol=1e-5)
    assert torch.allclose(one.states.hidden, wanted.require("penultimate_hidden"), atol=1e-4)
    assert torch.allclose(one.blank, blank_states(model.encoder))
    assert one.fingerprint == wanted.fingerprint


def test_a_clip_vision_of_comfyui_gives_comfyuis_own_numbers(host):
    toy = ToyClipVision()

    (one,) = references(image=pictures(height=60, width=60), clip_vision=toy)

    wanted = toy.encode_image(pictures(height=60, width=60))
    assert torch.allclose(one.states.embeds, wanted.image_embeds, atol=1e-5)
    assert torch.allclose(one.states.hidden, wanted.penultimate_hidden_states, atol=1e-5)


def test_a_blank_picture_of_comfyui_is_zeros_or_black(host):
    toy = ToyClipVision()
    zeros = toy.model(torch.zeros(1, 3, 28, 28))[0]
    black = toy.encode_image(torch.zeros(1, 28, 28, 3)).penultimate_hidden_states

    for blank, wanted in (("mean color", zeros), ("black", black)):
        (one,) = references(image=pictures(), clip_vision=toy, blank=blank)
        assert torch.allclose(one.blank, wanted, atol=1e-5)
    assert not torch.allclose(zeros, black)


def test_pictures_of_any_sizes_are_one_reference_with_their_weights(model):
    (one,) = references(image=[pictures(2), pictures(1, 30, 30)], model=model, picture_weights="1, 0.5, 2", weight=0.5)

    assert len(one.states) == 3
    assert (one.weight, one.picture_weights) == (0.5, (1.0, 0.5, 2.0))


def test_tiles_have_the_weight_and_the_face_of_their_picture(model):
    faces = torch.eye(2, 512)

    (one,) = references(image=pictures(2), model=model, fit="tiles", picture_weights="1, 0.5", face=faces)

    assert one.picture_weights == (1.0,) * 3 + (0.5,) * 3
    assert torch.equal(one.states.face, faces[[0, 0, 0, 1, 1, 1]][:, None])


def test_separate_pictures_are_references_of_their_own_after_those_that_are_connected(model):
    first = references(image=pictures(), model=model, negative=True)

    made = references(image=pictures(2), model=model, combine="separate", references=first)

    assert [(len(one.states), one.is_negative) for one in made] == [(1, True), (1, False), (1, False)]


def test_the_preview_shows_what_the_encoder_sees(model, host):
    made = run(image=pictures(2), model=model, fit="pad")

    batch = made["result"][1]
    side = model.encoder.preprocessing.size
    assert batch.shape == (2, side, side, 3)
    files = [host.folders.temp / one["filename"] for one in made["ui"]["images"]]
    shown = np.stack([np.asarray(Image.open(file)) for file in files])
    np.testing.assert_allclose(shown / 255, batch, atol=1e-6)
    # bars above and below in the mean color
    assert np.ptp(batch[0, 0], axis=0).max() < 0.02


def test_a_mask_of_any_size_goes_with_the_reference(model):
    mask = torch.zeros(1, 7, 5)
    mask[:, :3] = 1

    (one,) = references(image=pictures(), model=model, mask=mask)

    assert torch.equal(one.mask, mask)


VECTOR = [float(number) for number in range(512)]


@pytest.mark.parametrize(
    "face",
    [
        torch.tensor(VECTOR),
        np.array(VECTOR),
        json.dumps(VECTOR),
        ", ".join(map(str, VECTOR)),
        SimpleNamespace(embedding=np.array(VECTOR)),
        {"embedding": VECTOR},
    ],
    ids=["tensor", "array", "json", "text", "object", "dict"],
)
def test_a_face_comes_from_any_node(host, face):
    (one,) = references(face=face)

    assert one.states.face.tolist() == [[VECTOR]]


def test_the_line_in_the_node_counts_pictures_and_faces_that_stand_alone(host, model):
    assert run(face=[VECTOR, VECTOR])["ui"]["text"] == ["2 faces"]
    both = references(image=pictures(2), model=model, mask=torch.ones(1, 4, 4))
    assert run(face=VECTOR, references=both)["ui"]["text"] == ["2 pictures, 1 face, 1 with a mask in 2 references"]
    assert run(image=pictures(), model=model, face=VECTOR, negative=True)["ui"]["text"] == ["0 pictures, 1 negative"]


def test_a_list_of_faces_is_one_for_each_picture(host):
    (one,) = references(face=[VECTOR, VECTOR])

    assert one.states.face.shape == (2, 1, 512)


def test_rows_of_faces_are_one_picture_or_are_averaged(host):
    rows = torch.rand(3, 512)

    assert references(face=rows)[0].states.face.shape == (1, 3, 512)
    assert torch.allclose(references(face=rows, combine="average")[0].states.face, rows.mean(dim=0)[None, None])


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "no picture and no face"),
        ({"image": pictures()}, "nothing to encode pictures with"),
        ({"image": torch.rand(1, 8, 8)}, "Convert Mask to Image"),
        ({"image": pictures(0)}, "empty batch"),
        ({"face": "left"}, "no list of numbers"),
        ({"face": torch.rand(1, 64, 64, 3)}, "face holds the shape"),
        ({"face": object()}, "no vector of numbers"),
        ({"face": [[float("nan")] * 512]}, "not finite"),
        ({"face": [[0.0] * 512]}, "a vector of zeros; the face was probably not found"),
        ({"face": VECTOR, "mask": torch.zeros(1, 8, 8)}, "mask of this reference is empty"),
        ({"face": VECTOR, "mask": torch.zeros(0, 8)}, "must be"),
        ({"face": VECTOR, "mask": torch.full((1, 8, 8), float("nan"))}, "not finite"),
        ({"face": VECTOR, "weight": 9}, "weight is 9"),
        ({"face": VECTOR, "references": [SimpleNamespace()]}, "must be a tensor"),
    ],
)
def test_bad_inputs_are_refused_with_the_reason(host, inputs, said):
    with pytest.raises(InputError, match=said):
        run(**inputs)


def test_other_bad_inputs_are_refused_with_the_reason(model):
    with pytest.raises(InputError, match="both connected"):
        run(image=pictures(), model=model, clip_vision=ToyClipVision())
    with pytest.raises(InputError, match="per frame takes one"):
        run(image=pictures(), model=model, fit="tiles", combine="per frame")
    with pytest.raises(InputError, match="3 faces for 2 pictures"):
        run(image=pictures(2), model=model, face=[VECTOR] * 3)
    with pytest.raises(InputError, match="2 numbers for 1 pictures"):
        run(image=pictures(), model=model, picture_weights="1, 2")
