"""Adapters are read with all their weights from every kind of file; what is unsafe or damaged is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from clip_grid.clip_backend.ip_adapter.detection import read_adapter_info
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from clip_grid.errors import CheckpointError, InputError
from safetensors.torch import save_file

from . import adapter_shapes as made
from . import tiny_adapters as tiny

Tensors = dict[str, torch.Tensor]
RANK = 2
FACEID = made.lora(tiny.WIDTHS, tiny.CONTEXT, RANK) | tiny.PAIRS


def nested(
    tensors: dict[str, torch.Tensor], names: tuple[str, str] = ("image_proj", "ip_adapter")
) -> dict[str, object]:
    """Two tables in one, as the .bin files have them."""
    found: dict[str, Tensors] = {name: {} for name in names}
    for name, tensor in tensors.items():
        table, _, rest = name.partition(".")
        found[names[table != "image_proj"]][rest] = tensor
    return dict(found)


def check_is_faceid(adapter: Adapter, tensors: Tensors) -> None:
    assert (adapter.info.variant.name, adapter.info.lora_rank, adapter.info.pairs) == ("faceid", RANK, 3)
    assert adapter.info.site_widths == tiny.WIDTHS
    for place, pair in enumerate(adapter.pairs):
        assert torch.equal(pair.k, tensors[f"ip_adapter.{2 * place + 1}.to_k_ip.weight"])
        assert torch.equal(pair.v, tensors[f"ip_adapter.{2 * place + 1}.to_v_ip.weight"])
    assert torch.equal(adapter.image_proj["proj.0.weight"], tensors["image_proj.proj.0.weight"])
    assert len(adapter.lora) == 2 * 3 * 4 * 2
    assert torch.equal(adapter.lora[5, "out", "up"], tensors["ip_adapter.5.to_out_lora.up.weight"])
    assert adapter.info.size_bytes >= sum(one.nbytes for one in tensors.values())


def test_every_container_gives_the_same_weights(tmp_path: Path):
    tensors = tiny.tensors_of("faceid", FACEID)
    save_file(tensors, tmp_path / "a.safetensors")
    torch.save(nested(tensors), tmp_path / "b.bin")
    torch.save({"state_dict": nested(tensors, ("image_proj", "adapter_modules")), "epoch": 3}, tmp_path / "c.bin")
    flat = {name.replace("image_proj.", "image_proj_model.").replace("ip_adapter.", "adapter_modules."): one
            for name, one in tensors.items()}  # fmt: skip
    torch.save(flat | {"unet.conv_in.weight": torch.zeros(2)}, tmp_path / "d.bin")

    for source in (
        tmp_path / "a.safetensors", tmp_path / "b.bin", tmp_path / "c.bin", tmp_path / "d.bin", tensors, nested(tensors)
    ):  # fmt: skip
        adapter = load_adapter(source, allow_pickle=True)
        check_is_faceid(adapter, tensors)
        assert adapter.info.dtype == "float32"
    info = read_adapter_info(tmp_path / "b.bin", allow_pickle=True)
    assert (info.variant.name, info.is_pickle, info.dtype) == ("faceid", True, "float32")


def test_a_pickle_is_read_only_if_the_user_allows_it(tmp_path: Path):
    torch.save(nested(tiny.tensors_of("base")), tmp_path / "a.bin")

    for read in (read_adapter_info, load_adapter):
        with pytest.raises(CheckpointError, match="allow pickles for this file if you trust where it came from"):
            read(tmp_path / "a.bin")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("owned",))


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_code_in_a_pickle_is_refused_and_not_run(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tables = nested(tiny.tensors_of("base"))
    tables["image_proj" if place == "beside" else "evil"] = {"proj.weight": Evil()}
    torch.save(tables, tmp_path / "evil.bin")

    for read in (read_adapter_info, load_adapter):
        with pytest.raises(CheckpointError, match="holds more than tensors or is broken") as refusal:
            read(tmp_path / "evil.bin", allow_pickle=True)
        # not torch's advice to read it unsafely
        assert "weights_only" not in str(refusal.value)
    assert capsys.readouterr().out == ""


def test_other_pickles_are_refused(tmp_path: Path):
    torch.save([1, 2], tmp_path / "list.bin")
    torch.save({"a": 1}, tmp_path / "numbers.bin")
    torch.save({"conv_in.weight": torch.zeros(2)}, tmp_path / "unet.bin")
    (tmp_path / "cut.bin").write_bytes((tmp_path / "unet.bin").read_bytes()[:-40])
    tensors = tiny.tensors_of("base")
    torch.save({**tensors, "image_proj.proj.weight": tensors["image_proj.proj.weight"].to_sparse()}, tmp_path / "s.bin")
    torch.save({name: one.to("meta") for name, one in tensors.items()}, tmp_path / "meta.bin")

    reasons = {
        "s": r"image_proj\.proj\.weight leaves numbers out, as sparse tensors do",
        "meta": r"image_proj\.proj\.weight has no numbers",
        "list": "without a table of tensors",
        "numbers": "without a table of tensors",
        "unet": r"no IP-Adapter but .* \(1 tensor: conv_in\.weight\)",
        "cut": "damaged or cut short",
    }
    for name, reason in reasons.items():
        with pytest.raises(CheckpointError, match=reason):
            load_adapter(tmp_path / f"{name}.bin", allow_pickle=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float8_e5m2])
def test_weights_that_are_not_finite_are_refused_with_the_tensor(value: float, dtype: torch.dtype, tmp_path: Path):
    tensors = {name: one.to(dtype) for name, one in tiny.tensors_of("base").items()}
    bad = tensors["ip_adapter.3.to_v_ip.weight"].to(torch.float32)
    bad[1, 2] = value
    tensors["ip_adapter.3.to_v_ip.weight"] = bad.to(dtype)
    save_file(tensors, tmp_path / "nan.safetensors")

    with pytest.raises(CheckpointError, match=r"ip_adapter\.3\.to_v_ip\.weight holds numbers that are not finite"):
        load_adapter(tmp_path / "nan.safetensors")


def test_whole_numbers_and_nothing_at_all_are_refused():
    tensors = tiny.tensors_of("base")

    with pytest.raises(CheckpointError, match=r"image_proj\.proj\.weight holds int8 numbers"):
        load_adapter(tensors | {"image_proj.proj.weight": tensors["image_proj.proj.weight"].to(torch.int8)})
    with pytest.raises(CheckpointError, match="no IP-Adapter"):
        load_adapter({})


def test_a_folder_of_several_adapters_says_so(tmp_path: Path):
    for name in ("a", "b"):
        save_file(tiny.tensors_of("base"), tmp_path / f"{name}.safetensors")

    with pytest.raises(CheckpointError, match=r"2 models \(a\.safetensors, b\.safetensors\); choose one"):
        load_adapter(tmp_path)


def test_the_variant_that_was_chosen_is_loaded():
    tensors = tiny.tensors_of("faceid-plus")

    assert load_adapter(tensors, variant="faceid-plus-v2").info.variant.name == "faceid-plus-v2"
    with pytest.raises(InputError, match="the adapter is no IP-Adapter; its tensors are those of"):
        load_adapter(tensors, variant="base")
