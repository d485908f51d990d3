"""What other nodes of ComfyUI do to a model that has references: tiles, split prompts, samplings, compiling."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from clip_grid.clip_backend.ip_adapter.roles import KEY, OUTER_SAMPLE, Run, note_roles
from clip_grid.errors import InputError
from torch import Tensor

from . import fake_patcher as fake


def at_site(model: Any, rows: int = 2, **options: Any) -> Tensor:
    """What the patch of the first site gives for that many rows, in ComfyUI's options of a latent of 6 x 8 cells."""
    patch = model.model_options["transformer_options"]["patches_replace"]["attn2"][fake.KEYS[0]]
    guider = SimpleNamespace(conds={"positive": fake.POSITIVE, "negative": fake.NEGATIVE})

    def attention(_: Any, __: Any, ___: Any, ____: Any, inner: dict[str, Any]) -> Tensor:
        extra = {**inner["transformer_options"], "n_heads": fake.HEADS, "cond_or_uncond": [1, 0], "uuids": ["n", "p"]}
        out: Tensor = patch(*fake.qkv(rows), {**extra, **options})
        return out

    conds, x = [fake.POSITIVE, fake.NEGATIVE], torch.zeros(1, 4, 6, 8)
    start = {"transformer_options": {KEY: Run(guider)}}
    found: Tensor = note_roles(attention, None, conds, x, torch.tensor([5.0]), start)
    return found


def test_rows_that_another_node_added_are_refused_since_their_prompt_is_unknown():
    model = fake.apply(fake.FakePatcher(), fake.adapter(), fake.reference())

    assert at_site(model, 2, original_shape=[2, 4, 6, 8]).shape[0] == 2
    for rows in (3, 4):
        with pytest.raises(InputError, match=f"{rows} rows where the model has 2 for 2 prompts"):
            at_site(model, rows, original_shape=[2, 4, 6, 8])


def test_a_mask_is_refused_where_a_tile_hides_its_place():
    masked = fake.reference(mask=torch.ones(6, 8))
    model, free = (fake.apply(fake.FakePatcher(), fake.adapter(), one) for one in (masked, fake.reference()))

    assert torch.allclose(
        at_site(model, original_shape=[2, 4, 6, 8], activations_shape=[2, 16, 3, 4]),
        at_site(free, original_shape=[2, 4, 6, 8]),
        atol=1e-6,
    )
    tile = {"original_shape": [2, 4, 3, 4], "activations_shape": [2, 16, 3, 4]}
    with pytest.raises(InputError, match="gives the model 3 x 4 latent cells of 6 x 8"):
        at_site(model, **tile)
    assert torch.equal(at_site(free, **tile), at_site(free, original_shape=[2, 4, 6, 8]))


def test_a_foreign_patch_that_asks_twice_gets_the_reference_twice():
    model = fake.apply(fake.FakePatcher(), fake.adapter(), fake.reference())
    expected = fake.run(model)
    ours = model.model_options["transformer_options"]["patches_replace"]["attn2"][fake.KEYS[0]]

    def mean_of_two(*given: Any) -> Tensor:
        return (ours(*given) + ours(*given)) / 2

    model.set_model_attn2_replace(mean_of_two, *fake.KEYS[0])

    assert torch.allclose(fake.run(model), expected, atol=1e-6)


def test_the_sampling_of_the_run_decides_when_references_act():
    """A node behind ours may give the model other noise levels, of which those of the run count."""
    plain = fake.FakePatcher()
    model = fake.apply(plain, fake.adapter(), fake.reference(), start=0.2, end=0.5)
    untouched, steered = fake.run(plain), fake.run(fake.apply(plain, fake.adapter(), fake.reference()))

    assert torch.equal(fake.run(model, sigma=6.0), steered)
    model.sampling = SimpleNamespace(percent_to_sigma=lambda share: 100 * (1 - share))
    assert torch.equal(fake.run(model, sigma=6.0), untouched)
    assert torch.equal(fake.run(model, sigma=60.0), steered)


def test_noise_levels_are_compared_in_float32_and_an_end_of_0_leaves_no_step():
    plain = fake.FakePatcher()
    plain.sampling = SimpleNamespace(percent_to_sigma=lambda share: 1.0 - share)
    model = fake.apply(plain, fake.adapter(), fake.reference(), end=0.3)
    sigma = float(torch.tensor(0.7, dtype=torch.float32))

    assert sigma < 0.7
    assert not torch.equal(fake.run(model, sigma=sigma), fake.run(plain))
    # flow matching begins at 1, which is also the noise level of the share 0
    assert torch.equal(
        fake.run(fake.apply(plain, fake.adapter(), fake.reference(), end=0.0), sigma=1.0), fake.run(plain)
    )


def test_a_compiled_model_runs_as_it_was_while_references_act(caplog: pytest.LogCaptureFixture):
    compiled: list[Any] = []

    def backend(graph: Any, _: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    double = torch.compile(lambda x: 2 * x, backend=backend)
    model = fake.apply(fake.FakePatcher(), fake.adapter(), fake.reference())
    model.model_options["torch_compile_kwargs"] = {"backend": backend}
    (wrapper,) = model.get_wrappers(OUTER_SAMPLE, KEY)

    guider = SimpleNamespace(model_options=model.model_options, conds={})
    executor = fake.Executor(guider, lambda: double(torch.ones(2)))

    assert wrapper(executor).tolist() == [2, 2]
    assert not compiled
    assert "is not compiled while references act" in caplog.text
    assert double(torch.ones(2)).tolist() == [2, 2]
    assert len(compiled) == 1
