from __future__ import annotations

import copy
import pickle
import threading

import pytest

torch = pytest.importorskip("torch")
from clip_grid.clip_backend.towers import cpu
from clip_grid.clip_backend.towers.cpu import QUICK, Linear, activate, fast_products, has_fast_bf16, is_medium_exact
from torch.nn import functional

needs_onednn = pytest.mark.skipif(not cpu.can_pack(torch.float32), reason="this torch has no packed linear layers")
ACTIVATIONS = ["", "gelu", "gelu_tanh", "quick_gelu", "silu"]


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layer(**how):
    linear = Linear(40, 24, **how)
    for seed, parameter in enumerate(linear.parameters()):
        parameter.data = drawn(*parameter.shape, seed=seed) / 6
    return linear


@pytest.mark.parametrize("then", ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_a_product_with_a_bias_and_an_activation(then, bias):
    linear, x = layer(bias=bias), drawn(5, 7, 40, seed=9)
    exact = x.double() @ linear.weight.double().T + (linear.bias.double() if bias else 0)

    wanted = activate(exact, then) if then else exact

    assert float((linear(x, then) - wanted).abs().max()) <= 1e-5


def test_quick_gelu_is_its_formula():
    x = torch.tensor([-2.0, 0.0, 1.0])

    assert torch.allclose(activate(x, "quick_gelu"), x / (1 + torch.exp(-1.702 * x)))


@needs_onednn
@pytest.mark.parametrize("then", ACTIVATIONS)
def test_packed_it_answers_the_same(then):
    gain = QUICK if then == "quick_gelu" else 1.0
    linear, x = layer(gains=(gain, gain)), drawn(5, 7, 40, seed=9)
    before = linear(x, then)

    linear.pack(torch.float32)

    assert linear.is_packed
    assert float((linear(x, then) / gain - before).abs().max()) <= 1e-5


@needs_onednn
def test_unpacked_it_has_the_very_weight_again():
    linear = layer()
    before = linear.weight.clone()

    linear.pack(torch.float32)
    linear.unpack()

    assert torch.equal(linear.weight, before)


@needs_onednn
def test_unpacked_after_a_gain_it_is_right_to_a_rounding():
    linear = layer(gains=(QUICK, QUICK))
    before, bias = linear.weight.clone(), linear.bias.clone()

    linear.pack(torch.float32)
    linear.unpack()

    assert torch.allclose(linear.weight, before, rtol=3e-7, atol=0)
    assert torch.equal(linear.bias, bias)


@needs_onednn
def test_packed_it_still_tells_shape_type_and_size():
    linear = layer()
    bytes_before = sum(tensor.nbytes for tensor in linear.state_dict().values())

    linear.pack(torch.float32)

    assert (linear.weight.shape, linear.weight.dtype) == ((24, 40), torch.float32)
    assert sum(tensor.nbytes for tensor in linear.state_dict().values()) == bytes_before


@needs_onednn
def test_packed_it_can_be_copied_and_pickled():
    linear, x = layer(), drawn(3, 40, seed=9)
    linear.pack(torch.float32)

    for copied in (copy.deepcopy(linear), pickle.loads(pickle.dumps(linear))):
        assert float((copied(x) - linear(x)).abs().max()) <= 1e-5
    assert linear.is_packed


@needs_onednn
def test_packed_it_takes_any_number_of_rows():
    linear = layer()
    linear.pack(torch.float32)

    assert linear(torch.zeros(0, 40)).shape == (0, 24)
    assert linear(torch.zeros(1, 40)).shape == (1, 24)
    assert linear(torch.zeros(2, 3, 40)).shape == (2, 3, 24)


def test_shares_stand_under_their_own_names():
    module = torch.nn.Module()
    module.qkv = layer(names=("q_proj.", "k_proj.", "v_proj."))

    state = module.state_dict()

    assert list(state) == [f"{x}_proj.{kind}" for kind in ("weight", "bias") for x in "qkv"]
    assert torch.equal(torch.cat([state[f"{x}_proj.weight"] for x in "qkv"]), module.qkv.weight)


def test_float16_weights_multiply_float32_numbers_in_float32():
    linear, x = layer(), drawn(5, 40, seed=9)
    linear.half()

    answer = linear(x)

    assert answer.dtype == torch.float32
    wanted = functional.linear(x, linear.weight.float(), linear.bias.float())
    assert torch.allclose(answer, wanted, atol=1e-5)


def test_the_fast_path_is_taken_only_if_it_computes_rightly():
    for dtype in (torch.float32, torch.bfloat16, torch.float64, torch.int8):
        assert cpu.can_pack(dtype) in (True, False)
    assert not cpu.can_pack(torch.float64)


def test_the_processor_tells_whether_it_has_bfloat16():
    assert has_fast_bf16() in (True, False)


# the precision of float32 products


def test_inside_the_scope_products_are_still_float32():
    x, y = drawn(300, 200), drawn(100, 200, seed=1)
    exact = x.double() @ y.double().T

    with fast_products(torch.device("cpu")):
        product = functional.linear(x, y)

    assert float((product - exact).abs().max() / exact.abs().max()) <= 3e-6


def test_the_setting_comes_back_after_the_scope_and_after_an_error():
    before = torch.get_float32_matmul_precision()

    with pytest.raises(KeyError), fast_products(torch.device("cpu")), fast_products(torch.device("cpu")):
        raise KeyError

    assert torch.get_float32_matmul_precision() == before


def test_the_setting_comes_back_after_scopes_of_several_threads():
    before = torch.get_float32_matmul_precision()
    inside = threading.Barrier(3)

    def work():
        with fast_products(torch.device("cpu")):
            inside.wait()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert torch.get_float32_matmul_precision() == before


def test_a_program_that_sets_precision_by_the_newer_names_is_left_alone():
    matmul = torch.backends.mkldnn.matmul
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("this torch has only the older names")
    before = torch.get_float32_matmul_precision()
    matmul.fp32_precision = "bf16"
    try:
        with fast_products(torch.device("cpu")):
            inside = matmul.fp32_precision
    finally:
        torch.set_float32_matmul_precision(before)

    assert inside == "bf16"


def test_the_scope_leaves_other_devices_and_inexact_processors_alone():
    before = torch.get_float32_matmul_precision()

    with fast_products(torch.device("meta")):
        elsewhere = torch.get_float32_matmul_precision()
    with fast_products(torch.device("cpu")):
        here = torch.get_float32_matmul_precision()

    assert (elsewhere, here) == (before, "medium" if is_medium_exact() else before)
