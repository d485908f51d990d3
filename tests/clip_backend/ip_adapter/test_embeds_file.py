"""Files of references: what is saved comes back, and other files are refused with a sentence."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.ip_adapter.embeds_file import load_references, reference_of_tensor, save_references
from clip_grid.clip_backend.ip_adapter.projections import States
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.errors import InputError
from safetensors.torch import load_file, save_file

GIVEN = (
    Reference(
        States(embeds=torch.randn(2, 5), hidden=torch.randn(2, 3, 7), face=torch.randn(2, 1, 8)),
        blank=torch.randn(1, 3, 7),
        weight=0.7,
        picture_weights=(1.0, 0.5),
        mask=torch.rand(1, 4, 6),
        fingerprint="566c2f02",
    ),
    Reference(States(embeds=torch.randn(1, 5)), is_negative=True),
)


def test_what_is_saved_comes_back_bit_by_bit(tmp_path: Path):
    save_references(tmp_path / "a.safetensors", GIVEN)

    made = load_references(tmp_path / "a.safetensors")

    assert len(made) == 2
    for one, other in zip(GIVEN, made, strict=True):
        for name in ("weight", "picture_weights", "is_negative", "per_frame", "fingerprint"):
            assert getattr(one, name) == getattr(other, name)
        tensors = [{**vars(each.states), "blank": each.blank, "mask": each.mask} for each in (one, other)]
        for name, tensor in tensors[0].items():
            assert (tensor is None) == (tensors[1][name] is None), name
            assert tensor is None or torch.equal(tensor, tensors[1][name])


def test_every_safetensors_reader_opens_the_file(tmp_path: Path):
    save_references(tmp_path / "a.safetensors", GIVEN)

    assert set(load_file(tmp_path / "a.safetensors")) == {
        "0.embeds", "0.hidden", "0.face", "0.blank", "0.mask", "1.embeds"
    }  # fmt: skip


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_neither_saved_nor_loaded(tmp_path: Path, number: float):
    bad = Reference(States(embeds=torch.tensor([[1.0, number]])))
    with pytest.raises(InputError, match="not finite"):
        save_references(tmp_path / "a.safetensors", [bad])
    assert list(tmp_path.iterdir()) == []

    save_references(tmp_path / "a.safetensors", [Reference(States(embeds=torch.ones(1, 2)))])
    data = (tmp_path / "a.safetensors").read_bytes()
    tensor = torch.ones(1, 2).numpy().tobytes()
    assert tensor in data
    (tmp_path / "b.safetensors").write_bytes(data.replace(tensor, bad.states.embeds.numpy().tobytes()))
    with pytest.raises(InputError, match=r"0\.embeds of b\.safetensors holds numbers that are not finite"):
        load_references(tmp_path / "b.safetensors")


def test_no_reference_makes_no_file(tmp_path: Path):
    with pytest.raises(InputError, match="no reference to save"):
        save_references(tmp_path / "a.safetensors", [])


def test_another_file_is_refused_by_its_keys(tmp_path: Path):
    save_file({"lora_up.weight": torch.ones(2)}, tmp_path / "lora.safetensors")

    with pytest.raises(InputError, match=r"holds no references, but lora_up\.weight"):
        load_references(tmp_path / "lora.safetensors")


@pytest.mark.parametrize(
    "header",
    ["no json", "{}", '{"version": 1, "references": [{}]}', '{"version": 2, "references": []}'],
    ids=["text", "empty", "no facts", "newer"],
)
def test_a_damaged_description_is_refused(tmp_path: Path, header: str):
    save_file({"0.embeds": torch.ones(1, 2)}, tmp_path / "a.safetensors", {"clip_grid.references": header})

    with pytest.raises(InputError, match=r"damaged|newer version"):
        load_references(tmp_path / "a.safetensors")


def test_a_truncated_file_is_refused(tmp_path: Path):
    save_references(tmp_path / "a.safetensors", GIVEN)
    data = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(data[: len(data) // 2])

    with pytest.raises(InputError, match="damaged"):
        load_references(tmp_path / "a.safetensors")


@pytest.mark.parametrize(("shape", "name"), [((2, 5), "embeds"), ((2, 3, 5), "hidden")])
def test_an_ipadpt_is_the_tensor_in_it(tmp_path: Path, shape, name):
    tensor = torch.randn(shape)
    torch.save(tensor, tmp_path / "a.ipadpt")

    (made,) = load_references(tmp_path / "a.ipadpt")

    assert torch.equal(getattr(made.states, name), tensor)


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "run")


def test_code_in_an_ipadpt_is_not_run(tmp_path: Path):
    trap = tmp_path / "trap"
    torch.save(Malicious(trap), tmp_path / "a.ipadpt")
    (tmp_path / "b.ipadpt").write_bytes(pickle.dumps(Malicious(trap), protocol=2))

    for name in ("a.ipadpt", "b.ipadpt"):
        with pytest.raises(InputError, match="more than a tensor"):
            load_references(tmp_path / name)
    assert not trap.exists()


@pytest.mark.parametrize("found", [torch.ones(3), torch.ones(0, 5), {"a": 1}, None])
def test_a_tensor_of_another_shape_is_refused(found):
    with pytest.raises(InputError, match="must be a tensor"):
        reference_of_tensor(found, "references")
