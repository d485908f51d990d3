"""The tensors of each projection by name and shape, and the sizes that they determine; no tensor is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .variants import Projection

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
#: Numbers of a head of attention in every resampler.
HEAD_WIDTH = 64
#: Where the resampler of a face projection has its tensors.
PERCEIVER = "perceiver_resampler."
_LAYER = re.compile(r"(?:perceiver_resampler\.)?layers\.(\d+)\.")


class ShapeError(ValueError):
    """The tensors are not those of one projection; the message says which is wrong and how."""


@dataclass(frozen=True, kw_only=True)
class ProjectionSizes:
    """The sizes of a projection."""

    #: Width of the picture's states or embedding, or of the face vector where that is the only input.
    input_width: int
    #: None where each token of the picture becomes one.
    tokens: int | None
    #: Width of each output token.
    token_width: int
    #: Between its two products; 0 where it has but one.
    hidden: int = 0
    #: Width of the face vector that is input beside the picture's states; 0 without one.
    face_width: int = 0
    #: Width inside a resampler, rows of its query weights, width inside its feed-forward, number of layers.
    width: int = 0
    inner: int = 0
    feed_forward: int = 0
    depth: int = 0


def projection_kind(shapes: Shapes, *, is_flux: bool) -> Projection | None:
    """Which projection has these tensors; None for none that is known. is_flux: the adapter is for FLUX."""
    if "time_embedding.linear_1.weight" in shapes:
        return "time-resampler"
    if any(name.startswith(PERCEIVER) for name in shapes):
        return "face-resampler"
    if "latents" in shapes:
        return "resampler"
    if "proj.3.weight" in shapes:
        return "token-mlp"
    if "proj.2.weight" in shapes:
        return "pooled-mlp" if is_flux else "face-mlp"
    return "linear" if "proj.weight" in shapes else None


def projection_sizes(kind: Projection, shapes: Shapes) -> ProjectionSizes:
    """The sizes of a projection, all of whose tensors were checked.

    Raises ShapeError for a tensor that is missing, has another shape than the rest, or belongs to no such projection.
    """
    sizes = _SIZES[kind](shapes)
    if kind == "time-resampler":
        return sizes  # recognised alone, and computed by nothing here
    expected = _expected_shapes(kind, sizes)
    for name, shape in expected.items():
        if _shape(shapes, name, len(shape)) != shape:
            raise ShapeError(f"image_proj.{name} has shape {list(shapes[name])} where {list(shape)} is needed")
    if unread := sorted(set(shapes) - set(expected)):
        raise ShapeError(f"image_proj.{unread[0][:80]} belongs to no projection of this kind")
    return sizes


def _shape(shapes: Shapes, name: str, dimensions: int) -> Shape:
    if name not in shapes:
        raise ShapeError(f"image_proj.{name} is missing")
    if len(shapes[name]) != dimensions or 0 in shapes[name]:
        raise ShapeError(f"image_proj.{name} has the impossible shape {list(shapes[name])}")
    return shapes[name]


def _tokens(rows: int, width: int, name: str) -> int:
    """How many tokens a product of this many rows makes."""
    if rows % width:
        raise ShapeError(f"image_proj.{name} has {rows} rows, which are no whole tokens of {width} dimensions")
    return rows // width


def _linear_sizes(shapes: Shapes) -> ProjectionSizes:
    rows, columns = _shape(shapes, "proj.weight", 2)
    (width,) = _shape(shapes, "norm.weight", 1)
    return ProjectionSizes(input_width=columns, tokens=_tokens(rows, width, "proj.weight"), token_width=width)


def _mlp_sizes(shapes: Shapes) -> ProjectionSizes:
    hidden, columns = _shape(shapes, "proj.0.weight", 2)
    rows, _ = _shape(shapes, "proj.2.weight", 2)
    (width,) = _shape(shapes, "norm.weight", 1)
    tokens = _tokens(rows, width, "proj.2.weight")
    return ProjectionSizes(input_width=columns, tokens=tokens, token_width=width, hidden=hidden)


def _token_mlp_sizes(shapes: Shapes) -> ProjectionSizes:
    hidden, columns = _shape(shapes, "proj.0.weight", 2)
    rows, _ = _shape(shapes, "proj.2.weight", 2)
    return ProjectionSizes(input_width=columns, tokens=None, token_width=rows, hidden=hidden)


def _resampler_sizes(shapes: Shapes) -> ProjectionSizes:
    _, tokens, _ = _shape(shapes, "latents", 3)
    return _with_resampler(shapes, "", tokens=tokens)


def _face_resampler_sizes(shapes: Shapes) -> ProjectionSizes:
    face = _mlp_sizes(shapes)
    tokens = face.tokens or 0
    sizes = _with_resampler(shapes, PERCEIVER, tokens=tokens, face_width=face.input_width, hidden=face.hidden)
    if not face.token_width == sizes.width == sizes.token_width:
        raise ShapeError(
            f"image_proj.{PERCEIVER}proj_in.weight makes states of {sizes.width} dimensions, which do not fit the "
            f"{face.token_width} of image_proj.norm.weight"
        )
    return sizes


def _with_resampler(shapes: Shapes, root: str, *, tokens: int, face_width: int = 0, hidden: int = 0) -> ProjectionSizes:
    width, columns = _shape(shapes, f"{root}proj_in.weight", 2)
    inner, _ = _shape(shapes, f"{root}layers.0.0.to_q.weight", 2)
    feed_forward, _ = _shape(shapes, f"{root}layers.0.1.1.weight", 2)
    rows, _ = _shape(shapes, f"{root}proj_out.weight", 2)
    if inner % HEAD_WIDTH:
        raise ShapeError(f"image_proj.{root}layers.0.0.to_q.weight has {inner} rows, no whole heads of {HEAD_WIDTH}")
    layers = {int(found[1]) for name in shapes if (found := _LAYER.match(name))}
    return ProjectionSizes(
        input_width=columns, tokens=tokens, token_width=rows, width=width, inner=inner, feed_forward=feed_forward,
        depth=len(layers), face_width=face_width, hidden=hidden,
    )  # fmt: skip


def _time_resampler_sizes(shapes: Shapes) -> ProjectionSizes:
    _, tokens, width = _shape(shapes, "latents", 3)
    _, columns = _shape(shapes, "proj_in.weight", 2)
    rows, _ = _shape(shapes, "proj_out.weight", 2)
    return ProjectionSizes(input_width=columns, tokens=tokens, token_width=rows, width=width)


_SIZES = {
    "linear": _linear_sizes, "pooled-mlp": _mlp_sizes, "face-mlp": _mlp_sizes, "token-mlp": _token_mlp_sizes,
    "resampler": _resampler_sizes, "face-resampler": _face_resampler_sizes, "time-resampler": _time_resampler_sizes,
}  # fmt: skip


def _expected_shapes(kind: Projection, sizes: ProjectionSizes) -> dict[str, Shape]:
    """Every tensor of a projection of these sizes."""
    out, rows = sizes.token_width, (sizes.tokens or 1) * sizes.token_width
    if kind == "linear":
        return _product("proj", rows, sizes.input_width) | _norm("norm", out)
    if kind == "token-mlp":
        products = _product("proj.0", sizes.hidden, sizes.input_width) | _product("proj.2", out, sizes.hidden)
        return products | _norm("proj.3", out)
    if kind in ("pooled-mlp", "face-mlp"):
        return _mlp(sizes.input_width, sizes.hidden, rows, out)
    if kind == "resampler":
        return {"latents": (1, sizes.tokens or 0, sizes.width)} | _resampler("", sizes)
    if kind == "face-resampler":
        return _mlp(sizes.face_width, sizes.hidden, rows, out) | _resampler(PERCEIVER, sizes)
    return {}


def _product(name: str, rows: int, columns: int) -> dict[str, Shape]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _mlp(columns: int, hidden: int, rows: int, out: int) -> dict[str, Shape]:
    return _product("proj.0", hidden, columns) | _product("proj.2", rows, hidden) | _norm("norm", out)


def _resampler(root: str, sizes: ProjectionSizes) -> dict[str, Shape]:
    width, inner, feed_forward = sizes.width, sizes.inner, sizes.feed_forward
    expected = _product(f"{root}proj_in", width, sizes.input_width)
    for layer in range(sizes.depth):
        here = f"{root}layers.{layer}."
        expected |= _norm(f"{here}0.norm1", width) | _norm(f"{here}0.norm2", width) | _norm(f"{here}1.0", width)
        expected |= {
            f"{here}0.to_q.weight": (inner, width), f"{here}0.to_kv.weight": (2 * inner, width),
            f"{here}0.to_out.weight": (width, inner), f"{here}1.1.weight": (feed_forward, width),
            f"{here}1.3.weight": (width, feed_forward),
        }  # fmt: skip
    return (
        expected | _product(f"{root}proj_out", sizes.token_width, width) | _norm(f"{root}norm_out", sizes.token_width)
    )
