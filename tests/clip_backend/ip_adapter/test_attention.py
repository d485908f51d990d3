"""Patches, roles, windows and terms without ComfyUI."""

from __future__ import annotations

import copy
import gc
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from clip_grid.clip_backend.ip_adapter.apply_settings import SCALINGS
from clip_grid.clip_backend.ip_adapter.key_values import PairWeights
from clip_grid.clip_backend.ip_adapter.projections import States, project
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.roles import Run
from clip_grid.clip_backend.ip_adapter.terms import PictureTokens, gather_terms
from clip_grid.clip_backend.ip_adapter.weights import load_adapter
from clip_grid.clip_backend.ip_adapter.windows import frames_of
from clip_grid.errors import InputError
from torch import Tensor
from torch.nn.functional import linear

from . import tiny_unets as tiny
from .fake_patcher import HEADS, KEYS, WIDTH, FakePatcher, adapter, apply, attend, qkv, reference, run, written_out


def test_a_site_gives_the_text_plus_the_picture_of_its_side():
    for site, key in enumerate(KEYS):
        expected = attend(*qkv(), HEADS) + written_out(adapter(), "first", 0.6, site)
        patched = apply(FakePatcher(), adapter(), reference(), weight=0.6)
        torch.testing.assert_close(run(patched, key=key), expected)


def test_two_adapters_and_a_foreign_patch_add_up_in_any_order():
    def foreign(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        return attend(q, k, v, options["n_heads"]) * 3

    first, second, plain = adapter(), adapter("second"), FakePatcher()
    expected = attend(*qkv(), HEADS) * 3 + written_out(first, "first", 1.0) + written_out(second, "second", 0.5)
    for place in (KEYS[0], KEYS[0][:2]):
        before = plain.clone()
        before.set_model_attn2_replace(foreign, *place)
        one = apply(apply(before, first, reference("first")), second, reference("second"), weight=0.5)
        other = apply(apply(plain, second, reference("second"), weight=0.5), first, reference("first"))
        other.set_model_attn2_replace(foreign, *place)
        torch.testing.assert_close(run(one), expected)
        torch.testing.assert_close(run(other), expected)


def test_the_order_of_three_adapters_changes_no_bit():
    given = {name: adapter(name) for name in ("first", "second", "third")}
    drawn = []
    for names in permutations(given):
        model = FakePatcher()
        for name in names:
            model = apply(model, given[name], reference(name), weight=0.7)
        drawn.append(run(model))
    assert all(torch.equal(one, drawn[0]) for one in drawn)


@pytest.mark.parametrize("how", SCALINGS)
def test_a_weight_scales_what_its_scaling_says(how):
    weight = 0.6 * (WIDTH / 1280 if "penalty" in how else 1)
    sides = torch.cat([torch.zeros(1, tiny.EMBEDDING), tiny.embeddings("first")])
    tokens, pair = project(adapter(), States(embeds=sides)), adapter().pairs[0]
    k, v = linear(tokens, pair.k), linear(tokens, pair.v)
    mean = v.mean(1, keepdim=True)
    k = k if how == "V only" else weight * k
    v = v - mean + weight * mean if "mean" in how else weight * v

    drawn = run(apply(FakePatcher(), adapter(), reference(), weight=0.6, scaling=how))

    torch.testing.assert_close(drawn, attend(*qkv(), HEADS) + attend(qkv()[0], k, v, HEADS))


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float16, 1e-3), (torch.bfloat16, 1e-2)])
def test_half_precision_keeps_what_an_adapter_adds(dtype, limit):
    patched = apply(FakePatcher(), adapter(), reference(), weight=0.7)
    # values of 0: the text adds nothing
    given = tuple((one * (place < 2)).to(dtype) for place, one in enumerate(qkv()))
    for key in KEYS:
        expected = run(patched, key=key, given=tuple(one.float() for one in given))

        drawn = run(patched, key=key, given=given)

        assert drawn.dtype == dtype
        assert (drawn.float() - expected).abs().max() <= limit * expected.abs().max()


def test_nothing_is_patched_where_nothing_acts():
    plain = FakePatcher()
    for settings in ({"weight": 0}, {"place_weights": "0"}):
        assert (
            "patches_replace"
            not in apply(plain, adapter(), reference(), **settings).model_options["transformer_options"]
        )
    late = apply(plain, adapter(), reference(), start=0.6)
    assert torch.equal(run(late, sigma=5.0), attend(*qkv(), HEADS))
    assert not torch.equal(run(late, sigma=4.0), attend(*qkv(), HEADS))


def test_keys_and_values_are_computed_once_per_run(monkeypatch):
    calls = []
    original = PairWeights.key_values

    def counted(self, site, tokens, *rest):
        calls.append((site, len(tokens)))
        return original(self, site, tokens, *rest)

    monkeypatch.setattr(PairWeights, "key_values", counted)
    run(apply(FakePatcher(), adapter(), reference(), reference(), reference("other")), steps=4)

    # zeros, and two distinct pictures
    assert calls == [(0, 3)]


