from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from clip_grid.clip_backend.learning.tuning.losses import infonce, siglip, weighted_bce


def unit_rows(count, seed):
    rows = torch.randn(count, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
    return torch.nn.functional.normalize(rows, dim=-1)


def log_softmax(x, axis):
    x = x - x.max(axis=axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


@pytest.mark.parametrize("count", [2, 7, 32])
def test_infonce_is_the_mean_of_both_cross_entropies(count):
    logits = 20 * unit_rows(count, 1) @ unit_rows(count, 2).T

    found = infonce(logits, torch.eye(count, dtype=torch.bool))

    wide = logits.double().numpy()
    expected = -(np.diag(log_softmax(wide, 1)).mean() + np.diag(log_softmax(wide, 0)).mean()) / 2
    assert float(found) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("count", [2, 7, 32])
@pytest.mark.parametrize("bias", [0.0, -10.0])
def test_siglip_is_the_sum_of_the_sigmoid_losses_by_pictures(count, bias):
    logits = 10 * unit_rows(count, 1) @ unit_rows(count, 2).T + bias

    found = siglip(logits, torch.eye(count, dtype=torch.bool))

    wide = logits.double().numpy() * (2 * np.eye(count) - 1)
    assert float(found) == pytest.approx(np.log1p(np.exp(-wide)).sum() / count, abs=1e-5, rel=1e-6)


@pytest.mark.parametrize("count", [2, 7, 32])
def test_both_losses_are_those_of_open_clip(count):
    losses = pytest.importorskip("open_clip.loss")
    images, texts = unit_rows(count, 1), unit_rows(count, 2)
    scale, bias, own = torch.tensor(14.0), torch.tensor(-3.0), torch.eye(count, dtype=torch.bool)

    plain = losses.ClipLoss()(images, texts, scale)
    sigmoid = losses.SigLipLoss()(images, texts, scale, bias)

    assert float(infonce(scale * images @ texts.T, own)) == pytest.approx(float(plain), abs=1e-6)
    assert float(siglip(scale * images @ texts.T + bias, own)) == pytest.approx(float(sigmoid), abs=1e-6, rel=1e-6)


def test_equal_captions_are_no_negatives_of_each_other():
    logits = torch.zeros(6, 6, requires_grad=True)

    loss = infonce(logits, torch.ones(6, 6, dtype=torch.bool))
    torch.autograd.backward(loss)

    assert float(loss.detach()) == pytest.approx(math.log(6))
    assert logits.grad.abs().max() < 1e-7


def test_without_equal_captions_the_loss_is_the_plain_one_to_the_bit():
    logits = 5 * unit_rows(9, 1) @ unit_rows(9, 2).T
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    positives = torch.eye(9, dtype=torch.bool)[order]

    plain = torch.nn.functional.cross_entropy
    expected = (plain(logits, order) + plain(logits.T, order.argsort())) / 2

    assert torch.equal(infonce(logits, positives), expected)


def test_rows_without_a_positive_do_not_count():
    logits = 5 * unit_rows(4, 1) @ unit_rows(4, 2).T
    positives = torch.eye(4, dtype=torch.bool)
    positives[3, 3] = False

    found = infonce(logits, positives, both_ways=False)

    expected = torch.nn.functional.cross_entropy(logits[:3], torch.arange(3))
    assert float(found) == pytest.approx(float(expected), abs=1e-6)
    assert float(infonce(logits, torch.zeros(4, 4, dtype=torch.bool))) == 0


def test_bce_weighs_both_labels_alike():
    logits, labels = torch.tensor([2.0, -1.0, 0.5, -3.0]), torch.tensor([1.0, 0.0, 0.0, 0.0])

    found = weighted_bce(logits, labels, share=0.25)

    # 2, 2/3, 2/3 and 2/3 times the log-losses
    losses = np.log1p(np.exp([-2.0, -1.0, 0.5, -3.0]))
    assert float(found) == pytest.approx((2 * losses[0] + 2 / 3 * losses[1:].sum()) / 4, abs=1e-6)
