"""Patches, roles, windows and terms without ComfyUI: its dispatch of attention patches in a few lines."""

from __future__ import annotations

import copy
import gc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from clip_grid.clip_backend.ip_adapter.applied import Applied
from clip_grid.clip_backend.ip_adapter.apply import apply_adapter
from clip_grid.clip_backend.ip_adapter.apply_settings import ApplySettings
from clip_grid.clip_backend.ip_adapter.attention import AttentionPatch
from clip_grid.clip_backend.ip_adapter.comfy_functions import ComfyFunctions
from clip_grid.clip_backend.ip_adapter.key_values import PairWeights
from clip_grid.clip_backend.ip_adapter.projections import States, project
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.roles import CALC_COND_BATCH, KEY, OUTER_SAMPLE, Run, note_roles
from clip_grid.clip_backend.ip_adapter.terms import PictureTokens, gather_terms
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from clip_grid.clip_backend.ip_adapter.weights_per_site import SiteWeight
from clip_grid.clip_backend.ip_adapter.windows import frames_of
from clip_grid.errors import InputError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

from . import tiny_unets as tiny

HEADS, WIDTH, TOKENS = 2, 16, 12
#: Of the fake UNet, in an adapter's order.
KEYS = [("input", 1, 0), ("input", 2, 0), ("output", 0, 0), ("middle", 0, 0)]


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, **_: object) -> Tensor:
    """ComfyUI's ``optimized_attention``."""
    q, k, v = (one.reshape(len(one), -1, heads, one.shape[-1] // heads).transpose(1, 2) for one in (q, k, v))
    return scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class FakePatcher:
    """What the code needs of a ModelPatcher: options, replacements and wrappers, copied by ``clone``."""

    def __init__(self, blocks: list[str]) -> None:
        to_k = SimpleNamespace(in_features=tiny.CONTEXT)
        block = SimpleNamespace(attn2=SimpleNamespace(to_k=to_k), n_heads=HEADS, d_head=WIDTH // HEADS)
        layer = SimpleNamespace(transformer_blocks=[block])
        unet = SimpleNamespace(input_blocks=[[], [layer], [layer]], middle_block=[layer], output_blocks=[[layer]])
        self.model = SimpleNamespace(diffusion_model=unet if blocks else SimpleNamespace())
        self.model_options: dict[str, Any] = {"transformer_options": {}}
        self.wrappers: dict[tuple[str, str], list[Any]] = {}

    def clone(self) -> FakePatcher:
        twin = FakePatcher(["unet"])
        twin.model = self.model
        options = self.model_options["transformer_options"]
        twin.model_options = {"transformer_options": {name: copy.copy(one) for name, one in options.items()}}
        twin.wrappers = {name: list(one) for name, one in self.wrappers.items()}
        return twin

    def set_model_attn2_replace(self, patch: Any, *key: Any) -> None:
        options = self.model_options["transformer_options"]
        replaced = {**options.get("patches_replace", {}).get("attn2", {}), key: patch}
        options["patches_replace"] = {"attn2": replaced}

    def get_wrappers(self, kind: str, key: str) -> list[Any]:
        return self.wrappers.get((kind, key), [])

    def remove_wrappers_with_key(self, kind: str, key: str) -> None:
        self.wrappers.pop((kind, key), None)

    def add_wrapper_with_key(self, kind: str, key: str, wrapper: Any) -> None:
        self.wrappers.setdefault((kind, key), []).append(wrapper)

    def get_model_object(self, _: str) -> Any:
        return SimpleNamespace(percent_to_sigma=lambda share: 10 * (1 - share))


def adapter(name: str = "first") -> Adapter:
    """A base adapter for the fake UNet."""
    tensors = tiny.adapter_tensors("sd15", name)
    pairs = {
        f"{2 * number + 1}.to_{letter}_ip.weight": tiny.numbers(f"{name}{number}{letter}", WIDTH, tiny.CONTEXT) / 7
        for number in range(len(KEYS))
        for letter in "kv"
    }
    return load_adapter({**tensors, "ip_adapter": pairs})


COMFY = ComfyFunctions(attend, lambda module: SimpleNamespace(model=module))
NEGATIVE, POSITIVE = [{"uuid": "n"}], [{"uuid": "p"}]


def reference(name: str = "first", pictures: int = 1, **fields: Any) -> Reference:
    """Random pictures."""
    return Reference(States(embeds=tiny.embeddings(name, pictures)), **fields)


def apply(model: Any, given: Adapter, *references: Reference, **settings: Any) -> Any:
    """The model with the adapter."""
    return apply_adapter(model, given, references, settings=ApplySettings(**settings), comfy=COMFY)


def qkv(rows: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of the picture, keys and values of the text."""
    return tiny.numbers("q", rows, TOKENS, WIDTH), tiny.numbers("k", rows, 5, WIDTH), tiny.numbers("v", rows, 5, WIDTH)


def run(
    model: FakePatcher, rows: int = 2, sigma: float = 5.0, key: tuple[Any, ...] = KEYS[0], steps: int = 1
) -> Tensor:
    """What the attention at a site gives in the last step of a run with guidance: negative rows, then positive ones."""
    guider = SimpleNamespace(
        conds={"positive": POSITIVE, "negative": NEGATIVE}, model_options=model.clone().model_options
    )

    def sampled() -> Tensor:
        out = torch.empty(0)
        for _ in range(steps):
            out = evaluate([POSITIVE, NEGATIVE], torch.zeros(1, 4, 3, 4), guider.model_options)
        return out

    def evaluate(conds: Any, x: Tensor, options: dict[str, Any]) -> Tensor:
        def attention(_: Any, __: Any, ___: Any, ____: Any, inner: dict[str, Any]) -> Tensor:
            extra = {**inner["transformer_options"], "n_heads": HEADS, "cond_or_uncond": [1, 0], "uuids": ["n", "p"]}
            replaced = extra.pop("patches_replace", {}).get("attn2", {})
            # as BasicTransformerBlock looks them up
            patch = replaced.get(key) or replaced.get(key[:2])
            return patch(*qkv(rows), extra) if patch else attend(*qkv(rows), HEADS)

        if not model.get_wrappers(CALC_COND_BATCH, KEY):
            return attention(None, conds, x, None, options)
        return note_roles(attention, None, conds, x, torch.tensor([sigma]), options)

    for wrapper in model.get_wrappers(OUTER_SAMPLE, KEY):
        return wrapper(_Executor(guider, sampled))
    return sampled()


class _Executor:
    """ComfyUI's executor of a wrapped call."""

    def __init__(self, guider: Any, then: Any) -> None:
        self.class_obj, self._then = guider, then

    def __call__(self) -> Any:
        return self._then()


def written_out(given: Adapter, name: str, scale: float, site: int = 0) -> Tensor:
    """What a picture adds, for the negative and the positive side."""
    sides = torch.cat([torch.zeros(1, tiny.EMBEDDING), tiny.embeddings(name)])
    tokens, pair = project(given, States(embeds=sides)), given.pairs[site]
    return scale * attend(qkv()[0], linear(tokens, pair.k), linear(tokens, pair.v), HEADS)


def test_a_site_gives_the_text_plus_the_picture_of_its_side():
    for site, key in enumerate(KEYS):
        expected = attend(*qkv(), HEADS) + written_out(adapter(), "first", 0.6, site)
        patched = apply(FakePatcher(["unet"]), adapter(), reference(), weight=0.6)
        torch.testing.assert_close(run(patched, key=key), expected)


def test_two_adapters_and_a_foreign_patch_add_up_in_any_order():
    def foreign(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        return attend(q, k, v, options["n_heads"]) * 3

    first, second, plain = adapter(), adapter("second"), FakePatcher(["unet"])
    expected = attend(*qkv(), HEADS) * 3 + written_out(first, "first", 1.0) + written_out(second, "second", 0.5)
    for place in (KEYS[0], KEYS[0][:2]):
        before = plain.clone()
        before.set_model_attn2_replace(foreign, *place)
        one = apply(apply(before, first, reference("first")), second, reference("second"), weight=0.5)
        other = apply(apply(plain, second, reference("second"), weight=0.5), first, reference("first"))
        other.set_model_attn2_replace(foreign, *place)
        torch.testing.assert_close(run(one), expected)
        torch.testing.assert_close(run(other), expected)


def test_nothing_is_patched_where_nothing_acts():
    plain = FakePatcher(["unet"])
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
    run(apply(FakePatcher(["unet"]), adapter(), reference(), reference(), reference("other")), steps=4)

    # zeros, and two distinct pictures
    assert calls == [(0, 3)]


def test_runs_leave_nothing_behind():
    def held() -> int:
        gc.collect()
        return sum(issubclass(type(one), Tensor) for one in gc.get_objects())

    plain, given = FakePatcher(["unet"]), adapter()
    counts = []
    for number in range(5):
        run(apply(plain, given, reference(), weight=1 + number))
        counts.append(held())
    assert counts[-1] == counts[1]
    assert plain.model_options == {"transformer_options": {}}


def test_copies_share_the_weights_and_dtypes_are_ignored():
    patched = apply(FakePatcher(["unet"]), adapter(), reference())
    patch = patched.model_options["transformer_options"]["patches_replace"]["attn2"][KEYS[0]]

    assert copy.deepcopy(patch).applied is patch.applied
    assert patch.to(torch.device("cpu")) is patch
    assert patch.to(torch.float8_e4m3fn) is patch
    assert patch.models() == [patch.applied.weights]


def test_pictures_share_one_softmax_or_belong_to_frames():
    several = apply(FakePatcher(["unet"]), adapter(), reference("same", 2, picture_weights=(1.0, 0.0)))
    frames = apply(FakePatcher(["unet"]), adapter(), reference("same", 2, per_frame=True))
    single = [
        apply(
            FakePatcher(["unet"]), adapter(), Reference(States(embeds=tiny.embeddings("same", 2)[number : number + 1]))
        )
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
    plain, given = FakePatcher(["unet"]), adapter()
    broken = reference()
    broken.states.embeds[0, 0] = float("nan")
    refused = [
        ((FakePatcher([]), given, reference()), {}, "the model is SimpleNamespace"),
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
        run(apply(FakePatcher(["unet"]), load_adapter({**tensors, "ip_adapter": huge}), reference()))


@pytest.mark.parametrize("site", [4, 15])
def test_sites_recorded_in_comfyui_are_given_again(site):
    goldens = load_file(Path(tiny.__file__).parent / "goldens" / "sites.safetensors")
    given = load_adapter(tiny.adapter_tensors("sd15", "first"))
    sides = torch.cat([torch.zeros(1, tiny.EMBEDDING), tiny.embeddings("first")])
    tokens = project(given, States(embeds=sides))
    held, terms = gather_terms([PictureTokens(tokens[1:], tokens[:1])])
    weights = SimpleNamespace(model=PairWeights(given.pairs))
    patch = AttentionPatch(Applied(weights, held, terms, (SiteWeight(1.0),) * 16, 0.6, None, attend), site)
    q, k, v = (goldens[f"{site}.{name}"] for name in "qkv")

    out = patch(q, k, v, {"n_heads": 8, "cond_or_uncond": [1, 0], "uuids": ["n", "p"]})

    torch.testing.assert_close(out, goldens[f"{site}.out"], atol=1e-5, rtol=0)