def test_runs_leave_nothing_behind():
    def held() -> int:
        gc.collect()
        return sum(issubclass(type(one), Tensor) for one in gc.get_objects())

    plain, given = FakePatcher(), adapter()
    counts = []
    for number in range(5):
        run(apply(plain, given, reference(), weight=1 + number))
        # the first run may keep what all later ones use; counting takes long
        if number in (1, 4):
            counts.append(held())
    assert counts[0] == counts[1]
    assert plain.model_options == {"transformer_options": {}}


def test_copies_share_the_weights_and_dtypes_are_ignored():
    patched = apply(FakePatcher(), adapter(), reference())
    patch = patched.model_options["transformer_options"]["patches_replace"]["attn2"][KEYS[0]]

    assert copy.deepcopy(patch).applied is patch.applied
    assert patch.to(torch.device("cpu")) is patch
    assert patch.to(torch.float8_e4m3fn) is patch
    assert patch.models() == [patch.applied.weights]


def test_pictures_share_one_softmax_or_belong_to_frames():
    several = apply(FakePatcher(), adapter(), reference("same", 2, picture_weights=(1.0, 0.0)))
    frames = apply(FakePatcher(), adapter(), reference("same", 2, per_frame=True))
    single = [
        apply(FakePatcher(), adapter(), Reference(States(embeds=tiny.embeddings("same", 2)[number : number + 1])))
        for number in range(2)
    ]

    assert not torch.allclose(run(several), run(single[0]))
    together = run(frames, rows=4)
    for number in range(2):
        alone = run(single[number], rows=4)
        torch.testing.assert_close(together[[number, 2 + number]], alone[[number, 2 + number]])


def test_a_uuid_on_both_sides_is_told_apart_by_the_list_it_is_in():
    twin = {"uuid": "p", "area": (8, 8, 0, 0)}
    run_of = Run(SimpleNamespace(conds={"positive": [twin], "negative": [{"uuid": "n"}, dict(twin)]}))

    assert run_of.name_of([dict(twin)], 0) == "positive"
    assert run_of.name_of([{"uuid": "n"}, dict(twin)], 1) == "negative"
    assert run_of.name_of([{"uuid": "n"}], 0) == "negative"


def test_frames_come_from_both_kinds_of_context_windows():
    window = SimpleNamespace(dim=0, index_list=[4, 5, 6], causal_anchor_index=3)

    assert frames_of({}, 2) == (0, 1)
    assert frames_of({"context_window": window}, 3) == (4, 5, 6)
    assert frames_of({"context_window": window}, 4) == (3, 4, 5, 6)
    assert frames_of({"context_window": SimpleNamespace(dim=2, index_list=[4, 5])}, 2) == (0, 1)
    assert frames_of({"ad_params": {"sub_idxs": [7, 8]}}, 2) == (7, 8)
    assert frames_of({"ad_params": {"sub_idxs": None}}, 2) == (0, 1)


def test_equal_tokens_are_held_once():
    tokens = tiny.numbers("t", 2, 4, 6)
    held, terms = gather_terms([PictureTokens(tokens, tokens[:1]), PictureTokens(tokens[1:], tokens[:1])])

    assert held.shape == (2, 4, 6)
    assert terms[0].given.rows == ((0,), (1,))
    assert terms[1].given.rows == ((1,),)


def test_what_cannot_work_is_refused_in_a_sentence():
    plain, given = FakePatcher(), adapter()
    broken = reference()
    broken.states.embeds[0, 0] = float("nan")
    refused = [
        ((FakePatcher(SimpleNamespace()), given, reference()), {}, "the model is SimpleNamespace"),
        ((plain, given), {}, "there is no reference"),
        ((plain, given, reference(is_negative=True)), {}, "negative ones only say"),
        ((plain, given, broken), {}, "not finite"),
        ((plain, load_adapter(tiny.adapter_tensors("sd15", "x")), reference()), {}, "for 16 attentions, and .* has 4"),
        ((plain, given, reference()), {"start": 0.5, "end": 0.2}, "start must not be above end"),
        ((plain, given, reference(picture_weights=(1.0, 2.0))), {}, "2 weights for 1 pictures"),
        ((plain, given, reference(mask=torch.zeros(4, 4))), {}, "is empty"),
    ]
    for arguments, settings, reason in refused:
        with pytest.raises(InputError, match=reason):
            apply(*arguments, **settings)


def test_keys_that_overflow_stop_with_a_sentence():
    tensors = tiny.adapter_tensors("sd15", "first")
    huge = {f"{2 * number + 1}.to_{letter}_ip.weight": torch.full((WIDTH, tiny.CONTEXT), 3e38) for number in range(4)
            for letter in "kv"}  # fmt: skip
    with pytest.raises(InputError, match="not finite in float32, which would make the picture black"):
        run(apply(FakePatcher(), load_adapter({**tensors, "ip_adapter": huge}), reference()))
